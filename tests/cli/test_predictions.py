"""The purchase model as a user sets it in kequn.yaml: run, read why it is used, and be told what is wrong."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.cli.test_commands import kequn
from tests.predict.clv.customers import bg_nbd_customers

from kequn.pipeline.setup import library_texts

AS_OF = date(2026, 1, 1)
MANY = 1600
SOURCES = """\
customers:
- {name: crm, files: [data/customers.csv], columns: {customer_id: customer_id, acquisition_channel: channel, city_tier: tier}}
orders:
- {name: shop, files: [data/orders.csv], columns: {order_id: order_id, customer_id: customer_id, ordered_at: day, amount: amount}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers who came by advertising buy e^0.8 times as often as those who were referred."""
    folder = tmp_path_factory.mktemp("models") / "shop"
    (folder / "data").mkdir(parents=True)
    (folder / "schemes").mkdir()
    for name, text in library_texts().items():
        if Path(name).stem in ("city_tier", "rfm"):  # a scheme may have the name of a column
            (folder / "schemes" / Path(name).name).write_text(text, encoding="utf-8")
    (folder / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    rng, ads = np.random.default_rng(5), np.arange(MANY) % 2
    x, t_x, T = bg_nbd_customers(
        MANY, seed=5, r=0.9, alpha=70 * np.exp(-0.8 * ads), a=0.8, b=3.0, ages=(200, 400)  # type: ignore[arg-type]
    )  # fmt: skip
    with (folder / "data/customers.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["customer_id", "channel", "tier"])
        for n in range(MANY):
            channel = ("referral", "advertising")[ads[n]]
            rows.writerow([f"c{n:05d}", channel, rng.choice(["一线", "二线", "三线"])])
    with (folder / "data/orders.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["order_id", "customer_id", "day", "amount"])
        for n in range(MANY):
            between = rng.uniform(0, t_x[n], max(x[n] - 1, 0)).tolist() if x[n] else []
            for place, at in enumerate([0.0, *between, *([t_x[n]] if x[n] else [])]):
                day = AS_OF - timedelta(days=int(T[n]) + 1) + timedelta(days=int(at))
                amount = round(float(rng.gamma(4, 20)) + 5, 2)
                rows.writerow([f"c{n:05d}-{place}", f"c{n:05d}", day.isoformat(), amount])
    return folder


def settings(shop: Path, predictions: str) -> Path:
    text = f"name: shop\nlanguage: zh\nas_of: {AS_OF}\npredictions: {predictions}\n"
    (shop / "kequn.yaml").write_text(text, encoding="utf-8")
    return shop


def cards(shop: Path) -> dict[str, dict[str, Any]]:
    return {card["model"]: card for card in json.loads(kequn("predictions", "-w", str(shop), "--json"))}


def test_covariates_are_used_and_explained_with_their_standard_errors(shop: Path) -> None:
    settings(shop, "{covariates: [acquisition_channel, city_tier]}")
    kequn("check", "-w", str(shop))
    kequn("run", "-w", str(shop))
    card = cards(shop)["bg_nbd_covariates"]
    assert card["published"] and card["gate"]["ok"]
    assert card["quality"]["name"] == "bg_nbd_covariates"  # judged on held-out days, with the attributes
    rows = {(row["column"], row["value"]): row for row in card["parameters"]["coefficients"]}
    # the most common channel (equally many: the first by name) is what others are compared with
    channel = rows["acquisition_channel", "referral"]
    assert channel["rate"] == pytest.approx(-0.8, abs=4 * channel["rate_error"])
    assert abs(channel["rate"]) > 4 * channel["rate_error"]
    tiers = [row for (column, _), row in rows.items() if column == "city_tier"]
    assert len(tiers) == 2
    assert all(abs(row["rate"]) < 3 * row["rate_error"] for row in tiers)
    zh = kequn("predictions", "-w", str(shop))
    en = kequn("predictions", "-w", str(shop), "--lang", "en")
    assert "获客渠道：" in zh and "AIC" in zh and "Acquisition channel: " in en and "Akaike" in en
    assert f"{channel['rate']:+.3f} ± {channel['rate_error']:.3f}" in zh
    shown = kequn("report", "-w", str(shop))
    assert "Acquisition channel" in (shop / "report.html").read_text(encoding="utf-8"), shown


def test_set_opportunities_are_used_and_say_what_they_count(shop: Path) -> None:
    settings(shop, "{purchase_model: bg_bb, period: month}")
    kequn("run", "-w", str(shop))
    card = cards(shop)["bg_bb"]
    assert card["published"] and set(card["parameters"]["standard_errors"]) == {
        "alpha",
        "beta",
        "gamma",
        "delta",
    }
    assert card["quality"]["name"] == "bg_bb" and card["quality"]["mae"] < card["baseline"]["mae"]
    assert {note["code"] for note in card["notes"]} >= {"predict.why_set", "predict.note_periods"}
    assert "有购买的周期数" in kequn("predictions", "-w", str(shop))


def test_a_model_that_is_set_is_used_where_another_is_likelier(shop: Path) -> None:
    settings(shop, "{purchase_model: pareto_nbd}")
    kequn("run", "-w", str(shop))
    found = cards(shop)
    assert found["pareto_nbd"]["published"] and "bg_nbd" not in found and "mbg_nbd" not in found
    assert "指定了这个模型" in kequn("predictions", "-w", str(shop))


@pytest.mark.parametrize(
    ("predictions", "zh", "en"),
    [
        ("{covariates: [segment('rfm')]}", "客户群是用预测分出来的", "Segments are made from predictions"),
        ("{covariates: [rfm]}", "rfm 是客户群", "rfm is a segment"),
        ("{covariates: [city_tier/first]}", "是客户群", "is a segment"),
        ("{covariates: [seg_rfm]}", "是客户群", "is a segment"),
        ("{covariates: [p_alive]}", "本身就是预测", "is a prediction itself"),
        ("{covariates: [frequency]}", "已经含有答案", "holds the answer"),
        ("{covariates: [registered_at]}", "registered_at", "registered_at"),
        ("{covariates: [city_teir]}", "city_tier", "Did you mean city_tier"),
        ("{covariates: [city_tier], purchase_model: bg_bb}", "只用于 BG/NBD", "work with BG/NBD only"),
        ("{period: week}", "只用于 bg_bb", "is for bg_bb only"),
        ("{purchase_model: bgnbd}", "purchase_model", "purchase_model"),
        ("{purchase_model: bg_bb, period: day}", "period", "period"),
        ("{covariates: city_tier}", "covariates", "covariates"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_in_words(shop: Path, predictions: str, zh: str, en: str) -> None:
    settings(shop, predictions)
    for command in ("check", "run"):
        assert zh in kequn(command, "-w", str(shop), code=1)
    assert en in kequn("run", "-w", str(shop), "--lang", "en", code=1)


def test_an_attribute_that_the_data_lack_is_a_warning_and_the_run_goes_on(shop: Path) -> None:
    settings(shop, "{covariates: [education, acquisition_channel]}")
    kequn("run", "-w", str(shop))
    manifest = json.loads(next(iter(sorted(shop.glob("snapshots/2*/manifest.json"))[-1:])).read_text("utf-8"))
    assert {"code": "pipeline.covariate_unavailable", "name": "education"} in manifest["warnings"]
    assert cards(shop)["bg_nbd_covariates"]["published"]


def test_a_workspace_without_orders_is_told_why_there_are_no_predictions(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people.csv").write_text("customer_id,tier\na,一线\nb,二线\n", encoding="utf-8")
    (tmp_path / "kequn.yaml").write_text("name: people\n", encoding="utf-8")
    (tmp_path / "sources.yaml").write_text(
        "customers:\n- {name: crm, files: [data/people.csv], columns: {customer_id: customer_id, city_tier: tier}}\n",
        encoding="utf-8",
    )
    kequn("run", "-w", str(tmp_path))
    assert "这次运行没有预测" in kequn("predictions", "-w", str(tmp_path))
    assert "This run has no predictions" in kequn("predictions", "-w", str(tmp_path), "--lang", "en")
    assert kequn("predictions", "-w", str(tmp_path), "--json").strip() == "[]"


def test_customers_of_whom_nobody_ever_bought_get_no_figures(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    people = "".join(f"c{n},一线\n" for n in range(40))
    (tmp_path / "data/people.csv").write_text(f"customer_id,tier\n{people}", encoding="utf-8")
    (tmp_path / "data/orders.csv").write_text(
        "order_id,customer_id,day,amount\no1,,2025-01-05,10\no2,,2025-06-05,20\n", encoding="utf-8"
    )
    (tmp_path / "kequn.yaml").write_text("name: shop\n", encoding="utf-8")
    sources = SOURCES.replace("acquisition_channel: channel, ", "").replace("customers.csv", "people.csv")
    (tmp_path / "sources.yaml").write_text(sources, encoding="utf-8")
    kequn("run", "-w", str(tmp_path))
    found = cards(tmp_path)
    assert not any(card["published"] or card["used"] for card in found.values())
    assert all(not card["gate"]["ok"] for card in found.values())
    folder = next(tmp_path.glob("snapshots/2*/prediction"))
    table = pq.read_table(folder)
    assert table.num_rows == 40
    assert all(table.column(name).null_count == 40 for name in table.column_names if name != "customer_id")
