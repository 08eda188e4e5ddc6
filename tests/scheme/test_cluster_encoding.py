"""How features are read: skew, tails, rare levels, gaps; and bad columns."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from kequn.scheme.clusters.encoding import MISSING, OTHER, Encoding, Feature, Rows, learn_encoding


def rows(
    numbers: dict[str, list[float]] | None = None, labels: dict[str, list[str | None]] | None = None
) -> Rows:
    columns = [*(numbers or {}).values(), *(labels or {}).values()]
    return Rows(
        pa.array([f"{place:04d}" for place in range(len(columns[0]))]),
        {name: np.array(values, dtype=np.float64) for name, values in (numbers or {}).items()},
        {name: pa.array(values, pa.string()) for name, values in (labels or {}).items()},
    )


def learn(people: Rows) -> Encoding:
    features = [Feature(name, "number", {}) for name in people.numbers]
    return learn_encoding(people, [*features, *(Feature(name, "text", {}) for name in people.labels)])


def test_a_number_is_standardised_and_its_tails_are_clipped() -> None:
    values = [float(value) for value in range(100)]
    code = learn(rows({"n": values})).numbers[0]
    assert (code.low, code.high, code.log) == (0.0, 98.0, False)
    read = code.transform(np.array([*values, 1e12, -1e12]))
    assert read[:100].mean() == pytest.approx(0, abs=1e-3)
    assert read[:100].std() == pytest.approx(1, abs=1e-3)
    assert read[100] == read[99] and read[101] == read[0]


def test_a_skewed_number_is_read_in_logarithms() -> None:
    values = np.random.default_rng(1).lognormal(3, 1, 1_000)
    code = learn(rows({"n": values.tolist()})).numbers[0]
    assert code.log
    clipped = np.log1p(np.clip(values, code.low, code.high))
    expected = (clipped - clipped.mean()) / clipped.std()
    assert np.abs(code.transform(values) - expected).max() < 1e-3


def test_encoded_numbers_are_multiples_of_a_power_of_two() -> None:
    code = learn(rows({"n": np.random.default_rng(2).normal(size=500).tolist()})).numbers[0]
    read = code.transform(np.random.default_rng(3).normal(size=500)) * 1024
    assert np.array_equal(read, np.rint(read))


def test_constant_nearly_constant_and_empty_columns_are_dropped_with_a_reason() -> None:
    gone = learn(
        rows(
            {
                "same": [5.0] * 200,
                "nearly": [0.0] * 199 + [9.0],
                "empty": [np.nan] * 200,
                "good": [*range(200)],
            },
            {"one": ["a"] * 200, "none": [None] * 200},
        )
    )
    assert gone.dropped == {
        "same": "cluster.constant",
        "nearly": "cluster.constant",
        "empty": "cluster.all_missing",
        "one": "cluster.constant",
        "none": "cluster.all_missing",
    }
    assert [code.name for code in gone.numbers] == ["good"]


def test_three_hundred_equally_rare_levels_say_nothing() -> None:
    encoding = learn(rows({"n": [*range(900)]}, {"city": [f"city {place % 300}" for place in range(900)]}))
    assert encoding.dropped == {"city": "cluster.constant"}


def test_rare_levels_become_one_and_a_new_level_joins_them() -> None:
    common = ["app"] * 600 + ["门店"] * 390
    encoding = learn(rows(labels={"channel": [*common, *(f"rare {place}" for place in range(10))]}))
    assert encoding.labels[0].levels == ("app", "门店", OTHER)
    assert encoding.labels[0].codes(rows(labels={"channel": ["门店", "rare 3", "unheard of"]})).tolist() == [
        1,
        2,
        2,
    ]


def test_missing_labels_are_a_level_and_missing_numbers_a_column() -> None:
    numbers = [np.nan if place % 4 == 0 else float(place) for place in range(400)]
    encoding = learn(rows({"a": numbers, "b": numbers}, {"c": ["x", None] * 200}))
    assert encoding.labels[0].levels == ("x", MISSING)
    assert encoding.labels[1].gap_of == ("a", "b")  # missing together: said once
    assert encoding.missing == {"a": 0.25, "b": 0.25, "c": 0.5}
    read = encoding.encode(rows({"a": [np.nan, 3.0], "b": [np.nan, 3.0]}, {"c": [None, "x"]}))
    assert read.codes.tolist() == [[1, 1], [0, 0]]
    assert np.isnan(read.numbers[0]).all()


def test_the_encoding_survives_json() -> None:
    encoding = learn(rows({"n": [*range(99), np.nan]}, {"c": ["a", "b", None, "客"] * 25}))
    assert Encoding.from_json(json.loads(json.dumps(encoding.as_json()))) == encoding
