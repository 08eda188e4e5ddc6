"""Features of customers as numbers that groups can be found in, with every decision kept so that newcomers are read alike.

Numbers: clipped at the 1 % and 99 % points, log where skewed, standardised. Labels: one code a level, rare ones merged.
Missing values stay visible: a level of their own, or for numbers a column that says so. Encoded numbers are rounded to
1/1024, which makes every later sum of products exact whatever the order, batch or engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kequn.errors import KequnError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from kequn.language import Column

TAIL = 0.01
SKEWED = 1.0
LEAST_LEVEL_SHARE = 0.01
MOST_LEVELS = 20
LEAST_GAP_SHARE = 0.01
STEP = 1024.0
FURTHEST = 15.0
OTHER, MISSING, GAP = "\ue000other", "\ue000missing", "\ue000gap"
"""Names of the merged and of the missing level, and the end of the name of a gap; no real label begins so."""


@dataclass(frozen=True)
class Feature:
    """A column to group by. `scale` turns the engine's unit into the one people read (分 → 元)."""

    name: str
    type: str
    title: Mapping[str, str]
    scale: float = 1.0

    @property
    def is_number(self) -> bool:
        return self.type not in {"text", "boolean"}


def feature_of(column: Column, minor_unit_digits: int) -> Feature:
    """The feature for a column of the catalog."""
    return Feature(
        column.name,
        column.type,
        dict(column.title),
        10.0**minor_unit_digits if column.type == "money" else 1.0,
    )


@dataclass(frozen=True)
class Rows:
    """Some customers as they are: numbers (float64, NaN unknown, major units) and labels (strings, null unknown)."""

    ids: pa.Array
    numbers: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, places: NDArray[Any]) -> Rows:
        """The rows at `places`."""
        import pyarrow as pa

        wanted = pa.array(places)
        return Rows(
            self.ids.take(wanted),
            {name: values[places] for name, values in self.numbers.items()},
            {name: values.take(wanted) for name, values in self.labels.items()},
        )


def rows_of(batch: pa.RecordBatch | pa.Table, features: Sequence[Feature]) -> Rows:
    """Read a batch that has customer_id and one column a feature (numbers as DOUBLE, labels as text)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def whole(name: str) -> Any:
        values = batch.column(name)
        return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values

    numbers, labels = {}, {}
    for feature in features:
        if feature.is_number:
            values = pc.fill_null(whole(feature.name).cast(pa.float64()), np.nan).to_numpy(
                zero_copy_only=False
            )
            numbers[feature.name] = np.where(np.isfinite(values), values, np.nan) / feature.scale
        else:
            labels[feature.name] = whole(feature.name).cast(pa.string())
    return Rows(whole("customer_id").cast(pa.string()), numbers, labels)


@dataclass(frozen=True)
class NumberCode:
    """How one number is read."""

    name: str
    scale: float
    low: float
    high: float
    log: bool
    mean: float
    std: float

    def transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardised values in steps of 1/1024; NaN stays NaN."""
        clipped = np.clip(values, self.low, self.high)
        bent = np.sign(clipped) * np.log1p(np.abs(clipped)) if self.log else clipped
        return np.clip(np.rint((bent - self.mean) / self.std * STEP) / STEP, -FURTHEST, FURTHEST)


