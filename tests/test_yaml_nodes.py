"""`kequn.yaml_nodes`: the quick parser says what the careful one says."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from yaml import YAMLError

from kequn.scheme.library import texts as library_texts
from kequn.yaml_nodes import CAREFUL, compose, quick_loader, scalar

PIECES = (
    "a", "b: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ",", ": ", ":", "'", '"', "#", " #x", "yes", "No", "012", "0o17",
    "1_000", "1e3", ".5", "~", "null", "2026-01-05", "2026-01-05 10:00", "|", "|-\n  x", ">\n  y\n  z", "？", "客户", "🙂", "1:30", "\\n",
    "\\/", "? ", "=", "true", "--- ", "...", "\n---\n", " ", "@", "`", "a>0", "'it''s'", '"q"', "-", "\r", "\n\n", "&x ", "*x", "!t ", "<<: ",
    "\t", "%", "\u2028", " * ", " ! ", " & ", "* ",
)  # fmt: skip


def drawn(node: Any) -> Any:
    """Kind, tag, place and content of every node; an empty value has no place worth comparing."""
    if node is None:
        return None
    tag, place = str(node.tag), (node.start_mark.line, node.start_mark.column)
    if node.id == "scalar":
        return tag, node.value, place if node.value else None
    if node.id == "mapping":
        return tag, place, [(drawn(key), drawn(value)) for key, value in node.value]
    return tag, place, [drawn(each) for each in node.value]


def careful() -> YAML:
    return YAML(typ="safe", pure=True)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=14))
def test_what_the_quick_parser_reads_the_careful_one_reads_alike(pieces: list[str]) -> None:
    text = "a: " + "".join(pieces)
    assume(not CAREFUL.search(text))
    try:
        quick = quick_loader()(text).get_single_node()
    except YAMLError:
        return  # the careful one decides
    assert drawn(quick) == drawn(careful().compose(text))


def test_the_schemes_that_ship_with_kequn_read_alike_and_most_of_them_quickly() -> None:
    texts = list(library_texts().values())
    for text in texts:
        assert drawn(compose(text, careful())) == drawn(careful().compose(text))
    assert sum(CAREFUL.search(text) is None for text in texts) > len(texts) / 2


def test_plain_words_mean_what_yaml_1_2_says_with_either_parser() -> None:
    text = "a: [yes, 012, 0o17, 1e3, ~, true, 2026-01-05, 1:30]"
    yaml = careful()
    by = [
        [scalar(item, yaml) for item in root.value[0][1].value]
        for root in (compose(text, yaml), careful().compose(text))
    ]
    assert by[0] == by[1]
    assert by[0][:3] == ["yes", 12, 15]
