"""Recognise what the columns of unknown files mean, and propose a `sources.yaml` with confidence and open questions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kequn.data.column_content import Content
from kequn.data.conventions import Finding, computed
from kequn.data.entries import Custom, Entry, build_entry, number_rows, refresh
from kequn.data.headers import fold_header
from kequn.data.matching import SURE, Fit, Match, best_fits, fit
from kequn.data.overlaps import add_customers_of_companies, confirm_references
from kequn.data.questions import Question, questions_about
from kequn.data.samples import Sample, read_samples
from kequn.data.standard import table

PERSONAL = frozenset(
    ("gender", "birth_date", "age_band", "education", "occupation", "marital_status", "household_size", "children", "income",
     "income_band", "life_stage", "home_ownership")
)  # fmt: skip
RECOGNISED = 0.5
"""Score from which a file is taken for a table."""


@dataclass(frozen=True)
class Proposal:
    """What files were recognised as, and what must be asked. Immutable: `answer` gives a new one."""

    entries: tuple[Entry, ...]
    questions: tuple[Question, ...]
    unrecognised: tuple[Sample, ...] = ()
    answered: frozenset[tuple[object, ...]] = field(default=frozenset(), repr=False)

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
        """The proposal with a question answered; None leaves the column out (or the file, for the table).

        An answer may raise a new question, such as the order of day and month of the column chosen.
        """
        asked = [entry for entry in self.entries if _asks(question, entry)]
        samples = [entry.sample for entry in asked] or [
            one for one in self.unrecognised if _same_file(question, one)
        ]
        if question.kind != "table":
            changed = [_apply(entry, question, choice) for entry in asked]
        elif choice is not None and samples:
            headers = {header: fold_header(header) for header in samples[0].contents}
            changed = [build_entry(samples[0], fit(table(choice), headers, samples[0].contents, None))]
        else:
            changed = []
        answered = self.answered | {question.key}
        kept = [
            one
            for one in self.questions
            if one.key not in answered and not any(_asks(one, entry) for entry in asked)
        ]
        new = [one for entry in changed for one in questions_about(entry) if one.key not in answered]
        rest = [one for one in self.unrecognised if not (changed and _same_file(question, one))]
        others = [entry for entry in self.entries if entry not in asked]
        return Proposal((*others, *changed), (*kept, *new), tuple(rest), answered)

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
        people = next((one for one in fits if one.table == "customers"), None)
        if people and fits[0].score < RECOGNISED and _describes_people(people, len(sample.columns)):
            entries.append(number_rows(sample, people))
            continue
        if not fits or fits[0].score < RECOGNISED:
            unrecognised.append(sample)
            names = tuple(one.table for one in fits[:4])
            questions.append(Question(sample.files[0], sample.sheet, "", "", "table", names, None))
            continue
        entries.append(build_entry(sample, fits[0]))
    entries = [refresh(entry) for entry in confirm_references(add_customers_of_companies(entries))]
    questions += [question for entry in entries for question in questions_about(entry)]
    return Proposal(tuple(entries), tuple(questions), tuple(unrecognised))


def _describes_people(people: Fit, columns: int) -> bool:
    """Whether a file without customer ids tells enough about people to be a list of them."""
    told = sum(name in PERSONAL and match.confidence >= SURE for name, match in people.matches.items())
    return people.missing == ("customer_id",) and told >= max(3, 0.15 * columns)


def _same_file(question: Question, sample: Sample) -> bool:
    return (question.file, question.sheet) == (sample.files[0], sample.sheet)


def _asks(question: Question, entry: Entry) -> bool:
    return _same_file(question, entry.sample) and question.table in (entry.table, "")


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
    changed = refresh(replace(entry, matches=matches))
    return replace(changed, format={**changed.format, **kept})


def _currency(content: Content) -> str | None:
    if content.money < 0.5:
        return None
    votes = Counter(_currency_of(text.lower()) for text in content.values)
    return votes.most_common(1)[0][0]


def _currency_of(text: str) -> str:
    """The currency that one amount names; yuan where it names none of the others."""
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
