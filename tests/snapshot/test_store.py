from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from kequn import definitions
from kequn.errors import SnapshotError
from kequn.i18n import explain
from kequn.snapshot import SnapshotStore

from .conftest import FIRST, SECOND, THIRD, Publish, fill, manifest


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def test_a_published_run_is_current_and_knows_its_rows_digests_and_files(
    store: SnapshotStore, publish: Publish
) -> None:
    assert store.current() is None
    published = publish()
    run = store.current()
    assert run is not None and run.manifest == published.manifest
    assert run.manifest.rows == {"assignment": 6, "profile": 4, "quarantine": 3}
    assert set(run.manifest.digests) == {"rfm", "channel"}
    assert [path.name for path in run.files("assignment")] == ["channel-00000.parquet", "rfm-00000.parquet"]
    assert run.verify().sound and not run.verify().unexpected
    assert not [path for path in store.folder.iterdir() if path.name.startswith(".draft")]


def test_runs_come_newest_first_and_rollback_goes_back_one_by_one(
    store: SnapshotStore, publish: Publish
) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        publish(run_id)
    assert [run.run_id for run in store.runs()] == [THIRD, SECOND, FIRST]
    assert [store.rollback().run_id, store.rollback().run_id] == [SECOND, FIRST]
    with pytest.raises(SnapshotError, match="no_earlier_run"):
        store.rollback()
    assert store.rollback(THIRD).run_id == THIRD
    assert store.current().run_id == THIRD  # type: ignore[union-attr]


def test_a_draft_that_fails_leaves_nothing_and_the_published_run_stays(
    store: SnapshotStore, publish: Publish
) -> None:
    publish()
    before = contents(store.folder)
    with pytest.raises(ZeroDivisionError), store.lock(), store.begin(SECOND) as draft:
        fill(draft)
        raise ZeroDivisionError
    assert contents(store.folder) == before


def test_a_draft_needs_the_lock_and_a_new_name(store: SnapshotStore, publish: Publish) -> None:
    publish()
    with pytest.raises(SnapshotError, match="not_locked"):
        store.begin(SECOND)
    with store.lock():
        with pytest.raises(SnapshotError, match=r"snapshot\.exists"):
            store.begin(FIRST)
        with pytest.raises(SnapshotError, match=r"snapshot\.run_id"):
            store.begin("../elsewhere")


def test_a_second_thread_is_told_who_holds_the_lock(store: SnapshotStore) -> None:
    heard: list[SnapshotError] = []

    def intrude() -> None:
        try:
            with SnapshotStore(store.folder).lock():
                pass
        except SnapshotError as error:
            heard.append(error)

    with store.lock(), SnapshotStore(store.folder).lock():  # the same thread may take it again
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
    assert heard[0].code == "snapshot.locked"
    assert heard[0].fields["pid"] == os.getpid() and str(os.getpid()) in explain(heard[0], "zh")


WRITER = """
    import sys
    from pathlib import Path
    from kequn.snapshot import SnapshotStore
    store = SnapshotStore(Path(sys.argv[1]))
    with store.lock(), store.begin("20260130-083000-bbbb") as draft:
        (draft.folder("profile") / "part-00000.parquet").write_bytes(b"half a fi")
        print("writing", flush=True)
        sys.stdin.read()
"""


