"""YAML that people wrote: read it safely, say where it is wrong, save it without losing anybody's work.

Values come back as plain Python values in `LocatedDict` and `LocatedList`, ordinary dicts and lists that remember the
line and column of each entry, so that an error found much later (by a pydantic model, by a rule) can still point at it.
YAML is read as version 1.2: `yes`, `on` and `NO` are words, `2026-01-05` is a date.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import tempfile
import types
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from kequn.errors import ConfigError
from kequn.yaml_nodes import compose, scalar

MAX_BYTES = 1_000_000
"""Longest file that is read; what people write by hand is a hundredth of it."""
MAX_VALUES = 200_000
"""Most values after every alias is written out; stops a "billion laughs" file before it fills the memory."""
MAX_DEPTH = 60
"""Deepest nesting of lists and mappings."""

_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Model = TypeVar("Model", bound=BaseModel)
Where = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file; both 1-based."""

    line: int
    column: int


class LocatedDict(dict[str, Any]):
    """A mapping from YAML; `marks` says where each key stands, `mark` where the mapping begins."""

    mark: Mark = Mark(1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, Mark] = {}


class LocatedList(list[Any]):
    """A list from YAML; `marks` says where each item stands, `mark` where the list begins."""

    mark: Mark = Mark(1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[Mark] = []


def load_yaml(path: Path, *, limit: int = MAX_BYTES) -> LocatedDict:
    """The mapping that stands in the YAML file `path`; an empty file is an empty mapping.

    Raises ConfigError when the file is missing, longer than `limit` bytes, not UTF-8 or not sound YAML.
    """
    return parse_yaml(read_text(path, limit=limit), str(path), limit=limit)


def read_text(path: Path, *, limit: int = MAX_BYTES) -> str:
    """The text of a definition file, UTF-8 with or without BOM, line ends as `\\n`.

    Raises ConfigError when the file can't be read, is too long, or was saved in another encoding.
    """
    file = str(path)
    try:
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except FileNotFoundError:
        raise ConfigError("definitions.no_file", file=file) from None
    except OSError as error:
        raise ConfigError(
            "definitions.cannot_read", file=file, reason=error.strerror or str(error)
        ) from error
    if len(content) > limit:
        raise ConfigError("definitions.too_long", file=file, limit=limit)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("definitions.encoding", file=file, found="UTF-16", line=1, column=1)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        found = "GBK" if _decodes(content, "gb18030") else "?"
        column = len(before.rpartition(b"\n")[2].decode("utf-8")) + 1
        raise ConfigError(
            "definitions.encoding", file=file, found=found, line=before.count(b"\n") + 1, column=column
        ) from None


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def parse_yaml(text: str, file: str = "<text>", *, limit: int = MAX_BYTES) -> LocatedDict:
    """The mapping that the YAML `text` holds; `file` is only used in errors.

    Refused with a ConfigError that names file, line and column: syntax errors, a key twice, keys that aren't text or
    numbers, tags, aliases that blow up or refer to themselves, nesting beyond MAX_DEPTH, a top level that is no mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

    if len(text.encode("utf-8", "surrogatepass")) > limit:
        raise ConfigError("definitions.too_long", file=file, limit=limit)
    warnings.filterwarnings(
        "ignore", category=ReusedAnchorWarning
    )  # allowed by YAML, and printed 50,000 times at worst
    yaml = YAML(typ="safe", pure=True)
    try:
        root = compose(text, yaml)
        if root is None:
            return LocatedDict()
        reader = _Reader(yaml, file)
        reader.measure(root)
        value = reader.value(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        code = "definitions.tab" if "'\\t'" in str(error.problem) else "definitions.syntax"
        raise ConfigError(code, file=file, line=line, column=column, problem=str(error.problem)) from None
    except YAMLError as error:
        position = int(getattr(error, "position", 0) or 0)
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        problem = str(getattr(error, "reason", error)).splitlines()[0]
        raise ConfigError(
            "definitions.syntax", file=file, line=line, column=column, problem=problem
        ) from None
    except RecursionError:
        raise ConfigError("definitions.too_deep", file=file, line=1, column=1, limit=MAX_DEPTH) from None
    if not isinstance(value, LocatedDict):
        raise ConfigError("definitions.no_mapping", file=file, line=1, column=1)
    return value


class _Reader:
    """Turns a composed node graph into located values, after it has been weighed."""

    def __init__(self, yaml: Any, file: str) -> None:
        self._yaml = yaml
        self._file = file
        self._sizes: dict[int, int] = {}

    def measure(self, node: Any, depth: int = 0) -> int:
        """Number of values below `node` with every alias written out; each node is visited once."""
        known = self._sizes.get(id(node))
        if known == 0:
            raise self._error("definitions.alias_bomb", node, limit=MAX_VALUES)
        if known is not None:
            return known
        if depth > MAX_DEPTH:
            raise self._error("definitions.too_deep", node, limit=MAX_DEPTH)
        self._sizes[id(node)] = 0
        size = 1
        for child in _children(node):
            size += self.measure(child, depth + 1)
            if size > MAX_VALUES:
                raise self._error("definitions.alias_bomb", node, limit=MAX_VALUES)
        self._sizes[id(node)] = size
        return size

    def value(self, node: Any) -> Any:
        """The Python value of `node`."""
        kind = _kind(node)
        if kind != "scalar" and str(node.tag) not in _PLAIN:
            raise self._error("definitions.syntax", node, problem=f"tag {node.tag}")
        if kind == "mapping":
            return self._mapping(node)
        if kind == "sequence":
            items = LocatedList()
            items.mark = _mark(node)
            for child in node.value:
                items.append(self.value(child))
                items.marks.append(_mark(child))
            return items
        try:
            value = scalar(node, self._yaml)
            if isinstance(value, str):
                value.encode()  # "\\uD800" is half a character: no file and no database takes it
            return value
        except (ValueError, OverflowError, KeyError) as error:
            raise self._error("definitions.syntax", node, problem=str(error)) from None

    def _mapping(self, node: Any) -> LocatedDict:
        found = LocatedDict()
        found.mark = _mark(node)
        inherited: list[Any] = []
        for key_node, value_node in node.value:
            if _kind(key_node) != "scalar":
                raise self._error("definitions.key_kind", key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                inherited += value_node.value if _kind(value_node) == "sequence" else [value_node]
                continue
            key = str(key_node.value)
            if key in found:
                first = found.marks[key].line
                raise self._error("definitions.key_twice", key_node, key=key, first=first)
            found[key] = self.value(value_node)
            found.marks[key] = _mark(key_node)
        for parent in inherited:
            if _kind(parent) != "mapping":
                raise self._error("definitions.merge", parent)
            values = self.value(parent)
            for key, value in values.items():
                if key not in found:
                    found[key], found.marks[key] = value, values.marks[key]
        return found

    def _error(self, code: str, node: Any, **fields: Any) -> ConfigError:
        mark = _mark(node)
        return ConfigError(code, file=self._file, line=mark.line, column=mark.column, **fields)


def _kind(node: Any) -> str:
    return str(node.id)


def _children(node: Any) -> Iterator[Any]:
    kind = _kind(node)
    if kind == "mapping":
        for key, value in node.value:
            yield key
            yield value
    elif kind == "sequence":
        yield from node.value


def _mark(node: Any) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


# ---------------------------------------------------------------------------------------------------------------------


def validate(model: type[Model], data: Mapping[str, Any], file: str = "<text>") -> Model:
    """`data` as an instance of the pydantic `model`.

    Raises the first of `problems()`: a ConfigError with `file`, `where` (dotted path), `line`, `column` and, for an
    unknown key, the `nearest` known one. `more` counts the other problems.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = _problems(model, data, file, error)
        found[0].fields["more"] = len(found) - 1
        raise found[0] from None
    except ConfigError as error:
        error.fields.setdefault("file", file)
        raise


def problems(model: type[BaseModel], data: Mapping[str, Any], file: str = "<text>") -> list[ConfigError]:
    """Everything that keeps `data` from being a `model`, in the order of the file, missing keys last; empty when it is one."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return _problems(model, data, file, error)
    except ConfigError as error:
        error.fields.setdefault("file", file)
        return [error]
    return []


def refusal(code: str, **fields: Any) -> PydanticCustomError:
    """What a pydantic validator raises to end in a ConfigError of its own `code`, with `fields` and the place in the file.

    >>> raise refusal("workspace.time_zone", nearest="Asia/Shanghai")  # doctest: +SKIP
    """
    return PydanticCustomError(code, code, fields)


def locate(data: Any, where: Sequence[str | int]) -> Mark:
    """Where the value at the path `where` stands in its file: the deepest part of the path that exists there."""
    mark = getattr(data, "mark", Mark(1, 1))
    for part in where:
        if isinstance(data, LocatedDict) and str(part) in data:
            mark, data = data.marks[str(part)], data[str(part)]
        elif isinstance(data, LocatedList) and isinstance(part, int) and part < len(data):
            mark, data = data.marks[part], data[part]
        # a part that isn't there is pydantic's name of a union branch, or the missing key itself
    return Mark(*mark)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The entry of `known` that looks most like `word`, or None when nothing comes close."""
    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), sorted(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


_WRONG: dict[str, tuple[str, ...]] = {
    "definitions.not_text": ("string_type", "string_unicode"),
    "definitions.not_integer": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "definitions.not_number": ("float_type", "float_parsing", "finite_number", "decimal_type", "decimal_parsing"),
    "definitions.not_boolean": ("bool_type", "bool_parsing"),
    "definitions.not_list": ("list_type", "tuple_type", "set_type", "frozen_set_type"),
    "definitions.not_mapping": ("dict_type", "model_type", "model_attributes_type", "mapping_type", "dataclass_type"),
    "definitions.not_date": ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
    "definitions.not_one_of": ("literal_error", "enum", "union_tag_invalid"),
    "definitions.out_of_range": (
        "greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of",
        "too_short", "too_long", "string_too_short", "string_too_long", "string_pattern_mismatch",
    ),
}  # fmt: skip
_CODES = {kind: code for code, kinds in _WRONG.items() for kind in kinds}
_LIMITS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "length ≥", "max_length": "length ≤"}


