"""Portraits: counts against plain counting, significance against SciPy, and what a reader may rely on."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, false_discovery_control
from tests.scheme.people import Row, catalog_for, members, random_people, run

from kequn.engine import Engine, EngineSettings, open_engine
from kequn.errors import KequnError
from kequn.language import column
from kequn.scheme.contrast import adjusted, p_values
from kequn.scheme.library import texts
from kequn.scheme.portrait import Portrait, portrait
from kequn.scheme.tally import Tally, medians

TWO = "scheme: two\nkind: rules\nscope: monetary >= 0\nsegments: [{id: often, when: frequency >= 3}]\notherwise: {id: seldom}\n"


def painted(folder: Path, rows: list[Row], schemes: list[str]) -> Portrait:
    from sqlglot import exp

    engine: Engine = open_engine(EngineSettings())
    assignment = run(engine, folder, rows, schemes)
    query = exp.select(*(column(name) for name in rows[0])).from_("profile")
    engine.write_parquet(query, folder / "sorted", sort=("customer_id",))
    engine.close()
    return portrait(sorted((folder / "sorted").glob("*.parquet")), assignment, catalog_for(rows))


def of(table: Any, **wanted: Any) -> list[Row]:
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def test_counts_and_shares_are_those_of_plain_counting(tmp_path: Path) -> None:
    rows = random_people(31, 300)
    found = painted(tmp_path, rows, [TWO])
    segments = members(tmp_path, "two")
    for segment in ("often", "seldom"):
        inside = [row for row in rows if segments.get(row["customer_id"]) == segment]
        outside = [row for row in rows if segments.get(row["customer_id"]) not in (segment, None)]
        for name in ("age_band", "marital_status"):
            counts = Counter(row[name] for row in inside if row[name] is not None)
            rest = Counter(row[name] for row in outside if row[name] is not None)
            shown = {row["value"]: row for row in of(found.table, segment=segment, dimension=name)}
            assert {value: row["customers"] for value, row in shown.items() if row["customers"]} == counts
            for value, row in shown.items():
                assert row["share"] == pytest.approx(counts[value] / counts.total())
                assert row["rest_share"] == pytest.approx(rest[value] / rest.total())


def test_bins_of_a_number_hold_every_known_customer_once(tmp_path: Path) -> None:
    rows = random_people(32, 300)
    found = painted(tmp_path, rows, [TWO])
    segments = members(tmp_path, "two")
    for name in ("monetary", "frequency", "top_brand_share", "recency_days", "quantity_365d"):
        for row in of(found.table, segment="often", dimension=name):
            scale = 100 if name == "monetary" else 1
            low, high = ((None if edge is None else edge * scale) for edge in (row["low"], row["high"]))
            expected = sum(
                segments.get(person["customer_id"]) == "often" and person[name] is not None
                and (low is None or person[name] > low) and (high is None or person[name] <= high)
                for person in rows
            )  # fmt: skip
            assert row["customers"] == expected, (name, row)


def test_a_planted_difference_is_found_and_chance_is_not(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = []
    for n in range(2_000):
        often = n % 4 == 0
        rows.append(
            {
                "customer_id": f"C{n:04d}", "monetary": rng.randrange(100, 9_000), "frequency": 5 if often else 1,
                "city_tier": "一线" if rng.random() < (0.6 if often else 0.3) else "三线", "gender": rng.choice(["male", "female"]),
            }
        )  # fmt: skip
    found = painted(tmp_path, rows, [TWO])
    (tier,) = of(found.table, segment="often", dimension="city_tier", value="一线")
    assert tier["significant"] and 1.7 < tier["lift"] < 2.4
    assert not any(row["significant"] for row in of(found.table, dimension="gender"))
    assert not any(row["significant"] for row in of(found.table, dimension="monetary"))


def test_p_values_are_those_of_a_chi_square_without_correction() -> None:
    tables = np.array([(30, 100, 200, 1_000), (14, 40, 90, 100), (50, 100, 500, 1_000), (1, 4, 10, 1_000)])
    *found, too_few = p_values(*tables.T)
    for (count, size, others, rest), p in zip(tables.tolist(), found, strict=False):
        expected = chi2_contingency([[count, size - count], [others, rest - others]], correction=False)[1]
        assert p == pytest.approx(expected)
    assert np.isnan(too_few)


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1)), max_size=40))
def test_adjustment_for_many_comparisons_is_benjamini_hochberg(p: list[float]) -> None:
    given = np.array(p, dtype=np.float64)
    known = ~np.isnan(given)
    found = adjusted(given)
    assert found[known] == pytest.approx(false_discovery_control(given[known]) if known.any() else [])
    assert np.array_equal(np.isnan(found), ~known)


@given(
    st.lists(st.tuples(st.one_of(st.just(float("nan")), st.integers(0, 40)), st.integers(0, 3)), max_size=300)
)
def test_a_median_is_the_lower_middle_of_the_sorted_values(rows: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in rows], dtype=np.float64)
    owners = np.array([owner for _, owner in rows], dtype=np.uint8)
    found = medians({"age": values}, {"seg_x": owners}, {"seg_x": 3})["seg_x", "age"]
    for owner in range(3):
        mine = sorted(value for value, other in rows if other == owner and value == value)
        assert found[owner] == (mine[(len(mine) - 1) // 2] if mine else None)


@given(st.lists(st.tuples(*(st.integers(0, size - 1) for size in (3, 5, 300, 6, 6))), max_size=60))
def test_packed_columns_are_counted_as_each_alone(rows: list[tuple[int, ...]]) -> None:
    names = ("seg_a", "seg_b", "seg_c", "x", "y")
    codes = {
        name: np.array([row[place] for row in rows], dtype=np.uint16) for place, name in enumerate(names)
    }
    tally = Tally({"seg_a": 3, "seg_b": 5, "seg_c": 300}, {"x": 6, "y": 6})
    half = len(rows) // 2
    tally.add({name: values[:half] for name, values in codes.items()})
    tally.add({name: values[half:] for name, values in codes.items()})
    for scheme in names[:3]:
        for name in names:
            pairs = Counter(zip(codes[scheme].tolist(), codes[name].tolist(), strict=True))
            found = tally.of(scheme, name)
            assert {pair: int(found[pair]) for pair in pairs} == pairs
            assert found.sum() == len(rows)


def test_a_typical_customer_has_the_median_and_the_most_frequent_value(tmp_path: Path) -> None:
    rows = random_people(33, 301)
    found = painted(tmp_path, rows, [TWO])
    segments = members(tmp_path, "two")
    inside = [row for row in rows if segments.get(row["customer_id"]) == "often"]
    days = sorted(row["recency_days"] for row in inside if row["recency_days"] is not None)
    (recency,) = of(found.typical, segment="often", dimension="recency_days")
    share_below = sum(day <= recency["number"] for day in days) / len(days)
    assert 0.48 <= share_below <= 0.6
    (kind,) = of(found.typical, segment="often", dimension="customer_kind")
    counts = Counter(row["customer_kind"] for row in inside if row["customer_kind"] is not None)
    assert counts[kind["value"]] == max(counts.values())
    assert segments[kind["example_customer_id"]] == "often"


def test_other_schemes_are_dimensions_too(tmp_path: Path) -> None:
    rows = random_people(34, 200)
    found = painted(tmp_path, rows, [TWO, texts()["transaction_type.yaml"]])
    first, second = members(tmp_path, "two"), members(tmp_path, "transaction_type")
    for row in of(found.table, scheme="two", segment="often", dimension="seg_transaction_type"):
        assert row["customers"] == sum(
            segment == "often" and second.get(key) == row["value"] for key, segment in first.items()
        )


def test_ids_and_constants_describe_nobody(tmp_path: Path) -> None:
    rows = [
        {
            "customer_id": f"C{n:03d}",
            "monetary": n,
            "frequency": n % 5,
            "city": f"city {n}",
            "country": "中国",
            "income": 7,
        }
        for n in range(400)
    ]
    found = painted(tmp_path, rows, [TWO])
    assert {row["dimension"] for row in found.table.to_pylist()} == {"monetary", "frequency", "country"}


def test_tables_of_different_customers_are_refused(tmp_path: Path) -> None:
    engine = open_engine(EngineSettings())
    rows = random_people(35, 20)
    assignment = run(engine, tmp_path, rows, [TWO])
    run(engine, tmp_path / "other", random_people(35, 19), [TWO])
    with pytest.raises(KequnError) as caught:
        portrait([tmp_path / "other" / "profile.parquet"], assignment, catalog_for(rows))
    assert caught.value.code == "scheme.portrait_rows"
    engine.close()
