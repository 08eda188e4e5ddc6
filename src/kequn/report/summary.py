"""The first pages: figures of the whole run, what stands out, what needs attention, revenue by month and by decile."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from kequn.data.standard import TABLES
from kequn.reading import overview
from kequn.report.source import Source, Text, known, plain, said, share, text

EMPTY = "scheme.empty_segment"
SHOWN_NAMES = 6


def figures(source: Source) -> dict[str, Any]:
    """Customers, buyers, orders and revenue of the run; money in major units, undefined is None."""
    found = {name: plain(value) for name, value in overview(source.con).items() if name != "schemes"}
    names = source.columns("profile")
    if {"revenue_90d", "revenue_prev_90d"} <= set(names):
        sums = source.rows(
            "SELECT sum(revenue_90d) AS revenue_90d, sum(revenue_prev_90d) AS revenue_prev_90d FROM profile"
        )[0]
        found |= sums
    found["average_order_value"] = share(found.get("revenue"), found.get("orders"))
    found["active_share"] = share(found.get("active_90d"), found.get("customers"))
    return found


def deciles(source: Source) -> list[dict[str, Any]]:
    """Ten equal groups of buyers by revenue of the last 12 months (all time where that is unknown), the highest first."""
    column = spend_column(source)
    if column is None:
        return []
    found = source.rows(
        f"SELECT decile, count(*) AS customers, sum(spent) AS revenue FROM (SELECT {column} AS spent, "
        f"ntile(10) OVER (ORDER BY {column} DESC, customer_id) AS decile FROM profile WHERE {column} > 0) GROUP BY decile ORDER BY decile"
    )
    whole = sum(row["revenue"] for row in found)
    return [{**row, "share": share(row["revenue"], whole)} for row in found] if len(found) == 10 else []


def spend_column(source: Source) -> str | None:
    """The measure of spend that the report ranks and sums by."""
    names = source.columns("profile")
    filled = (
        source.rows("SELECT count(revenue_12m) AS n FROM profile")[0]["n"] if "revenue_12m" in names else 0
    )
    return "revenue_12m" if filled else ("monetary" if "monetary" in names else None)


_BESIDE = "LEFT JOIN assignment AS a ON a.customer_id = o.customer_id AND a.scheme = ?"


def monthly(source: Source) -> dict[str, Any] | None:
    """Revenue per calendar month of the last 24 months, stacked by today's value tier where there is one.

    None when the run keeps no orders, or when their sum is not the customers' revenue (then the profile counts them
    in another way, such as refunds, and a chart of the raw amounts would contradict the figures above it).
    """
    if not source.has("orders") or "monetary" not in source.columns("profile"):
        return None
    sums = source.rows(
        "SELECT (SELECT sum(amount) FROM orders WHERE customer_id IS NOT NULL) AS orders, (SELECT sum(monetary) FROM profile) AS profile"
    )[0]
    if sums["orders"] is None or sums["profile"] is None or abs(sums["orders"] - sums["profile"]) > 0.005:
        return None
    scheme = "value_tier" if "value_tier" in source.schemes else None
    segment, join = ("coalesce(a.segment, '')", _BESIDE) if scheme else ("''", "")
    found = source.rows(
        f"SELECT strftime(o.ordered_at, '%Y-%m') AS month, {segment} AS segment, sum(o.amount) AS revenue, "
        f"count(*) AS orders FROM orders AS o {join} WHERE o.customer_id IS NOT NULL GROUP BY ALL ORDER BY ALL",
        [scheme] if scheme else [],
    )
    months = sorted({row["month"] for row in found})[-24:]
    if len(months) < 3:
        return None
    series: dict[str, dict[str, float]] = defaultdict(dict)
    for row in found:
        series[row["segment"]][row["month"]] = row["revenue"]
    order = [*(source.schemes[scheme]["segments"] if scheme else ()), ""]
    listed = [
        {
            "title": _series_title(source, scheme, name),
            "values": [series[name].get(month, 0) for month in months],
        }
        for name in order
        if name in series
    ]
    return {"months": months, "scheme": source.scheme_title(scheme) if scheme else None, "series": listed}


def _series_title(source: Source, scheme: str | None, segment: str) -> Text:
    if scheme and segment:
        return source.segment_title(scheme, segment)
    return said("report.outside_scope" if scheme else "report.revenue")


def findings(
    whole: dict[str, Any], tenths: list[dict[str, Any]], segments: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What stands out, as {code, fields}: fields are {kind, value} for numbers (the page words them) or texts."""
    found: list[dict[str, Any]] = []
    if tenths:
        found.append(
            _finding(
                "top_decile",
                share=_percent(tenths[0]["share"]),
                rest=_percent(sum(row["share"] for row in tenths[5:])),
            )
        )
    real = [row for row in segments if row["customers"] and row["revenue_share"] is not None]
    if len(real) > 1:
        best = max(real, key=lambda row: row["revenue_share"])
        found.append(_of_segment("strongest", best))
        heavy = max(real, key=lambda row: row["share"] - row["revenue_share"])
        if heavy["id"] != best["id"] and heavy["share"] > heavy["revenue_share"]:
            found.append(_of_segment("many_small", heavy))
    now, before = whole.get("revenue_90d"), whole.get("revenue_prev_90d")
    if now is not None and before:
        change = now / before - 1
        found.append(
            _finding(
                "trend_up" if change >= 0 else "trend_down", now=_money(now), change=_percent(abs(change))
            )
        )
    if whole.get("active_share") is not None:
        found.append(
            _finding(
                "active",
                share=_percent(whole["active_share"]),
                customers=_count(whole["customers"] - whole["active_90d"]),
            )
        )
    return found


