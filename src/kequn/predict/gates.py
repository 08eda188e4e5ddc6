"""Data gates: how much a model needs before its figures mean anything.

Below a gate a simpler estimate or none is shown, with "not enough data: N of M"; never a made-up figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gate:
    """The outcome of one check: `found` of what is `needed`; `code` names the sentence in the catalogue."""

    ok: bool
    code: str
    needed: float
    found: float

    def as_dict(self) -> dict[str, Any]:
        """For manifests and `--json`."""
        return asdict(self)

    def sentence(self, lang: str = "zh") -> str:
        """The outcome in words."""
        from kequn.i18n import say

        code = "predict.gate_ok" if self.ok and self.needed else self.code
        return say(code, lang, needed=_plain(self.needed), found=_plain(self.found))


@dataclass(frozen=True)
class Minimum:
    """What a model needs: counts of customers, days of history, cases of the rarer outcome."""

    buyers: int = 0
    repeat_buyers: int = 0
    history_days: int = 0
    rarer_outcome: int = 0
    products: int = 0
    contracts: int = 0
    ended: int = 0


MINIMUM: Mapping[str, Minimum] = {
    "propensity": Minimum(buyers=300, repeat_buyers=100, rarer_outcome=40),
    "rate_table": Minimum(buyers=100, rarer_outcome=10),
    "recommend": Minimum(buyers=200, products=20, history_days=60),
    "survival": Minimum(contracts=100, ended=30, history_days=90),
    "health": Minimum(buyers=100, rarer_outcome=20),
}


def check(minimum: Minimum, **found: float) -> Gate:
    """The first check that fails, else the tightest one that holds.

    `found` gives the fields of `minimum` that were counted; a field with minimum 0 is not checked.
    """
    gates = [
        Gate(found[name] >= needed, f"predict.gate_{name}", needed, found[name])
        for name, needed in asdict(minimum).items()
        if needed > 0 and name in found
    ]
    for gate in gates:
        if not gate.ok:
            return gate
    return (
        min(gates, key=lambda gate: gate.found / gate.needed)
        if gates
        else Gate(True, "predict.gate_none", 0, 0)
    )


def first_failing(gates: Iterable[Gate]) -> Gate:
    """The first gate that fails, else the last one."""
    last = Gate(True, "predict.gate_none", 0, 0)
    for last in gates:
        if not last.ok:
            return last
    return last


def rarer(outcome: NDArray[np.bool_]) -> int:
    """How many cases the rarer of the two outcomes has."""
    hits = int(np.count_nonzero(outcome))
    return min(hits, len(outcome) - hits)


def _plain(value: float) -> str:
    return f"{value:,.0f}"


__all__ = ["MINIMUM", "Gate", "Minimum", "check", "first_failing", "rarer"]
