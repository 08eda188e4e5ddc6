"""Profile columns as covariates, and purchases counted in periods, each against a naive count."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.predict.covariates import read_attributes
from kequn.predict.features import FeatureMatrix, read_features
from kequn.predict.past import Past
from kequn.predict.purchases import periodic_statistics, statistics_of
from tests.predict.world import AS_OF, START, Shop


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    channel = ["ads"] * 200 + ["shop"] * 120 + ["fair"] * 3 + [None] * 77
    ages = [None if n % 4 == 0 else 20.0 + n % 50 for n in range(400)]
    table = pa.table(
        {
            "customer_id": [f"c{n:03d}" for n in range(400)],
            "channel": channel,
            "age": ages,
            "member": [n % 2 == 0 for n in range(400)],
            "same": ["x"] * 400,
            "empty": pa.nulls(400, pa.float64()),
        }
    )
    pq.write_table(table.take(np.random.default_rng(0).permutation(400)), tmp_path / "part.parquet")
    return tmp_path


def buyers(*numbers: int) -> FeatureMatrix:
    ids = pa.array([f"c{n:03d}" for n in numbers])
    values = np.tile([10.0, 1.0, 10.0, 100.0], (len(numbers), 1))
    return FeatureMatrix(ids, ("recency_days", "frequency", "tenure_days", "monetary"), values)


def test_text_becomes_flags_against_the_most_common_value_and_rare_ones_join_it(profile: Path) -> None:
    found = read_attributes(profile, ["channel"], buyers(*range(400)))
    assert found is not None and found.names == ("channel=shop", "channel=unknown")
    assert found.values[0].tolist() == [0, 0]
    assert found.values[250].tolist() == [1, 0]
    assert found.values[321].tolist() == [0, 0]  # three from a fair are too few to tell apart
    assert found.values[399].tolist() == [0, 1]
    assert {"code": "predict.note_covariate_reference", "column": "channel", "value": "ads"} in found.notes


def test_an_unknown_number_counts_with_the_mean_and_is_told_apart(profile: Path) -> None:
    found = read_attributes(profile, ["age"], buyers(*range(400)))
    assert found is not None and found.names == ("age", "age=unknown")
    known = found.values[:, 1] == 0
    assert found.values[~known, 0] == pytest.approx(found.values[known, 0].mean(), abs=1e-6)
    assert found.values[1].tolist() == [21, 0]
    assert {"code": "predict.note_covariate_filled", "column": "age", "customers": 100} in found.notes


def test_columns_without_differences_give_no_covariate_and_say_so(profile: Path) -> None:
    found = read_attributes(profile, ["same", "empty", "member"], buyers(*range(400)))
    assert (found is not None and found.names == ("member=true",)) or found.names == ("member=false",)
    assert [note["column"] for note in found.notes] == ["same", "empty", "member"]
    assert read_attributes(profile, [], buyers(1)) is None


def test_statistics_get_the_covariates_of_their_own_customers(profile: Path) -> None:
    found = read_attributes(profile, ["channel", "age"], buyers(*range(400)))
    assert found is not None
    some = buyers(399, 1, 250)
    given = found.beside(statistics_of(some), some).covariates
    assert given is not None
    assert given.table[given.pattern].tolist() == found.values[[399, 1, 250]].tolist()


@pytest.mark.parametrize("days", [7.0, 365.25 / 12])
def test_periods_with_a_purchase_are_counted_as_by_hand(shop: Shop, days: float) -> None:
    orders = pq.read_table(shop.orders[0]).to_pylist()
    back: dict[str, set[int]] = defaultdict(set)
    for order in orders:
        if order["ordered_at"].date() < AS_OF:
            back[order["customer_id"]].add(int(((AS_OF - order["ordered_at"].date()).days - 1) // days))
    matrix = read_features(shop.profile_at(AS_OF))
    found = periodic_statistics(Past(shop.profile_at, shop.orders, START, AS_OF), AS_OF, matrix, days)
    for place, customer in enumerate(matrix.customer_ids.to_pylist()):
        periods = back[customer]
        assert found.x[place] == len(periods) - 1
        assert found.T[place] == round(max(periods) * days)
        assert found.t_x[place] == (round((max(periods) - min(periods)) * days) if len(periods) > 1 else 0)
        assert found.mean_spend[place] == pytest.approx(matrix.column("monetary")[place] / len(periods))
