"""Learning a scorecard's weights: planted weights are found, noise gets little, and the score is judged on unseen customers."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.errors import KequnError
from kequn.scheme.editing import with_item_points
from kequn.scheme.weights import auc, learn

ITEMS = [("strong", {}, 10), ("weak", {}, 10), ("noise", {}, 10), ("against", {}, 10)]


def customers(count: int, seed: int = 3, missing: float = 0.1):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    points = rng.choice([0.0, 5.0, 10.0], size=(count, 4))
    chance = 1 / (1 + np.exp(-(3.0 * points[:, 0] + 1.0 * points[:, 1] - 1.5 * points[:, 3] - 12) / 10))
    points[rng.random(points.shape) < missing] = np.nan
    return points, rng.random(count) < chance, [f"C{n:05d}" for n in range(count)]


def test_planted_weights_are_found_and_none_is_negative() -> None:
    learnt = learn(ITEMS, *customers(4_000))
    most = {item.id: item.learnt for item in learnt.items}
    assert most["strong"] > 2 * most["weak"] > 2 * most["noise"]
    assert most["strong"] / most["weak"] == pytest.approx(3, rel=0.25)
    assert most["against"] == 1
    assert sum(most.values()) == pytest.approx(40, abs=2)
    assert learnt.better
    assert learnt.auc_learnt > learnt.auc_now + 0.03
    assert all(0.85 < item.known < 0.95 for item in learnt.items)


def test_without_anything_to_learn_the_learnt_score_is_no_better_than_chance() -> None:
    rng = np.random.default_rng(1)
    learnt = learn(
        ITEMS,
        rng.choice([0.0, 10.0], size=(2_000, 4)),
        rng.random(2_000) < 0.5,
        [str(n) for n in range(2_000)],
    )
    assert abs(learnt.auc_learnt - 0.5) < 0.05


def test_the_order_of_customers_changes_nothing() -> None:
    points, stayed, ids = customers(900)
    turned = np.random.default_rng(0).permutation(900)
    one = learn(ITEMS, points, stayed, ids)
    other = learn(ITEMS, points[turned], stayed[turned], [ids[place] for place in turned])
    assert [item.learnt for item in one.items] == [item.learnt for item in other.items]
    assert one.auc_learnt == pytest.approx(other.auc_learnt, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 199])
def test_too_few_customers_are_refused(count: int) -> None:
    with pytest.raises(KequnError) as caught:
        learn(ITEMS, *customers(count))
    assert caught.value.code == "scheme.learn_few"


def test_if_everybody_stays_there_is_nothing_to_learn() -> None:
    points, _, ids = customers(500)
    with pytest.raises(KequnError):
        learn(ITEMS, points, np.ones(500, dtype=bool), ids)


def test_auc_is_the_one_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    score, stayed = rng.integers(0, 9, 300).astype(float), rng.random(300) < 0.4
    assert auc(score, stayed) == pytest.approx(roc_auc_score(stayed, score))


def test_learnt_points_keep_the_shape_of_an_item_and_every_comment() -> None:
    text = (
        "# ours\nitems:\n- id: repeat  # often\n  column: frequency\n  quantiles: [0.4, 0.7]\n  points: [0, 8, 20]\n"
        "- id: referred\n  choices: [{when: is_referred, points: 10}]\n"
    )
    assert with_item_points(text, {"repeat": 30, "referred": 5}) == (
        "# ours\nitems:\n- id: repeat  # often\n  column: frequency\n  quantiles: [0.4, 0.7]\n  points: [0, 12, 30]\n"
        "- id: referred\n  choices: [{when: is_referred, points: 5}]\n"
    )
