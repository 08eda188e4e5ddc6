"""A proposal as `sources.yaml`: as plain data, and as text with confidence and open questions in comments."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.data.standard import table
from kequn.i18n import say, title

if TYPE_CHECKING:
    from kequn.data.entries import Entry
    from kequn.data.questions import Question
    from kequn.data.recognise import Proposal

_CUSTOM_TITLE = re.compile(r"\s+")


def as_sources(proposal: Proposal, root: Path | None) -> dict[str, Any]:
    """The content of `sources.yaml`; see `Proposal.as_sources`."""
    return {
        name: [source for _, source in pairs]
        for name, pairs in _by_table(proposal, root, complete=True).items()
    }


def _by_table(
    proposal: Proposal, root: Path | None, complete: bool
) -> dict[str, list[tuple[Entry, dict[str, Any]]]]:
    """Table to its entries and their sources: those with all required columns, or the others."""
    found: dict[str, list[tuple[Entry, dict[str, Any]]]] = {}
    for entry in proposal.entries:
        if bool(entry.missing) == complete:
            continue
        pairs = found.setdefault(entry.table, [])
        source = _source(entry, root)
        names, number = {one["name"] for _, one in pairs}, 2
        while source["name"] in names:
            source["name"], number = f"{_name(entry)}-{number}", number + 1
        pairs.append((entry, source))
    return found


def _source(entry: Entry, root: Path | None) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if entry.numbered:
        columns[entry.numbered] = {"row_number": f"{_name(entry)[:30]}-"}
    for name in table(entry.table).mappable:
        if name in entry.matches:
            match = entry.matches[name]
            columns[name] = {"sql": match.sql} if match.sql else match.header
    columns.update({name: custom.header for name, custom in entry.custom.items()})
    source: dict[str, Any] = {
        "name": _name(entry),
        "files": [_relative(file, root) for file in entry.sample.files],
    }
    if entry.format:
        source["format"] = dict(entry.format)
    source["columns"] = columns
    if entry.constants:
        source["constants"] = dict(entry.constants)
    if entry.custom:
        source["custom"] = {
            name: _declared(custom.header, custom.type) for name, custom in entry.custom.items()
        }
    if entry.cancelled_prefix:
        source["cancelled_prefix"] = entry.cancelled_prefix
    return source


def _declared(header: str, kind: str) -> dict[str, Any]:
    words = _CUSTOM_TITLE.sub(" ", header).strip()
    return {"type": kind, "privacy": "personal", "title": {"zh": words, "en": words}}


def _name(entry: Entry) -> str:
    return entry.sample.name[:50]


def _relative(file: Path, root: Path | None) -> str:
    if root is not None:
        try:
            return file.resolve().relative_to(root.resolve()).as_posix()
        except ValueError:
            return str(file.resolve())
    return str(file)


def as_text(proposal: Proposal, lang: str, root: Path | None) -> str:
    """`sources.yaml` with comments; see `Proposal.text`."""
    head = [say("files.proposal.head", lang)]
    head += [
        say(
            "files.proposal.unrecognised",
            lang,
            file=sample.files[0].name,
            sheet=f" [{sample.sheet}]" if sample.sheet else "",
            columns=sample.columns[:12],
        )
        for sample in proposal.unrecognised
    ]
    if proposal.unrecognised:
        head.append(say("files.proposal.how", lang))
    body = _dump(proposal, lang, root, complete=True)
    rest = _dump(proposal, lang, root, complete=False)
    if rest:
        rest = "".join(f"# {line}\n" for line in (say("files.proposal.incomplete", lang), *rest.splitlines()))
    return "".join(f"# {line}\n" for line in head) + (body or "{}\n") + rest


def _dump(proposal: Proposal, lang: str, root: Path | None, complete: bool) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    tables = _by_table(proposal, root, complete)
    if not tables:
        return ""
    yaml = YAML()
    yaml.width, yaml.allow_unicode = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    data: Any = CommentedMap()
    for name, pairs in tables.items():
        data[name] = [_commented(source, entry, proposal, lang) for entry, source in pairs]
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _commented(source: dict[str, Any], entry: Entry, proposal: Proposal, lang: str) -> Any:
    from ruamel.yaml.comments import CommentedMap

    columns: Any = CommentedMap(source["columns"])
    for name, match in entry.matches.items():
        reasons = say("files.proposal.and", lang).join(
            say(f"files.reason.{one}", lang) for one in match.reasons
        )
        columns.yaml_add_eol_comment(f"{match.confidence:.0%} {reasons}", name)
    custom: Any = CommentedMap(source.get("custom", {}))
    for name, declared in custom.items():
        flow = CommentedMap(declared)
        flow.fa.set_flow_style()
        flow["title"] = CommentedMap(declared["title"])
        flow["title"].fa.set_flow_style()
        custom[name] = flow
    result: Any = CommentedMap({**source, "columns": columns, **({"custom": custom} if custom else {})})
    told = [say("files.question." + one.kind, lang, **_fields(one, lang)) for one in _asked(entry, proposal)]
    told = [say("files.proposal.question", lang, text=text) for text in told]
    told += [say("files.finding." + one.code, lang, **one.fields) for one in entry.findings]
    if entry.left_out:
        told.append(say("files.proposal.left_out", lang, columns=list(entry.left_out)))
    if told:
        result.yaml_set_comment_before_after_key("columns", before="\n".join(told), indent=4)
    return result


def _asked(entry: Entry, proposal: Proposal) -> list[Question]:
    return [
        one
        for one in proposal.questions
        if (one.file, one.sheet, one.table) == (entry.sample.files[0], entry.sample.sheet, entry.table)
    ]


def _fields(question: Question, lang: str) -> dict[str, Any]:
    column = table(question.table).columns.get(question.column) if question.table else None
    return {
        "file": question.file.name,
        "sheet": f" [{question.sheet}]" if question.sheet else "",
        "column": question.column,
        "title": title(dict(column.title), lang) if column else question.column,
        "candidates": list(question.candidates),
        "suggestion": question.suggestion or "",
    }


def question_words(question: Question, lang: str = "zh") -> str:
    """A question as a sentence in `lang`."""
    return say("files.question." + question.kind, lang, **_fields(question, lang))


__all__ = ["as_sources", "as_text", "question_words"]
