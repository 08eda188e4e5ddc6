"""A workspace to serve: seeded customers with names, phones and account managers, run by the real pipeline.

Fitting the models takes most of a run and says nothing of how fast pages are, so the predictions are drawn from the profile
by md5 of the id; everything else (facts, profile, schemes, portraits, `serving.duckdb`) is what any run writes.
"""

from __future__ import annotations

import shutil
import sys
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from bench.generate import MACROS, generate
from bench.scale import DATA, Scale
from bench.whole_run import SETTINGS, export, sources

if TYPE_CHECKING:
    from kequn.pipeline.run import Prediction, Running

MANAGERS = 200
SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷龙史陶贺毛段郝顾龚邵万覃武钱戴严欧莫孔向汤"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚桂玉萍红玲芬燕彬文华建国志宇浩然子轩雨佳怡欣妍梓涵晨曦思远嘉懿若兰雅琪诗婷俊凯博睿泽楷瑞霖逸飞翔宏达家豪天乐心悦可儿梦瑶紫萱一诺依晗清月"

PEOPLE = f"""
SELECT c.* EXCLUDE (h, g), pick(string_split('{SURNAMES}', ''), u(h, 0)) || pick(string_split('{GIVEN}', ''), u(h, 20))
    || CASE WHEN bits(h, 60, 3) > 1 THEN pick(string_split('{GIVEN}', ''), u(h, 40)) ELSE '' END AS name,
  '1' || pick(['38', '39', '50', '59', '86', '87'], u(g, 0)) || printf('%08d', bits(g, 20, 26) % 100000000) AS phone,
  customer_id || '@example.com' AS email,
  printf('sales%03d', CAST(floor({MANAGERS} * u(g, 44)) AS INTEGER)) AS account_manager
FROM (SELECT *, md5_number_lower('n' || customer_id) AS h, md5_number_upper('n' || customer_id) AS g FROM read_parquet('{{file}}')) AS c
"""
DRAWN = """
SELECT customer_id, round(u(h, 0), 6) AS p_alive, round(4 * u(h, 20), 6) AS expected_orders_12m,
  CAST(revenue_12m * u(h, 40) AS BIGINT) AS expected_revenue_12m, CAST(revenue_12m * u(g, 0) AS BIGINT) AS clv_12m,
  CAST(revenue_12m * 3 * u(g, 0) AS BIGINT) AS clv, last_order_at::DATE + CAST(400 * u(g, 20) AS INTEGER) AS next_order_on,
  round(u(g, 40), 6) AS p_purchase_30d, round(u(g, 44), 6) AS p_purchase_90d, round(u(g, 42), 6) AS p_purchase,
  round(1 - u(h, 0), 6) AS p_churn, CAST(100 * u(h, 0) AS BIGINT) AS health_score,
  pick(['green', 'yellow', 'red'], u(h, 30)) AS health_band, 'recency_trend_high' AS health_reason_1,
  CAST(NULL AS VARCHAR) AS health_reason_2, CAST(NULL AS VARCHAR) AS health_reason_3,
  printf('P%05d', CAST(60000 * u(h, 10) AS INTEGER) % 60000) AS next_best_offer
FROM (SELECT customer_id, CAST(coalesce(revenue_12m, 0) * 100 AS BIGINT) AS revenue_12m, last_order_at,
  md5_number_lower('f' || customer_id) AS h, md5_number_upper('f' || customer_id) AS g FROM read_parquet('{files}'))
ORDER BY customer_id
"""
OFFERED = """
SELECT customer_id, CAST(k AS BIGINT) AS rank, printf('P%05d', CAST(60000 * u(h, k * 16) AS INTEGER) % 60000) AS product_id,
  round(u(h, k * 15), 6) AS probability, CAST(10000 * u(h, k * 14) AS BIGINT) AS expected_margin,
  CAST(NULL AS VARCHAR) AS reason_product_id, k = 1 AS again
FROM (SELECT customer_id, md5_number_lower('r' || customer_id) AS h FROM read_parquet('{files}')), unnest([1, 2, 3]) AS numbers(k)
ORDER BY customer_id, rank
"""


def workspace(customers: int) -> Path:
    """The folder of a workspace with that many customers and two runs, the later one published; built when it isn't there."""
    folder = DATA / f"web-{customers}"
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    scale = Scale(max(1, customers // 100_000))
    data = generate(scale.customers, scale.folder)
    export(data, folder)
    _name_customers(folder / "data/customers")
    (folder / "kequn.yaml").write_text(SETTINGS, encoding="utf-8")
    (folder / "sources.yaml").write_text(sources(folder), encoding="utf-8")
    _prepare(folder)
    publish(folder, hour=9, as_of=date(2026, 10, 1))
    publish(folder, hour=10)
    (folder / "done").touch()
    return folder


def _name_customers(folder: Path) -> None:
    con = duckdb.connect()
    con.execute(MACROS)
    for file in sorted(folder.glob("*.parquet")):
        named = file.with_suffix(".named")
        con.execute(f"COPY ({PEOPLE.format(file=file)}) TO '{named}' (FORMAT parquet, COMPRESSION zstd)")
        named.replace(file)


def _prepare(folder: Path) -> None:
    from kequn.pipeline.setup import prepare
    from kequn.workspace import Workspace

    prepare(Workspace.open(folder), _clock(9))


def _clock(hour: int) -> datetime:
    return datetime(2026, 11, 1, hour, tzinfo=ZoneInfo("Asia/Shanghai"))


def publish(folder: Path, hour: int, as_of: date | None = None) -> str:
    """Run everything but the fitting of models; returns the id of the published run."""
    from kequn.pipeline.clusters import Clustered
    from kequn.workspace import Workspace

    steps: Any = import_module("kequn.pipeline.run")
    fitting = steps._predict, steps.clusters_for
    steps._predict = _drawn
    steps.clusters_for = lambda running, relation, sight, schemes: Clustered(
        relation, {name: scheme for name, scheme in schemes.items() if scheme.kind.name != "cluster"}
    )
    try:
        done = steps.run(Workspace.open(folder), as_of=as_of, now=_clock(hour))
    finally:
        steps._predict, steps.clusters_for = fitting
    return str(done.snapshot.run_id)


def _drawn(running: Running, plan: Any) -> Prediction:
    from kequn.pipeline.run import Prediction
    from kequn.predict import PREDICTION_COLUMNS

    steps: Any = import_module("kequn.pipeline.predictions")
    con = duckdb.connect()
    con.execute("SET memory_limit = '2GB'")
    con.execute(MACROS)
    work = running.work("drawn")
    work.mkdir(parents=True, exist_ok=True)
    profile = running.draft.folder("profile") / "*.parquet"
    published = {}
    for table, sql, columns in (("prediction", DRAWN, PREDICTION_COLUMNS), ("recommendation", OFFERED, None)):
        file = work / f"{table}.parquet"
        con.execute(f"COPY ({sql.format(files=profile)}) TO '{file}' (FORMAT parquet)")
        published[table] = steps._publish(running, table, (file,), columns)
    return Prediction(PREDICTION_COLUMNS, published["prediction"])


__all__ = ["publish", "workspace"]


if __name__ == "__main__":
    print(workspace(int(sys.argv[1])))
