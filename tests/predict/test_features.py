"""No feature can know the future, and features don't depend on the order of rows or the unit of money."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.errors import ModelError
from kequn.predict.features import DATED, as_float, feature_titles, in_sample, read_features
from tests.predict.world import AS_OF, Shop


def profile(folder: Path, **columns: list[object]) -> Path:
    folder.mkdir(exist_ok=True)
    count = len(next(iter(columns.values())))
    base = {
        "customer_id": [f"c{n}" for n in range(count)],
        "recency_days": [10] * count,
        "frequency": [2] * count,
    }
    pq.write_table(pa.table({**base, **columns}), folder / "part-00000.parquet")
    return folder


def test_a_planted_leak_is_not_a_feature(tmp_path: Path) -> None:
    leaky = profile(
        tmp_path / "p",
        x_bought_later=[1, 0, 1],
        next_order_at=[date(2026, 2, 1)] * 3,
        revenue_next_30d=[100, 0, 300],
        company_id=[1, 2, 3],
        birth_date=[date(1990, 1, 1)] * 3,
        city=["a", "b", "c"],
    )
    assert read_features(leaky, before=AS_OF).names == ("recency_days", "frequency")


@pytest.mark.parametrize("name", ["x_bought_later", "company_id", "city", "birth_date"])
def test_an_id_a_date_a_text_or_a_custom_attribute_cannot_be_vouched_for(tmp_path: Path, name: str) -> None:
    values = {"x_bought_later": [1], "company_id": [1], "city": ["a"], "birth_date": [date(1990, 1, 1)]}
    folder = profile(tmp_path / "p", **{name: values[name]})
    with pytest.raises(ModelError) as raised:
        read_features(folder, extra=(name,))
    assert raised.value.code == "predict.feature_not_allowed"


def test_a_profile_that_knows_later_orders_is_refused(tmp_path: Path) -> None:
    folder = profile(tmp_path / "p", last_order_at=[date(2025, 12, 31), AS_OF])
    with pytest.raises(ModelError) as raised:
        read_features(folder, before=AS_OF)
    assert raised.value.code == "predict.profile_from_the_future"
    assert len(read_features(folder, before=date(2026, 1, 2))) == 2


def test_money_counts_the_same_in_minor_and_in_major_units(shop: Shop) -> None:
    minor = read_features(shop.profile_at(AS_OF))
    major = read_features(shop.profile_at(AS_OF, name="major", money="DECIMAL"))
    assert minor.names == major.names
    assert np.array_equal(minor.values, major.values, equal_nan=True)


def test_features_do_not_depend_on_the_order_of_rows(shop: Shop) -> None:
    plain, shuffled = (
        read_features(shop.profile_at(AS_OF)),
        read_features(shop.profile_at(AS_OF, name="mixed", order="hash(customer_id)")),
    )
    assert plain.customer_ids.equals(shuffled.customer_ids)
    assert np.array_equal(plain.values, shuffled.values, equal_nan=True)


def test_who_never_bought_has_no_row(shop: Shop) -> None:
    assert "never" not in read_features(shop.profile_at(AS_OF)).customer_ids.to_pylist()


def test_a_customer_in_two_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        read_features(profile(tmp_path / "p", customer_id=["a", "a"]))
    assert raised.value.code == "predict.duplicate_customer"


def test_a_folder_without_a_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        read_features(tmp_path)
    assert raised.value.code == "predict.no_profile"


def test_infinite_figures_count_as_missing(tmp_path: Path) -> None:
    matrix = read_features(profile(tmp_path / "p", overdue_ratio=[float("inf"), 1.5]))
    assert np.isnan(matrix.column("overdue_ratio")[0])


def test_the_sample_is_the_same_for_any_order_of_customers() -> None:
    ids = [f"客户{n}" for n in range(500)]
    one, other = in_sample(pa.array(ids), 50, 1), in_sample(pa.array(ids[::-1]), 50, 1)
    assert one.sum() == 50
    assert np.array_equal(one, other[::-1])
    assert not np.array_equal(one, in_sample(pa.array(ids), 50, 2))


def test_every_feature_has_a_title_in_both_languages() -> None:
    titles = feature_titles()
    assert [name for name in DATED if not (titles.get(name, {}).get("zh") and titles[name].get("en"))] == []


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32(), pa.bool_(), pa.decimal128(25, 2)])
def test_nulls_and_infinities_are_nan_wherever_a_slice_begins(kind: pa.DataType) -> None:
    values = [None if place % 3 == 0 else place % 2 for place in range(23)]
    column = pa.chunked_array([pa.array(values, pa.int64()).cast(kind)])
    scale = 100 if pa.types.is_decimal(kind) else 1
    for start in (0, 1, 5, 8, 9):
        wanted = [np.nan if value is None else scale * value for value in values[start:]]
        assert np.array_equal(as_float(column.slice(start)), wanted, equal_nan=True)
    assert np.isnan(as_float(pa.array([np.inf, np.nan, None], pa.float64()))).all()
    assert not len(as_float(pa.array([], kind)))
