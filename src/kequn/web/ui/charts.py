"""Charts: an ECharts option made on the server, with the same figures as a table beside it.

Options are plain JSON. Two kinds of value are filled in by `charts.js`, because they depend on the browser: a text
that begins with `--k-` becomes the colour of that token in the current theme, and `{"$format": "compact"}` becomes a
function that writes numbers as this language does. Every chart has a table view, and CSV and PNG downloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings

from kequn.web.environment import workspace_facts
from kequn.web.ui import numbers

Format = Literal["number", "compact", "money", "percent", "text"]
PALETTE = tuple(f"--k-c{index}" for index in range(1, 9))
WRITERS = {
    "number": numbers.number,
    "compact": numbers.compact,
    "money": lambda value: numbers.money(value, workspace_facts(settings.WORKSPACE).currency),
    "percent": numbers.percent,
}


@dataclass(frozen=True)
class Column:
    """A column of the table view."""

    title: Any
    format: Format = "number"


@dataclass(frozen=True)
class Chart:
    """What `ui/chart.html` shows. `rows` are raw values; the CSV gets them as they are, the table formatted."""

    id: str
    title: Any
    option: dict[str, Any]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: Any = ""
    size: Literal["small", "medium", "large"] = "medium"
    links: dict[str, str] = field(default_factory=dict)  # item name to the address that a click opens

    @property
    def empty(self) -> bool:
        return not self.rows

    @property
    def table(self) -> list[list[dict[str, Any]]]:
        """Rows of cells: `raw`, `text` and whether it's a number."""
        return [
            [
                {"raw": value, "text": _written(value, column.format), "number": column.format != "text"}
                for value, column in zip(row, self.columns, strict=True)
            ]
            for row in self.rows
        ]

    @property
    def payload(self) -> dict[str, Any]:
        """What goes to the browser as JSON."""
        return {
            "option": self.option,
            "links": self.links,
            "language": "en" if numbers.is_english() else "zh",
        }


def _written(value: Any, kind: Format) -> str:
    if value is None:
        return numbers.DASH
    return str(value) if kind == "text" else WRITERS[kind](value)


def axis_format(kind: Format) -> dict[str, Any]:
    """An axis label or tooltip value written as `kind`."""
    return {"$format": kind}


def _axes(categories: Sequence[str], kind: Format, horizontal: bool = False) -> dict[str, Any]:
    names = {"type": "category", "data": list(categories), "axisTick": {"show": False}}
    values = {
        "type": "value",
        "axisLabel": {"formatter": axis_format("percent" if kind == "percent" else "compact")},
    }
    if horizontal:
        return {
            "xAxis": {**values, "splitNumber": 4},
            "yAxis": {**names, "inverse": True},
            "grid": {"right": 32},
        }
    return {"xAxis": names, "yAxis": values}


