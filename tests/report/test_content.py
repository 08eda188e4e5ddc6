"""What the report says of a run: every figure against the few rows it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.report.conftest import Publish

from kequn.errors import SnapshotError
from kequn.i18n import catalogue
from kequn.report.content import gather
from kequn.report.rulebook import FORMULAS
from kequn.snapshot import Snapshot


def _only(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


def test_figures_are_sums_over_the_profile(content: dict[str, Any]) -> None:
    figures = content["figures"]
    assert (figures["customers"], figures["buyers"], figures["orders"]) == (20, 20, 44)
    assert figures["revenue"] == sum(range(50, 1001, 50)) == 10_500
    assert figures["average_order_value"] == pytest.approx(10_500 / 44)
    assert figures["top_decile"] == pytest.approx((1000 + 950) / 10_500)


def test_every_decile_has_a_tenth_of_the_buyers_and_all_of_the_revenue(content: dict[str, Any]) -> None:
    deciles = content["deciles"]
    assert [row["customers"] for row in deciles] == [2] * 10
    assert sum(row["revenue"] for row in deciles) == 10_500
    assert sum(row["share"] for row in deciles) == pytest.approx(1)


def test_a_segment_shows_its_revenue_share_and_what_a_member_spends(content: dict[str, Any]) -> None:
    rfm = _only(content["schemes"], name="rfm")
    champions, lost, unknown = rfm["segments"]
    assert champions["revenue"] == 5250 and champions["revenue_share"] == pytest.approx(0.5)
    assert champions["per_head"] == pytest.approx(875)
    assert lost["playbook"] == {"zh": "优先服务", "en": "Serve them first"}
    assert unknown["per_head"] is None


def test_the_heat_map_keeps_every_customer_and_words_the_cuts_from_the_run(content: dict[str, Any]) -> None:
    heat = content["heat_map"]
    assert sum(cell["customers"] for cell in heat["cells"]) == 20
    recency, frequency = heat["axes"]
    assert [band["en"] for band in recency["bands"]] == [
        "> 10",
        "≤ 10",
    ]  # low is better: the highest score last
    assert [band["zh"] for band in frequency["bands"]] == ["≤ 3", "> 3"]


def test_crossing_two_schemes_counts_each_customer_once(content: dict[str, Any]) -> None:
    crossed = content["crossed"]
    assert sum(cell["customers"] for cell in crossed["cells"]) == 20
    assert sum(cell["revenue"] for cell in crossed["cells"]) == 10_500


def test_a_portrait_tells_only_significant_differences_strongest_first(content: dict[str, Any]) -> None:
    champions = _only(content["schemes"], name="rfm")["segments"][0]
    assert [(line["dimension"]["en"], line["kind"], line["low"]) for line in champions["portrait"]] == [
        ("Revenue", "money", 700.0),
        ("Age band", "text", None),
    ]


def test_a_run_without_portraits_or_predictions_says_why(publish: Publish) -> None:
    content = gather(publish(portrait=False))
    assert content["portrait_gap"] and content["predictions"]["gap"]
    assert all(not row["portrait"] for scheme in content["schemes"] for row in scheme["segments"])


def test_graver_warnings_stand_before_segments_without_customers(content: dict[str, Any]) -> None:
    first, last = content["attention"]
    assert first["level"] == "warn" and "1,234" in first["text"]["en"] and "Orders" in first["text"]["en"]
    assert last["level"] == "info" and "RFM groups: Unknown" in last["text"]["en"]


def test_rows_reconcile_and_money_stands_in_major_units(content: dict[str, Any]) -> None:
    quality = content["quality"]
    assert _only(quality["tables"], read=45)["balanced"]
    assert quality["anonymous"] == {"orders": 4, "amount": 123.45}
    assert (
        quality["reasons"][0]["rows"] == 2
        and quality["reasons"][0]["reason"]["en"] == "not an amount of money"
    )
    assert quality["attributes"][0]["known"] == 15


def test_rows_that_do_not_add_up_are_shown_as_such(publish: Publish) -> None:
    counts = {"read": 45, "kept": 40, "quarantined": 2, "duplicates": 2}
    content = gather(publish(reconciliation={"tables": {"orders": counts}}))
    assert content["quality"]["tables"][0]["balanced"] is False


def test_each_of_the_seven_models_has_a_place_and_says_what_it_lacks(content: dict[str, Any]) -> None:
    models = {row["model"]: row for row in content["models"]}
    assert len(models) == 7
    assert len(models["transactional"]["schemes"]) == 2
    assert models["geographic"]["unlocks"][0]["features"] == 1
    assert models["psychographic"]["unlocks"], "an empty model names the tables that would feed it"


def test_a_model_is_shown_beside_its_baseline_also_where_the_baseline_wins(publish: Publish) -> None:
    card = {"model": "churn", "gate": {"ok": True, "code": "predict.gate_buyers", "needed": 300, "found": 900}, "published": False, "used": "logit",
            "quality": {"window": "2025-12-01", "log_loss": 0.30, "auc": 0.9}, "baseline": {"name": "logit", "log_loss": 0.29, "auc": 0.8}}  # fmt: skip
    (shown,) = gather(publish(models=[card]))["predictions"]["cards"]
    verdicts = {measure["name"]["en"].split(" ")[0]: measure["better"] for measure in shown["measures"]}
    assert verdicts == {"AUC": True, "Log-loss": False}
    assert "900" in shown["gate"]["text"]["en"] and shown["window"] == "2025-12-01"


def test_a_short_gate_says_what_is_missing(publish: Publish) -> None:
    card = {
        "model": "bg_nbd",
        "gate": {"ok": False, "code": "predict.clv_gate_buyers", "needed": 200, "found": 12},
    }
    (shown,) = gather(publish(models=[card]))["predictions"]["cards"]
    assert (
        not shown["gate"]["ok"]
        and "200" in shown["gate"]["text"]["zh"]
        and "12" in shown["gate"]["text"]["zh"]
    )


def test_the_content_is_plain_json_and_every_text_stands_in_both_languages(content: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(content, allow_nan=False))
    halves = [text for text in _texts(plain) if set(text) != {"zh", "en"} or not all(text.values())]
    assert not halves


def _texts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if set(value) & {"zh", "en"} and not isinstance(value.get("zh"), dict):
            yield value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def test_the_words_of_the_page_are_complete_in_both_languages() -> None:
    own = {code: words for code, words in catalogue().items() if code.startswith("report.")}
    assert not [
        code
        for code, words in own.items()
        if set(words) != {"zh", "en"} or not all(isinstance(w, str) and w for w in words.values())
    ]
    assert all(f"report.formula.{name}" in own and f"report.formula.{name}.how" in own for name in FORMULAS)


def test_a_pruned_run_is_refused(snapshot: Snapshot) -> None:
    pruned = snapshot.manifest.model_copy(
        update={
            "pruned": True,
            "files": {k: v for k, v in snapshot.manifest.files.items() if not k.startswith("profile/")},
        }
    )
    with pytest.raises(SnapshotError) as refused:
        gather(type(snapshot)(snapshot.folder, pruned))
    assert refused.value.code == "snapshot.pruned"
