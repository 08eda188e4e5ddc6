"""Why is a customer in a segment, why not in another, and what is the nearest change that would move them?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kequn.i18n import say, title
from kequn.language import Catalog, Column
from kequn.reading.customer import find_customer
from kequn.reading.overview import check_segment, scheme_overview
from kequn.reading.rows import has_table, rows
from kequn.reading.rules import snapshot_catalog, snapshot_columns

KNOWN = re.compile(r'(?P<turned>NOT )?"?(?P<column>\w+)"? IS (?P<negated>NOT )?NULL', re.I)

if TYPE_CHECKING:
    import duckdb

    from kequn.scheme import Explanation, Scheme
    from kequn.scheme.explanation import Change, Explainer, Part
    from kequn.snapshot import Snapshot


def run_schemes(manifest: Mapping[str, Any]) -> tuple[dict[str, Scheme], Catalog]:
    """The schemes of a run, compiled from the texts its manifest keeps, and the catalog of that run."""
    from kequn.pipeline.run import everything
    from kequn.profile import Registry
    from kequn.scheme import load_schemes
    from kequn.scheme.clusters import with_stored_groups

    texts = {
        path: item["text"] for path, item in manifest["definitions"].items() if path.startswith("schemes/")
    }
    as_of = date.fromisoformat(str(manifest["as_of"]))
    here = snapshot_catalog(manifest)
    whole = everything(Registry(), {}, as_of, here.minor_unit_digits)
    catalog = Catalog({**whole.columns, **here.columns}, {}, whole.behaviours, as_of, here.minor_unit_digits)
    return with_stored_groups(load_schemes(texts, catalog), manifest.get("clusters") or {}), here


@dataclass(frozen=True)
class RunRules:
    """The schemes of one run, compiled (about a second), with an explainer for each that is built when first asked for.

    Keep it as long as the run is read: explaining one customer then takes under a millisecond per scheme.
    """

    schemes: Mapping[str, Scheme]
    usable: Mapping[str, Scheme]
    sight: Catalog
    cuts: Mapping[str, Any]
    worth: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    _explainers: dict[str, Explainer] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, manifest: Mapping[str, Any], worth: Mapping[str, Mapping[str, float]] | None = None
    ) -> RunRules:
        """Compile the schemes that a run's manifest keeps; `worth` (see `segment_worth`) says which way is up."""
        schemes, here = run_schemes(manifest)
        hidden = {
            item.name: Column(item.name, item.type, item.title)
            for item in snapshot_columns(manifest)
            if item.hidden
        }
        sight = Catalog({**here.columns, **hidden}, {}, here.behaviours, here.as_of, here.minor_unit_digits)
        usable = {name: schemes[name] for name in manifest["schemes"] if name in schemes}
        return cls(schemes, usable, sight, manifest["cuts"], worth or {})

    def explain(self, scheme: str, row: Mapping[str, Any]) -> Explanation:
        """Explain one scheme for a customer's row (see `customer_row`)."""
        from kequn.scheme import bind
        from kequn.scheme.explanation import Explainer

        as_of = self.sight.as_of
        assert as_of is not None
        if scheme not in self._explainers:
            bound = bind(self.schemes[scheme], self.sight, as_of, self.cuts.get(scheme, {}), self.usable)
            self._explainers[scheme] = Explainer(bound)
        return self._explainers[scheme].explain(row, as_of)


def segment_worth(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, float]]:
    """By scheme and segment the mean value of a customer, in major units: lifetime value, else revenue.

    Segments without customers, and runs that know no money, have no entry.
    """
    there = {row["column_name"] for row in rows(con, "DESCRIBE segment")}
    value = next((name for name in ("clv_12m", "revenue_12m", "monetary") if name in there), None)
    worth: dict[str, dict[str, float]] = {}
    if value is not None:
        sql = f"SELECT scheme, segment, {value} / customers AS mean FROM segment WHERE customers > 0 AND {value} IS NOT NULL"
        for row in rows(con, sql):
            worth.setdefault(row["scheme"], {})[row["segment"]] = float(row["mean"])
    return worth


def customer_row(
    con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], customer_id: str
) -> dict[str, Any]:
    """A customer's profile row as schemes see it: predictions, segments and behaviour terms beside it."""
    find_customer(con, customer_id)
    row = rows(con, "SELECT * FROM profile WHERE customer_id = ?", [customer_id])[0]
    if has_table(con, "prediction"):
        found = rows(con, "SELECT * FROM prediction WHERE customer_id = ?", [customer_id])
        row |= {name: value for name, value in (found[0] if found else {}).items() if name != "customer_id"}
    sql = "SELECT scheme, segment, rule_segment FROM assignment WHERE customer_id = ?"
    assigned = rows(con, sql, [customer_id])
    row |= {f"seg_{item['scheme']}": item["segment"] for item in assigned}
    row |= {
        f"cluster_{item['scheme']}": item["rule_segment"] for item in assigned
    }  # what clusters compile to
    return row


def explanation(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, customer_id: str, scheme: str
) -> tuple[Explanation, Scheme]:
    """The full explanation of one scheme for one customer. Raises SnapshotError for an unknown name or id."""
    scheme_overview(con, scheme)
    manifest = snapshot.manifest.model_dump(mode="json")
    rules = RunRules.of(manifest)
    return rules.explain(scheme, customer_row(con, manifest, customer_id)), rules.schemes[scheme]