def attention(source: Source) -> list[dict[str, Any]]:
    """The run's warnings, gravest first: {level, text}. Segments without customers are gathered in one line."""
    listed = []
    empty: list[Text] = []
    seen: Counter[str] = Counter()
    for warning in source.manifest.get("warnings") or ():
        code = str(warning.get("code"))
        fields = {name: value for name, value in warning.items() if name != "code"}
        if code == EMPTY:
            scheme, segment = str(fields.get("scheme")), str(fields.get("segment"))
            empty.append(_joined(source.scheme_title(scheme), source.segment_title(scheme, segment)))
            continue
        seen[code] += 1
        if seen[code] > SHOWN_NAMES:
            continue
        fields |= _standard_titles(fields)
        if "scheme" in fields:
            scheme = str(fields["scheme"])
            if "segment" in fields:
                fields["segment"] = source.segment_title(scheme, str(fields["segment"]))
            fields["scheme"] = source.scheme_title(scheme)
        listed.append(
            {
                "level": "warn",
                "text": said(code, **fields) if known(code) else said("report.unknown_warning", code=code),
            }
        )
    for code, times in seen.items():
        if times > SHOWN_NAMES:
            listed.append(
                {"level": "info", "text": said("report.more_warnings", code=code, more=times - SHOWN_NAMES)}
            )
    if empty:
        names = {lang: _enumerated([item[lang] for item in empty], lang) for lang in ("zh", "en")}
        listed.append({"level": "info", "text": said("report.empty_segments", count=len(empty), names=names)})
    return listed


def _standard_titles(fields: dict[str, Any]) -> dict[str, Text]:
    """Words for the tables and the column that a warning names."""
    table = TABLES.get(str(fields.get("table")))
    found = {
        key: text(TABLES[fields[key]].title, fields[key])
        for key in ("table", "other")
        if fields.get(key) in TABLES
    }
    if table and fields.get("column") in table.columns:
        found["column"] = text(table.columns[fields["column"]].title, fields["column"])
    return found


def _joined(scheme: Text, segment: Text) -> Text:
    return {"zh": f"{scheme['zh']}·{segment['zh']}", "en": f"{scheme['en']}: {segment['en']}"}


def _enumerated(names: list[str], lang: str) -> str:
    shown = ("、" if lang == "zh" else ", ").join(names[:SHOWN_NAMES])
    return shown + ("…" if len(names) > SHOWN_NAMES else "")


def _of_segment(code: str, row: dict[str, Any]) -> dict[str, Any]:
    return _finding(
        code,
        segment=row["title"],
        customers=_count(row["customers"]),
        share=_percent(row["share"]),
        revenue_share=_percent(row["revenue_share"]),
    )


def _finding(code: str, **fields: Any) -> dict[str, Any]:
    return {"code": f"finding.{code}", "fields": fields}


def _percent(value: float) -> dict[str, Any]:
    return {"kind": "percent", "value": value}


def _money(value: float) -> dict[str, Any]:
    return {"kind": "money", "value": value}


def _count(value: int) -> dict[str, Any]:
    return {"kind": "count", "value": value}


__all__ = ["attention", "deciles", "figures", "findings", "monthly", "spend_column"]
