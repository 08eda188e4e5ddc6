"""The heat map of a grid scheme. Which cells are chosen stands in the address: `cells=55,54`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kequn.reading.grid import Axis, Grid, grid_of
from kequn.web.accounts.permissions import needs
from kequn.web.accounts.scope import Scope, scope_of
from kequn.web.customer_list import Filters, find
from kequn.web.published import (
    SchemeInfo,
    chosen_scheme,
    money_columns,
    money_title,
    remembered,
    said,
    worded,
)
from kequn.web.serving import Reader
from kequn.web.ui import charts, numbers
from kequn.web.ui.charts import Chart

MEASURES = ("customers", "each", "money")
Cell = dict[str, Any]


@require_safe
@needs("aggregates.view")
def index(request: HttpRequest) -> HttpResponse:
    """The grid, what was chosen in it, its rule, and the first of its members."""
    reader: Reader = request.snapshot  # type: ignore[attr-defined]
    scope = scope_of(request.user)
    scheme = chosen_scheme(reader, request.GET.get("scheme"), "grid")
    grid = grid_of(said(reader), scheme.name) if scheme else None
    if scheme is None or grid is None or len(grid.axes) < 2:
        return render(request, "rfm/none.html", {})
    measure = request.GET.get("show", "each")
    measure = measure if measure in MEASURES else "each"
    chosen = chosen_cells(grid, request.GET.get("cells", ""))
    picked = [cell for cell in cells_of(reader, scope, grid) if cell["at"] in chosen]
    people = sum(cell["customers"] for cell in picked)
    money = sum(cell["money"] or 0 for cell in picked)
    rule = grid.rule(sorted(chosen)) if chosen else ""
    found = find(request, cell_filter(grid, chosen), scheme=scheme.name) if chosen and people else None
    board = table(reader, scope, scheme, grid, measure, chosen)
    return render(request, "rfm/index.html", {
        "scheme": scheme, "grid": grid, "axes": [_axis(reader, axis) for axis in grid.axes], "measure": measure, "chosen": chosen,
        "cells_text": _cells_text(chosen), "people": people, "money": money, "each": money / people if people else None,
        "all_people": sum(cell["customers"] for cell in cells_of(reader, scope, grid)), "rule": rule, "found": found, **board,
        "segments": _segments(scheme, picked), "measures": [("each", _("人均消费")), ("customers", _("人数")), ("money", _("消费合计"))],
        "rule_url": f"{reverse('rules:index')}?{urlencode({'rule': rule})}",
        "list_url": f"{reverse('customers:index')}?{urlencode({'cells': _cells_text(chosen), 'grid': scheme.name})}",
    })  # fmt: skip


def chosen_cells(grid: Grid, text: str) -> frozenset[tuple[int, int]]:
    """`55,54` as scores of the first two axes; whatever isn't a cell is left out."""
    tops = (grid.axes[0].bins, grid.axes[1].bins)
    found = set()
    for word in text.split(",")[:200]:
        parts = word.split("-") if "-" in word else list(word)
        if len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts):
            cell = (int(parts[0][:3]), int(parts[1][:3]))
            if 1 <= cell[0] <= tops[0] and 1 <= cell[1] <= tops[1]:
                found.add(cell)
    return frozenset(found)


def _cells_text(cells: frozenset[tuple[int, int]]) -> str:
    wide = any(score > 9 for cell in cells for score in cell)
    return ",".join(f"{a}-{b}" if wide else f"{a}{b}" for a, b in sorted(cells))


