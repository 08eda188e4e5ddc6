"""What the rows of the builder offer: columns by category, operators in words, values of enumerations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kequn.language import Catalog
from kequn.language.builder import (
    OPERATORS,
    SEGMENT,
    VALUES_OF,
    Clause,
    Group,
    Node,
    Wording,
    Written,
    fault,
    kind_of,
    title_of,
)
from kequn.web.published import language, remembered, rule_catalog, said, schemes, worded
from kequn.web.serving import Reader

CATEGORIES = {
    "transactional": gettext_lazy("交易"), "behavioural": gettext_lazy("行为"), "demographic": gettext_lazy("人口"),
    "geographic": gettext_lazy("地理"), "psychographic": gettext_lazy("心理"), "technographic": gettext_lazy("技术"),
    "firmographic": gettext_lazy("企业"), "prediction": gettext_lazy("预测"), "segment": gettext_lazy("客户群"),
    "": gettext_lazy("其他"),
}  # fmt: skip
WORDS = {
    "ge": gettext_lazy("不低于"), "le": gettext_lazy("不超过"), "gt": gettext_lazy("大于"), "lt": gettext_lazy("小于"),
    "eq": gettext_lazy("等于"), "ne": gettext_lazy("不等于"), "between": gettext_lazy("介于"), "in": gettext_lazy("属于"),
    "not_in": gettext_lazy("不属于"), "starts": gettext_lazy("开头是"), "contains": gettext_lazy("包含"),
    "within": gettext_lazy("最近…天内"), "before_days": gettext_lazy("早于…天前"), "since": gettext_lazy("不早于"),
    "until": gettext_lazy("不晚于"), "yes": gettext_lazy("是"), "no": gettext_lazy("否"),
    "empty": gettext_lazy("没有数据"), "filled": gettext_lazy("有数据"),
}  # fmt: skip
UNITS = {
    "days": gettext_lazy("天"), "orders": gettext_lazy("次"), "months": gettext_lazy("个月"),
    "products": gettext_lazy("种"), "categories": gettext_lazy("类"), "units": gettext_lazy("件"),
}  # fmt: skip
KINDS = {"number": "123", "text": "A–Z", "date": gettext_lazy("日期"), "boolean": gettext_lazy("是/否")}
FAULTS = {
    "unfinished": gettext_lazy("填写后计入"), "number": gettext_lazy("请填数字"), "date": gettext_lazy("请填日期"),
    "column": gettext_lazy("没有这个字段"), "operator": gettext_lazy("请选择比较方式"),
}  # fmt: skip
MOST_CHIPS = 24


def wording(reader: Reader) -> Wording:
    """Titles and units in the reader's language."""
    return remembered(reader, f"rule_wording:{language()}", lambda: _wording(reader))


def _wording(reader: Reader) -> Wording:
    known = schemes(reader)
    units = {item["name"]: _unit(item) for item in said(reader).get("columns", [])}
    return Wording(
        language(), {name: item.title for name, item in known.items()},
        {name: dict(item.segments) for name, item in known.items()}, {name: unit for name, unit in units.items() if unit},
    )  # fmt: skip


def _unit(item: dict[str, Any]) -> str:
    return str(UNITS.get(item.get("unit") or "", ""))


def options(reader: Reader) -> list[tuple[str, list[tuple[str, str]]]]:
    """(category, [(name, title)]) of everything a row can be about, in the order of the models."""
    return remembered(reader, f"rule_options:{language()}", lambda: _options(reader))


def _options(reader: Reader) -> list[tuple[str, list[tuple[str, str]]]]:
    manifest, here = said(reader), rule_catalog(reader)
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in CATEGORIES}
    for item in manifest.get("columns", []):
        if item["name"] in here.columns:
            found[item.get("model") if item.get("model") in CATEGORIES else ""].append(
                (item["name"], _title(here, item["name"]))
            )
    for item in manifest.get("prediction_columns", []):
        found["prediction"].append((item["name"], _title(here, item["name"])))
    found["segment"] = [
        (SEGMENT + name, item.title) for name, item in schemes(reader).items() if name in here.schemes
    ]
    return [(str(CATEGORIES[name]), entries) for name, entries in found.items() if entries]


def _title(here: Catalog, name: str) -> str:
    return worded(here.columns[name].title, name)


@dataclass(frozen=True)
class Row:
    """A node as the template draws it."""

    path: str
    kind: str  # group, row or text
    node: Node
    children: list[Row] = field(default_factory=list)
    badge: str = ""
    operators: list[tuple[str, str]] = field(default_factory=list)
    chips: list[tuple[str, str, bool]] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    entry: str = ""  # number, date, text, chips or none
    unit: str = ""
    fault: str = ""
    deep: bool = False
    title: str = ""
    focus: bool = False


