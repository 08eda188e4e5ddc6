"""Groups found in the data on the page of their segments: reasons, trust, rules, what became of the old; in both languages."""

from __future__ import annotations

import pytest

pytest.importorskip("django")

from django.template.loader import render_to_string

from kequn.web.pages.segments.discovery import discovery

GROUPS = [
    {"id": "g1", "title": {"zh": "高频", "en": "Frequent"}, "customers": 60, "share": 0.6, "traits": [], "zh": "购买次数 > 9", "en": "Orders > 9"},
    {"id": "g3", "title": {"zh": "<b>新群", "en": "<b>Newcomers"}, "customers": 40, "share": 0.4, "traits": []},
]  # fmt: skip
STORED = {
    "method": "kmeans", "fitted_on": 100, "groups": GROUPS, "previous": "20261001-000000-0000",
    "k": {"k": 2, "reason": "cluster.reason.fewer_stable", "candidates": [
        {"k": 2, "silhouette": 0.31, "stability": 0.9, "weakest": 0.8, "bic": None}, {"k": 3, "silhouette": None, "stability": 0.5, "weakest": 0.2, "bic": -1234.6},
    ]},
    "quality": {"stability": 0.61, "stable": False, "silhouette": 0.31, "fidelity": 0.937},
    "lineage": [{"previous": "g2", "current": None, "kind": "retired", "customers": 0, "jaccard": 0, "previous_title": {"zh": "旧群", "en": "Old ones"}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", ("为什么是 2 群", "0.61", "93.7%", "购买次数 &gt; 9", "“旧群”已消失", "没有简单的规则能说明", "2 ←", "-1,235")),
        ("en", ("Why 2 groups", "0.61", "93.7%", "Orders &gt; 9", "&#x27;Old ones&#x27; is gone", "no simple rule tells", "2 ←", "-1,235")),
    ],
)  # fmt: skip
def test_the_page_says_why_how_sure_who_and_what_changed(lang: str, words: tuple[str, ...]) -> None:
    page = render_to_string(
        "segments/found.html", {"found": discovery({"clusters": {"found": STORED}}, "found", lang)}
    )
    assert [word for word in words if word not in page] == []
    assert "<b>" not in page


def test_other_schemes_have_no_such_part() -> None:
    assert discovery({"clusters": {"found": STORED}}, "rfm", "zh") is None
    assert discovery({}, "found", "zh") is None


def test_only_the_measures_of_the_method_are_shown() -> None:
    latent = [
        {"k": k, "silhouette": None, "stability": None, "weakest": None, "bic": -900.0 - k} for k in (1, 2)
    ]
    stored = {**STORED, "k": {**STORED["k"], "candidates": latent}}
    found = discovery({"clusters": {"found": stored}}, "found", "en")
    assert found is not None
    assert found["measures"] == ["BIC"]
    assert [one["figures"] for one in found["candidates"]] == [["-901"], ["-902"]]
