"""Collect the workbench's Chinese source strings and keep the English catalogue complete.

    .venv/bin/python scripts/web_messages.py          add new strings to django.po, drop unused ones, compile django.mo
    .venv/bin/python scripts/web_messages.py --check  only say what is missing; exit 1 when something is

Works without GNU gettext: strings come from Python's and Django's own parsers, the catalogue is written by polib.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
from django.utils.translation.template import templatize

WEB = Path(__file__).resolve().parent.parent / "src/kequn/web"
CATALOGUE = WEB / "locale/en/LC_MESSAGES/django.po"
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL_CALLS = {"ngettext", "ngettext_lazy"}
IN_TEMPLATE = re.compile(r"""(?:\b_|gettext)\(\s*u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
PLURAL_IN_TEMPLATE = re.compile(
    r"""ngettext\(\s*u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"),\s*u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
)
Message = tuple[str, str | None]  # singular, plural


def in_python(text: str) -> Iterator[Message]:
    """Literal strings given to gettext in a module."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
        if name in CALLS and words and isinstance(words[0], str):
            yield words[0], None
        elif name in PLURAL_CALLS and len(words) == 2:
            yield words[0], words[1]


def in_template(text: str) -> Iterator[Message]:
    """Strings of {% trans %} and {% blocktrans %} in a template."""
    calls = templatize(text)
    plural = [(ast.literal_eval(a), ast.literal_eval(b)) for a, b in PLURAL_IN_TEMPLATE.findall(calls)]
    yield from plural
    singular_of_plural = {one for one, _ in plural}
    for literal in IN_TEMPLATE.findall(calls):
        words = ast.literal_eval(literal)
        if words not in singular_of_plural:
            yield words, None


def collect(root: Path = WEB) -> dict[Message, str]:
    """Every message of the workbench, with the file it was first seen in."""
    found: dict[Message, str] = {}
    for file in sorted(root.rglob("*")):
        if file.suffix not in {".py", ".html", ".txt"} or "static" in file.parts:
            continue
        messages = in_python if file.suffix == ".py" else in_template
        for message in messages(file.read_text(encoding="utf-8")):
            if message[0].strip():
                found.setdefault(message, file.relative_to(root).as_posix())
    return found


def problems() -> list[str]:
    """What keeps the English catalogue from being complete and current."""
    catalogue = polib.pofile(str(CATALOGUE))
    known = {(entry.msgid, entry.msgid_plural or None): entry for entry in catalogue if not entry.obsolete}
    found = collect()
    lines = [
        f"not in the catalogue ({file}): {words[0]}" for words, file in found.items() if words not in known
    ]
    for key, entry in known.items():
        if key not in found:
            lines.append(f"no longer used: {entry.msgid}")
        elif not entry.translated() or "fuzzy" in entry.flags:
            lines.append(f"not translated: {entry.msgid}")
        elif set(re.findall(r"%\(\w+\)s", entry.msgid)) != set(re.findall(r"%\(\w+\)s", _english(entry))):
            lines.append(f"other placeholders: {entry.msgid}")
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.is_file() or compiled.read_bytes() != catalogue.to_binary():
        lines.append("django.mo is older than django.po: run scripts/web_messages.py")
    return lines


def _english(entry: polib.POEntry) -> str:
    return " ".join(entry.msgstr_plural.values()) if entry.msgid_plural else entry.msgstr


def update() -> None:
    """Bring django.po in line with the sources and compile it."""
    old = {}
    if CATALOGUE.is_file():
        old = {(entry.msgid, entry.msgid_plural or None): entry for entry in polib.pofile(str(CATALOGUE))}
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = {
        "Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit", "Language": "en",
        "Plural-Forms": "nplurals=2; plural=(n != 1);",
    }  # fmt: skip
    for message, file in sorted(collect().items(), key=lambda item: (item[1], item[0][0])):
        entry = old.get(message) or polib.POEntry(msgid=message[0], msgid_plural=message[1] or "")
        if message[1] and not entry.msgstr_plural:
            entry.msgstr_plural = {0: "", 1: ""}
        entry.occurrences, entry.obsolete = [(file, "")], False
        catalogue.append(entry)
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(CATALOGUE))
    CATALOGUE.with_suffix(".mo").write_bytes(polib.pofile(str(CATALOGUE)).to_binary())


def main(arguments: list[str]) -> int:
    """Update, or only check."""
    if "--check" not in arguments:
        update()
    found = problems()
    print("\n".join(found) or "the English catalogue is complete")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
