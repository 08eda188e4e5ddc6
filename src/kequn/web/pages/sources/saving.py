"""Writing `sources.yaml`: the same checks as everywhere, nobody's work overwritten, each change recorded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kequn.data.recognise import Proposal
from kequn.data.sources import Sources, parse_sources
from kequn.definitions import ABSENT, fingerprint, read_text, save_text
from kequn.errors import DataError
from kequn.web.audit.record import record
from kequn.workspace import Workspace


def sources_file() -> Path:
    """sources.yaml of the workspace."""
    return Workspace.open(settings.WORKSPACE).sources_file


def current() -> tuple[str, str]:
    """(text, fingerprint) of sources.yaml; ("", ABSENT) when there is none. Raises ConfigError."""
    file = sources_file()
    if not file.exists():
        return "", ABSENT
    text = read_text(file)
    return text, fingerprint(text)


def sources() -> Sources:
    """The sources as they stand. Raises ConfigError when somebody broke the file by hand."""
    return parse_sources(current()[0], "sources.yaml")


def save_proposal(request: HttpRequest, proposal: Proposal, lang: str, expected: str) -> list[str]:
    """Add what a proposal found to sources.yaml; a source of the same files is replaced. Returns the sources' names.

    `expected` is the fingerprint that the person saw. Raises DataError `web.nothing_mapped`, ConfigError.
    """
    root = settings.WORKSPACE.resolve()
    found = proposal.as_sources(root)
    if not found:
        raise DataError("web.nothing_mapped")
    text, _ = current()
    merged = _merged(text, found) if text.strip() and sources_content(text) else proposal.text(lang, root)
    parse_sources(merged, "sources.yaml")
    save_text(sources_file(), merged, expected=expected)
    names = [f"{table}/{source['name']}" for table, listed in found.items() for source in listed]
    record("sources.saved", request=request, target=("definition", "sources.yaml"), sources=names)
    return names


def remove_source(request: HttpRequest, table: str, name: str) -> None:
    """Take a source out of sources.yaml; its files stay. Raises DataError `web.no_such_source`."""
    text, seen = current()
    content = _round_trip(text)
    listed = content.get(table) or []
    kept = [source for source in listed if source.get("name") != name]
    if len(kept) == len(listed):
        raise DataError("web.no_such_source", name=name[:60])
    if kept:
        listed[:] = kept
    else:
        del content[table]
    changed = _dumped(content)
    parse_sources(changed, "sources.yaml")
    save_text(sources_file(), changed, expected=seen)
    record(
        "sources.removed", request=request, target=("definition", "sources.yaml"), source=f"{table}/{name}"
    )


def sources_content(text: str) -> bool:
    """Whether a sources.yaml names any source."""
    return any(True for _ in parse_sources(text, "sources.yaml").entries())


def _merged(text: str, found: dict[str, Any]) -> str:
    content = _round_trip(text)
    for table, new in found.items():
        listed = content.setdefault(table, [])
        for source in new:
            _put(listed, source)
    return _dumped(content)


def _put(listed: list[Any], source: dict[str, Any]) -> None:
    sheet = (source.get("format") or {}).get("sheet")
    for place, old in enumerate(listed):
        same = sorted(old.get("files", [])) == sorted(source["files"])
        if same and (old.get("format") or {}).get("sheet") == sheet:
            listed[place] = {**source, "name": old["name"]}
            return
    names, stem, number = {old.get("name") for old in listed}, source["name"], 2
    while source["name"] in names:
        source["name"], number = f"{stem}-{number}", number + 1
    listed.append(source)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.allow_unicode, yaml.preserve_quotes = 120, True, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _round_trip(text: str) -> Any:
    parse_sources(
        text, "sources.yaml"
    )  # alias bombs and the like are refused before a second reader sees the text
    return _yaml().load(text) or {}


def _dumped(content: Any) -> str:
    out = io.StringIO()
    _yaml().dump(content, out)
    return out.getvalue()
