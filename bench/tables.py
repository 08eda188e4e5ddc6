"""The tables in docs/benchmarks.md and docs/zh/benchmarks.md, written from results.json between two markers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.results import GOALS, Goal

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {"en": DOCS / "benchmarks.md", "zh": DOCS / "zh" / "benchmarks.md"}
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

NAMES = {
    "scan": {"en": "scan of the columns used", "zh": "只扫描所用列"},
    "hand19": {"en": "hand-written SQL, 19 columns and scores", "zh": "手写 SQL，19 列与评分"},
    "registry19": {"en": "Kequn, the same 19 columns and scores", "zh": "客群，同样 19 列与评分"},
    "polars19": {"en": "Polars streaming, the same", "zh": "Polars 流式，同样内容"},
    "pandas19": {"en": "pandas, the same", "zh": "pandas，同样内容"},
    "full": {"en": "Kequn, full profile", "zh": "客群，完整画像"},
    "rfm_hand": {"en": "hand-written SQL, RFM scores and names", "zh": "手写 SQL，RFM 评分与命名"},
    "rfm": {"en": "Kequn, RFM scores and names", "zh": "客群，RFM 评分与命名"},
    "deliver": {"en": "the files of a shop, written for the run", "zh": "为运行写出店铺文件（不属于客群）"},
    "prepare": {
        "en": "Kequn, sources read and checked, schemes proposed",
        "zh": "客群，读入并检查数据、提出方案参数",
    },
    "run_schemes": {
        "en": "Kequn, profile to published snapshot, no models",
        "zh": "客群，画像至发布快照，不建模",
    },
    "run": {"en": "Kequn, whole run with predictions and clusters", "zh": "客群，含预测与聚类的完整运行"},
    "refresh": {"en": "Kequn, without models after 1 % new orders", "zh": "客群，新增 1% 订单后，不建模"},
}
UNITS = {
    "cpu_s": {"en": "CPU", "zh": "CPU"},
    "wall_s": {"en": "wall", "zh": "用时"},
    "peak_gb": {"en": "peak memory", "zh": "内存峰值"},
}
HEADS = {
    "measured": {
        "en": ["", "CPU s", "wall s", "peak GB", "rounds"],
        "zh": ["", "CPU 秒", "用时 秒", "内存峰值 GB", "轮数"],
    },
    "ratios": {"en": ["ratio", "measured", "goal", ""], "zh": ["比值", "实测", "目标", ""]},
    "growth": {
        "en": ["order lines", "customers", "full profile, CPU µs per customer", "peak GB"],
        "zh": ["订单明细", "客户", "完整画像，每位客户 CPU 微秒", "内存峰值 GB"],
    },
}
WORDS = {
    "failed": {"en": "failed", "zh": "失败"},
    "growth": {"en": "Cost per customer as data grow", "zh": "数据增长时每位客户的成本"},
    "columns": {"en": "columns", "zh": "列"},
}


def write_tables(results: Mapping[str, Any]) -> None:
    """Replace what stands between the markers of both pages."""
    for lang, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN, 1)
        tail = rest.split(END, 1)[1]
        page.write_text(f"{head}{BEGIN}\n{rendered(results, lang)}\n{END}{tail}", encoding="utf-8")


def rendered(results: Mapping[str, Any], lang: str) -> str:
    """Machine, then for each scale its measurements and ratios, then the cost per customer."""
    if not results:
        return ""
    parts = [_machine(results, lang)]
    scales = sorted(results.get("scales", {}).items(), key=lambda item: int(item[0]))
    for millions, scale in scales:
        judged = int(millions) >= 10  # below, starting Python and importing outweighs the work
        parts += [
            _heading(scale["data"], lang),
            _measured(scale["measurements"], lang),
            _ratios(scale["ratios"], lang, judged),
        ]
    parts.append(f"### {WORDS['growth'][lang]}\n\n{_growth([scale for _, scale in scales], lang)}")
    return "\n\n".join(part for part in parts if part)


def _machine(results: Mapping[str, Any], lang: str) -> str:
    found, have = results["machine"], results["versions"]
    cores = {"en": f"{found['cores']} cores", "zh": f"{found['cores']} 核"}[lang]
    software = ", ".join(
        f"{name.removeprefix('peer_')} {have[name]}"
        for name in ("python", "duckdb", "polars", "peer_pandas", "pandas")
        if name in have
    )
    return f"{found['processor']}, {cores}, {found['memory_gb']:.0f} GB, {found['system']}; {software}."


def _heading(data: Mapping[str, Any], lang: str) -> str:
    lines, customers = data["order_lines"] / 1e6, data["customers"] / 1e6
    return {
        "en": f"### {lines:.2f} M order lines, {customers:g} M customers",
        "zh": f"### {lines * 100:,.0f} 万条订单明细，{customers * 100:g} 万客户",
    }[lang]


def _measured(measurements: Mapping[str, Any], lang: str) -> str:
    rows = []
    for name, words in NAMES.items():
        found = measurements.get(name)
        if found is None:
            continue
        label = words[lang]
        if "failed" in found:
            rows.append([label, WORDS["failed"][lang], "", "", ""])
            continue
        if columns := found["notes"].get("columns"):
            label += f" ({columns} {WORDS['columns'][lang]})"
        middle = found["median"]
        rows.append(
            [
                label,
                f"{middle['cpu_s']:.1f}",
                f"{middle['wall_s']:.1f}",
                f"{middle['peak_gb']:.2f}",
                str(len(found["samples"])),
            ]
        )
    return table(HEADS["measured"][lang], rows)


def _ratios(ratios: Mapping[str, Any], lang: str, judged: bool) -> str:
    rows = []
    for goal in GOALS:
        found = ratios.get(goal.key)
        if found is None:
            continue
        shown = f"{found['value']:.2f} GB" if goal.against is None else f"{found['value']:.2f}"
        mark = {True: "✓", False: "✗", None: ""}[goal.reached(found["value"])]
        rows.append([_label(goal, lang), shown, *([_bound(goal), mark] if judged else ["", ""])])
    return table(HEADS["ratios"][lang], rows) if rows else ""


def _label(goal: Goal, lang: str) -> str:
    ours, unit = NAMES[goal.name][lang], UNITS[goal.unit][lang]
    sign = {"en": ": ", "zh": "："}[lang]
    return f"{unit}{sign}{ours} ÷ {NAMES[goal.against][lang]}" if goal.against else f"{unit}{sign}{ours}"


def _bound(goal: Goal) -> str:
    if goal.bound is None:
        return ""
    return f"{'≥' if goal.least else '≤'} {goal.bound:g}{'' if goal.against else ' GB'}"


def _growth(scales: list[Mapping[str, Any]], lang: str) -> str:
    rows = [
        [
            f"{scale['data']['order_lines']:,}",
            f"{scale['data']['customers']:,}",
            f"{1e6 * full['median']['cpu_s'] / scale['data']['customers']:.0f}",
            f"{full['median']['peak_gb']:.2f}",
        ]
        for scale, full in _with_full(scales)
    ]
    return table(HEADS["growth"][lang], rows)


def _with_full(scales: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for scale in scales:
        full = scale["measurements"].get("full", {})
        if "median" in full:
            yield scale, full


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; numbers stand right."""
    marks = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, marks, *rows])


__all__ = ["BEGIN", "END", "PAGES", "rendered", "table", "write_tables"]
