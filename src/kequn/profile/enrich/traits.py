"""Answers to questionnaires as trait scores, with the reliability of each scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.errors import KequnError
from kequn.language import Type, portable
from kequn.profile.enrich.tables import ENRICHED, Enriched, Facts, Job, has
from kequn.profile.questionnaire import LEAST_ALPHA, Item, Questionnaire, Trait, in_use

if TYPE_CHECKING:
    from kequn.profile.declaration import FeatureFile

THOUSAND = 1000
"""Answers are counted in thousandths, as whole numbers: DECIMAL(18,3) without rounding."""
LEAST_PEOPLE = 30
LEAST_FOR_CARELESS = 5
LATEST = (
    "SELECT customer_id, questionnaire, item, value, state, ROW_NUMBER() OVER (PARTITION BY customer_id, questionnaire, item "
    "ORDER BY answered_at DESC, value DESC) AS place FROM responses WHERE COALESCE(answered_at < DATE '{as_of}', TRUE)"
)
ANSWERS = (
    "SELECT customer_id, questionnaire, item, CAST(FLOOR(CAST(value AS DOUBLE) * 1000 + 0.5) AS BIGINT) AS thousandths "
    "FROM ({latest}) AS a WHERE place = 1 AND COALESCE(state, 'answered') = 'answered' AND value IS NOT NULL"
)
COUNTS = portable("SELECT questionnaire, item, COUNT(*) AS answers FROM answers GROUP BY questionnaire, item")
PRICE_COLUMNS = ("price_too_cheap", "price_cheap", "price_expensive", "price_too_expensive")


@dataclass
class Scored:
    """What one questionnaire gave: columns by name, a report, and warnings."""

    customers: list[str]
    columns: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    warnings: list[KequnError] = field(default_factory=list)


def enrich_traits(job: Job) -> Enriched:
    """One row per customer and questionnaire answered, features for every trait, and how far each can be trusted."""
    if not job.has("responses.questionnaire", "responses.item", "responses.value"):
        return Enriched()
    latest = LATEST.format(as_of=job.as_of.isoformat())
    job.engine.view("answers", portable(ANSWERS.format(latest=latest)))
    counts = job.engine.rows(COUNTS)
    known = in_use(job.settings.questionnaires)
    asked = {row["questionnaire"] for row in counts}
    warnings: list[KequnError] = []
    unknown = sorted(str(name) for name in asked - set(known))
    if unknown:
        warnings.append(KequnError("enrich.questionnaire_unknown", names=unknown[:5]))
    used = {name: item for name, item in known.items() if name in asked}
    if not used:
        return Enriched(warnings=tuple(warnings))
    scored = {name: _score(job, item, counts) for name, item in used.items()}
    columns = _columns(used.values())
    _write(job, scored, columns)
    extra = {name: kind for name, kind in columns.items() if name not in ENRICHED()["enriched_traits"]}
    table = job.deliver("enriched_traits", ["customer_id", *columns], extra)
    warnings += [warning for result in scored.values() for warning in result.warnings]
    report = {name: result.report for name, result in scored.items()}
    return Enriched(
        {"enriched_traits": table}, (_features(used.values()),), tuple(warnings), {"questionnaires": report}
    )


def _score(job: Job, asked: Questionnaire, counts: list[dict[str, Any]]) -> Scored:
    import numpy as np
    import pyarrow.parquet as pq

    folder = job.folder / "answers" / asked.questionnaire
    job.engine.write_parquet(_pivot(asked), folder, sort=("customer_id",))
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    customers = [key for table in tables for key in table.column("customer_id").to_pylist()]
    raw = {
        item.id: np.concatenate(
            [table.column(f"q{place}").to_numpy(zero_copy_only=False).astype(np.float64) for table in tables]
        )
        for place, item in enumerate(asked.items)
    }
    found = Scored(customers)
    off = _off_scale(asked, raw)
    careless = _careless(asked, raw)
    names = {name for item in asked.items for name in (item.id, *item.also)}
    strange = {
        row["item"]: row["answers"]
        for row in counts
        if row["questionnaire"] == asked.questionnaire and row["item"] not in names
    }
    found.report = {
        "people": len(customers),
        "off_scale": off,
        "careless": int(careless.sum()),
        "unknown_items": dict(sorted(strange.items())),
        "traits": {},
    }
    if off or strange or careless.any():
        found.warnings.append(
            KequnError("enrich.answers", questionnaire=asked.questionnaire, off_scale=off, careless=int(careless.sum()), unknown=sorted(strange)[:5])
        )  # fmt: skip
    for trait in asked.traits:
        _score_trait(asked, trait, raw, careless, found)
    if asked.prices:
        _score_prices(asked, raw, found, job.settings.minor_unit_digits)
    return found


def _pivot(asked: Questionnaire) -> exp.Query:
    """One row per customer, one column per item: the latest answer in thousandths."""
    name = exp.Literal.string(asked.questionnaire)
    columns = []
    for place, item in enumerate(asked.items):
        names = [exp.Literal.string(text) for text in (item.id, *item.also)]
        chosen = exp.Case(
            ifs=[
                exp.If(
                    this=exp.In(this=exp.column("item"), expressions=names), true=exp.column("thousandths")
                )
            ]
        )
        columns.append(exp.alias_(exp.Max(this=chosen), f"q{place}"))
    return (
        exp.select(exp.column("customer_id"), *columns).from_("answers").where(exp.EQ(this=exp.column("questionnaire"), expression=name))
        .group_by(exp.column("customer_id"))
    )  # fmt: skip


def _off_scale(asked: Questionnaire, raw: dict[str, Any]) -> int:
    """Set answers that their scale doesn't allow to missing; returns how many there were."""
    import numpy as np

    wrong = 0
    for item in asked.items:
        scale, values = asked.scale_of(item), raw[item.id]
        whole = (
            (values % THOUSAND != 0)
            if scale.whole and not asked.prices
            else np.zeros(len(values), dtype=bool)
        )
        bad = ~np.isnan(values) & ((values < scale.low * THOUSAND) | (values > scale.high * THOUSAND) | whole)
        wrong += int(bad.sum())
        raw[item.id] = np.where(bad, np.nan, values)
    return wrong