def test_a_run_killed_in_the_middle_leaves_the_published_one_and_is_swept(
    store: SnapshotStore, publish: Publish
) -> None:
    publish()
    before = contents(store.folder)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(store.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
        with pytest.raises(SnapshotError, match=r"snapshot\.locked") as caught, store.lock():
            pass
        assert caught.value.fields["pid"] == writer.pid
        writer.send_signal(signal.SIGKILL)
    assert store.current().run_id == FIRST  # type: ignore[union-attr]
    assert set(contents(store.folder)) - set(before) == {f".draft-{SECOND}/profile/part-00000.parquet"}
    assert store.sweep() == [SECOND]
    assert contents(store.folder) == before


def test_a_full_disk_while_writing_the_manifest_is_a_clear_error(
    store: SnapshotStore, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    before = contents(store.folder)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(SnapshotError, match="disk_full") as caught,
        store.lock(),
        store.begin(SECOND) as draft,
    ):
        fill(draft)
        monkeypatch.setattr(definitions.os, "fsync", full)
        draft.publish(manifest(SECOND))
    assert contents(store.folder) == before
    assert "磁盘满了" in explain(caught.value, "zh") and "The disk is full" in explain(caught.value, "en")


def test_a_full_disk_while_a_step_writes_is_the_same_clear_error(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match="disk_full"), store.lock(), store.begin(FIRST):
        raise OSError(errno.ENOSPC, "No space left on device", "profile/part-00000.parquet")
    assert contents(store.folder) == {}


def test_a_crash_between_rename_and_pointer_leaves_the_old_run_published(
    store: SnapshotStore, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    real = Path.replace

    def crash(path: Path, target: Path) -> Path:
        if Path(target).name == "CURRENT":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        publish(SECOND)
    monkeypatch.undo()
    assert store.current().run_id == FIRST  # type: ignore[union-attr]
    store.sweep()
    assert sorted(path.name for path in store.folder.iterdir() if path.suffix == ".part") == []
    assert store.rollback(SECOND).verify().sound


def test_pruning_keeps_the_groups_and_drops_only_profile_and_serving(
    store: SnapshotStore, publish: Publish
) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        publish(run_id)
    store.rollback(SECOND)
    assert store.prune(keep=1) == [FIRST]  # the newest is kept, the published one too
    old = store.snapshot(FIRST)
    assert old.tables == ("assignment", "quarantine") and old.serving is None and old.verify().sound
    assert sorted(path.name for path in old.folder.iterdir()) == ["assignment", "manifest.json", "quarantine"]
    assert old.connect().execute("SELECT count(*) FROM assignment").fetchone() == (6,)
    with pytest.raises(SnapshotError, match=r"snapshot\.pruned"):
        old.files("profile")
    with pytest.raises(SnapshotError, match=r"snapshot\.pruned"):
        store.rollback(FIRST)
    assert store.prune(keep=1) == []


def test_an_edited_run_is_reported_and_not_rolled_back_to(store: SnapshotStore, publish: Publish) -> None:
    first = publish(FIRST)
    publish(SECOND)
    profile, quarantine = first.files("profile")[0], first.files("quarantine")[0]
    edited = bytearray(profile.read_bytes())
    edited[-20] ^= 1  # same size, other content
    profile.write_bytes(bytes(edited))
    quarantine.unlink()
    (first.folder / "assignment" / "zz.parquet").write_bytes(b"mine")
    found = first.verify()
    assert not found.sound
    assert found.edited == ("profile/part-00000.parquet",)
    assert found.missing == ("quarantine/part-00000.parquet",)
    assert found.unexpected == ("assignment/zz.parquet",)
    with pytest.raises(SnapshotError, match=r"snapshot\.damaged"):
        store.rollback()
    assert store.current().run_id == SECOND  # type: ignore[union-attr]
    with pytest.raises(SnapshotError, match="file_missing"):
        first.files("quarantine")
    assert "assignment/zz.parquet" not in [str(path) for path in first.files("assignment")]
    profile.write_bytes(b"PAR1")
    with pytest.raises(SnapshotError, match="file_edited"):
        first.connect(serving=False)


def test_a_file_edited_to_the_same_size_is_noticed_and_one_only_copied_is_read(publish: Publish) -> None:
    run = publish()
    serving, profile = run.folder / "serving.duckdb", run.folder / "profile/part-00000.parquet"
    for file in (serving, profile):
        whole, later = file.read_bytes(), (run.folder / "manifest.json").stat().st_mtime + 60
        os.utime(file, (later, later))  # as a copy made afterwards
        run.connect().close()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        os.utime(file, (later, later))
        with pytest.raises(SnapshotError, match=r"snapshot\.file_rewritten"):
            run.connect(serving=file == serving)
        file.write_bytes(whole)
        os.utime(file, (later, later))
    run.connect().close()


@pytest.mark.parametrize("pointer", [SECOND, "", "../../etc", "\x00", "运行"])
def test_a_pointer_to_nowhere_is_a_clear_error_and_rollback_mends_it(
    store: SnapshotStore, publish: Publish, pointer: str
) -> None:
    publish()
    (store.folder / "CURRENT").write_text(pointer, encoding="utf-8")
    with pytest.raises(SnapshotError, match="current_lost") as caught:
        store.current()
    assert "kequn rollback" in explain(caught.value, "zh")
    assert store.rollback(FIRST).run_id == FIRST
    assert store.current() is not None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"run_id": "20260129-083000-aaaa"}', "null", "\x00"],
)
def test_a_broken_manifest_is_a_clear_error(store: SnapshotStore, publish: Publish, content: str) -> None:
    run = publish()
    (run.folder / "manifest.json").write_text(content)
    with pytest.raises(SnapshotError, match="broken_manifest"):
        store.current()
    assert store.runs() == [] and list(store.broken_runs()) == [FIRST]


def test_a_manifest_that_leaves_its_folder_is_refused(store: SnapshotStore, publish: Publish) -> None:
    run = publish()
    text = (run.folder / "manifest.json").read_text()
    (run.folder / "manifest.json").write_text(text.replace("profile/part-00000", "../../secret/part-00000"))
    with pytest.raises(SnapshotError, match="broken_manifest"):
        store.current()


def test_a_manifest_of_a_later_version_is_read_and_kept_whole(store: SnapshotStore, publish: Publish) -> None:
    publish(currency="CNY", previous=None)
    assert store.current().manifest.model_extra == {"currency": "CNY"}  # type: ignore[union-attr]


def test_a_connection_reads_the_tables_of_its_run_and_nothing_else(
    store: SnapshotStore, publish: Publish, tmp_path: Path
) -> None:
    import duckdb

    run = publish()
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for serving in (True, False):
        con = run.connect(serving=serving)
        rows = con.execute(
            "SELECT segment FROM assignment WHERE scheme = 'rfm' ORDER BY customer_id"
        ).fetchall()
        assert rows == [("champions",), ("lost",), ("lost",), ("champions",)]
        assert con.execute("SELECT count(*) FROM profile JOIN quarantine ON true").fetchone() == (12,)
        for forbidden in (
            f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')",
            f"COPY profile TO '{tmp_path / 'out.csv'}'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(forbidden).fetchall()
        con.close()