def cell_filter(grid: Grid, cells: frozenset[tuple[int, int]]) -> Filters:
    """The cells as a condition on the profile, from the run's own cut points."""
    first, second = grid.axes[0], grid.axes[1]
    parts, values = [], []
    for a, b in sorted(cells):
        clauses = []
        for axis, score in ((first, a), (second, b)):
            above, up_to = axis.range_of(score)
            for sign, bound in ((">", above), ("<=", up_to)):
                if bound is not None:
                    clauses.append(f'"{axis.column}" {sign} ?')
                    values.append(bound)
            clauses.append(f'"{axis.column}" IS NOT NULL')
        parts.append(f"({' AND '.join(clauses)})")
    inside = f'"seg_{grid.scheme}" IS NOT NULL'
    return Filters(condition=f"{inside} AND ({' OR '.join(parts) or 'FALSE'})", values=tuple(values))


def cells_of(reader: Reader, scope: Scope, grid: Grid) -> list[Cell]:
    """One row per cell of all axes: `at` (scores of the first two), segment, customers, money. Within the scope."""
    return remembered(reader, f"cells:{grid.scheme}:{scope.key}", lambda: _cells(reader, scope, grid))


def _cells(reader: Reader, scope: Scope, grid: Grid) -> list[Cell]:
    ids = [axis.id for axis in grid.axes]
    if scope.everyone and "cell" in reader.tables:
        money = next((name for name in money_columns(reader) if name in reader.columns("cell")), "NULL")
        rows = reader.rows(
            f"SELECT cell, segment, customers, {money} FROM cell WHERE scheme = ?", [grid.scheme]
        )
        scored = [(json.loads(cell), segment, customers, value) for cell, segment, customers, value in rows]
        return [
            {
                "at": (scores[ids[0]], scores[ids[1]]),
                "segment": segment,
                "customers": customers,
                "money": value,
            }
            for scores, segment, customers, value in scored
            if scores.get(ids[0]) and scores.get(ids[1])
        ]
    where, values = reader.scoped(scope)
    money = next((name for name in money_columns(reader) if name in reader.columns("profile")), "NULL")
    a, b = (_score(axis) for axis in grid.axes[:2])
    segment = f'"seg_{grid.scheme}"'
    sql = (
        f"SELECT {a}, {b}, {segment}, count(*)::BIGINT, sum({money}) FROM profile "
        f"WHERE {segment} IS NOT NULL AND {where} GROUP BY ALL"
    )
    with reader.limited():
        found = reader.rows(sql, values)
    return [{"at": (x, y), "segment": s, "customers": n, "money": m} for x, y, s, n, m in found if x and y]


def _score(axis: Axis) -> str:
    """The score of an axis as SQL; names of columns and numbers come from the run's own definitions."""
    bins = axis.bins
    whens = "".join(
        f' WHEN "{axis.column}" <= {cut} THEN {bins - place if axis.falling else place + 1}'
        for place, cut in enumerate(axis.cuts)
    )
    return f'CASE WHEN "{axis.column}" IS NULL THEN NULL{whens} ELSE {1 if axis.falling else bins} END'


def _squares(reader: Reader, scope: Scope, grid: Grid) -> dict[tuple[int, int], Cell]:
    """The cells summed over the further axes, with the segment that most of their customers are in."""
    found: dict[tuple[int, int], Cell] = {}
    for cell in cells_of(reader, scope, grid):
        square = found.setdefault(cell["at"], {"customers": 0, "money": 0, "by": {}})
        square["customers"] += cell["customers"]
        square["money"] += cell["money"] or 0
        square["by"][cell["segment"]] = square["by"].get(cell["segment"], 0) + cell["customers"]
    for square in found.values():
        square["each"] = square["money"] / square["customers"] if square["customers"] else None
        square["segment"] = max(sorted(square["by"]), key=lambda name: square["by"][name])
    return found


