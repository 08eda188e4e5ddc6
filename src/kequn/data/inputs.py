"""The files behind each source, and whether their content has changed."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from kequn.data.sources import Source
from kequn.errors import DataError


class Inputs:
    """The files of each source and the digests of their content, remembered by size and time of change."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._store = folder / ".files.json"
        self._known: dict[str, list[Any]] = {}
        try:
            self._known = json.loads(self._store.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}
        self._used: dict[str, list[Any]] = {}
        self._resolved: dict[str, tuple[Path, ...]] = {}

    def files(self, source: Source) -> tuple[Path, ...]:
        """The files of a source in a fixed order. Raises: DataError `data.no_file`."""
        key = json.dumps([source.name, source.files])
        if key not in self._resolved:
            self._resolved[key] = tuple(self._resolve(source))
        return self._resolved[key]

    def _resolve(self, source: Source) -> list[Path]:
        found: dict[Path, None] = {}
        for pattern in source.files:
            path = self._root / pattern
            if path.is_dir():
                matches = sorted(
                    p for p in path.rglob("*.parquet") if p.is_file() and not p.name.startswith((".", "_"))
                )
            elif path.exists():
                matches = [path]
            else:
                import glob

                names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
                matches = sorted(Path(name) for name in names if Path(name).is_file())
            if not matches:
                raise DataError("data.no_file", source=source.name, pattern=pattern, folder=str(self._root))
            found.update(dict.fromkeys(match.resolve() for match in matches))
        return list(found)

    def digest(self, source: Source) -> list[str]:
        """sha256 of the content of each file of a source."""
        return [self._digest(file) for file in self.files(source)]

    def _digest(self, file: Path) -> str:
        stat = file.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self._used.get(str(file)) or self._known.get(str(file))
        # a file changed within the clock tick of its reading could keep size and time: such an entry isn't trusted
        if not known or known[:3] != state or known[3] - stat.st_mtime_ns < 2_000_000_000:
            read_at = time.time_ns()
            with file.open("rb") as handle:
                known = [*state, read_at, hashlib.file_digest(handle, "sha256").hexdigest()]
        self._used[str(file)] = known
        return str(known[4])

    def save(self) -> None:
        """Remember the digests for the next load; a failure only costs time."""
        if self._used != self._known:
            aside = self._store.with_suffix(".tmp")
            try:
                aside.write_text(json.dumps(self._used), encoding="utf-8")
                aside.replace(self._store)
            except OSError:
                return


__all__ = ["Inputs"]
