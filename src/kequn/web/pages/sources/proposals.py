"""From files to a mapping that people correct: the proposal of `kequn.data.recognise`, with the form's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kequn.data.entries import Entry
from kequn.data.questions import Question
from kequn.data.recognise import Proposal, recognise
from kequn.data.samples import Sample
from kequn.data.standard import SHAPES, TABLES, Column, table
from kequn.i18n import say, title
from kequn.web.accounts.masking import mask

SAMPLE_VALUES = 3
CONTACT = frozenset({"name", "phone", "email", "address", "birth_date", "id_number", "wechat_openid"})
"""Columns whose examples and refused values are masked: a colleague may have uploaded them."""


def is_contact(column: Column | None, name: str) -> bool:
    """Whether a column of the standard holds contact data (the name of a product doesn't)."""
    return name in CONTACT and (column is None or column.privacy != "none")


@dataclass(frozen=True)
class Place:
    """A file (or sheet) of the form. `key` names its fields, `was` the table that recognition took it for."""

    key: str
    file: Path
    sheet: str | None
    was: str


def places(proposal: Proposal) -> list[Place]:
    """Everything that was looked at, in a fixed order, so that the same files give the same field names."""
    found = [(entry.sample, entry.table) for entry in proposal.entries]
    found += [(sample, "") for sample in proposal.unrecognised]
    found.sort(key=lambda one: (one[0].files[0].name, one[0].sheet or "", one[1]))
    return [Place(f"f{n}", sample.files[0], sample.sheet, name) for n, (sample, name) in enumerate(found)]


def proposed(
    files: list[Path], answers: Mapping[str, str]
) -> tuple[Proposal, list[tuple[Place, Entry | Sample]]]:
    """The proposal with the form's answers, and each place with the entry it has now (or its sample, when left out).

    Raises DataError for a file that can't be read.
    """
    proposal = recognise(files)
    shown: list[tuple[Place, Entry | Sample]] = []
    for place in places(proposal):
        sample = _sample(proposal, place)
        name = answers.get(f"{place.key}.table", place.was)
        name = name if name == "" or name in known_tables() else place.was
        if name != place.was:
            asked = Question(place.file, place.sheet, place.was, "", "table", (), None)
            proposal = proposal.answer(asked, name or None)
        entry = _entry(proposal, place, name)
        if entry is not None and answers.get(f"{place.key}.was") == name:
            proposal = _mapped(proposal, place, entry, answers)
            entry = _entry(proposal, place, name)
        shown.append((place, entry or sample))
    return proposal, shown


def known_tables() -> list[str]:
    """Names that a file may be taken for."""
    return [*SHAPES, *(name for name in TABLES if table(name).required)]


def _sample(proposal: Proposal, place: Place) -> Sample:
    samples = [*(entry.sample for entry in proposal.entries), *proposal.unrecognised]
    return next(one for one in samples if (one.files[0], one.sheet) == (place.file, place.sheet))


def _entry(proposal: Proposal, place: Place, name: str) -> Entry | None:
    return next(
        (
            entry
            for entry in proposal.entries
            if (entry.sample.files[0], entry.sample.sheet, entry.table) == (place.file, place.sheet, name)
        ),
        None,
    )


def _mapped(proposal: Proposal, place: Place, entry: Entry, answers: Mapping[str, str]) -> Proposal:
    name = entry.table
    for column in table(name).mappable:
        wanted = answers.get(f"{place.key}.c.{column}")
        now = _entry(proposal, place, name)
        if wanted is None or now is None:
            continue
        match = now.matches.get(column)
        if (match.header if match else "") == wanted or (wanted and wanted not in now.sample.contents):
            continue
        asked = Question(place.file, place.sheet, name, column, "unsure", (), None)
        proposal = proposal.answer(asked, wanted or None)
    for kind, choices in (("date_order", ("dmy", "mdy")), ("decimal", (".", ","))):
        wanted = answers.get(f"{place.key}.{kind}")
        if wanted in choices:
            proposal = proposal.answer(Question(place.file, place.sheet, name, "", kind, (), None), wanted)
    return proposal


def described(place: Place, entry: Entry | Sample, proposal: Proposal, lang: str) -> dict[str, Any]:
    """What the page shows of one file."""
    sample = entry.sample if isinstance(entry, Entry) else entry
    found: dict[str, Any] = {
        "key": place.key, "file": sample.files[0].name, "sheet": sample.sheet, "more": len(sample.files) - 1, "table": "",
        "detected": sample.detected.get("encoding"), "headers": [header for header in sample.columns if header in sample.contents],
    }  # fmt: skip
    if not isinstance(entry, Entry):
        return found
    owner = table(entry.table)
    questions = [
        one
        for one in proposal.questions
        if (one.file, one.sheet, one.table) == (place.file, place.sheet, entry.table)
    ]
    columns = []
    for name, column in owner.mappable.items():
        match = entry.matches.get(name)
        columns.append(
            {
                "name": name, "title": title(dict(column.title), lang), "required": column.required,
                "header": match.header if match else "", "constant": entry.constants.get(name, ""),
                "confidence": match.confidence if match else None, "computed": match.sql if match else None,
                "reasons": [say(f"files.reason.{one}", lang) for one in match.reasons] if match else [],
                "values": [mask(name, value) if is_contact(column, name) else value for value in _values(sample, match.header)]
                if match
                else [],
                "missing": name in entry.missing,
            }
        )  # fmt: skip
    from kequn.data.proposal_text import question_words

    found |= {
        "table": entry.table,
        "title": title(dict(owner.title), lang),
        "score": min(entry.score, 1.0),
        "columns": [
            one for one in columns if one["header"] or one["required"] or one["missing"] or one["constant"]
        ],
        "others": [
            one
            for one in columns
            if not (one["header"] or one["required"] or one["missing"] or one["constant"])
        ],
        "missing": [title(dict(owner.columns[name].title), lang) for name in entry.missing],
        "custom": [custom.header for custom in entry.custom.values()],
        "left_out": list(entry.left_out),
        "questions": [question_words(one, lang) for one in questions],
        "kinds": {one.kind for one in questions},
        "format": dict(entry.format),
        "findings": [say("files.finding." + one.code, lang, **one.fields) for one in entry.findings],
    }
    return found


def _values(sample: Sample, header: str) -> list[str]:
    seen = dict.fromkeys(
        str(value)[:40] for value in sample.contents[header].values[:200] if str(value).strip()
    )
    return list(seen)[:SAMPLE_VALUES]
