"""The 19 columns and the scores with Polars, lazily and streaming."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from bench.stages import Stages

AS_OF = date(2026, 11, 1)


def placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """One row per order."""
    return (
        lines.filter(pl.col("order_ts") < AS_OF)
        .group_by("customer_id", "order_id")
        .agg(pl.col("order_ts").min().alias("ordered_at"), pl.col("amount").sum())
        .with_columns(pl.col("ordered_at").dt.date().alias("day"))
    )


def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
    recent, before = pl.col("day") >= AS_OF - timedelta(90), pl.col("day") >= AS_OF - timedelta(180)
    amount = pl.col("amount")
    return orders.group_by("customer_id").agg(
        (AS_OF - pl.col("day").min()).dt.total_days().alias("tenure_days"),
        (AS_OF - pl.col("day").max()).dt.total_days().alias("recency_days"),
        pl.len().cast(pl.Int64).alias("frequency"),
        amount.sum().alias("monetary"),
        pl.col("day").min().alias("first_order"),
        pl.col("day").max().alias("last_order"),
        (pl.col("day").dt.weekday() >= 6).sum().alias("weekend"),
        (pl.col("ordered_at").dt.hour() >= 18).sum().alias("evening"),
        pl.when(recent).then(amount).sum().alias("revenue_90d"),
        pl.when(before & ~recent).then(amount).sum().alias("revenue_prev_90d"),
    )


def gaps(orders: pl.LazyFrame) -> pl.LazyFrame:
    """Gaps between purchase days: how many, their sum and sum of squares."""
    steps = (
        orders.sort("customer_id", "day")
        .with_columns(
            pl.when(pl.col("customer_id") == pl.col("customer_id").shift())
            .then((pl.col("day") - pl.col("day").shift()).dt.total_days())
            .alias("gap")
        )
        .filter(pl.col("gap") > 0)
    )
    return steps.group_by("customer_id").agg(
        pl.len().cast(pl.Int64).alias("n"),
        pl.col("gap").sum().alias("total"),
        (pl.col("gap") ** 2).sum().alias("squares"),
    )


def categories(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Categories bought, and the one with the largest revenue, ties by name."""
    revenue = (
        lines.filter((pl.col("order_ts") < AS_OF) & pl.col("category").is_not_null())
        .group_by("customer_id", "category")
        .agg(pl.col("amount").sum())
    )
    best = revenue.group_by("customer_id").agg(
        pl.len().cast(pl.Int64).alias("n_categories"), pl.col("amount").max()
    )
    top = (
        revenue.join(best, on=["customer_id", "amount"])
        .group_by("customer_id")
        .agg(pl.col("category").min().alias("top_category"))
    )
    return best.select("customer_id", "n_categories").join(top, on="customer_id", how="left")


def profile(lines: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
    orders = placed(lines)
    joined = customers.select("customer_id", "city_tier", "gender")
    for part in (totals(orders), gaps(orders), categories(lines)):
        joined = joined.join(part, on="customer_id", how="left")
    zero = ("frequency", "monetary", "n_categories", "revenue_90d", "revenue_prev_90d")
    n, total, squares = pl.col("n"), pl.col("total"), pl.col("squares")
    bought = pl.when(pl.col("frequency") > 0).then(pl.col("frequency"))
    return joined.with_columns(pl.col(name).fill_null(0) for name in zero).select(
        "customer_id", "city_tier", "gender", "tenure_days", "recency_days", "frequency", "monetary", "first_order", "last_order",
        (pl.col("monetary") / bought + 0.5).floor().cast(pl.Int64).alias("aov"),
        (total / n).alias("gap_mean"),
        pl.when(n > 1).then(((n * squares - total * total) / (n * (n - 1))).sqrt()).alias("gap_std"),
        "n_categories", "top_category",
        (pl.col("weekend") / bought).alias("weekend_share"),
        (pl.col("evening") / bought).alias("evening_share"),
        "revenue_90d", "revenue_prev_90d",
        (pl.col("revenue_90d") / pl.when(pl.col("revenue_prev_90d") != 0).then(pl.col("revenue_prev_90d"))).alias("revenue_ratio"),
    )  # fmt: skip


def scores(profile: pl.LazyFrame) -> pl.LazyFrame:
    """The profile of buyers with R, F and M scores by 12 exact cut points."""
    buyers = profile.filter(pl.col("frequency") > 0)
    columns = {"r": "recency_days", "f": "frequency", "m": "monetary"}
    cuts = buyers.select(
        pl.col(column).sort().get((place * pl.len() + 4) // 5 - 1).alias(f"{name}{place}")
        for name, column in columns.items()
        for place in range(1, 5)
    ).collect()
    made = []
    for name, column in columns.items():
        above = sum((pl.col(column) > cuts[f"{name}{place}"][0]).cast(pl.Int32) for place in range(1, 5))
        made.append((5 - above if name == "r" else above + 1).alias(name))
    return buyers.with_columns(made)


def main(data: Path, out: Path, stages: Stages) -> None:
    out.mkdir(parents=True, exist_ok=True)
    lines = pl.scan_parquet(data / "flat" / "order_lines" / "*.parquet")
    customers = pl.scan_parquet(data / "flat" / "customers" / "*.parquet")
    file = out / "profile19.parquet"
    with stages.stage("profile"):
        profile(lines, customers).sink_parquet(file, compression="zstd", compression_level=1)
    with stages.stage("scores"):
        scores(pl.scan_parquet(file)).sink_parquet(
            out / "scored19.parquet", compression="zstd", compression_level=1
        )


if __name__ == "__main__":
    stages = Stages()
    main(Path(sys.argv[1]), Path(sys.argv[2]), stages)
    stages.report()
