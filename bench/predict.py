"""`make bench`, second part: the predictions of a run, and the fits of lifetime value beside their peers (`bench/clv.py`).

    python -m bench.predict                  score 1 M customers, offers for 163,000 customers, fits
    python -m bench.predict --only score     one of score, recommend, clv; the rest of the results stays
    python -m bench.predict --tables         only rewrite the tables in docs/

Each measurement is a process of its own. `score` fits every model on the facts of 100,000 customers (training looks at no
more in any run), then reads and scores a million with what was fitted: that is held against the goal. Writes `bench/results/predict.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bench.measure import run_once
from bench.scale import DATA, Scale
from bench.stages import Stages
from bench.tables import PAGES, table

ROOT = Path(__file__).parent.parent
RESULTS, CLV = ROOT / "bench" / "results" / "predict.json", ROOT / "bench" / "results" / "clv.json"
BEGIN, END = "<!-- predictions:begin -->", "<!-- predictions:end -->"
SCORED, FITTED, OFFERED = Scale(10), Scale(1), Scale(2)
GOALS = {"score": 30.0, "recommend": 60.0}
"""Seconds: scoring 1 M customers with all models, offers for 100,000 customers x 10,000 products."""
GOAL_GB = 3.0
AS_OF, START = date(2026, 11, 1), date(2023, 11, 1)


def score(data: Path, out: Path, stages: Stages) -> None:
    """Every model of a run but the offers: fitted on a tenth of the customers, then all of them scored."""
    from kequn.predict import PredictInputs, predict

    engine, profile_at, orders = _past(FITTED.folder, out / "learnt")
    with stages.stage("fits"):
        found = predict(
            PredictInputs(profile_at(AS_OF), AS_OF, START, {"orders": orders}, profile_at, out / "predicted")
        )
    engine.close()
    engine, profile_at, _ = _past(data, out / "scored")
    with stages.stage("profile"):
        profile = profile_at(AS_OF)
    engine.close()
    with stages.stage("scoring"):
        scored = _scored_again(profile, found.models)
    stages.notes |= {
        "customers": _rows(profile), "judged_cpu_s": stages.seconds["scoring"]["cpu_s"], "scored": scored,
        "used": {card.model: card.used for card in found.cards},
    }  # fmt: skip


def _past(data: Path, out: Path) -> tuple[Any, Callable[[date], Path], tuple[Path, ...]]:
    """An engine over generated facts, the profile as known before a day, and the files of orders."""
    from bench.by_registry import canonical, files, start
    from kequn.pipeline.views import register_facts, write_profile
    from kequn.predict.features import DATED
    from kequn.profile import Registry

    engine, delivered = start(out), canonical(data / "facts")
    tables = {name: files(data / "facts" / name) for name in delivered}
    register_facts(engine, tables, delivered)

    def profile_at(day: date) -> Path:
        folder = out / f"profile-{day}"
        if not folder.exists():
            plan = Registry().plan(delivered, day, START, only=[*DATED, "last_order_at", "margin"])
            write_profile(engine, plan, folder, 2)
        return folder

    return engine, profile_at, tables["orders"].files


def _scored_again(profile: Path, models: Path) -> list[str]:
    """Score every customer of the profile with all models that the run fitted, from reading to the last figure."""
    from kequn.predict.clv import ValueSettings, fit_models, lifetime_value
    from kequn.predict.features import read_features
    from kequn.predict.health import health
    from kequn.predict.learners import Boosted, Logit, RateTable
    from kequn.predict.purchases import statistics_of
    from kequn.predict.run import load_model

    matrix = read_features(profile, before=AS_OF)
    names = []
    for file in sorted(models.glob("*.json")):
        model = load_model(models, file.stem)
        model.score(matrix)
        assert isinstance(model.learner, (Boosted, Logit, RateTable))
        names.append(f"{file.stem}: {model.learner.kind}")
    statistics = statistics_of(matrix)
    lifetime_value(statistics, ValueSettings(), models=fit_models(statistics), as_of=AS_OF)
    health(matrix)
    return [*names, "lifetime value with its fits", "health"]


def recommend(data: Path, out: Path, stages: Stages) -> None:
    """Offers of every customer: three recommenders compared on a held-out window, the best one fitted and ranked.

    The generated customers have no taste, so popularity wins; ALS is fitted and asked for everybody besides, because
    where there is taste it would be the one in use.
    """
    import numpy as np

    from kequn.predict.recommend import Sales, fit_recommendations
    from kequn.predict.recommend.candidates import PER_KIND
    from kequn.predict.recommend.fit import RecommendSettings, fit_recommender
    from kequn.predict.recommend.interactions import SalesLog, catalogue, interactions

    lines = tuple(sorted((data / "facts" / "order_lines").glob("*.parquet")))
    products = tuple(sorted((data / "facts" / "products").glob("*.parquet")))
    sales, how = Sales(lines, products), RecommendSettings()
    with stages.stage("recommend"):
        found = fit_recommendations(sales, AS_OF, START, how)
    with stages.stage("als"), SalesLog(sales, AS_OF, how.goods) as log:
        goods = catalogue(log, AS_OF)
        bought = interactions(log, goods, AS_OF)
        fit_recommender("als", bought, goods, how).top(
            bought.days, PER_KIND, np.zeros(len(goods), dtype=bool)
        )
    stages.notes |= {
        "customers": len(bought), "products": found.card.parameters.get("products"), "offers": found.table.num_rows,
        "judged_cpu_s": round(sum(stages.seconds[name]["cpu_s"] for name in ("recommend", "als")), 2), "used": found.card.used,
    }  # fmt: skip


def _rows(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


TASKS: Mapping[str, Callable[[Path, Path, Stages], None]] = {"score": score, "recommend": recommend}
SCALES = {"score": SCORED, "recommend": OFFERED}


def measured(task: str) -> dict[str, Any]:
    """Run one task in a process of its own on its generated data."""
    scale = SCALES[task]
    for needed in {scale, FITTED}:
        if not (needed.folder / "done").exists():
            subprocess.run(
                [sys.executable, "-m", "bench.generate", str(needed.millions)], check=True, cwd=ROOT
            )
    DATA.mkdir(exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="predict-", dir=DATA))
    try:
        sample = run_once(
            [sys.executable, "-m", "bench.predict", "--task", task, str(scale.folder), str(out)], ROOT
        )
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return sample.as_json()


def missed(results: Mapping[str, Any]) -> list[str]:
    """Goals not reached, in words; seconds are CPU seconds, which another tenant of the machine can't stretch."""
    found = []
    for task, goal in GOALS.items():
        if task in results:
            used, peak = results[task]["notes"]["judged_cpu_s"], results[task]["peak_gb"]
            found += [f"{task}: {used} CPU s, goal {goal:g}"] if used > goal else []
            found += [f"{task}: {peak} GB, goal {GOAL_GB:g}"] if peak > GOAL_GB else []
    return found