def _problems(model: type[BaseModel], data: Any, file: str, error: ValidationError) -> list[ConfigError]:
    found = []
    for item in error.errors(include_url=False):
        where: Where = item["loc"]
        mark = locate(data, where)
        fields: dict[str, Any] = {"file": file, "line": mark.line, "column": mark.column}
        fields["where"] = ".".join(map(str, where)) or "-"
        kind, context = item["type"], item.get("ctx", {})
        if kind == "extra_forbidden":
            known = sorted(_names_at(model, where[:-1]))
            key = str(where[-1])
            close = nearest(key, known)
            code = "definitions.unknown_key_near" if close else "definitions.unknown_key"
            fields |= {"key": key, "nearest": close, "known": known}
        elif kind in ("missing", "union_tag_not_found"):
            tag = str(context.get("discriminator", "")).strip("'")
            code, fields["key"] = "definitions.missing_key", tag or str(where[-1])
        elif "." in kind:  # made by `refusal`
            code, fields = kind, fields | {"found": _shown(item["input"])} | context
        else:
            code = _CODES.get(kind, "definitions.wrong_value")
            fields |= {"found": _shown(item["input"]), "expected": _expected(item["msg"], context)}
        found.append(ConfigError(code, **fields))
    # a key that is missing is often the one that was misspelt: say that first
    return sorted(
        found,
        key=lambda each: (each.code == "definitions.missing_key", each.fields["line"], each.fields["column"]),
    )


