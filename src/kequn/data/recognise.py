"""Recognise what the columns of unknown files mean, and propose a `sources.yaml` with confidence and open questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kequn.data.column_content import Content
from kequn.data.conventions import (
    Finding,
    cancelled_prefix,
    computed,
    constant_in,
    custom_name,
    custom_type,
    date_order,
    decimal_sign,
    repeats_per_order,
    worth_keeping,
)
from kequn.data.headers import fold_header
from kequn.data.matching import SURE, Fit, Match, best_fits, fit
from kequn.data.samples import Sample, read_samples
from kequn.data.standard import Type, table

RECOGNISED = 0.5
"""Score from which a file is taken for a table."""
_AMOUNTS = ("quantity", "amount", "price")


@dataclass(frozen=True)
class Custom:
    """A column that the standard doesn't know, kept as a custom attribute."""

    header: str
    type: Type


@dataclass(frozen=True)
class Entry:
    """Files taken for one table: headers by column, custom attributes, conventions.

    `left_out` gives for each header that isn't used the reason (code): empty, constant, prose, varies, unmapped.
    """

    sample: Sample = field(repr=False, compare=False)
    table: str
    score: float
    matches: Mapping[str, Match]
    custom: Mapping[str, Custom]
    left_out: Mapping[str, str]
    format: Mapping[str, Any]
    platform: str | None = None
    cancelled_prefix: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required columns that no header fills."""
        have = {*self.matches, *self.constants}
        lines = self.table in ("order_lines", "flat_orders")
        priced = lines and {"price", "quantity"} <= have
        lacking = [
            name
            for name in table(self.table).required
            if name not in have and not (priced and name == "amount")
        ]
        if self.table == "flat_orders" and "amount" not in have and not priced:
            lacking.append("amount")
        return tuple(lacking)


@dataclass(frozen=True)
class Question:
    """What can't be told from the data. `kind`: missing, unsure, customer, date_order, decimal, table.

    `candidates` are headers (or `dmy`/`mdy`, `.`/`,`, table names), likeliest first; `suggestion` is used until answered,
    None = nothing. `needed`: without an answer the source can't be used.
    """

    file: Path
    sheet: str | None
    table: str
    column: str
    kind: str
    candidates: tuple[str, ...]
    suggestion: str | None
    needed: bool = False


@dataclass(frozen=True)
class Proposal:
    """What files were recognised as, and what must be asked. Immutable: `answer` gives a new one."""

    entries: tuple[Entry, ...]
    questions: tuple[Question, ...]
    unrecognised: tuple[Sample, ...] = ()

    @property
    def currency(self) -> str | None:
        """The currency that headers or values name, if they agree."""
        found = {
            fold_header(match.header).currency or _currency(entry.sample.contents[match.header])
            for entry in self.entries
            for match in entry.matches.values()
            if table(entry.table).columns[match.column].type == "money"
        } - {None}
        return found.pop() if len(found) == 1 else None

    def answer(self, question: Question, choice: str | None) -> Proposal:
        """The proposal with a question answered; None leaves the column out (or the file, for the table)."""
        if question.kind == "table":
            return self._with_table(question, choice)
        entries = tuple(
            _apply(entry, question, choice) if _asks(question, entry) else entry for entry in self.entries
        )
        left = tuple(one for one in self.questions if one != question and one.candidates != (choice,))
        return replace(self, entries=entries, questions=left)

    def _with_table(self, question: Question, choice: str | None) -> Proposal:
        samples = [
            sample
            for sample in self.unrecognised
            if sample.files[0] == question.file and sample.sheet == question.sheet
        ]
        samples += [entry.sample for entry in self.entries if _asks(question, entry)]
        entries = tuple(entry for entry in self.entries if not _asks(question, entry))
        questions = tuple(
            one for one in self.questions if (one.file, one.sheet) != (question.file, question.sheet)
        )
        rest = tuple(sample for sample in self.unrecognised if sample not in samples)
        if choice is None or not samples:
            return Proposal(entries, questions, (*rest, *samples))
        sample = samples[0]
        headers = {header: fold_header(header) for header in sample.contents}
        entry = _entry(sample, fit(table(choice), headers, sample.contents, None))
        return Proposal((*entries, entry), (*questions, *_questions(entry)), rest)

    def as_sources(self, root: Path | None = None) -> dict[str, Any]:
        """The content of `sources.yaml`, without sources that lack a required column.

        Files are given relative to `root` where they lie below it.
        """
        from kequn.data.proposal_text import as_sources

        return as_sources(self, root)

    def text(self, lang: str = "zh", root: Path | None = None) -> str:
        """`sources.yaml` as text, with confidence and open questions as comments in `lang`.

        Sources that lack a required column stand at the end as comments, ready to be completed.
        """
        from kequn.data.proposal_text import as_text

        return as_text(self, lang, root)


def recognise(files: Sequence[Path]) -> Proposal:
    """Look at files and propose how they fill the data standard. Nothing is written and nobody is asked.

    Files with the same columns become one source; each sheet of a workbook is looked at.

    Raises: DataError `files.*` for a file that can't be read.

    >>> recognise([Path("orders.csv"), Path("customers.xlsx")]).as_sources()  # doctest: +SKIP
    {'orders': [{'name': 'orders', 'files': ['orders.csv'], 'columns': {'order_id': '订单编号', …}}], …}
    """
    entries: list[Entry] = []
    unrecognised: list[Sample] = []
    questions: list[Question] = []
    for sample in read_samples(files):
        fits = best_fits(sample.columns, sample.contents)
        if not fits or fits[0].score < RECOGNISED:
            unrecognised.append(sample)
            names = tuple(one.table for one in fits[:4])
            questions.append(Question(sample.files[0], sample.sheet, "", "", "table", names, None))
            continue
        entries.append(_entry(sample, fits[0]))
    from kequn.data.overlaps import add_customers_of_companies, confirm_references

    entries = [_refresh(entry) for entry in confirm_references(add_customers_of_companies(entries))]
    questions += [question for entry in entries for question in _questions(entry)]
    return Proposal(tuple(entries), tuple(questions), tuple(unrecognised))


def _entry(sample: Sample, found: Fit) -> Entry:
    owner = table(found.table)
    matches = {
        name: computed(owner, match, sample.contents[match.header]) for name, match in found.matches.items()
    }
    platform = found.platform.name if found.platform else None
    return _refresh(Entry(sample, found.table, found.score, matches, {}, {}, {}, platform))


def _refresh(entry: Entry) -> Entry:
    """Work out custom attributes and conventions for the matches of an entry."""
    matches = dict(entry.matches)
    findings = [one for one in entry.findings if one.code == "amount_repeated" and "amount" not in matches]
    order = matches.get("order_id")
    if entry.table == "flat_orders" and order and "amount" in matches:
        header = matches["amount"].header
        if repeats_per_order(entry.sample.batch, order.header, header):
            findings.append(Finding("amount_repeated", {"column": header}))
            if {"price", "quantity"} <= matches.keys():
                del matches["amount"]
    if "amount" not in matches and {"price", "quantity"} <= matches.keys():
        findings.append(
            Finding(
                "price_times_quantity",
                {"price": matches["price"].header, "quantity": matches["quantity"].header},
            )
        )
    prefix = None
    if order and entry.table in ("orders", "flat_orders"):
        amounts = [matches[name].header for name in _AMOUNTS if name in matches]
        prefix = cancelled_prefix(entry.sample.batch, order.header, amounts)
    for name in ("quantity", "amount"):
        if name in matches and entry.sample.contents[matches[name].header].negative > 0:
            findings.append(Finding("negative_means_return", {"column": matches[name].header}))
            break
    custom, left_out = _customs(entry.table, entry.sample, matches)
    changed = replace(entry, matches=matches, custom=custom, left_out=left_out, cancelled_prefix=prefix)
    formats, told = _format(changed)
    return replace(changed, format=formats, findings=(*findings, *told, *_values_unknown(changed)))


def _customs(
    name: str, sample: Sample, matches: Mapping[str, Match]
) -> tuple[dict[str, Custom], dict[str, str]]:
    used = {match.header for match in matches.values()}
    custom: dict[str, Custom] = {}
    left_out: dict[str, str] = {}
    order = matches.get("order_id")
    for header in sample.columns:
        content = sample.contents.get(header)
        if header in used:
            continue
        if content is None or content.filled == 0:
            left_out[header] = "empty"
        elif not worth_keeping(content):
            left_out[header] = "constant" if content.distinct <= 1 else "prose"
        elif name == "flat_orders" and (order is None or not constant_in(sample.batch, order.header, header)):
            # A custom column of a flat file belongs to the order, so it must have one value per order.
            left_out[header] = "varies"
        elif name == "order_lines":
            left_out[header] = "unmapped"
        else:
            custom[custom_name(header, custom)] = Custom(header, custom_type(header, content))
    return custom, left_out


def _format(entry: Entry) -> tuple[dict[str, Any], list[Finding]]:
    detected, contents = entry.sample.detected, entry.sample.contents
    formats: dict[str, Any] = {}
    findings: list[Finding] = []
    if entry.sample.sheet is not None:
        formats["sheet"] = entry.sample.sheet
    if detected.get("header_row", 1) != 1:
        formats["header_row"] = detected["header_row"]
    if entry.sample.wrapped:
        formats["excel_text"] = True
    if detected.get("long_numbers"):
        findings.append(Finding("long_numbers", {"columns": detected["long_numbers"]}))
    types = {match.header: table(entry.table).columns[name].type for name, match in entry.matches.items()}
    types.update({one.header: one.type for one in entry.custom.values()})
    dates = date_order(contents[header] for header, kind in types.items() if kind in ("date", "timestamp"))
    if dates in ("dmy", "unsure"):
        formats["date_order"] = "dmy" if dates == "dmy" or _european(entry) else "mdy"
    elif dates == "both":
        findings.append(Finding("dates_contradict", {}))
    sign = decimal_sign(
        contents[header] for header, kind in types.items() if kind in ("money", "number", "decimal")
    )
    if sign in (",", "unsure"):
        formats["decimal"] = sign if sign == "," else "."
    elif sign == "both":
        findings.append(Finding("decimals_contradict", {}))
    return formats, findings


def _european(entry: Entry) -> bool:
    sign = decimal_sign(entry.sample.contents.values())
    return sign == "," or entry.sample.detected.get("delimiter") == ";"


def _values_unknown(entry: Entry) -> list[Finding]:
    found = []
    for name, match in entry.matches.items():
        column = table(entry.table).columns[name]
        if column.values and (unknown := entry.sample.contents[match.header].unknown(column)):
            found.append(Finding("unknown_values", {"column": name, "values": unknown[:10]}))
    return found


def _questions(entry: Entry) -> list[Question]:
    owner = table(entry.table)
    file, sheet = entry.sample.files[0], entry.sample.sheet

    def ask(
        column: str, kind: str, candidates: Iterable[str], suggestion: str | None, needed: bool = False
    ) -> Question:
        return Question(file, sheet, entry.table, column, kind, tuple(candidates), suggestion, needed)

    found = [ask(name, "missing", _candidates(entry, name), None, True) for name in entry.missing]
    for name in dict.fromkeys((*owner.required, "amount", "customer_id")):
        match = entry.matches.get(name)
        if match and match.confidence < SURE:
            others = match.rivals or (() if "content" in match.reasons else _candidates(entry, name))
            if others:
                found.append(ask(name, "unsure", dict.fromkeys((match.header, *others)), match.header))
    if entry.table in ("orders", "flat_orders") and "customer_id" not in entry.matches:
        found.append(ask("customer_id", "customer", _candidates(entry, "customer_id"), None))
    contents, types = (
        entry.sample.contents,
        {match.header: owner.columns[name].type for name, match in entry.matches.items()},
    )
    if (
        date_order(contents[header] for header, kind in types.items() if kind in ("date", "timestamp"))
        == "unsure"
    ):
        found.append(ask("", "date_order", ("dmy", "mdy"), entry.format["date_order"]))
    if (
        decimal_sign(
            contents[header] for header, kind in types.items() if kind in ("money", "number", "decimal")
        )
        == "unsure"
    ):
        found.append(ask("", "decimal", (".", ","), "."))
    return found


def _candidates(entry: Entry, name: str) -> list[str]:
    """Headers that might fill a column, judged by type, likeliest first."""
    kind = table(entry.table).columns[name].type
    free = [header for header in entry.sample.columns if header in entry.sample.contents]
    free = [header for header in free if header not in {match.header for match in entry.matches.values()}]

    def likely(header: str) -> float:
        content = entry.sample.contents[header]
        if kind in ("date", "timestamp"):
            return content.date
        if kind in ("money", "decimal", "number", "integer"):
            return content.number - content.date
        if name.endswith("_id"):
            repeated = 0.3 if name in table(entry.table).key else content.distinct / max(1, content.filled)
            useless = (
                content.filled < 0.3 * content.rows
                or content.length > 40
                or content.date > 0.5
                or content.money > 0.3
            )
            return (
                0.0
                if useless or content.integer < 0.5 < content.number
                else max(content.phone, 0.2 + repeated * 0.5)
            )
        return 0.5

    return sorted((header for header in free if likely(header) >= 0.5), key=lambda header: -likely(header))[
        :6
    ]


def _asks(question: Question, entry: Entry) -> bool:
    asked = (question.file, question.sheet)
    return asked == (entry.sample.files[0], entry.sample.sheet) and question.table in (entry.table, "")


def _apply(entry: Entry, question: Question, choice: str | None) -> Entry:
    if question.kind in ("date_order", "decimal"):
        formats = {**entry.format, question.kind: choice}
        if choice is None:
            formats.pop(question.kind)
        return replace(entry, format=formats)
    matches = {
        name: match
        for name, match in entry.matches.items()
        if match.header != choice and name != question.column
    }
    if choice is not None:
        match = Match(question.column, choice, 1.0, ("answer",))
        matches[question.column] = computed(table(entry.table), match, entry.sample.contents[choice])
    kept = {name: value for name, value in entry.format.items() if name in ("date_order", "decimal")}
    changed = _refresh(replace(entry, matches=matches))
    return replace(changed, format={**changed.format, **kept})


def _currency(content: Content) -> str | None:
    if content.money < 0.5:
        return None
    text = " ".join(content.values[:50]).lower()
    for pattern, name in (
        (r"us\$|usd|(?<!hk)\$", "USD"),
        (r"€|eur", "EUR"),
        (r"£|gbp", "GBP"),
        (r"hk\$|hkd", "HKD"),
    ):
        if re.search(pattern, text):
            return name
    return "CNY"


__all__ = ["Custom", "Entry", "Finding", "Match", "Proposal", "Question", "recognise"]
