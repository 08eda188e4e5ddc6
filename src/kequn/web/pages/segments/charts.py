"""Charts of segments: value now, size over the runs, portraits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from kequn.web.accounts.scope import Scope
from kequn.web.published import SchemeInfo, column_title, money_columns, money_title, remembered, runs
from kequn.web.serving import Reader
from kequn.web.ui import charts
from kequn.web.ui.charts import PALETTE, Chart

MOST_SERIES = 8


def value_chart(reader: Reader, rows: Sequence[dict[str, Any]]) -> Chart:
    """Money of each segment, largest first."""
    ordered = sorted(rows, key=lambda row: -(row["value"] or 0))
    values = [row["value"] and float(row["value"]) for row in ordered]
    return charts.bars(
        "value", _("各客户群消费"), _("客户群"), [row["title"] for row in ordered], {money_title(reader) or _("消费"): values},
        kind="money", horizontal=True, note=money_title(reader), size="large" if len(rows) > 8 else "medium",
    )  # fmt: skip


def history(reader: Reader, scope: Scope, scheme: SchemeInfo) -> list[dict[str, Any]]:
    """Rows of `segment_trend` for people who see everybody; others have no figures of older runs."""
    from kequn.reading.movement import segment_trend

    if not scope.everyone:
        return []
    return remembered(reader, f"trend:{scheme.name}", lambda: segment_trend(runs(reader), scheme.name))


def trend_chart(reader: Reader, scope: Scope, scheme: SchemeInfo) -> Chart | None:
    """Money by segment over the runs, as areas: the first kind that two runs know (an early run may know no 12 months).

    None when there is none.
    """
    found = history(reader, scope, scheme)
    for money in money_columns(reader):
        days = sorted(
            {row["as_of"] for row in found if row.get(money)}
        )  # an empty segment has 0 even where nothing is known
        if len(days) > 1:
            break
    else:
        return None
    by_day = {(row["as_of"], row["segment"]): row[money] for row in found}
    worth = {
        name: sum(float(by_day.get((day, name)) or 0) for day in days) for name, _title in scheme.segments
    }
    shown = [name for name in sorted(worth, key=lambda name: -worth[name]) if worth[name]][:MOST_SERIES]
    series = {scheme.segment_title(name): [_float(by_day.get((day, name))) for day in days] for name in shown}
    chart = charts.lines(
        "value", _("各客户群消费"), _("快照日期"), [str(day) for day in days], series, kind="money", stacked=True,
        note=column_title(reader, money),
    )  # fmt: skip
    charts.pin_colours(chart, [PALETTE[scheme.colour(name) - 1] for name in shown])
    return chart


def size_chart(reader: Reader, scope: Scope, scheme: SchemeInfo, segment: str) -> Chart | None:
    """Customers of one segment over the runs; None when there are fewer than two."""
    found = [row for row in history(reader, scope, scheme) if row["segment"] == segment]
    if len(found) < 2:
        return None
    days = [str(row["as_of"]) for row in found]
    return charts.bars(
        "size", _("人数趋势"), _("快照日期"), days, {_("客户数"): [row["customers"] for row in found]},
        note=_("每个快照一根柱"), size="small",
    )  # fmt: skip


def size_sparks(reader: Reader, scope: Scope, scheme: SchemeInfo) -> dict[str, list[int]]:
    """Customers of each segment over the runs, for small lines."""
    found: dict[str, list[int]] = {}
    for row in history(reader, scope, scheme):
        found.setdefault(row["segment"], []).append(row["customers"])
    return found


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