def _series_rows(categories: Sequence[str], series: dict[str, Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple((name, *(values[i] for values in series.values())) for i, name in enumerate(categories))


def _columns(label: Any, series: dict[str, Sequence[Any]], kind: Format) -> tuple[Column, ...]:
    return (Column(label, "text"), *(Column(name, kind) for name in series))


def lines(
    id: str, title: Any, label: Any, categories: Sequence[str], series: dict[str, Sequence[Any]], *,
    kind: Format = "number", stacked: bool = False, **more: Any,
) -> Chart:  # fmt: skip
    """One line per series over `categories`; `stacked` makes them areas on top of each other. None leaves a gap."""
    option = {
        **_axes(categories, kind),
        "tooltip": {"trigger": "axis", "valueFormatter": axis_format(kind)},
        "legend": {"show": len(series) > 1},
        "series": [
            {
                "type": "line", "name": name, "data": list(values), "showSymbol": len(categories) < 3, "smooth": 0.2,
                **({"stack": "all", "areaStyle": {"opacity": 0.78}, "lineStyle": {"width": 1}} if stacked else {}),
            }
            for name, values in series.items()
        ],
    }  # fmt: skip
    if not stacked:
        option["yAxis"]["scale"] = kind != "percent"
    else:
        option["xAxis"] |= {
            "boundaryGap": False,
            "axisLabel": {"alignMinLabel": "left", "alignMaxLabel": "right"},
        }
    return Chart(id, title, option, _columns(label, series, kind), _series_rows(categories, series), **more)


def bars(
    id: str, title: Any, label: Any, categories: Sequence[str], series: dict[str, Sequence[Any]], *,
    kind: Format = "number", stacked: bool = False, horizontal: bool = False, **more: Any,
) -> Chart:  # fmt: skip
    """One bar per category and series; `horizontal` suits long names."""
    radius = [0, 4, 4, 0] if horizontal else [4, 4, 0, 0]
    option = {
        **_axes(categories, kind, horizontal),
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "valueFormatter": axis_format(kind)},
        "legend": {"show": len(series) > 1},
        "series": [
            {
                "type": "bar", "name": name, "data": list(values), "barMaxWidth": 28,
                **({"stack": "all"} if stacked else {"itemStyle": {"borderRadius": radius}}),
            }
            for name, values in series.items()
        ],
    }  # fmt: skip
    return Chart(id, title, option, _columns(label, series, kind), _series_rows(categories, series), **more)


def heat(
    id: str, title: Any, across: Sequence[str], down: Sequence[str], cells: Sequence[Sequence[Any]], *,
    labels: tuple[Any, Any, Any], kind: Format = "number", **more: Any,
) -> Chart:  # fmt: skip
    """A grid of cells coloured by value: `cells[row][column]`; `labels` are the words for row, column and value."""
    points = [
        (x, y, value) for y, row in enumerate(cells) for x, value in enumerate(row) if value is not None
    ]
    top = max((float(value) for *_, value in points), default=0.0) or 1.0
    drawn = [
        {
            "value": list(point),
            "label": {"color": "--k-heat-high" if float(point[2]) > 0.7 * top else "--k-heat-low"},
        }
        for point in points
    ]
    option = {
        "grid": {"top": 8, "bottom": 44},
        "xAxis": {"type": "category", "data": list(across), "axisTick": {"show": False}, "axisLine": {"show": False}},
        "yAxis": {"type": "category", "data": list(down), "inverse": True, "axisTick": {"show": False}, "axisLine": {"show": False}},
        "tooltip": {"valueFormatter": axis_format(kind)},
        "visualMap": {
            "min": 0, "max": top, "calculable": False, "orient": "horizontal", "left": "center", "bottom": 0,
            "itemHeight": 120, "itemWidth": 10, "inRange": {"color": ["--k-heat-0", "--k-heat-1"]},
            "text": [_written(top, kind), _written(0, kind)],
        },
        "series": [{
            "type": "heatmap", "data": drawn, "label": {"show": True, "fontWeight": 600, "formatter": {"$format": "cell", "kind": kind}},
            "itemStyle": {"borderWidth": 3, "borderColor": "--k-surface", "borderRadius": 6},
        }],
    }  # fmt: skip
    row_label, column_label, value_label = labels
    columns = (Column(row_label, "text"), Column(column_label, "text"), Column(value_label, kind))
    rows = tuple((down[y], across[x], value) for x, y, value in points)
    return Chart(id, title, option, columns, rows, **more)


def sankey(
    id: str, title: Any, flows: Sequence[tuple[str, str, Any]], *,
    labels: tuple[Any, Any, Any], kind: Format = "number", **more: Any,
) -> Chart:  # fmt: skip
    """Flows (from, to, value) between two columns; a name may stand on both sides."""
    sources, targets = (list(dict.fromkeys(flow[side] for flow in flows)) for side in (0, 1))
    order = {name: index for index, name in enumerate(dict.fromkeys([*sources, *targets]))}

    def node(name: str, side: str) -> dict[str, Any]:
        colour = PALETTE[order[name] % len(PALETTE)]
        place = {"position": "left"} if side == "<" else {"position": "right"}
        return {"name": f"{side}{name}", "itemStyle": {"color": colour}, "label": place}

    option = {
        "tooltip": {"valueFormatter": axis_format(kind)},
        "series": [{
            "type": "sankey", "left": 130, "right": 130, "top": 12, "bottom": 12, "nodeWidth": 8, "nodeGap": 14,
            "draggable": False, "emphasis": {"focus": "adjacency"}, "lineStyle": {"color": "source", "opacity": 0.28},
            "label": {"formatter": {"$format": "side"}},
            "data": [node(name, "<") for name in sources] + [node(name, ">") for name in targets],
            "links": [{"source": f"<{a}", "target": f">{b}", "value": value} for a, b, value in flows],
        }],
    }  # fmt: skip
    columns = tuple(Column(label, kind if i == 2 else "text") for i, label in enumerate(labels))
    return Chart(id, title, option, columns, tuple(tuple(flow) for flow in flows), **more)


def bubbles(
    id: str, title: Any, points: Sequence[tuple[str, float, float, float]], *,
    labels: tuple[Any, Any, Any, Any], kinds: tuple[Format, Format, Format] = ("number", "number", "compact"), **more: Any,
) -> Chart:  # fmt: skip
    """Named points (name, x, y, size); `labels` are the words for name, x, y and size. Labels that collide are moved."""
    largest = max((size for *_, size in points), default=1) or 1
    series = [
        {
            "type": "scatter", "name": name, "data": [[x, y, size]], "symbolSize": round(10 + 42 * (max(size, 0) / largest) ** 0.5),
            "itemStyle": {"color": PALETTE[i % len(PALETTE)], "opacity": 0.85},
            "label": {"show": True, "position": "right", "formatter": "{a}"}, "labelLayout": {"moveOverlap": "shiftY"},
        }
        for i, (name, x, y, size) in enumerate(points)
    ]  # fmt: skip

    def axis(index: int) -> dict[str, Any]:
        room = {
            "scale": True,
            "boundaryGap": ["12%", "18%"],
            "axisLabel": {"formatter": axis_format(kinds[index - 1])},
        }
        return {"type": "value", "name": str(labels[index]), **room}

    option = {
        "grid": {"top": 38},
        "xAxis": {**axis(1), "nameLocation": "middle", "nameGap": 28},
        "yAxis": {**axis(2), "nameTextStyle": {"align": "left"}},
        "tooltip": {}, "legend": {"show": False}, "series": series,
    }  # fmt: skip
    columns = (
        Column(labels[0], "text"),
        *(Column(label, kind) for label, kind in zip(labels[1:], kinds, strict=True)),
    )
    return Chart(id, title, option, columns, tuple(tuple(point) for point in points), **more)


def radar(
    id: str, title: Any, axes: Sequence[tuple[str, float]], series: dict[str, Sequence[Any]], *,
    label: Any, kind: Format = "number", **more: Any,
) -> Chart:  # fmt: skip
    """One polygon per series over `axes` (name, maximum)."""
    option = {
        "legend": {"show": True, "bottom": 0, "top": "auto", "left": "center"},
        "tooltip": {"valueFormatter": axis_format(kind)},
        "radar": {"indicator": [{"name": name, "max": top} for name, top in axes], "radius": "62%", "center": ["50%", "46%"]},
        "series": [{
            "type": "radar", "symbolSize": 4,
            "data": [
                {"name": name, "value": list(values), "areaStyle": {"opacity": 0.15 if i == 0 else 0}}
                for i, (name, values) in enumerate(series.items())
            ],
        }],
    }  # fmt: skip
    names = [name for name, _ in axes]
    return Chart(id, title, option, _columns(label, series, kind), _series_rows(names, series), **more)


def pin_colours(chart: Chart, colours: Sequence[str]) -> None:
    """Give each series its own colour (a token name), so that a segment looks the same on every chart."""
    for line, colour in zip(chart.option["series"], colours, strict=True):
        for style in ("itemStyle", "lineStyle", "areaStyle"):
            if style == "itemStyle" or style in line:
                line[style] = {**line.get(style, {}), "color": colour}


def pyramid(
    id: str, title: Any, steps: Sequence[tuple[str, Any]], *,
    labels: tuple[Any, Any], notes: Sequence[str] = (), kind: Format = "number", **more: Any,
) -> Chart:  # fmt: skip
    """Steps from the top down, each as wide as its place (not its value, or the top would vanish); `notes` stand beside."""
    option = {
        "tooltip": {"show": False},
        "series": [{
            "type": "funnel", "sort": "ascending", "left": "4%", "width": "46%", "top": 8, "bottom": 8, "gap": 3, "minSize": "6%",
            "label": {"show": True, "position": "right", "formatter": {"$format": "said"}, "lineHeight": 18, "opacity": 1},
            "labelLine": {"length": 14, "lineStyle": {"color": "--k-line-strong"}},
            "data": [
                {
                    "name": name, "value": place, "itemStyle": {"color": PALETTE[0], "opacity": max(1.0 - 0.18 * (place - 1), 0.28), "borderWidth": 0},
                    "said": f"{name}\n{notes[place - 1]}" if notes else name,
                }
                for place, (name, _) in enumerate(steps, start=1)
            ],
        }],
    }  # fmt: skip
    columns = (Column(labels[0], "text"), Column(labels[1], kind))
    return Chart(id, title, option, columns, tuple(tuple(step) for step in steps), **more)
