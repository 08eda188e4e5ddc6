"""`kequn.definitions`: the YAML that makes up a workspace."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from kequn import definitions
from kequn.definitions import (
    ABSENT,
    fingerprint,
    load_yaml,
    locate,
    nearest,
    parse_yaml,
    problems,
    save_text,
    save_yaml,
    validate,
)
from kequn.errors import ConfigError
from kequn.i18n import LANGUAGES, explain

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (LAUGHS, "alias_bomb", (6, 4)),
        ("a: &a [*a]\n", "alias_bomb", (1, 4)),
        ("a: &a {b: *a}\n", "alias_bomb", (1, 4)),
        ("a: " + "[" * 100_000, "too_deep", None),
        ("a: " + "[" * 200 + "]" * 200, "too_deep", (1, 64)),
        ("- " * 100_000, "too_deep", None),
        ("a: 1\nb: {x: 1, x: 2}\n", "key_twice", (2, 11)),
        ("a: 1\n'a': 2\n", "key_twice", (2, 1)),
        ("a:\n\tb: 1\n", "tab", (2, 1)),
        ("a: !!python/object/apply:os.system [ls]", "syntax", None),
        ("a: !!python/object:os.system ls", "syntax", (1, 4)),
        ("- 1", "no_mapping", (1, 1)),
        ("just words", "no_mapping", (1, 1)),
        ("a: \x00b", "syntax", (1, 4)),
        ("x: 1\na: \x07", "syntax", (2, 4)),
        ("a: 1\n---\nb: 2", "syntax", (2, 1)),
        ("a: b: c", "syntax", (1, 5)),
        ("a: [1, 2", "syntax", None),
        ("a: *nobody", "syntax", (1, 4)),
        ("{[1]: 2}", "key_kind", (1, 2)),
        ("a: 2026-13-45", "syntax", (1, 4)),
        ("a: " + "9" * 5000, "syntax", (1, 4)),
        ('a: "\\uD800"', "syntax", (1, 4)),
        ("x" * 1_000_001, "too_long", None),
    ],
)
def test_unsound_yaml_is_refused_with_its_place(text: str, code: str, place: tuple[int, int] | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "方案.yaml")
    assert caught.value.code == f"definitions.{code}"
    if place:
        assert (caught.value.fields["line"], caught.value.fields["column"]) == place
    for lang in LANGUAGES:
        assert "方案.yaml" in explain(caught.value, lang) and "{" not in explain(caught.value, lang).replace(
            "{[", ""
        )


@given(
    st.text(st.characters(codec="utf-8"), max_size=60) | st.text("[]{}:,-?&*!|>'\"%@` \n\ta1<", max_size=40)
)
def test_any_text_is_either_a_mapping_or_a_config_error(text: str) -> None:
    try:
        assert isinstance(parse_yaml(text), dict)
    except ConfigError as error:
        assert error.fields["file"] == "<text>"


def test_values_are_those_of_yaml_1_2() -> None:
    found = parse_yaml(
        "{a: yes, b: NO, c: on, d: true, e: 2026-01-05, f: '001', g: 1.5, h: null, i: [1], 7: k}"
    )
    assert str(found["e"]) == "2026-01-05"
    assert {**found, "e": 0} == {
        "a": "yes", "b": "NO", "c": "on", "d": True, "e": 0, "f": "001", "g": 1.5, "h": None, "i": [1], "7": "k",
    }  # fmt: skip


def test_merged_mappings_keep_their_own_values_first() -> None:
    found = parse_yaml("base: &base {x: 1, y: 2}\nchild: {<<: *base, y: 3}\n")
    assert found["child"] == {"y": 3, "x": 1}


def test_empty_text_is_an_empty_mapping() -> None:
    assert parse_yaml("") == parse_yaml("# only words\n") == {}


def test_values_know_where_they_stand() -> None:
    data = parse_yaml("segments:\n- {id: a}\n- id: b\n  when: x > 1\n")
    assert locate(data, ("segments", 1, "when")) == (4, 3)
    assert locate(data, ("segments", 1, "missing")) == (3, 3)
    assert locate(data, ()) == (1, 1)


@pytest.mark.parametrize(
    ("content", "found", "place"),
    [
        ("name: a\ntitle: 客户".encode("gbk"), "GBK", (2, 8)),
        ("name: 客户".encode("utf-16"), "UTF-16", (1, 1)),
        (b"name: \xff\xff\xff", "?", (1, 7)),
        ("客: ".encode() + b"\xff\xff", "?", (1, 4)),
    ],
)
def test_a_file_in_another_encoding_is_told_from_utf_8(
    tmp_path: Path, content: bytes, found: str, place: tuple[int, int]
) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match="encoding") as caught:
        load_yaml(tmp_path / "a.yaml")
    assert (caught.value.fields["found"], (caught.value.fields["line"], caught.value.fields["column"])) == (
        found,
        place,
    )


def test_a_bom_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: a\r\nmore:\r\n- 1\r\n")
    assert load_yaml(tmp_path / "a.yaml") == {"name": "a", "more": [1]}


def test_a_missing_an_unreadable_and_a_huge_file_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no_file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot_read"):
        load_yaml(tmp_path)
    (tmp_path / "big.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="too_long"):
        load_yaml(tmp_path / "big.yaml")


class Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["rules"]
    when: str = ""


class Bands(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["bands"]
    column: str
    edges: list[float] = []


class Scheme(BaseModel):
    model_config = ConfigDict(extra="forbid")
    body: Annotated[Rules | Bands, Field(discriminator="kind")] | None = None
    parts: list[Rules] = []
    named: dict[str, Bands | None] = {}


@pytest.mark.parametrize(
    ("text", "code", "place", "close"),
    [
        ("body: {kind: bands, colum: x}", "unknown_key_near", (1, 21), "column"),
        ("parts:\n- {kind: rules}\n- {kind: rules, wen: x}", "unknown_key_near", (3, 17), "when"),
        ("named: {q: {kind: bands, column: a, Edges: [1]}}", "unknown_key_near", (1, 37), "edges"),
        ("boby: 1", "unknown_key_near", (1, 1), "body"),
        ("qqq: 1", "unknown_key", (1, 1), None),
        ("body: {kind: cluster}", "not_one_of", (1, 1), None),
        ("body: {}", "missing_key", (1, 1), None),
        ("body: {kind: bands}", "missing_key", (1, 1), None),
        ("body: {kind: bands, column: a, edges: [1, x]}", "not_number", (1, 43), None),
        ("parts: 3", "not_list", (1, 1), None),
        ("parts: [3]", "not_mapping", (1, 9), None),
    ],
)
def test_a_model_that_does_not_fit_names_place_and_nearest_key(
    text: str, code: str, place: tuple[int, int], close: str | None
) -> None:
    found = problems(Scheme, parse_yaml(text), "f.yaml")[0]
    fields = found.fields
    assert (found.code, (fields["line"], fields["column"])) == (f"definitions.{code}", place)
    assert fields.get("nearest") == close
    for lang in LANGUAGES:
        assert "f.yaml" in explain(found, lang)


def test_all_problems_come_in_the_order_of_the_file() -> None:
    data = parse_yaml("parts:\n- {kind: rules, when: 5}\nqqq: 1\nbody: 3\n")
    assert [one.fields["line"] for one in problems(Scheme, data)] == [2, 3, 4]
    with pytest.raises(ConfigError) as caught:
        validate(Scheme, data)
    assert caught.value.fields["more"] == 2
    assert problems(Scheme, parse_yaml("parts: []")) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [("recency_day", "recency_days"), ("Recency-Days", "recency_days"), ("城市", None), ("", None)],
)
def test_the_nearest_name_is_only_named_when_it_is_near(word: str, expected: str | None) -> None:
    assert nearest(word, ["frequency", "recency_days"]) == expected


def test_saving_replaces_the_whole_file_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.yaml"
    first = save_text(file, "a: 1\n", expected=ABSENT)
    file.chmod(0o640)
    second = save_text(file, "甲: 2\n", expected=first)
    assert file.read_text(encoding="utf-8") == "甲: 2\n" and second == fingerprint("甲: 2\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["a.yaml"]


def test_saving_over_somebody_elses_change_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    mine = save_text(file, "a: 1\n")
    file.write_text("a: theirs\n")
    for expected in (mine, ABSENT):
        with pytest.raises(ConfigError, match="changed"):
            save_text(file, "a: 2\n", expected=expected)
    assert file.read_text() == "a: theirs\n"


def test_of_two_writers_who_read_the_same_only_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    start = save_text(file, "a: 0\n")
    won: list[int] = []

    def write(number: int) -> None:
        try:
            save_text(file, f"a: {number}\n", expected=start)
            won.append(number)
        except ConfigError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and file.read_text() == f"a: {won[0]}\n"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = tmp_path / "a.yaml"
    save_text(file, "a: 1\n")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(definitions.os if step == "fsync" else Path, step, full)
    with pytest.raises(ConfigError, match="cannot_write") as caught:
        save_text(file, "a: 2\n")
    monkeypatch.undo()
    assert file.read_text() == "a: 1\n" and [path.name for path in tmp_path.iterdir()] == ["a.yaml"]
    assert "No space left" in explain(caught.value, "zh")


def test_yaml_that_can_not_be_read_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="syntax"):
        save_yaml(tmp_path / "a.yaml", "a: b: c")
    assert not list(tmp_path.iterdir())
