"""The metric dictionary speaks both languages and names known units."""

from __future__ import annotations

from kequn.metrics import UNITS, metrics

WANTED = {
    "reach",
    "open_rate",
    "click_rate",
    "conversion_rate",
    "satisfaction",
    "nps",
    "csat",
    "retention_rate",
    "repurchase_rate",
    "churn_rate",
    "roi",
    "arpu",
    "aov",
    "clv",
    "cac",
}


def test_every_metric_has_titles_formulas_and_a_known_unit() -> None:
    assert set(metrics()) >= WANTED
    for metric in metrics().values():
        assert metric.title["zh"] and metric.title["en"], metric.id
        assert metric.formula["zh"] and metric.formula["en"], metric.id
        assert metric.unit in UNITS, metric.id


def test_no_two_metrics_share_a_title() -> None:
    for lang in ("zh", "en"):
        titles = [metric.title[lang] for metric in metrics().values()]
        assert len(titles) == len(set(titles))