def _expected(message: str, context: Mapping[str, Any]) -> str:
    for name in ("expected", "expected_tags", "pattern"):
        if name in context:
            return str(context[name]).replace("'", "")
    limits = [f"{_LIMITS[name]} {context[name]}" for name in _LIMITS if name in context]
    return ", ".join(limits) or message


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _names_at(model: Any, where: Sequence[str | int]) -> set[str]:
    """Known keys of the mapping at `where` in `model`; a union offers the keys of all its members."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if where and str(where[0]) == model.__name__:  # pydantic names the union member it tried
            where = where[1:]
        named = {field.alias or name: field for name, field in model.model_fields.items()}
        if not where:
            return set(named)
        field = named.get(str(where[0]))
        return _names_at(field.annotation, where[1:]) if field else set()
    origin, arguments = typing.get_origin(model), typing.get_args(model)
    if origin is typing.Annotated:
        return _names_at(arguments[0], where)
    if origin in (typing.Union, types.UnionType):
        # where[0] may be the tag of a discriminated union, or already the key inside the member
        return set().union(*(_names_at(one, where) | _names_at(one, where[1:]) for one in arguments))
    if not where or not arguments:
        return set()
    inner = arguments[1] if isinstance(origin, type) and issubclass(origin, Mapping) else arguments[0]
    return _names_at(inner, where[1:])


# ---------------------------------------------------------------------------------------------------------------------

ABSENT = ""
"""Fingerprint of a file that isn't there: `save_text(path, text, expected=ABSENT)` only creates."""


def fingerprint(text: str) -> str:
    """sha256 of the text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def save_text(path: Path, text: str, *, expected: str | None = None) -> str:
    """Write `text` as the whole new content of `path`, all or nothing; returns its fingerprint.

    With `expected`, the file must still have that fingerprint (ABSENT: must not exist): nobody overwrites what a
    colleague or an editor has saved since it was read.
    Raises ConfigError `definitions.changed` in that case, and `definitions.cannot_write` when the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _folder_lock(path.parent):
            if expected is not None:
                present = fingerprint(read_text(path)) if path.exists() else ABSENT
                if present != expected:
                    raise ConfigError("definitions.changed", file=str(path))
            write_atomically(path, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(
            "definitions.cannot_write", file=str(path), reason=error.strerror or str(error)
        ) from error
    return fingerprint(text)


def save_yaml(path: Path, text: str, *, expected: str | None = None) -> str:
    """`save_text` for YAML that was proved readable first. Raises ConfigError, naming the line, when it isn't."""
    parse_yaml(text, str(path))
    return save_text(path, text, expected=expected)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` through a file aside; after a crash either the old or the new content is there.

    Raises OSError (full disk, no permission); the old content then stands and nothing is left aside.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut (no effect where folders can't be synced: Windows)."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """One writer of definitions at a time, on systems that can lock a folder; leaves no lock file in the user's git."""
    try:
        import fcntl
    except ImportError:  # Windows: the check and the replacement are a few milliseconds apart
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


__all__ = [
    "ABSENT",
    "LocatedDict",
    "LocatedList",
    "Mark",
    "fingerprint",
    "load_yaml",
    "locate",
    "nearest",
    "parse_yaml",
    "problems",
    "read_text",
    "refusal",
    "save_text",
    "save_yaml",
    "sync_folder",
    "validate",
    "write_atomically",
]