def table(
    reader: Reader,
    scope: Scope,
    scheme: SchemeInfo,
    grid: Grid,
    measure: str,
    chosen: frozenset[tuple[int, int]],
) -> dict[str, Any]:
    """The grid as rows of buttons: scores of the second axis down, of the first across; a level of heat from 0 to 9."""
    squares = _squares(reader, scope, grid)
    across, down = grid.axes[0], grid.axes[1]
    top = max((float(square[measure] or 0) for square in squares.values()), default=0) or 1
    base = {"scheme": scheme.name, "show": measure}
    rows = []
    for y in range(down.bins, 0, -1):
        line = []
        for x in range(1, across.bins + 1):
            square = squares.get((x, y))
            level = round(9 * float(square[measure] or 0) / top) if square else 0
            after = chosen ^ {(x, y)}
            line.append({
                "at": (x, y), "square": square, "level": level, "on": (x, y) in chosen,
                "title": scheme.segment_title(square["segment"]) if square else "",
                "value": _shown(square, measure), "url": "?" + urlencode({**base, "cells": _cells_text(after)}),
            })  # fmt: skip
        every = frozenset((x, y) for x in range(1, across.bins + 1))
        rows.append(
            {
                "score": y,
                "range": _range(reader, down, y),
                "cells": line,
                "url": "?" + urlencode({**base, "cells": _cells_text(chosen | every)}),
            }
        )
    heads = []
    for x in range(1, across.bins + 1):
        every = frozenset((x, y) for y in range(1, down.bins + 1))
        heads.append(
            {
                "score": x,
                "range": _range(reader, across, x),
                "url": "?" + urlencode({**base, "cells": _cells_text(chosen | every)}),
            }
        )
    return {"rows": rows, "heads": heads, "shown_cells": _cells_text(chosen)}


def _shown(square: Cell | None, measure: str) -> str:
    if square is None:
        return numbers.DASH
    return (
        numbers.compact(square["customers"])
        if measure == "customers"
        else numbers.compact(_round(square[measure]))
    )


def _round(value: Any) -> Any:
    return None if value is None else round(float(value)) if abs(value) >= 10 else round(float(value), 1)


def _range(reader: Reader, axis: Axis, score: int) -> str:
    above, up_to = axis.range_of(score)
    if above is None:
        return f"≤ {numbers.compact(up_to)}"
    return (
        f"> {numbers.compact(above)}"
        if up_to is None
        else f"{numbers.compact(above)}–{numbers.compact(up_to)}"
    )


def _axis(reader: Reader, axis: Axis) -> dict[str, Any]:
    from kequn.web.published import column_title

    scores = [{"score": score, "range": _range(reader, axis, score)} for score in range(axis.bins, 0, -1)]
    return {
        "id": axis.id,
        "title": worded(axis.title, axis.id),
        "column": column_title(reader, axis.column),
        "scores": scores,
    }


def _segments(scheme: SchemeInfo, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for cell in cells:
        counts[cell["segment"]] = counts.get(cell["segment"], 0) + cell["customers"]
    ordered = sorted(counts, key=lambda name: -counts[name])
    return [
        {
            "segment": name,
            "title": scheme.segment_title(name),
            "colour": scheme.colour(name),
            "customers": counts[name],
        }
        for name in ordered
    ]


def heat_chart(reader: Reader, scope: Scope, scheme: SchemeInfo | None) -> Chart | None:
    """The grid as a chart for the overview; None without a grid."""
    grid = grid_of(said(reader), scheme.name) if scheme else None
    if grid is None or len(grid.axes) < 2:
        return None
    squares = _squares(reader, scope, grid)
    across, down = grid.axes[0], grid.axes[1]
    names = [f"{across.id}{x}" for x in range(1, across.bins + 1)]
    labels = [f"{down.id}{y}" for y in range(down.bins, 0, -1)]
    cells = [
        [_round(squares[(x, y)]["each"]) if (x, y) in squares else None for x in range(1, across.bins + 1)]
        for y in range(down.bins, 0, -1)
    ]
    titles = (worded(down.title, down.id), worded(across.title, across.id), _("人均消费"))
    return charts.heat(
        "rfm-heat",
        _("RFM 热力图"),
        names,
        labels,
        cells,
        labels=titles,
        kind="money",
        note=_("人均%(money)s") % {"money": money_title(reader)},
    )
