"""The 19 columns and the scores with pandas, all in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench.stages import Stages

AS_OF = pd.Timestamp("2026-11-01")


def placed(lines: pd.DataFrame) -> pd.DataFrame:
    """One row per order."""
    known = lines[lines.order_ts < AS_OF]
    orders = known.groupby(["customer_id", "order_id"], sort=False, as_index=False).agg(
        ordered_at=("order_ts", "min"), amount=("amount", "sum")
    )
    orders["day"] = orders.ordered_at.dt.normalize()
    return orders


def totals(orders: pd.DataFrame) -> pd.DataFrame:
    age = (AS_OF - orders.day).dt.days
    marked = orders.assign(
        weekend=orders.day.dt.day_of_week >= 5,
        evening=orders.ordered_at.dt.hour >= 18,
        revenue_90d=orders.amount.where(age <= 90, 0),
        revenue_prev_90d=orders.amount.where((age > 90) & (age <= 180), 0),
    )
    found = marked.groupby("customer_id", sort=False).agg(
        frequency=("amount", "size"), monetary=("amount", "sum"), first_order=("day", "min"), last_order=("day", "max"),
        weekend=("weekend", "sum"), evening=("evening", "sum"), revenue_90d=("revenue_90d", "sum"),
        revenue_prev_90d=("revenue_prev_90d", "sum"),
    )  # fmt: skip
    found["tenure_days"] = (AS_OF - found.first_order).dt.days
    found["recency_days"] = (AS_OF - found.last_order).dt.days
    return found


def gaps(orders: pd.DataFrame) -> pd.DataFrame:
    """Gaps between purchase days: how many, their sum and sum of squares."""
    ordered = orders[["customer_id", "day"]].sort_values(["customer_id", "day"])
    gap = ordered.groupby("customer_id", sort=False).day.diff().dt.days
    steps = pd.DataFrame({"customer_id": ordered.customer_id, "gap": gap, "square": gap * gap})[gap > 0]
    return steps.groupby("customer_id", sort=False).agg(
        n=("gap", "size"), total=("gap", "sum"), squares=("square", "sum")
    )


def categories(lines: pd.DataFrame) -> pd.DataFrame:
    """Categories bought, and the one with the largest revenue, ties by name."""
    known = lines[(lines.order_ts < AS_OF) & lines.category.notna()]
    revenue = known.groupby(["customer_id", "category"], sort=False, as_index=False).amount.sum()
    ranked = revenue.sort_values(["customer_id", "amount", "category"], ascending=[True, False, True])
    return ranked.groupby("customer_id", sort=False).agg(
        n_categories=("category", "size"), top_category=("category", "first")
    )


def profile(lines: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    orders = placed(lines)
    found = customers[["customer_id", "city_tier", "gender"]].set_index("customer_id")
    found = found.join(totals(orders)).join(gaps(orders)).join(categories(lines))
    for name in ("frequency", "monetary", "n_categories", "revenue_90d", "revenue_prev_90d"):
        found[name] = found[name].fillna(0).astype("int64")
    bought = found.frequency.where(found.frequency > 0)
    spread = (found.n * found.squares - found.total**2) / (found.n * (found.n - 1)).where(found.n > 1)
    found = found.assign(
        aov=np.floor(found.monetary / bought + 0.5).astype("Int64"),
        gap_mean=found.total / found.n,
        gap_std=np.sqrt(spread),
        weekend_share=found.weekend / bought,
        evening_share=found.evening / bought,
        revenue_ratio=found.revenue_90d / found.revenue_prev_90d.where(found.revenue_prev_90d != 0),
    )
    return found.drop(columns=["weekend", "evening", "n", "total", "squares"]).reset_index()


def scores(profile: pd.DataFrame) -> pd.DataFrame:
    """The profile of buyers with R, F and M scores by 12 exact cut points."""
    buyers = profile[profile.frequency > 0].copy()
    for name, column in {"r": "recency_days", "f": "frequency", "m": "monetary"}.items():
        ordered = np.sort(buyers[column].to_numpy())
        cuts = ordered[[(place * len(ordered) + 4) // 5 - 1 for place in range(1, 5)]]
        above = np.searchsorted(cuts, buyers[column].to_numpy(), side="left")
        buyers[name] = 5 - above if name == "r" else above + 1
    return buyers


def main(data: Path, out: Path, stages: Stages) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with stages.stage("profile"):
        columns = ["order_id", "customer_id", "order_ts", "category", "amount"]
        lines = pd.read_parquet(data / "flat" / "order_lines", columns=columns)
        customers = pd.read_parquet(
            data / "flat" / "customers", columns=["customer_id", "city_tier", "gender"]
        )
        found = profile(lines, customers)
        found.to_parquet(out / "profile19.parquet", compression="zstd", index=False)
    with stages.stage("scores"):
        scores(found).to_parquet(out / "scored19.parquet", compression="zstd", index=False)


if __name__ == "__main__":
    stages = Stages()
    main(Path(sys.argv[1]), Path(sys.argv[2]), stages)
    stages.report()
