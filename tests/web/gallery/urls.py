from __future__ import annotations

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

from kequn.web.jobs import lifecycle
from kequn.web.ui import charts

app_name = "gallery"
TEMPLATE = Path(__file__).parent / "templates/gallery/index.html"
MONTHS = [f"{month}月" for month in range(1, 13)]
GROUPS = ["高价值忠诚客户", "流失预警客户", "价格敏感客户", "母婴家庭"]


def shown() -> list[charts.Chart]:
    series = {
        name: [1_000_000 * (4 - i) + 60_000 * ((m * (i + 3)) % 7) for m in range(12)]
        for i, name in enumerate(GROUPS)
    }
    cells = [[(5 - y) * 4_000 + x * 3_100 for x in range(5)] for y in range(5)]
    flows = [
        (a, b, 1000 * (i + 1) + 700 * j) for i, a in enumerate(GROUPS) for j, b in enumerate(GROUPS) if a != b
    ]
    return [
        charts.lines("trend", "各客户群销售额", "月份", MONTHS, series, kind="money", stacked=True, note="月度"),
        charts.bars("sizes", "客户群人数", "客户群", GROUPS, {"人数": [178_141, 124_117, 257_476, 110_519]}, horizontal=True),
        charts.heat("rfm", "RFM 热力图", [f"R{i}" for i in range(1, 6)], [f"F{i}" for i in range(5, 0, -1)], cells,
                    labels=("频率", "最近", "人数"), kind="compact"),
        charts.sankey("moves", "群体迁移", flows, labels=("从", "到", "人数")),
        charts.bubbles("matrix", "目标选择矩阵", [(n, 40 + 9 * i, 80 - 13 * i, 10_000 * (i + 1)) for i, n in enumerate(GROUPS)],
                       labels=("客户群", "企业匹配度", "群体吸引力", "人数")),
        charts.radar("portrait", "画像对比", [("购买力", 1), ("活跃度", 1), ("忠诚度", 1), ("频次", 1)],
                     {"本群": [0.8, 0.6, 0.9, 0.7], "全体": [0.5, 0.5, 0.5, 0.5]}, label="维度", kind="percent"),
        charts.lines("none", "没有数据的图", "月份", [], {}),
    ]  # fmt: skip


def index(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string(TEMPLATE.read_text(encoding="utf-8"))
    return HttpResponse(template.render({"charts": shown(), "spark": [3, 4, 3.5, 5, 4.8, 6]}, request))


def start(request: HttpRequest, kind: str) -> HttpResponse:
    return redirect("tasks:detail", pk=lifecycle.start(request, f"gallery.{kind}").pk)


urlpatterns = [path("", index, name="index"), path("start/<kind>/", start, name="start")]
