"""The tables of the workbench in docs/benchmarks.md and docs/zh/benchmarks.md, written from results.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.tables import PAGES

BEGIN, END = "<!-- web:begin -->", "<!-- web:end -->"
ROWS: dict[str, dict[str, str]] = {
    "ping_1": {"en": "ping, 1 connection", "zh": "空请求，1 个连接"},
    "ping_8": {"en": "ping, 8 connections", "zh": "空请求，8 个连接"},
    "card_1": {"en": "customer card (HTML), 1 connection", "zh": "客户卡（整页），1 个连接"},
    "card_8": {"en": "customer card (HTML), 8 connections", "zh": "客户卡（整页），8 个连接"},
    "segments_1": {"en": "segment summary (JSON)", "zh": "客户群汇总（JSON）"},
    "segment_page_1": {"en": "segment page (HTML)", "zh": "客户群详情（整页）"},
    "sample_1": {"en": "live count from the sample", "zh": "实时计数，抽样"},
    "exact_1": {"en": "live count, exact", "zh": "实时计数，精确"},
    "search_1": {"en": "search by pinyin (HTML)", "zh": "按拼音查找（整页）"},
}
HEAD = {
    "en": "|  | p50 ms | p95 ms | requests/s | CPU ms each | p50 ÷ ping | failed |",
    "zh": "|  | p50 毫秒 | p95 毫秒 | 每秒请求 | 每次 CPU 毫秒 | p50 ÷ 空请求 | 失败 |",
}
GOALS: tuple[tuple[dict[str, str], Any, float, str], ...] = (
    ({"en": "card p50, 1 connection", "zh": "客户卡 p50，1 个连接"}, lambda f: f["load"]["card_1"]["p50_ms"], 15, "≤"),
    ({"en": "card, requests/s at 8 connections", "zh": "客户卡每秒请求，8 个连接"}, lambda f: f["load"]["card_8"]["per_second"], 120, "≥"),
    ({"en": "card p95 ÷ p50 at 8 connections", "zh": "客户卡 p95 ÷ p50，8 个连接"}, lambda f: f["load"]["card_8"]["p95_ms"] / f["load"]["card_8"]["p50_ms"], 4, "≤"),
    ({"en": "segment summary p50, ms", "zh": "客户群汇总 p50，毫秒"}, lambda f: f["load"]["segments_1"]["p50_ms"], 5, "≤"),
    ({"en": "sample count p50, ms", "zh": "抽样计数 p50，毫秒"}, lambda f: f["load"]["sample_1"]["p50_ms"], 8, "≤"),
    ({"en": "exact count p50, ms", "zh": "精确计数 p50，毫秒"}, lambda f: f["load"]["exact_1"]["p50_ms"], 80, "≤"),
    ({"en": "first load, KB compressed", "zh": "首次加载，压缩后 KB"}, lambda f: f["browser"]["first"]["kb"], 600, "≤"),
    ({"en": "first load until usable, ms", "zh": "首次加载至可用，毫秒"}, lambda f: f["browser"]["first"]["usable_ms"], 2000, "≤"),
    ({"en": "largest later page, KB", "zh": "后续最大页面，KB"}, lambda f: max(p["kb"] for p in f["browser"]["later"].values()), 60, "≤"),
    ({"en": "worker memory, MB", "zh": "进程内存，MB"}, lambda f: f["memory_mb"], 350, "≤"),
    ({"en": "publish under load: failed requests", "zh": "加载中发布：失败请求"}, lambda f: f["publish"]["failed"], 0, "≤"),
    ({"en": "publish under load: answers that mix two runs", "zh": "加载中发布：混用两次快照的页面"}, lambda f: f["publish"]["mixed"], 0, "≤"),
)  # fmt: skip
LARGE_GOALS: tuple[tuple[dict[str, str], Any, float, str], ...] = ((GOALS[0][0], GOALS[0][1], 40, "≤"),)
"""Of what is measured over copies of the customers."""


def write_tables(results: Mapping[str, Any]) -> None:
    """Put the tables between the markers of both pages."""
    for language, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        body = "\n".join(line for size, found in sorted(results.items(), key=lambda item: int(item[0]))
                         for line in _tables(int(size), found, language))  # fmt: skip
        page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def _tables(customers: int, found: Mapping[str, Any], language: str) -> Iterator[str]:
    machine, load = found["machine"], found["load"]
    title = {"en": f"### Workbench, {customers:,} customers", "zh": f"### 工作台，{customers:,} 位客户"}[
        language
    ]
    yield title
    yield ""
    yield f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1m']}; Django {found['versions']['django']}, DuckDB {found['versions']['duckdb']}; {found['measured_at'][:10]}"
    yield ""
    yield HEAD[language]
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, words in ROWS.items():
        if name in load:
            row = load[name]
            ratio = row["p50_ms"] / load["ping_8" if name.endswith("_8") else "ping_1"]["p50_ms"]
            yield f"| {words[language]} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {row['per_second']:.0f} | {row['cpu_ms']:.1f} | {ratio:.1f} | {row['failed']} |"
    yield ""
    yield {"en": "| goal | measured |  |  |", "zh": "| 目标 | 实测 |  |  |"}[language]
    yield "| --- | ---: | ---: | ---: |"
    for words, read, goal, sign in GOALS if "publish" in found else LARGE_GOALS:
        value = read(found)
        held = value <= goal if sign == "≤" else value >= goal
        yield f"| {words[language]} | {value:.1f} | {sign} {goal:g} | {'✓' if held else '✗'} |"
    yield ""
    if "publish" in found:
        yield from _published(found["publish"], language)


def _published(publish: Mapping[str, Any], language: str) -> Iterator[str]:
    yield {
        "en": f"{publish['publishes']} publishes during {publish['requests']} requests.",
        "zh": f"在 {publish['requests']} 次请求期间发布 {publish['publishes']} 次。",
    }[language]
    yield ""


__all__ = ["write_tables"]