def rows(reader: Reader, node: Node, path: tuple[int, ...] = (0,), focus: tuple[int, ...] = ()) -> Row:
    """The tree with everything that its rows offer; the row at `focus` takes the keyboard."""
    name = ".".join(map(str, path))
    if isinstance(node, Group):
        parts = [rows(reader, part, (*path, number), focus) for number, part in enumerate(node.parts)]
        return Row(name, "group", node, parts, deep=len(path) >= 6, focus=path == focus)
    if isinstance(node, Written):
        return Row(name, "text", node, focus=path == focus)
    return _row(reader, node, name, path == focus)


def _row(reader: Reader, clause: Clause, name: str, focus: bool) -> Row:
    here = rule_catalog(reader)
    kind = kind_of(clause.column, here)
    if kind is None:
        return Row(
            name,
            "row",
            clause,
            fault=str(FAULTS["unfinished"]) if not clause.column else str(FAULTS["column"]),
            focus=focus,
        )
    segment = clause.column.startswith(SEGMENT)
    named = OPERATORS[kind] if not segment else ("in", "not_in", "empty", "filled")
    if kind == "boolean":
        named = ("yes", "no", "empty", "filled")
    whole = clause.operator in ("within", "before_days")
    entry = "none" if VALUES_OF.get(clause.operator) == 0 else "number" if whole else kind
    known = values_of(reader, clause.column) if clause.operator in ("in", "not_in") else []
    if known:
        entry = "chips"
    chosen = list(clause.values)
    chips = [(value, title, value in chosen) for value, title in known]
    chips += [(value, value, True) for value in chosen if known and value not in {v for v, _ in known}]
    wrong = fault(clause, here)
    most = VALUES_OF.get(clause.operator, 1)
    if entry == "text" and most > 2:
        chosen = [*chosen, ""][:40]
    elif entry != "chips":
        chosen = [*chosen, "", ""][:most]
    unit = _("天") if whole else wording(reader).units.get(clause.column, "") if entry == "number" else ""
    return Row(
        name, "row", clause, badge=str(KINDS[kind]), operators=[(item, str(WORDS[item])) for item in named], chips=chips,
        values=chosen, entry=entry, unit=unit, fault=str(FAULTS[wrong]) if wrong else "", focus=focus,
        title=title_of(clause.column, here, wording(reader)),
    )  # fmt: skip


def values_of(reader: Reader, name: str) -> list[tuple[str, str]]:
    """The values of an enumeration with their titles, most frequent first; [] when there are too many or personal ones."""
    if name.startswith(SEGMENT):
        found = schemes(reader).get(name.removeprefix(SEGMENT))
        return list(found.segments) if found else []
    served = reader.columns("profile")
    about = next((item for item in said(reader).get("columns", []) if item["name"] == name), {})
    if name not in served or about.get("type") != "text" or name in ("customer_id", "name", "phone", "email"):
        return []
    quoted = '"{}"'.format(name.replace('"', '""'))
    sql = f"SELECT {quoted} FROM profile WHERE {quoted} IS NOT NULL GROUP BY 1 ORDER BY COUNT(*) DESC, 1 LIMIT {MOST_CHIPS + 1}"
    listed = remembered(reader, f"rule_values:{name}", lambda: [str(row[0]) for row in reader.rows(sql)])
    return [(value, value) for value in listed] if len(listed) <= MOST_CHIPS else []


def enumerations(reader: Reader) -> dict[str, list[str]]:
    """Text columns with few values that may be suggested: nothing personal, no more than a dozen columns."""
    listed = [
        item["name"]
        for item in said(reader).get("columns", [])
        if item["type"] == "text" and item.get("privacy", "none") == "none"
    ]
    found = {name: [value for value, _title in values_of(reader, name)] for name in listed}
    return dict(
        [(name, values) for name, values in found.items() if values and name != "account_manager"][:12]
    )


def usual(reader: Reader, name: str) -> Clause:
    """A new row about a column, with its usual operator."""
    kind = kind_of(name, rule_catalog(reader))
    return Clause(name, OPERATORS[kind][0] if kind else "")


def first(options_: Iterable[tuple[str, list[tuple[str, str]]]]) -> str:
    """The column that a new row is about."""
    names = [name for _, entries in options_ for name, _ in entries]
    return "recency_days" if "recency_days" in names else next(iter(names), "")
