"""Data gates: how many customers, repeat buyers and days a model needs before its figures mean anything."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.errors import ModelError
from kequn.predict.clv.history import History


@dataclass(frozen=True)
class Gate:
    """One condition of one model: `found` of `needed`. `code` words it, whether it holds or not."""

    ok: bool
    code: str
    needed: float
    found: float
    model: str = ""

    def as_record(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "code": self.code,
            "needed": self.needed,
            "found": self.found,
            "model": self.model,
        }


@dataclass(frozen=True)
class Need:
    """What a model needs: customers who bought, of them repeat buyers, days (BG/BB: periods) from the earliest purchase to now."""

    buyers: int
    repeat_buyers: int
    history_days: int = 0
    periods: int = 0


REPEAT_BUYERS_PER_COEFFICIENT = 10
# Four parameters need repeat buyers to tell leaving from slowness: docs/clv.md has the simulation behind the numbers.
NEEDS = {
    "bg_nbd": Need(200, 50, 91),
    "mbg_nbd": Need(200, 50, 91),
    "pareto_nbd": Need(200, 50, 91),
    "nbd": Need(50, 20, 56),
    "bg_bb": Need(100, 30, periods=6),
    "gamma_gamma": Need(50, 50),
}


def purchase_gates(model: str, history: History, period_days: float = 1.0) -> tuple[Gate, ...]:
    """The gates of a purchase model on a history whose times are in days; `period_days`: an opportunity of the BG/BB."""
    need, days = need_of(model), float(history.T.max(initial=0))
    found: list[tuple[str, int, float]] = [
        ("buyers", need.buyers, history.customers),
        ("repeat_buyers", need.repeat_buyers, history.repeat_buyers),
    ]
    if need.periods:
        found.append(("periods", need.periods, round(days / period_days)))
    else:
        found.append(("history_days", need.history_days, days))
    return tuple(
        Gate(have >= least, f"predict.clv_gate_{what}", least, have, model) for what, least, have in found
    )


def covariate_gate(repeat_buyers: int, coefficients: int) -> Gate:
    """The gate of covariates: repeat buyers, so many for each coefficient on top of what BG/NBD needs."""
    least = need_of("bg_nbd").repeat_buyers + REPEAT_BUYERS_PER_COEFFICIENT * coefficients
    code = "predict.clv_gate_covariates"
    return Gate(repeat_buyers >= least, code, least, repeat_buyers, "bg_nbd_covariates")


def spend_gate(customers: int) -> Gate:
    """The gate of Gamma-Gamma: customers whose mean order is known and above 0, with at least two orders."""
    need = need_of("gamma_gamma").repeat_buyers
    return Gate(customers >= need, "predict.clv_gate_spend", need, customers, "gamma_gamma")


def need_of(model: str) -> Need:
    """What `model` needs; raises ModelError `predict.clv_unknown_model`."""
    if model not in NEEDS:
        raise ModelError("predict.clv_unknown_model", name=model, known=sorted(NEEDS))
    return NEEDS[model]
