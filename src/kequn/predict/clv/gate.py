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
    """What a model needs: customers who bought, of them repeat buyers, days from the earliest purchase to now."""

    buyers: int
    repeat_buyers: int
    history_days: int


# Four parameters need repeat buyers to tell leaving from slowness: docs/clv.md has the simulation behind the numbers.
NEEDS = {
    "bg_nbd": Need(200, 50, 91),
    "mbg_nbd": Need(200, 50, 91),
    "pareto_nbd": Need(200, 50, 91),
    "nbd": Need(50, 20, 56),
    "bg_bb": Need(100, 30, 0),
    "gamma_gamma": Need(50, 50, 0),
}


def purchase_gates(model: str, history: History) -> tuple[Gate, ...]:
    """The gates of a purchase model on a history whose times are in days."""
    need = need_of(model)
    found = history.customers, history.repeat_buyers, float(history.T.max(initial=0))
    return (
        Gate(found[0] >= need.buyers, "predict.clv_gate_buyers", need.buyers, found[0], model),
        Gate(
            found[1] >= need.repeat_buyers,
            "predict.clv_gate_repeat_buyers",
            need.repeat_buyers,
            found[1],
            model,
        ),
        Gate(
            found[2] >= need.history_days, "predict.clv_gate_history_days", need.history_days, found[2], model
        ),
    )


def spend_gate(customers: int) -> Gate:
    """The gate of Gamma-Gamma: customers whose mean order is known and above 0, with at least two orders."""
    need = need_of("gamma_gamma").repeat_buyers
    return Gate(customers >= need, "predict.clv_gate_spend", need, customers, "gamma_gamma")


def need_of(model: str) -> Need:
    """What `model` needs; raises ModelError `predict.clv_unknown_model`."""
    if model not in NEEDS:
        raise ModelError("predict.clv_unknown_model", name=model, known=sorted(NEEDS))
    return NEEDS[model]
