"""What sets the members of a segment apart: shares among them against shares among everybody else in the scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kequn.scheme.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE_ALARMS = 0.05
LEAST_EXPECTED = 5
"""Below this many expected customers a share is not judged."""
SCHEMA = pa.schema(
    [
        ("scheme", pa.string()), ("segment", pa.string()), ("dimension", pa.string()), ("title_zh", pa.string()),
        ("title_en", pa.string()), ("position", pa.int64()), ("value", pa.string()), ("low", pa.float64()),
        ("high", pa.float64()), ("customers", pa.int64()), ("share", pa.float64()), ("rest_share", pa.float64()),
        ("lift", pa.float64()), ("p_adjusted", pa.float64()), ("significant", pa.bool_()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """One value of a dimension: titles in zh and en, its place among the others, label, bounds, and the code that counts it."""

    dimension: str
    titles: tuple[str, str]
    position: int
    label: str
    low: float | None
    high: float | None
    code: int


def contrasted(segments: Mapping[str, Sequence[str]], values: Sequence[Value], tally: Tally) -> pa.Table:
    """One row per scheme, segment and value that occurs in the scheme, in this order of scheme, dimension, segment, value.

    `segments` are those of each scheme (`seg_<name>`), whose codes in `tally` are their places; a scheme is not compared on its
    own segments. Shares are among customers whose value is known; significance is judged over all comparisons together.
    """
    if not segments:
        return SCHEMA.empty_table()
    parts = [_scheme_rows(name, len(each), values, tally) for name, each in segments.items()]
    lengths = [len(part[0]) for part in parts]
    segment, place, count, size, others, rest = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    share, rest_share = _ratio(count, size), _ratio(others, rest)
    p = adjusted(p_values(count, size, others, rest))
    scheme = np.repeat(np.arange(len(lengths)), lengths)
    firsts = np.cumsum([0, *map(len, segments.values())])[:-1]

    def words(texts: Sequence[str | None], places: NDArray[np.int64]) -> pa.Array:
        return pa.array(texts, pa.string()).take(pa.array(places))

    def numbers(found: NDArray[np.float64]) -> pa.Array:
        return pa.array(found, pa.float64(), from_pandas=True)  # NaN becomes NULL

    def bounds(found: Sequence[float | None]) -> pa.Array:
        return pa.array(found, pa.float64()).take(pa.array(place))

    return pa.Table.from_arrays(
        [
            words([name.removeprefix("seg_") for name in segments], scheme),
            words([label for each in segments.values() for label in each], firsts[scheme] + segment),
            words([value.dimension for value in values], place),
            words([value.titles[0] for value in values], place),
            words([value.titles[1] for value in values], place),
            pa.array(np.array([value.position for value in values], dtype=np.int64)[place]),
            words([value.label for value in values], place),
            bounds([value.low for value in values]),
            bounds([value.high for value in values]),
            pa.array(count, pa.int64()),
            numbers(share),
            numbers(rest_share),
            numbers(_ratio(share, rest_share)),
            numbers(p),
            pa.array(p < FALSE_ALARMS),
        ],
        schema=SCHEMA,
    )


def _scheme_rows(
    scheme: str, segments: int, values: Sequence[Value], tally: Tally
) -> tuple[NDArray[np.int64], ...]:
    """For each row of one scheme: segment, value (places), customers with both, members and others whose value is known: the
    four figures of a comparison."""
    dimensions = list(dict.fromkeys(value.dimension for value in values))
    number = {name: place for place, name in enumerate(dimensions)}
    of = np.array([number[value.dimension] for value in values], dtype=np.int64)
    codes = np.array([value.code for value in values], dtype=np.int64)
    counts = np.zeros((segments, len(values)), dtype=np.int64)
    sizes = np.zeros_like(counts)
    for name, dimension in number.items():
        here = np.flatnonzero(of == dimension)
        counts[:, here] = tally.of(scheme, name)[:segments][:, codes[here]]
        sizes[:, here] = counts[:, here].sum(axis=1, keepdims=True)
    occurs = (counts.sum(axis=0) > 0) & (of != number.get(scheme, -1))
    place = np.tile(np.flatnonzero(occurs), segments)
    segment = np.repeat(np.arange(segments), int(occurs.sum()))
    order = np.lexsort((place, segment, of[place]))
    segment, place = segment[order], place[order]
    others, rest = counts.sum(axis=0) - counts, sizes.sum(axis=0) - sizes
    return segment, place, *(each[segment, place] for each in (counts, sizes, others, rest))


def _ratio(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    """part / whole; NaN where `whole` is 0 or unknown."""
    found = np.full(len(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def p_values(
    count: NDArray[np.int64], size: NDArray[np.int64], others: NDArray[np.int64], rest: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Two-sided p of equal shares `count / size` and `others / rest` (pooled z); NaN where too few are expected to tell."""
    pooled = _ratio(count + others, size + rest)
    judged = np.minimum(size, rest) * np.minimum(pooled, 1 - pooled) >= LEAST_EXPECTED
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing is judged
        z = (count / size - others / rest) / np.sqrt(pooled * (1 - pooled) * (1 / size + 1 / rest))
    found = np.full(len(count), np.nan)
    found[judged] = [erfc(value) for value in (np.abs(z[judged]) / sqrt(2)).tolist()]
    return found


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini and Hochberg (1995): p × m / rank, made monotone from the largest down. NaN stays NaN."""
    made = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    ranked = p[order] * len(order) / np.arange(1, len(order) + 1)
    made[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return made


__all__ = ["FALSE_ALARMS", "SCHEMA", "Value", "adjusted", "contrasted", "p_values"]