def why_rows(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    customer_id: str,
    scheme: str,
    segment: str | None,
    lang: str,
) -> dict[str, Any]:
    """The explanation in words: one sentence, the clauses (of one segment, or of all up to the decisive one), the change.

    Returns `segment`, `rule_segment`, `sentence`, `clauses` (segment, clause, value, passed), `contributions`, `change`.
    """
    if segment is not None:
        check_segment(con, scheme, segment)
    found, declared = explanation(con, snapshot, customer_id, scheme)
    titles = {item.id: title(item.title, lang) or item.id for item in declared.segments}
    clauses = [clause for clause in found.clauses if segment is None or clause.segment == segment]
    return {
        "customer_id": customer_id,
        "scheme": scheme,
        "segment": found.segment,
        "rule_segment": found.rule_segment,
        "held_by": found.held_by,
        "sentence": _sentence(found, titles, segment, lang),
        "clauses": [
            {"segment": titles.get(clause.segment, clause.segment), **line}
            for clause in clauses
            for line in _lines(clause.condition, lang)
        ],
        "contributions": [
            {"item": title(item.title, lang) or item.item, "points": item.points, "most": item.most}
            for item in found.contributions
        ],
        "change": _change(found, titles, segment, lang),
    }


def reasons(rules: RunRules, scheme: str, row: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Why a customer is where they are in one scheme, for a card: the clauses of their own segment and the nearest change.

    Where nothing else matched (`otherwise`), the clauses are those that failed first, one per segment. Returns `segment`,
    `rule_segment`, `held_by`, `in_scope`, `clauses` (segment, clause, value, passed), `contributions`, `change` (words).
    """
    found, declared = rules.explain(scheme, row), rules.schemes[scheme]
    titles = {item.id: title(item.title, lang) or item.id for item in declared.segments}
    own = [clause for clause in found.clauses if clause.segment == found.rule_segment]
    # a segment of several clauses: only those that hold say why
    shown = [clause for clause in own if clause.passed] or own
    lines = [line for clause in shown for line in _lines(clause.condition, lang)]
    otherwise = not lines
    if otherwise:
        lines = [
            {"segment": titles.get(clause.segment, clause.segment), **line}
            for clause in found.clauses
            for line in [item for item in _lines(clause.condition, lang) if not item["passed"]][:1]
        ]
    lines = [_plainly(line, rules.sight, row, lang) for line in lines]
    nearest = nearest_change(found, rules.worth.get(scheme, {}))
    return {
        "segment": found.segment,
        "rule_segment": found.rule_segment,
        "held_by": found.held_by,
        "in_scope": found.in_scope,
        "otherwise": otherwise,
        "clauses": lines,
        "contributions": [
            {"item": title(item.title, lang) or item.item, "points": item.points, "most": item.most}
            for item in found.contributions
        ],
        "change": _change(found, titles, nearest.segment, lang) if nearest else "",
    }


def nearest_change(found: Explanation, worth: Mapping[str, float] | None = None) -> Change | None:
    """The change of one number that would move the customer up and is smallest beside the number itself.

    Up is into a segment whose customers are worth more on average (`worth`: segment → mean value). A segment of unknown worth
    is no way up; without any worth every other segment counts.
    """

    def distance(change: Change) -> tuple[float, str]:
        now, needed = change.value, change.needed
        if isinstance(now, (int, float, Decimal)) and isinstance(needed, (int, float, Decimal)):
            return abs(float(needed) - float(now)) / max(abs(float(now)), 1.0), change.segment
        return float("inf"), change.segment

    def is_up(segment: str) -> bool:
        return not worth or worth.get(segment, 0.0) > worth.get(found.segment or "", 0.0)

    ways = [
        change
        for change in found.changes.values()
        if change and change.segment != found.segment and is_up(change.segment)
    ]
    return min(ways, key=distance, default=None)


def _sentence(found: Explanation, titles: Mapping[str, str], segment: str | None, lang: str) -> str:
    if not found.in_scope or found.segment is None:
        return say("why.outside", lang, id=found.customer_id)
    here = titles.get(found.segment, found.segment)
    if segment is None or segment == found.segment:
        return say("why.inside", lang, id=found.customer_id, segment=here)
    return say("why.elsewhere", lang, id=found.customer_id, segment=here, wanted=titles[segment])


def _lines(part: Part, lang: str) -> Iterator[dict[str, Any]]:
    if part.parts:
        for inner in part.parts:
            yield from _lines(inner, lang)
        return
    name = title(part.title, lang) or part.column or ""
    clause = (
        f"{name} {part.sign} {shown_value(part.threshold)}"
        if part.sign and part.threshold is not None
        else part.text
    )
    yield {"clause": clause, "value": shown_value(part.value), "passed": part.passed}


def _plainly(line: dict[str, Any], sight: Catalog, row: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """ "Is known" and "is not known" of a column in words, with the customer's value."""
    asked = KNOWN.fullmatch(line["clause"])
    if asked is None or asked["column"] not in sight.columns:
        return line
    column = sight.columns[asked["column"]]
    known = (asked["turned"] is None) != (asked["negated"] is None)
    words = say(
        "why.known" if known else "why.not_known", lang, column=title(column.title, lang) or column.name
    )
    return {**line, "clause": words, "value": shown_value(row.get(column.name))}


def shown_value(value: Any) -> str:
    """A value as explanations write it."""
    if value is None:
        return "–"
    if isinstance(value, (float, Decimal)):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _change(found: Explanation, titles: Mapping[str, str], segment: str | None, lang: str) -> str:
    if segment is None or segment == found.segment or not found.in_scope:
        return ""
    change = found.changes.get(segment)
    if change is None:
        return say("why.no_change", lang, segment=titles[segment])
    name = title(change.title, lang) or change.column
    return say(
        "why.change",
        lang,
        column=name,
        value=shown_value(change.value),
        needed=shown_value(change.needed),
        segment=titles[segment],
    )


__all__ = [
    "RunRules",
    "customer_row",
    "explanation",
    "nearest_change",
    "reasons",
    "run_schemes",
    "segment_worth",
    "shown_value",
    "why_rows",
]
