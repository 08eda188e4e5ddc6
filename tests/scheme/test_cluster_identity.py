"""Agreement of two groupings, and the same group next month: permuted, split, merged, new, gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.scheme.clusters.agreement import adjusted_rand, contingency, jaccard
from kequn.scheme.clusters.identity import Identity, Link, first_identity, match

OLD = ["g1", "g2", "g3"]


def matched(overlap: list[list[int]], previous: list[str] = OLD, **more: object) -> Identity:
    table = np.array(overlap).reshape(len(previous), -1)
    settings = {"next_number": 4, "keep_above": 0.4, **more}
    return match(previous, table, table.sum(axis=0).tolist(), **settings)  # type: ignore[arg-type]


def kinds(identity: Identity) -> set[tuple[str | None, str | None, str, int]]:
    return {(link.previous, link.current, link.kind, link.customers) for link in identity.lineage}


def test_the_adjusted_rand_index_is_the_one_worked_out_by_hand() -> None:
    # pairs together in both: 1 + 1; in a: 3 + 1 (sizes 3, 2); in b: 1 + 3 (sizes 2, 3); all: 10; expected 4 × 4 / 10
    a, b = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    assert adjusted_rand(a, b) == pytest.approx((2 - 1.6) / (4 - 1.6))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60))
def test_the_adjusted_rand_index_equals_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import adjusted_rand_score

    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b))


def test_jaccard_is_shared_over_all() -> None:
    table = contingency(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert jaccard(table).tolist() == [[2 / 3, 1 / 4], [0.0, 1 / 2]]


def test_permuted_labels_keep_their_identity() -> None:
    identity = matched([[0, 0, 500], [300, 0, 0], [0, 200, 0]])
    assert identity.ids == ("g2", "g3", "g1")
    assert kinds(identity) == {
        ("g1", "g1", "kept", 500),
        ("g2", "g2", "kept", 300),
        ("g3", "g3", "kept", 200),
    }
    assert identity.next == 4


def test_a_planted_split_is_told_and_the_larger_part_keeps_the_id() -> None:
    identity = matched([[600, 400, 0, 0], [0, 0, 500, 0], [0, 0, 0, 200]])
    assert identity.ids == ("g1", "g4", "g2", "g3")
    assert {("g1", "g1", "split", 600), ("g1", "g4", "split", 400)} <= kinds(identity)
    assert identity.parents == {"g4": "g1"}
    assert identity.next == 5


def test_a_planted_merge_is_told_and_the_larger_side_gives_the_id() -> None:
    identity = matched([[600, 0], [400, 0], [0, 300]])
    assert identity.ids == ("g1", "g3")
    assert kinds(identity) == {
        ("g1", "g1", "merge", 600),
        ("g2", "g1", "merge", 400),
        ("g3", "g3", "kept", 300),
    }


def test_a_newcomer_and_a_group_that_is_gone_are_told() -> None:
    identity = match(["g1", "g7"], np.array([[500, 0], [0, 0]]), [500, 90], next_number=8, keep_above=0.4)
    assert identity.ids == ("g1", "g8")
    assert kinds(identity) == {("g1", "g1", "kept", 500), (None, "g8", "new", 0), ("g7", None, "retired", 0)}


def test_an_id_is_never_given_to_another_group() -> None:
    identity = matched([[100, 100, 100]], ["g2"], next_number=3)
    assert "g1" not in identity.ids
    assert identity.next == 6


def test_of_equal_overlaps_the_nearer_centre_decides() -> None:
    overlap = [[50, 50], [50, 50]]
    near = np.array([[0.1, 4.0], [4.0, 0.1]])
    assert matched(overlap, ["g1", "g2"], keep_above=0.3, distance=near).ids == ("g1", "g2")
    assert matched(overlap, ["g1", "g2"], keep_above=0.3, distance=near[:, ::-1]).ids == ("g2", "g1")


def test_nobody_in_common_makes_every_group_new() -> None:
    identity = matched([[0, 0], [0, 0], [0, 0]])
    assert identity.ids == ("g4", "g5")
    assert {link.kind for link in identity.lineage} == {"new", "retired"}


def test_in_a_first_run_the_largest_group_is_g1() -> None:
    assert first_identity([10, 30, 20]) == Identity(("g3", "g1", "g2"), (), 4, {})


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_every_group_appears_in_the_lineage_and_ids_differ(
    before: int, after: int, data: st.DataObject
) -> None:
    cells = data.draw(st.lists(st.integers(0, 50), min_size=before * after, max_size=before * after))
    previous = [f"g{n + 1}" for n in range(before)]
    identity = matched(cells, previous, next_number=before + 1)  # type: ignore[arg-type]
    links: tuple[Link, ...] = identity.lineage
    assert len(set(identity.ids)) == after
    assert {link.previous for link in links} >= set(previous)
    assert {link.current for link in links} >= set(identity.ids)
