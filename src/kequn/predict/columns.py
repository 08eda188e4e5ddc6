"""The columns of the table `prediction`: type, unit and titles, for rules, pages and the data dictionary."""

from __future__ import annotations

from collections.abc import Mapping

from kequn.language import Column, Type

_DECLARED: Mapping[str, tuple[Type, str, str]] = {
    "p_alive": ("number", "仍活跃的概率", "Probability of being active"),
    "expected_orders_12m": ("number", "未来12个月预计购买次数", "Expected orders, next 12 months"),
    "expected_revenue_12m": ("money", "未来12个月预计消费", "Expected revenue, next 12 months"),
    "clv_12m": ("money", "未来12个月客户价值", "Customer value, next 12 months"),
    "clv": ("money", "客户终身价值", "Customer lifetime value"),
    "next_order_on": ("date", "预计下次购买日", "Expected next order"),
    "p_purchase_30d": ("number", "30天内购买概率", "Probability to buy within 30 days"),
    "p_purchase_90d": ("number", "90天内购买概率", "Probability to buy within 90 days"),
    "p_purchase": ("number", "购买概率（设定天数内）", "Probability to buy within the set days"),
    "p_churn": ("number", "流失概率", "Churn probability"),
    "health_score": ("integer", "健康分", "Health score"),
    "health_band": ("text", "健康等级", "Health band"),
    "health_reason_1": ("text", "健康原因一", "Health, first reason"),
    "health_reason_2": ("text", "健康原因二", "Health, second reason"),
    "health_reason_3": ("text", "健康原因三", "Health, third reason"),
    "next_best_offer": ("text", "下一个最佳推荐", "Next best offer"),
}
_VALUES = {"health_band": ("at_risk", "watch", "healthy")}


def _column(name: str) -> Column:
    kind, zh, en = _DECLARED[name]
    return Column(name, kind, {"zh": zh, "en": en}, _VALUES.get(name, ()))


PREDICTION_COLUMNS: Mapping[str, Column] = {name: _column(name) for name in _DECLARED}
"""Columns beside `customer_id`, which is first; a model below its gate leaves its columns NULL."""


def arrow_type(kind: Type) -> object:
    """How a type of the language stands in Parquet; money in minor units."""
    import pyarrow as pa

    types = {
        "number": pa.float64(),
        "money": pa.int64(),
        "integer": pa.int64(),
        "text": pa.string(),
        "date": pa.date32(),
        "boolean": pa.bool_(),
    }
    return types[kind]


__all__ = ["PREDICTION_COLUMNS", "arrow_type"]
