"""`sources.yaml`: where each canonical table comes from, with column mapping and value mapping.

```yaml
orders:
- name: tmall
  files: [data/orders-*.csv]
  format: {encoding: gb18030}
  time_zone: Asia/Shanghai
  columns: {order_id: 订单编号, ordered_at: 订单创建时间, amount: 买家实际支付金额, list_amount: {sql: '"总金额"'}}
  values: {status: {交易成功: completed}}
  constants: {channel: tmall}
```
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kequn.data.standard import CUSTOM_PREFIX, Column, Privacy, Table, Type, custom_column, table
from kequn.errors import ConfigError

if TYPE_CHECKING:
    from kequn.data.raw_table import ReadOptions


def _word(value: object) -> object:
    """YAML reads `1: completed` as a number; in a value mapping everything is text."""
    return (
        str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, (int, float))
        else value
    )


Word = Annotated[str, BeforeValidator(_word)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Format(_Strict):
    """How the files of a source are written; what isn't given is found out."""

    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(max_length=1)] | None = None
    sheet: str | int | None = None
    header_row: Annotated[int, Field(ge=0)] | None = None
    decimal: Literal[".", ","] | None = None
    date_order: Literal["mdy", "dmy"] | None = None
    excel_text: bool = False

    def read_options(self) -> ReadOptions:
        """The part that the readers of files need."""
        from kequn.data.raw_table import ReadOptions

        known = {field.name for field in fields(ReadOptions)}
        return ReadOptions(**{name: value for name, value in self.model_dump().items() if name in known})


class SqlColumn(_Strict):
    """A column computed from headers of the source by a small expression."""

    sql: Annotated[str, Field(min_length=1, max_length=2_000)]


class RowNumber(_Strict):
    """An id made of a prefix and the number of the row, for rows that have no id of their own."""

    row_number: Annotated[str, Field(max_length=40)]


class CustomColumn(_Strict):
    """What the user declares about an `x_…` column."""

    type: Literal["money", "integer", "number", "decimal", "text", "date", "timestamp", "boolean"] = "text"
    privacy: Literal["none", "personal", "sensitive"] = "personal"
    title: dict[Literal["zh", "en"], str] | None = None


