"""What a run says about itself: `manifest.json`, and the names of runs."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kequn.definitions import write_atomically
from kequn.errors import SnapshotError

MANIFEST = "manifest.json"
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


class _Open(BaseModel):
    """Keeps keys it does not know: a snapshot outlives the version that wrote it."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class FileRecord(_Open):
    """One file of a snapshot as it was published."""

    bytes: int
    sha256: str


class FactUse(_Open):
    """One canonical table as the run read it."""

    rows: int
    fingerprint: str


class DefinitionUse(_Open):
    """One definition as the run used it: its text and the fingerprint of what it computes."""

    text: str
    fingerprint: str


class Forgotten(_Open):
    """A customer was removed afterwards: member digest of each scheme before and after. Never says who."""

    at: dt.datetime
    before: dict[str, str]
    after: dict[str, str]


class Manifest(_Open):
    """What a run was made from and what it holds.

    `publish` fills `files`, and `rows` and `digests` where they are missing. `definitions` are keyed by their path in
    the workspace (`schemes/rfm.yaml`), `rows` by table, `digests` by scheme (see `member_digest`), `cuts` by scheme,
    `seconds` by step. `warnings` are `{code, …fields}`. `previous` names the run that `stay` and `minimum_days` looked at.
    """

    run_id: str
    as_of: dt.date
    created_at: dt.datetime
    engine: str = "duckdb"
    versions: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, FactUse] = Field(default_factory=dict)
    definitions: dict[str, DefinitionUse] = Field(default_factory=dict)
    rows: dict[str, int] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    cuts: dict[str, Any] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    warnings: list[dict[str, Any]] = Field(default_factory=list)
    previous: str | None = None
    files: dict[str, FileRecord] = Field(default_factory=dict)
    pruned: bool = False
    forgotten: list[Forgotten] = Field(default_factory=list)

    @field_validator("run_id")
    @classmethod
    def _known_form(cls, run_id: str) -> str:
        if not is_run_id(run_id):
            raise ValueError("run_id is not YYYYMMDD-HHMMSS-xxxx")
        return run_id

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} leaves the folder of the snapshot")
        return files

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Relative paths of the Parquet files of each table, in order."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.files):
            parts = PurePosixPath(name).parts
            if len(parts) == 2 and name.endswith(".parquet"):
                found.setdefault(parts[0], []).append(name)
        return {table: tuple(names) for table, names in found.items()}


def new_run_id(now: dt.datetime) -> str:
    """A name for a run that begins at `now` (with a time zone): `YYYYMMDD-HHMMSS-xxxx` in UTC, so that names sort by time."""
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return f"{now.astimezone(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def is_run_id(text: str) -> bool:
    """Whether `text` could name a run."""
    return _RUN_ID.fullmatch(text) is not None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in the snapshot folder `folder`.

    Raises SnapshotError `snapshot.broken_manifest` when it is missing, unreadable, or tells of another run.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise broken_manifest(path, error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise broken_manifest(path, f"{where}: {first['msg']}" if where else first["msg"]) from error
    if manifest.run_id != folder.name:
        raise broken_manifest(path, f"run_id {manifest.run_id} ≠ {folder.name}")
    return manifest


def broken_manifest(path: Path, reason: str) -> SnapshotError:
    """The error for a manifest that can't be used."""
    return SnapshotError("snapshot.broken_manifest", file=str(path), run_id=path.parent.name, reason=reason)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `folder/manifest.json` atomically. Raises OSError when the disk refuses."""
    content: Mapping[str, Any] = manifest.model_dump(mode="json")
    write_atomically(folder / MANIFEST, json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")


__all__ = [
    "MANIFEST",
    "DefinitionUse",
    "FactUse",
    "FileRecord",
    "Forgotten",
    "Manifest",
    "broken_manifest",
    "is_run_id",
    "new_run_id",
    "read_manifest",
    "write_manifest",
]