WORDS = {
    "title": {"en": "Predictions", "zh": "预测"},
    "score": {"en": "score {n} customers with all models", "zh": "用全部模型给 {n} 位客户打分"},
    "recommend": {"en": "offers for {n} customers, {p} products", "zh": "{n} 位客户、{p} 个商品的推荐"},
    "fitted": {"en": "fit and compare all models on 100,000 customers, past profiles included", "zh": "在十万客户上拟合并比较全部模型，含历史画像"},
    "heads": {"en": ["", "CPU s", "goal", "peak GB", "goal"], "zh": ["", "CPU 秒", "目标", "内存峰值 GB", "目标"]},
    "fits": {
        "en": ["fit, customers", "Kequn s", "Kequn CPU s", "peak MB", "lifetimes, CPU ×", "PyMC-Marketing, CPU ×", "furthest apart"],
        "zh": ["拟合，客户数", "客群 秒", "客群 CPU 秒", "内存 MB", "lifetimes，CPU 倍数", "PyMC-Marketing，CPU 倍数", "参数最大相对差"],
    },
}  # fmt: skip
MODELS = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD", "gamma_gamma": "Gamma-Gamma"}


def rendered(results: Mapping[str, Any], fits: Mapping[str, Any], lang: str) -> str:
    """Both tables in one language."""
    rows = []
    for task, goal in GOALS.items():
        if task in results:
            notes = results[task]["notes"]
            label = WORDS[task][lang].format(n=f"{notes['customers']:,}", p=f"{notes.get('products', 0):,}")
            peak = f"{results[task]['peak_gb']:.2f}"
            rows.append([label, f"{notes['judged_cpu_s']:.1f}", f"≤ {goal:g}", peak, f"≤ {GOAL_GB:g}"])
            if "fits" in results[task]["stages"]:
                rows.append(
                    [WORDS["fitted"][lang], f"{results[task]['stages']['fits']['cpu_s']:.1f}", "", "", ""]
                )
    lines = [row for size in fits.get("sizes", ()) for row in _fits(size)]
    return "\n\n".join([table(list(WORDS["heads"][lang]), rows), table(list(WORDS["fits"][lang]), lines)])


def _fits(size: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for figure in size["figures"]:
        if figure["library"] != "kequn" or figure["model"] not in MODELS or "seconds" not in figure:
            continue
        times = {
            one["peer"]: f"{one['times_cpu']:g}" for one in size["ratios"] if one["model"] == figure["model"]
        }
        apart = max((one["apart"] for one in size["parity"] if one["model"] == figure["model"]), default=None)
        rows.append([
            f"{MODELS[figure['model']]}, {size['customers']:,}", f"{figure['seconds']:.3f}", f"{figure['cpu_seconds']:.3f}",
            f"{figure['peak_mb']:,}", times.get("lifetimes", "–"), times.get("pymc_marketing", "–"), "–" if apart is None else f"{apart:.0e}",
        ])  # fmt: skip
    return rows


def write_tables() -> None:
    """Replace what stands between the markers of both pages."""
    results, fits = (json.loads(file.read_text()) if file.exists() else {} for file in (RESULTS, CLV))
    for lang, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN, 1)
        page.write_text(
            f"{head}{BEGIN}\n{rendered(results, fits, lang)}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=[*TASKS, "clv"], default=[*TASKS, "clv"])
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--task", nargs=3, metavar=("TASK", "DATA", "OUT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        stages = Stages()
        TASKS[asked.task[0]](Path(asked.task[1]), Path(asked.task[2]), stages)
        stages.report()
        return
    if not asked.tables:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results["python"] = platform.python_version()
        for task in TASKS:
            if task in asked.only:
                results[task] = measured(task)
                print(task, json.dumps(results[task]), flush=True)
                RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
        if "clv" in asked.only:
            subprocess.run([sys.executable, str(ROOT / "bench" / "clv.py")], check=True, cwd=ROOT)
        for line in missed(results):
            print(f"MISSED: {line}")
    write_tables()


if __name__ == "__main__":
    main()
