"""Uploads: written to disk while they arrive, stopped at the limit, named so that they can't leave `data/`."""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from kequn.errors import DataError
from kequn.workspace import Workspace

LIMIT = 2 * 1024**3
"""Bytes of one request."""
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".parquet")
FILES_AT_ONCE = 20
SPARE = 256 * 1024**2
"""Bytes of the disk that stay free."""
_ODD = re.compile(r"[^\w.\-()（）【】 ]+")


def data_folder() -> Path:
    """`data/` of the workspace."""
    return Workspace.open(settings.WORKSPACE).data


class Arriving(FileUploadHandler):
    """Writes each file beside its later place; raises DataError `web.upload_too_large` beyond the limit."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.received = 0
        self.opened: list[Path] = []
        self._out: IO[bytes] | None = None
        self._path = Path()

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        check_room(content_length)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if len(self.opened) >= FILES_AT_ONCE:
            raise DataError("web.upload_too_many", most=FILES_AT_ONCE)
        folder = Path(settings.PRIVATE) / "uploads"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._out = tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False)  # noqa: SIM115
        self._path = Path(self._out.name)
        self.opened.append(self._path)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > LIMIT:
            raise DataError("web.upload_too_large", limit=LIMIT >> 20)
        assert self._out is not None
        self._out.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        assert self._out is not None
        self._out.close()
        self._out = None
        done = UploadedFile(None, self.file_name, self.content_type, file_size, self.charset)
        done.path = self._path
        return done

    def discard(self) -> None:
        """Remove what wasn't moved to its place."""
        if self._out is not None:
            self._out.close()
        for path in self.opened:
            path.unlink(missing_ok=True)


def check_room(length: int) -> None:
    """Refuse a request that says itself that it is too large, or that the disk can't hold. Raises DataError."""
    if length > LIMIT + 1024 * 1024:  # the form around the files
        raise DataError("web.upload_too_large", limit=LIMIT >> 20)
    if shutil.disk_usage(settings.PRIVATE).free < length + SPARE:
        raise DataError("web.upload_no_room", needed=(length >> 20) + 1)


def safe_name(given: str) -> str:
    """The name that an uploaded file gets: its last part, without signs that mean something to a file system.

    Raises DataError `web.upload_kind` for an ending that no table has.

    >>> safe_name("../../etc/订单 2026?.CSV")
    '订单 2026_.csv'
    """
    bare = unicodedata.normalize("NFC", given.replace("\\", "/")).rsplit("/", 1)[-1]
    stem, dot, suffix = bare.rpartition(".")
    suffix = f".{suffix.lower()}" if dot else ""
    if suffix not in SUFFIXES:
        raise DataError("web.upload_kind", file=bare[:80], known=list(SUFFIXES))
    stem = _ODD.sub("_", stem).strip(" .-_")
    while len(stem.encode()) > 150:
        stem = stem[:-1]
    return f"{stem or 'file'}{suffix}"


def keep(arrived: Path, given: str, replace: bool) -> Path:
    """Move an arrived file into `data/` after looking into it; its path there.

    A name that is taken gets a number, unless `replace`. Raises DataError when it isn't a table that can be read.
    """
    from kequn.data.samples import read_samples

    name = safe_name(given)
    shown = arrived.with_name(f"{arrived.stem}-{name}")  # errors name the file
    arrived.rename(shown)
    try:
        if not read_samples([shown]):
            raise DataError("files.empty", file=name)
    except DataError as error:
        shown.unlink(missing_ok=True)
        raise DataError(
            error.code, **{**error.fields, **({"file": name} if "file" in error.fields else {})}
        ) from None
    except BaseException:
        shown.unlink(missing_ok=True)
        raise
    folder = data_folder()
    folder.mkdir(exist_ok=True)
    target, number = folder / name, 2
    while target.exists() and not replace:
        target = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    shown.replace(target)
    return target


def local_files() -> list[Path]:
    """The data files in `data/` itself, by name."""
    folder = data_folder()
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.is_symlink()
        and not path.name.startswith(".")
        and path.suffix.lower() in SUFFIXES
    )


def named_files(names: list[str]) -> list[Path]:
    """The files of `data/` with these names, in their order. Raises DataError `web.no_such_file`."""
    known = {path.name: path for path in local_files()}
    for name in names:
        if name not in known:
            raise DataError("web.no_such_file", file=name[:80])
    return [known[name] for name in dict.fromkeys(names)]
