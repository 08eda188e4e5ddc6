"""Audience files: their text, a free name, and the lists of ids that people upload."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from pypinyin import lazy_pinyin

from kequn.audience import AudienceSpec
from kequn.audience.build import read_ids
from kequn.definitions import parse_yaml, read_text, validate
from kequn.editing import EDITABLE
from kequn.errors import ConfigError, DataError, KequnError

LISTS = "lists"  # inside audiences/
MOST_BYTES = 50_000_000
ENDINGS = (".csv", ".xlsx", ".parquet", ".txt")


@dataclass(frozen=True)
class Listed:
    """An audience file, readable or not."""

    name: str
    path: str
    spec: AudienceSpec | None
    error: KequnError | None = None


def every() -> list[Listed]:
    """The audience files of the workspace by name; a broken file is listed with its error."""
    found = []
    for file in sorted((settings.WORKSPACE / "audiences").glob("*.yaml")):
        path = f"audiences/{file.name}"
        if not EDITABLE.fullmatch(path):
            continue
        try:
            text = read_text(file)
            found.append(Listed(file.stem, path, validate(AudienceSpec, parse_yaml(text, path), path)))
        except KequnError as error:
            found.append(Listed(file.stem, path, None, error))
    return found


def free_path(title: str, wanted: str = "") -> tuple[str, str]:
    """(path, id) of a new audience: the wanted id, or the title in pinyin, with a number when it is taken.

    Raises ConfigError when the wanted id can't be one.
    """
    if wanted and not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", wanted, re.ASCII):
        raise ConfigError("definitions.no_file", file=wanted)
    spelt = "_".join(lazy_pinyin(title)) if not title.isascii() else title
    base = wanted or re.sub(r"[^a-z0-9]+", "_", spelt.lower()).strip("_")[:34].strip("_") or "audience"
    base = base if base[0].isalpha() else f"a_{base}"
    name, number = base, 2
    while (settings.WORKSPACE / "audiences" / f"{name}.yaml").exists():
        name, number = f"{base}_{number}", number + 1
    return f"audiences/{name}.yaml", name


def audience_text(name: str, title: str, purpose: str = "", *, owner: str = "", **members: str) -> str:
    """The YAML of a new audience; `members` are `rule`, or `ids` and `column`."""
    from ruamel.yaml import YAML

    content: Mapping[str, Any] = {
        "audience": name, "title": title, **({"purpose": purpose} if purpose else {}),
        **({"owner": owner} if owner else {}), **members,
    }  # fmt: skip
    written = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.dump(dict(content), written)
    return written.getvalue()


def keep_list(upload: UploadedFile[Any], column: str) -> tuple[str, int]:
    """Store an uploaded list and count its ids: (name inside `audiences/`, distinct ids).

    The name on disk is ours; the file goes again when it can't be read.
    Raises DataError for a file of another kind, too long, or without ids.
    """
    ending = Path(upload.name or "").suffix.lower()
    if ending not in ENDINGS:
        raise DataError("web.list_kind", found=ending or "-", known=", ".join(ENDINGS))
    if (upload.size or 0) > MOST_BYTES:
        raise DataError("web.list_too_long", limit=MOST_BYTES // 1_000_000)
    folder = settings.WORKSPACE / "audiences" / LISTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{uuid.uuid4().hex}{'.csv' if ending == '.txt' else ending}"
    try:
        with file.open("wb") as stream:
            for chunk in upload.chunks():
                stream.write(chunk)
        table = read_ids(file, column or None, upload.name or "")
        if not table.num_rows:
            raise DataError("web.list_empty")
    except KequnError:
        file.unlink(missing_ok=True)
        raise
    except Exception as error:  # a reader's own error: the file isn't what its name says
        file.unlink(missing_ok=True)
        raise DataError("web.list_unreadable") from error
    return f"{LISTS}/{file.name}", int(table.num_rows)