def _careless(asked: Questionnaire, raw: Mapping[str, Any]) -> Any:
    """Who gave one and the same answer to everything, although some items are turned round: they aren't scored."""
    import numpy as np

    turned = [item for item in asked.items if item.reverse]
    matrix = np.column_stack([raw[item.id] for item in asked.items])
    if not turned or len(asked.items) < LEAST_FOR_CARELESS:
        return np.zeros(len(matrix), dtype=bool)
    answered = (~np.isnan(matrix)).sum(axis=1)
    low, high = (
        np.nanmin(np.where(np.isnan(matrix), np.inf, matrix), axis=1),
        np.nanmax(np.where(np.isnan(matrix), -np.inf, matrix), axis=1),
    )
    return (answered >= LEAST_FOR_CARELESS) & (low == high)


def _turned(asked: Questionnaire, item: Item, values: Any) -> Any:
    scale = asked.scale_of(item)
    return (scale.low + scale.high) * THOUSAND - values if item.reverse else values


def _score_trait(
    asked: Questionnaire, trait: Trait, raw: Mapping[str, Any], careless: Any, found: Scored
) -> None:
    import numpy as np

    from kequn.profile.enrich.reliability import reliability

    matrix = np.column_stack([_turned(asked, asked.item(name), raw[name]) for name in trait.items])
    matrix[careless] = np.nan
    answered = (~np.isnan(matrix)).sum(axis=1)
    enough = answered >= max(1, int(np.ceil(trait.at_least * len(trait.items) - 1e-9)))
    sums = np.nansum(matrix, axis=1)
    means = np.round(sums / np.maximum(answered, 1) / THOUSAND, 6)
    found.columns[f"trait_{trait.id}"] = np.where(enough, means, np.nan)
    known = reliability(matrix[answered == len(trait.items)].astype(np.int64).reshape(-1, len(trait.items)))
    found.report["traits"][trait.id] = {
        "scored": int(enough.sum()), "complete": known.people, "alpha": known.alpha,
        "item_rest": dict(zip(trait.items, known.item_rest, strict=True)),
    }  # fmt: skip
    if len(trait.items) > 1 and (
        known.alpha is None or known.alpha < LEAST_ALPHA or known.people < LEAST_PEOPLE
    ):
        weak = [
            name
            for name, value in zip(trait.items, known.item_rest, strict=True)
            if value is None or value < 0.3
        ]
        alpha = "-" if known.alpha is None else f"{known.alpha:.2f}"
        found.warnings.append(
            KequnError(
                "enrich.unreliable",
                trait=trait.id,
                alpha=alpha,
                least=LEAST_ALPHA,
                people=known.people,
                weak=weak,
            )
        )