@dataclass(frozen=True)
class LabelCode:
    """How one label is read: the place of its level. With `gap_of`, whether these numbers are missing."""

    name: str
    levels: tuple[str, ...]
    gap_of: tuple[str, ...] = ()

    def codes(self, rows: Rows) -> NDArray[np.int64]:
        """Places among `levels`; -1 for a level that the fit never saw."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.gap_of:
            return np.isnan(rows.numbers[self.gap_of[0]]).astype(np.int64)
        values = rows.labels[self.name]
        found = np.asarray(
            pc.fill_null(pc.index_in(values, value_set=pa.array(self.levels, pa.string())), -1)
        ).astype(np.int64)
        unknown = np.asarray(values.is_null())
        place = {level: index for index, level in enumerate(self.levels)}
        found[(found < 0) & ~unknown] = place.get(OTHER, -1)
        found[unknown] = place.get(MISSING, -1)
        return found


@dataclass(frozen=True)
class Encoded:
    """Customers in code: `numbers` n × p (NaN missing), `codes` n × q."""

    numbers: NDArray[np.float64]
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, places: NDArray[Any]) -> Encoded:
        """The rows at `places`."""
        return Encoded(self.numbers[places], self.codes[places])


@dataclass(frozen=True)
class Encoding:
    """All parameters of the reading. `missing`: share of the sample without a value; `dropped`: feature to code of why."""

    numbers: tuple[NumberCode, ...] = ()
    labels: tuple[LabelCode, ...] = ()
    missing: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.numbers or self.labels)

    def encode(self, rows: Rows) -> Encoded:
        """`rows` in code."""
        numbers = [code.transform(rows.numbers[code.name]) for code in self.numbers]
        codes = [code.codes(rows) for code in self.labels]
        count = len(rows)
        return Encoded(
            np.column_stack(numbers) if numbers else np.zeros((count, 0)),
            np.column_stack(codes) if codes else np.zeros((count, 0), dtype=np.int64),
        )

    def one_hot(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """One 0/1 column for each level of each label, side by side."""
        parts = [
            (codes[:, [place]] == np.arange(len(code.levels))).astype(np.float64)
            for place, code in enumerate(self.labels)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(codes), 0))

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `Encoding.from_json` reads back."""
        return {
            "numbers": [asdict(code) for code in self.numbers],
            "labels": [asdict(code) for code in self.labels],
            "missing": dict(self.missing),
            "dropped": dict(self.dropped),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Encoding:
        """The encoding that a run stored."""
        return Encoding(
            tuple(NumberCode(**code) for code in stored["numbers"]),
            tuple(
                LabelCode(code["name"], tuple(code["levels"]), tuple(code["gap_of"]))
                for code in stored["labels"]
            ),
            stored["missing"],
            stored["dropped"],
        )


def learn_encoding(rows: Rows, features: Sequence[Feature]) -> Encoding:
    """Decide from a sample how each feature is read. Never raises: a feature that says nothing is dropped with a reason."""
    numbers: list[NumberCode] = []
    labels: list[LabelCode] = []
    missing: dict[str, float] = {}
    dropped: dict[str, str] = {}
    gaps: dict[bytes, list[str]] = {}
    for feature in features:
        unknown = (
            np.isnan(rows.numbers[feature.name])
            if feature.is_number
            else np.asarray(rows.labels[feature.name].is_null())
        )
        share = float(unknown.mean()) if len(rows) else 1.0
        missing[feature.name] = round(share, 6)
        if share == 1.0:
            dropped[feature.name] = "cluster.all_missing"
            continue
        code = (
            _number(feature, rows.numbers[feature.name][~unknown])
            if feature.is_number
            else _label(feature, rows.labels[feature.name], share)
        )
        if isinstance(code, NumberCode):
            numbers.append(code)
        elif isinstance(code, LabelCode):
            labels.append(code)
        else:
            dropped[feature.name] = "cluster.constant"
        if feature.is_number and LEAST_GAP_SHARE <= share <= 1 - LEAST_GAP_SHARE:
            gaps.setdefault(np.packbits(unknown).tobytes(), []).append(feature.name)
    labels += [LabelCode(f"{names[0]}{GAP}", ("known", MISSING), tuple(names)) for names in gaps.values()]
    return Encoding(tuple(numbers), tuple(labels), missing, dropped)


def _number(feature: Feature, known: NDArray[np.float64]) -> NumberCode | None:
    low, high = (float(value) for value in np.quantile(known, [TAIL, 1 - TAIL], method="inverted_cdf"))
    if low == high:  # all but a few are equal: groups would only say who these few are
        return None
    clipped = np.clip(known, low, high)
    log = _skewness(clipped) > SKEWED
    bent = np.sign(clipped) * np.log1p(np.abs(clipped)) if log else clipped
    mean, std = float(bent.mean()), float(bent.std())
    if not std > 1e-9 * max(1.0, abs(mean)):
        return None
    return NumberCode(feature.name, feature.scale, low, high, log, mean, std)


def _skewness(values: NDArray[np.float64]) -> float:
    apart = values - values.mean()
    spread = float((apart**2).mean())
    return float((apart**3).mean()) / spread**1.5 if spread > 0 else 0.0


def _label(feature: Feature, values: pa.Array, missing: float) -> LabelCode | None:
    """Levels by size, then by name; those below 1 % or beyond the twentieth become one."""
    import pyarrow.compute as pc

    counted = [
        (str(item["values"]), int(item["counts"])) for item in pc.value_counts(values.drop_null()).to_pylist()
    ]
    counted.sort(key=lambda item: (-item[1], item[0]))
    total = sum(count for _, count in counted)
    kept = [name for name, count in counted[:MOST_LEVELS] if count >= LEAST_LEVEL_SHARE * total]
    levels = [*kept, *([OTHER] if len(kept) < len(counted) else []), *([MISSING] if missing > 0 else [])]
    return LabelCode(feature.name, tuple(levels)) if len(levels) > 1 else None


def encoding_warnings(scheme: str, encoding: Encoding) -> list[KequnError]:
    """One warning for each reason that features were left out."""
    reasons: dict[str, list[str]] = {}
    for name, reason in encoding.dropped.items():
        reasons.setdefault(reason, []).append(name)
    return [KequnError(reason, scheme=scheme, names=names) for reason, names in sorted(reasons.items())]


__all__ = [
    "MISSING",
    "OTHER",
    "Encoded",
    "Encoding",
    "Feature",
    "LabelCode",
    "NumberCode",
    "Rows",
    "encoding_warnings",
    "feature_of",
    "learn_encoding",
    "rows_of",
]
