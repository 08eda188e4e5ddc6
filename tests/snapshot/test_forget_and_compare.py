from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from kequn.errors import SnapshotError
from kequn.snapshot import SnapshotStore, compare, forgetting
from kequn.snapshot.forgetting import without_id

from .conftest import FIRST, NOW, SECOND, SEGMENTS, Publish
from .test_store import contents


def test_a_forgotten_customer_is_in_no_file_of_any_run(store: SnapshotStore, publish: Publish) -> None:
    publish(FIRST)
    publish(SECOND)
    before = store.snapshot(FIRST).manifest
    done = store.forget("客户4", now=NOW)
    assert done.runs == (SECOND, FIRST) and done.rows == 6
    for run in store.runs():
        assert run.verify().sound and not run.verify().unexpected
        for table in ("profile", "assignment", "membership"):
            assert run.connect().execute(
                f"SELECT count(*) FROM {table} WHERE customer_id = '客户4'"
            ).fetchone() == (0,)
    assert not [name for name, content in contents(store.folder).items() if "客户4".encode() in content]
    after = store.snapshot(FIRST).manifest
    assert after.rows == before.rows | {"profile": 3, "assignment": 4}
    assert after.forgotten[0].before == before.digests != after.forgotten[0].after == after.digests
    assert store.forget("客户4", now=NOW).runs == ()


def test_what_names_the_customer_elsewhere_is_cleared(store: SnapshotStore, publish: Publish) -> None:
    run = publish()
    store.forget("c2", now=NOW)
    run = store.snapshot(FIRST)
    con = run.connect()
    assert con.execute("SELECT customer_id, referred_by FROM profile ORDER BY 1").fetchall() == [
        ("c1", None),
        ("c3", None),
        ("客户4", None),
    ]
    assert run.connect(serving=False).execute("SELECT count(referred_by) FROM profile").fetchone() == (0,)
    assert con.execute("SELECT key FROM quarantine").fetchall() == [("o9",)]
    assert (
        run.manifest.definitions["audiences/vip.yaml"].text
        == 'ids:\n- c1\n- "[forgotten]" # 大客户\nnote: c2\n'
    )
    assert con.execute("SELECT DISTINCT scheme FROM assignment ORDER BY 1").fetchall() == [
        ("channel",),
        ("rfm",),
    ]


@pytest.mark.parametrize(
    "odd", ["a b", " x", "o'1", '"', "\\E.*", "a\\", "😀", "00'; DROP TABLE profile; --", "(", "a\nb", "[x]"]
)
def test_odd_ids_are_forgotten_exactly(store: SnapshotStore, publish: Publish, odd: str) -> None:
    publish(FIRST, {"rfm": {odd: "x", odd + "1": "x"}})
    assert store.forget(odd, now=NOW).rows == 2
    con = store.snapshot(FIRST).connect()
    assert con.execute("SELECT customer_id FROM membership").fetchall() == [(odd + "1",)]
    assert con.execute("SELECT count(*) FROM quarantine").fetchone() == (3,)


def test_forgetting_a_stranger_changes_nothing(store: SnapshotStore, publish: Publish) -> None:
    publish()
    before = contents(store.folder)
    assert store.forget("c' OR 1=1 --", now=NOW).rows == 0
    assert contents(store.folder) == before


@pytest.mark.parametrize("at", range(8))
def test_a_crash_while_forgetting_leaves_the_old_run_or_is_finished_by_the_sweep(
    store: SnapshotStore, publish: Publish, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    publish()
    before = contents(store.folder)
    calls, real = 0, Path.replace

    def dying(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls > at:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        store.forget("c2", now=NOW)
    monkeypatch.undo()
    store.sweep()
    run = store.snapshot(FIRST)
    assert run.verify().sound
    if run.manifest.forgotten:
        assert run.manifest.rows["profile"] == 3 and store.forget("c2", now=NOW).runs == ()
    else:
        assert contents(store.folder) == before


def test_a_full_disk_while_forgetting_leaves_the_run_as_it_was(
    store: SnapshotStore, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    before = contents(store.folder)

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(forgetting, "_fsync", full)
    with pytest.raises(SnapshotError, match="disk_full"):
        store.forget("c2", now=NOW)
    assert contents(store.folder) == before


def test_the_manifest_never_says_who_was_forgotten(store: SnapshotStore, publish: Publish) -> None:
    publish()
    store.forget("客户4", now=NOW)
    entry = json.loads((store.folder / FIRST / "manifest.json").read_text())["forgotten"][0]
    assert set(entry) == {"at", "before", "after"} and "客户4" not in str(entry)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ids: [a, '1', b]", 'ids: [a, "[forgotten]", b]'),
        (
            "segments:\n- {id: x, override: [1, 11]}\n",
            'segments:\n- {id: x, override: ["[forgotten]", 11]}\n',
        ),
        ("when: x > 1\nlimits: [1]\n", "when: x > 1\nlimits: [1]\n"),
        ("not: [yaml", "not: [yaml"),
    ],
)
def test_only_lists_of_ids_lose_the_customer(text: str, expected: str) -> None:
    assert without_id(text, "1") == expected


def test_comparing_counts_who_moved_entered_and_left(store: SnapshotStore, publish: Publish) -> None:
    first = publish(FIRST)
    second = publish(
        SECOND, {"rfm": {"c1": "lost", "c2": "lost", "c3": "lost", "c9": "champions"}, "new": {"c1": "x"}}
    )
    found = compare(first, second)
    assert [tuple(row.values()) for row in found.migration.to_pylist()] == [
        ("rfm", None, "champions", 1),
        ("rfm", "champions", None, 1),
        ("rfm", "champions", "lost", 1),
        ("rfm", "lost", "lost", 2),
    ]
    change = found.changes[0]
    assert (change.stayed, change.moved, change.entered, change.left, change.redefined) == (2, 1, 1, 1, False)
    assert (found.only_before, found.only_after) == (("channel",), ("new",))


def test_comparing_conserves_customers(store: SnapshotStore, publish: Publish) -> None:
    first, second = publish(FIRST), publish(SECOND, {"rfm": {f"c{n}": "x" for n in range(2, 9)}})
    change = compare(first, second).changes[0]
    assert change.stayed + change.moved + change.left == len(SEGMENTS["rfm"])
    assert change.stayed + change.moved + change.entered == 7


def test_a_scheme_that_means_something_else_is_marked_redefined(
    store: SnapshotStore, publish: Publish
) -> None:
    first = publish(FIRST, schemes={"rfm": {"fingerprint": "a"}, "channel": {"fingerprint": "c"}})
    second = publish(SECOND, schemes={"rfm": {"fingerprint": "b"}, "channel": {"fingerprint": "c"}})
    assert {change.scheme: change.redefined for change in compare(first, second).changes} == {
        "rfm": True,
        "channel": False,
    }
