"""Contracts: spells are joined right, an end in the future has not happened, and Cox must beat the plain curve."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.predict.survival import GRACE_DAYS, fit_contract_churn, fit_cox, fit_kaplan_meier, spells

AS_OF = date(2026, 1, 1)


def holdings(folder: Path, rows: list[tuple[str, str, date, date | None, int]]) -> tuple[Path, ...]:
    file = folder / "holdings.parquet"
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("product_id", pa.string()),
            ("from", pa.date32()),
            ("to", pa.date32()),
            ("value", pa.int64()),
        ]
    )
    names = schema.names
    pq.write_table(
        pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema), file
    )
    return (file,)


def day(text: str) -> date:
    return date.fromisoformat(text)


def test_contracts_that_follow_each_other_are_one_spell(tmp_path: Path) -> None:
    found = spells(
        holdings(tmp_path, [
            ("a", "x", day("2024-01-01"), day("2024-06-30"), 100), ("a", "y", day("2024-07-10"), day("2024-12-31"), 50),
            ("b", "x", day("2024-01-01"), day("2024-03-01"), 100), ("b", "x", day("2025-01-01"), None, 100),
        ]), AS_OF)  # fmt: skip
    assert found.customer_ids.to_pylist() == ["a", "b", "b"]
    assert found.days.tolist() == [365, 60, 365]
    assert found.ended.tolist() == [True, True, False]
    assert found.covariates[:, 2].tolist() == [0, 0, 1]


def test_a_short_contract_inside_a_long_one_does_not_end_the_spell(tmp_path: Path) -> None:
    found = spells(
        holdings(
            tmp_path,
            [("a", "x", day("2024-01-01"), None, 1), ("a", "y", day("2024-02-01"), day("2024-02-10"), 1)],
        ),
        AS_OF,
    )
    assert found.ended.tolist() == [False]
    assert len(found) == 1


def test_an_end_in_the_future_has_not_happened(tmp_path: Path) -> None:
    files = holdings(tmp_path, [("a", "x", day("2024-01-01"), day("2025-09-01"), 1)])
    assert spells(files, day("2025-06-01")).ended.tolist() == [False]
    assert spells(files, AS_OF).ended.tolist() == [True]


def test_a_contract_that_has_just_run_out_may_still_be_renewed(tmp_path: Path) -> None:
    files = holdings(tmp_path, [("a", "x", day("2024-01-01"), AS_OF - timedelta(days=GRACE_DAYS), 1)])
    assert spells(files, AS_OF).ended.tolist() == [False]


def test_what_begins_later_is_unknown(tmp_path: Path) -> None:
    files = holdings(tmp_path, [("a", "x", day("2025-07-01"), None, 1)])
    assert len(spells(files, day("2025-07-01"))) == 0


def many(folder: Path, count: int, effect: float, seed: int = 2) -> tuple[Path, ...]:
    """Exponential lives, shorter for small contracts when `effect` > 0."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        value = float(rng.lognormal(8, 1))
        start = day("2023-01-01") + timedelta(days=int(rng.integers(0, 900)))
        life = rng.exponential(400 * np.exp(effect * (np.log(value) - 8)))
        end = start + timedelta(days=int(life) + 1)
        rows.append(
            (f"c{number:04d}", "plan", start, end if end < AS_OF + timedelta(days=200) else None, int(value))
        )
    return holdings(folder, rows)


def test_the_curve_is_the_product_of_the_shares_that_stay(tmp_path: Path) -> None:
    known = spells(many(tmp_path, 200, 0.0), AS_OF)
    curve = fit_kaplan_meier(known).curve
    share, naive = 1.0, []
    for when in range(len(curve)):
        at_risk = int(np.sum(known.days >= when))
        lost = int(np.sum((known.days == when) & known.ended))
        share *= 1 - lost / at_risk if at_risk else 1
        naive.append(share)
    assert curve == pytest.approx(naive)


def test_cox_finds_that_larger_contracts_last_longer(tmp_path: Path) -> None:
    model, likelihood = fit_cox(spells(many(tmp_path, 800, 0.6), AS_OF))
    assert model.weights[0] == pytest.approx(-0.6, abs=0.15)
    assert likelihood < 0


def test_cox_is_published_when_it_beats_the_plain_curve(tmp_path: Path) -> None:
    found = fit_contract_churn(many(tmp_path, 1500, 0.8), AS_OF, 180)
    assert found.card.used == "cox" and found.card.published
    assert found.card.quality is not None and found.card.baseline is not None
    assert found.card.quality["log_loss"] < found.card.baseline["log_loss"]
    known = found.probabilities[np.isfinite(found.probabilities)]
    assert len(known) and np.all((known >= 0) & (known <= 1))


def test_without_an_effect_the_plain_curve_is_published(tmp_path: Path) -> None:
    found = fit_contract_churn(many(tmp_path, 900, 0.0), AS_OF, 180)
    assert found.card.used == "kaplan_meier" and not found.card.published


def test_few_contracts_give_no_figure(tmp_path: Path) -> None:
    found = fit_contract_churn(many(tmp_path, 40, 0.0), AS_OF, 180)
    assert np.all(np.isnan(found.probabilities))
    assert (found.card.gate.code, found.card.gate.found) == ("predict.gate_contracts", 40)


def test_only_customers_with_a_running_contract_are_scored(tmp_path: Path) -> None:
    files = many(tmp_path, 300, 0.3)
    found, known = fit_contract_churn(files, AS_OF, 90), spells(files, AS_OF)
    running = [key for key, gone in zip(known.customer_ids.to_pylist(), known.ended, strict=True) if not gone]
    assert found.customer_ids.to_pylist() == running
