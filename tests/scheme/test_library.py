"""Every built-in scheme against its oracle, on both engines; and what the library promises to a reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scheme.oracles import ORACLES
from tests.scheme.people import AS_OF, Row, catalog_for, everything, members, random_people, run

from kequn.engine import Engine
from kequn.language import Catalog
from kequn.scheme.kinds import kinds
from kequn.scheme.library import offer, texts
from kequn.scheme.loading import load_schemes


def judged(rows: list[Row]) -> dict[str, str]:
    """The texts of the schemes that have an oracle here (groups found in the data are tested on their own)."""
    chosen = offer(everything(), catalog_for(rows))
    return {chosen.usable[name].file: chosen.texts[chosen.usable[name].file] for name in ORACLES}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_built_in_scheme_agrees_with_its_oracle(engine: Engine, tmp_path: Path, seed: int) -> None:
    rows = random_people(seed)
    assignment = run(engine, tmp_path, rows, judged(rows))
    assert set(assignment.results) == set(ORACLES)
    assert not assignment.unavailable
    for name, oracle in ORACLES.items():
        assert members(tmp_path, name) == oracle(rows), name


def test_a_customer_without_any_attribute_is_never_lost(engine: Engine, tmp_path: Path) -> None:
    rows = random_people(4, 30)
    for row in rows[:3]:
        for name in row:
            if name != "customer_id":
                row[name] = None
    assignment = run(engine, tmp_path, rows, judged(rows))
    for name, result in assignment.results.items():
        assert sum(result.counts.values()) == result.customers, name
        assert result.customers + result.outside == len(rows), name


def test_titles_and_playbooks_stand_in_both_languages() -> None:
    for name, scheme in load_schemes(
        {f: t for f, t in texts().items() if f.count(".") == 1}, everything()
    ).items():
        for words in (scheme.spec.title, scheme.spec.purpose, scheme.spec.limits):
            assert words["zh"] and words["en"], name
        assert scheme.spec.bases and scheme.spec.judge_by and scheme.spec.owner is None, name
        for segment in scheme.segments:
            assert segment.title["zh"] and segment.title["en"], (name, segment.id)
            assert isinstance(segment.playbook, dict) and segment.playbook["zh"] and segment.playbook["en"], (
                name,
                segment.id,
            )


def test_an_alternative_takes_over_where_the_main_scheme_lacks_its_column() -> None:
    columns = {name: column for name, column in everything().columns.items() if name != "income"}
    chosen = offer(everything(), Catalog(columns, as_of=AS_OF))
    assert chosen.usable["income_level"].file == "income_level.band.yaml"


def test_the_library_says_what_each_scheme_still_needs() -> None:
    columns = {
        name: everything().columns[name]
        for name in ("customer_id", "frequency", "monetary", "recency_days", "tenure_days")
    }
    chosen = offer(everything(), Catalog(columns, as_of=AS_OF))
    assert set(chosen.usable) & set(ORACLES) == {
        "transaction_type", "rfm", "purchase_frequency", "usage_rate", "value_tier", "loyalty", "customer_type",
    }  # fmt: skip
    assert chosen.missing["region"] == ("province",)
    assert chosen.missing["life_stage"] == ("life_stage|age_band",)
    assert chosen.missing["season"] == ("autumn_share", "spring_share", "summer_share", "winter_share")


def test_every_kind_but_cross_is_used_by_the_library() -> None:
    used = {
        scheme.kind.name
        for scheme in load_schemes(
            {f: t for f, t in texts().items() if f.count(".") == 1}, everything()
        ).values()
    }
    assert used >= {"rules", "bands", "tiers", "grid", "scorecard", "given"}
    assert used <= set(kinds())