class Source(_Strict):
    """One source of one canonical table (or of the shape `flat_orders`)."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    format: Format = Format()
    time_zone: str | None = None
    columns: dict[str, str | SqlColumn | RowNumber] = {}
    values: dict[str, dict[Word, Word | None]] = {}
    constants: dict[str, Word] = {}
    custom: dict[str, CustomColumn] = {}
    cancelled_prefix: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    repeated_lines: Literal["keep", "drop"] = "keep"

    def mapped(self) -> tuple[str, ...]:
        """Canonical columns that this source delivers."""
        return (*self.columns, *(name for name in self.constants if name not in self.columns))

    def column(self, owner: Table, name: str) -> Column:
        """The declaration of a delivered column, custom ones included."""
        if name in owner.columns:
            return owner.columns[name]
        declared = self.custom.get(name, CustomColumn())
        plain = custom_column(name, declared.type)
        title: Mapping[str, str] = {**plain.title, **{str(k): v for k, v in (declared.title or {}).items()}}
        return Column(name, declared.type, title, privacy=declared.privacy)


class Sources(_Strict):
    """The whole file: table name to its sources, in order of precedence."""

    customers: tuple[Source, ...] = ()
    attribute_states: tuple[Source, ...] = ()
    companies: tuple[Source, ...] = ()
    orders: tuple[Source, ...] = ()
    order_lines: tuple[Source, ...] = ()
    products: tuple[Source, ...] = ()
    holdings: tuple[Source, ...] = ()
    events: tuple[Source, ...] = ()
    usage: tuple[Source, ...] = ()
    touches: tuple[Source, ...] = ()
    responses: tuple[Source, ...] = ()
    notes: tuple[Source, ...] = ()
    deals: tuple[Source, ...] = ()
    activities: tuple[Source, ...] = ()
    accounts: tuple[Source, ...] = ()
    consents: tuple[Source, ...] = ()
    places: tuple[Source, ...] = ()
    regions: tuple[Source, ...] = ()
    flat_orders: tuple[Source, ...] = ()

    def of(self, name: str) -> tuple[Source, ...]:
        """The sources of the table `name`; none for a derived table."""
        found: tuple[Source, ...] = getattr(self, name, ())
        return found

    def entries(self) -> Iterator[tuple[str, int, Source]]:
        """(table, place in its list, source) in file order of the tables."""
        for name in type(self).model_fields:
            for place, source in enumerate(self.of(name)):
                yield name, place, source

    def custom_columns(self) -> dict[str, dict[str, Column]]:
        """`x_…` columns by table; a custom column of flat_orders belongs to the orders."""
        found: dict[str, dict[str, Column]] = {}
        for name, _, source in self.entries():
            for column in source.mapped():
                if column.startswith(CUSTOM_PREFIX):
                    target = "orders" if name == "flat_orders" else name
                    found.setdefault(target, {}).setdefault(column, source.column(table(name), column))
        return found


def load_sources(path: Path) -> Sources:
    """Read and check `sources.yaml`.

    Raises: ConfigError with `file`, `where` and, where it can be told, `line`.
    """
    from kequn.definitions import load_yaml

    return check_sources(load_yaml(path), str(path))


def parse_sources(text: str, file: str = "sources.yaml") -> Sources:
    """Like `load_sources`, from text."""
    from kequn.definitions import parse_yaml

    return check_sources(parse_yaml(text, file), file)


def check_sources(data: Mapping[str, Any], file: str = "sources.yaml") -> Sources:
    """The typed form of the content of `sources.yaml`; each column, constant and expression is checked.

    Raises: ConfigError.
    """
    from kequn.definitions import locate, validate

    sources = validate(Sources, data, file)
    names: set[tuple[str, str]] = set()
    for name, place, source in sources.entries():
        try:
            if (name, source.name) in names:
                raise ConfigError("data.source_twice", where=f"{name}.{place}.name", name=source.name)
            names.add((name, source.name))
            _check_source(table(name), f"{name}.{place}", source)
        except ConfigError as error:
            where = str(error.fields.get("where", f"{name}.{place}"))
            mark = locate(data, [int(part) if part.isdigit() else part for part in where.split(".")])
            raise ConfigError(
                error.code,
                **{**error.fields, "file": file, "where": where, "line": mark.line, "column": mark.column},
            ) from None
    return sources


def _check_source(owner: Table, where: str, source: Source) -> None:
    from kequn.data.expression import parse_expression
    from kequn.definitions import nearest

    if source.time_zone is not None:
        check_zone(source.time_zone, f"{where}.time_zone")
    for part, mapped in (
        ("columns", source.columns),
        ("constants", source.constants),
        ("values", source.values),
        ("custom", source.custom),
    ):
        for name in mapped:
            known = name in owner.mappable or (name.startswith(CUSTOM_PREFIX) and name.isidentifier())
            if not known or (part == "custom" and not name.startswith(CUSTOM_PREFIX)):
                near = nearest(name, list(owner.mappable)) or ", ".join(owner.mappable)
                raise ConfigError(
                    "data.unknown_column",
                    where=f"{where}.{part}.{name}",
                    name=name,
                    table=owner.name,
                    nearest=near,
                )
    for name, header in source.columns.items():
        if isinstance(header, SqlColumn):
            try:
                parse_expression(header.sql)
            except ConfigError as error:
                error.fields.setdefault("where", f"{where}.columns.{name}")
                raise
    missing = [
        name
        for name in owner.required
        if name not in source.mapped() and not _can_do_without(owner, name, source)
    ]
    if (
        owner.name == "flat_orders"
        and "amount" not in source.mapped()
        and not {"price", "quantity"} <= set(source.mapped())
    ):
        missing.append("amount")
    if missing:
        raise ConfigError("data.column_not_mapped", where=f"{where}.columns", table=owner.name, names=missing)


def _can_do_without(owner: Table, name: str, source: Source) -> bool:
    """An order's amount may come from its lines, a line's from price and quantity, a line's product may be unknown."""
    if owner.name == "orders" and name == "amount":
        return True
    return owner.name == "order_lines" and name == "amount" and {"price", "quantity"} <= set(source.mapped())


def check_zone(name: str, where: str) -> None:
    """Raises: ConfigError `data.unknown_time_zone`."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError("data.unknown_time_zone", where=where, name=name) from None


__all__ = [
    "CustomColumn",
    "Format",
    "Privacy",
    "RowNumber",
    "Source",
    "Sources",
    "SqlColumn",
    "Type",
    "check_sources",
    "check_zone",
    "load_sources",
    "parse_sources",
]
