"""A definition is saved through the checks of the command line, and never over somebody's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from kequn.definitions import ABSENT
from kequn.editing import check_definition, read_definition, remove_definition, save_definition
from kequn.errors import ConfigError

PATH = "audiences/lapsed.yaml"
TEXT = "audience: lapsed\nrule: recency_days > 180\n"


def test_a_checked_definition_is_written_and_read_back(tmp_path: Path) -> None:
    saved = save_definition(tmp_path, PATH, TEXT, expected=ABSENT)
    assert read_definition(tmp_path, PATH) == saved and (tmp_path / PATH).read_text(encoding="utf-8") == TEXT


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_or_removed(tmp_path: Path) -> None:
    mine = save_definition(tmp_path, PATH, TEXT, expected=ABSENT)
    theirs = save_definition(tmp_path, PATH, TEXT.replace("180", "90"), expected=mine.fingerprint)
    for act in (
        lambda: save_definition(tmp_path, PATH, TEXT, expected=mine.fingerprint),
        lambda: save_definition(tmp_path, PATH, TEXT, expected=ABSENT),
        lambda: remove_definition(tmp_path, PATH, expected=mine.fingerprint),
    ):
        with pytest.raises(ConfigError) as caught:
            act()
        assert caught.value.code == "definitions.changed"
    assert read_definition(tmp_path, PATH) == theirs
    remove_definition(tmp_path, PATH, expected=theirs.fingerprint)
    assert read_definition(tmp_path, PATH).fingerprint == ABSENT


def test_a_wrong_rule_is_refused_with_its_line_and_the_nearest_name_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError) as caught:
        save_definition(tmp_path, PATH, TEXT.replace("recency_days", "recency_dayz"), expected=ABSENT)
    assert caught.value.fields["near"] == "recency_days" and caught.value.fields["line"] == 2
    assert not (tmp_path / PATH).exists()


@pytest.mark.parametrize(
    "path", ["../x.yaml", "schemes/../../x.yaml", "/etc/passwd", "kequn.yaml", "schemes/A.yaml", ""]
)
def test_only_schemes_and_audiences_can_be_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        read_definition(tmp_path, path)
    with pytest.raises(ConfigError):
        check_definition(tmp_path, path, TEXT)


def test_a_scheme_that_another_needs_cannot_lose_a_segment_that_is_named(tmp_path: Path) -> None:
    scheme = "scheme: s\nkind: rules\ntitle: s\nsegments:\n- {id: a, title: a, when: recency_days > 1}\notherwise: {id: b, title: b}\n"
    save_definition(tmp_path, "schemes/s.yaml", scheme, expected=ABSENT)
    save_definition(tmp_path, PATH, "audience: lapsed\nsegments: s/a\n", expected=ABSENT)
    with pytest.raises(ConfigError) as caught:
        check_definition(tmp_path, "schemes/s.yaml", scheme.replace("id: a,", "id: c,"))
    assert caught.value.code == "audience.no_segment"