def _score_prices(asked: Questionnaire, raw: Mapping[str, Any], found: Scored, digits: int) -> None:
    """The four prices in minor units, for those whose answers rise; others contradict themselves and aren't used."""
    import numpy as np

    matrix = np.column_stack([raw[name] for name in asked.prices])
    complete = ~np.isnan(matrix).any(axis=1)
    with np.errstate(invalid="ignore"):
        rising = complete & (np.diff(matrix, axis=1) >= 0).all(axis=1) & (matrix[:, 3] > matrix[:, 0])
    for place, name in enumerate(PRICE_COLUMNS):
        found.columns[name] = np.where(
            rising, np.floor(matrix[:, place] / THOUSAND * 10**digits + 0.5), np.nan
        )
    wrong = int((complete & ~rising).sum())
    found.report["prices"] = {"complete": int(complete.sum()), "used": int(rising.sum()), "contradict": wrong}
    if wrong:
        found.warnings.append(
            KequnError("enrich.prices_contradict", questionnaire=asked.questionnaire, people=wrong)
        )


def trait_columns(facts: Facts, own: Mapping[str, str]) -> dict[str, Type]:
    """The columns of `enriched_traits` that all known questionnaires together could give."""
    if not has(facts, "responses.questionnaire", "responses.item", "responses.value"):
        return {}
    return {"customer_id": "text", **_columns(in_use(own).values())}


def _columns(used: Any) -> dict[str, Type]:
    columns: dict[str, Type] = {f"trait_{trait.id}": "number" for item in used for trait in item.traits}
    if any(item.prices for item in used):
        columns |= dict.fromkeys(PRICE_COLUMNS, "money")
    return columns


def _write(job: Job, scored: Mapping[str, Scored], columns: Mapping[str, Type]) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"number": pa.float64(), "money": pa.int64()}
    schema = pa.schema(
        [("customer_id", pa.string()), *((name, kinds[kind]) for name, kind in columns.items())]
    )
    (job.folder / "enriched_traits").mkdir(parents=True, exist_ok=True)
    for number, result in enumerate(scored.values()):
        made: list[Any] = [pa.array(result.customers, pa.string())]
        for name in columns:
            values = result.columns.get(name, np.full(len(result.customers), np.nan))
            made.append(pa.array(np.nan_to_num(values), mask=np.isnan(values)).cast(schema.field(name).type))
        pq.write_table(
            pa.Table.from_arrays(made, schema=schema),
            job.folder / "enriched_traits" / f"part-{number:05d}.parquet",
        )


def _features(used: Any) -> FeatureFile:
    """A feature for each trait that the library doesn't declare."""
    from kequn.profile.declaration import FeatureFile

    declared = ENRICHED()["enriched_traits"]
    features = [
        {"name": f"trait_{trait.id}", "from": "enriched_traits", "sql": f"MAX(trait_{trait.id})",
         "title": {"zh": trait.title.get("zh") or trait.id, "en": trait.title.get("en") or trait.id}, "privacy": "personal"}
        for item in used for trait in item.traits if f"trait_{trait.id}" not in declared
    ]  # fmt: skip
    return FeatureFile.model_validate({"model": "psychographic", "basis": "internal", "features": features})


__all__ = ["enrich_traits", "trait_columns"]
