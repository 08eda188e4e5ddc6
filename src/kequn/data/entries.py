"""One file taken for one table: which headers fill which columns, custom attributes, and how it writes things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kequn.data.conventions import (
    Finding,
    cancelled_prefix,
    computed,
    constant_in,
    custom_name,
    custom_type,
    customer_by_contact,
    date_order,
    decimal_sign,
    repeats_per_order,
    status_by_payment,
    worth_keeping,
)
from kequn.data.matching import Fit, Match
from kequn.data.samples import Sample
from kequn.data.standard import Type, table

_AMOUNTS = ("quantity", "amount", "price")


@dataclass(frozen=True)
class Custom:
    """A column that the standard doesn't know, kept as a custom attribute."""

    header: str
    type: Type


@dataclass(frozen=True)
class Entry:
    """Files taken for one table: headers by column, custom attributes, conventions.

    `left_out` gives for each header that isn't used the reason (code): empty, constant, prose, varies, unmapped.
    """

    sample: Sample = field(repr=False, compare=False)
    table: str
    score: float
    matches: Mapping[str, Match]
    custom: Mapping[str, Custom]
    left_out: Mapping[str, str]
    format: Mapping[str, Any]
    platform: str | None = None
    cancelled_prefix: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    numbered: str | None = None
    """The column that gets row numbers because the file has no id for it."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Required columns that no header fills."""
        have = {*self.matches, *self.constants, self.numbered}
        lines = self.table in ("order_lines", "flat_orders")
        priced = lines and {"price", "quantity"} <= have
        lacking = [
            name
            for name in table(self.table).required
            if name not in have and not (priced and name == "amount")
        ]
        if self.table == "flat_orders" and "amount" not in have and not priced:
            lacking.append("amount")
        return tuple(lacking)


def build_entry(sample: Sample, found: Fit) -> Entry:
    """The entry of a sample taken for a table."""
    owner = table(found.table)
    matches = {
        name: computed(owner, match, sample.contents[match.header]) for name, match in found.matches.items()
    }
    if found.table in ("orders", "flat_orders"):
        if "status" not in matches and (paid := status_by_payment(sample.contents, _headers(matches))):
            matches["status"] = paid
        if "customer_id" not in matches and (contact := customer_by_contact(sample.contents)):
            matches["customer_id"] = contact
    platform = found.platform.name if found.platform else None
    return refresh(Entry(sample, found.table, found.score, matches, {}, {}, {}, platform))


def _headers(matches: Mapping[str, Match]) -> list[str]:
    return [match.header for match in matches.values()]


def number_rows(sample: Sample, found: Fit) -> Entry:
    """The entry of a list of people without ids: its rows are numbered."""
    return refresh(replace(build_entry(sample, found), numbered="customer_id"))


def refresh(entry: Entry) -> Entry:
    """Work out custom attributes and conventions for the matches of an entry."""
    matches = dict(entry.matches)
    findings = [Finding("rows_numbered", {})] if entry.numbered else []
    findings += [one for one in entry.findings if one.code == "amount_repeated" and "amount" not in matches]
    order = matches.get("order_id")
    if entry.table == "flat_orders" and order and "amount" in matches:
        header = matches["amount"].header
        if repeats_per_order(entry.sample.batch, order.header, header):
            findings.append(Finding("amount_repeated", {"column": header}))
            if {"price", "quantity"} <= matches.keys():
                del matches["amount"]
    if "amount" not in matches and {"price", "quantity"} <= matches.keys():
        findings.append(
            Finding(
                "price_times_quantity",
                {"price": matches["price"].header, "quantity": matches["quantity"].header},
            )
        )
    prefix = None
    if order and entry.table in ("orders", "flat_orders"):
        amounts = [matches[name].header for name in _AMOUNTS if name in matches]
        prefix = cancelled_prefix(entry.sample.batch, order.header, amounts)
    for name in ("quantity", "amount"):
        if name in matches and entry.sample.contents[matches[name].header].negative > 0:
            findings.append(Finding("negative_means_return", {"column": matches[name].header}))
            break
    # A file that feeds two tables keeps its custom attributes in the first.
    custom, left_out = ({}, {}) if entry.constants else _customs(entry.table, entry.sample, matches)
    changed = replace(entry, matches=matches, custom=custom, left_out=left_out, cancelled_prefix=prefix)
    formats, told = _format(changed)
    return replace(changed, format=formats, findings=(*findings, *told, *_values_unknown(changed)))


def _customs(
    name: str, sample: Sample, matches: Mapping[str, Match]
) -> tuple[dict[str, Custom], dict[str, str]]:
    used = {match.header for match in matches.values()}
    custom: dict[str, Custom] = {}
    left_out: dict[str, str] = {}
    order = matches.get("order_id")
    for header in sample.columns:
        content = sample.contents.get(header)
        if header in used:
            continue
        if content is None or content.filled == 0:
            left_out[header] = "empty"
        elif not worth_keeping(content):
            left_out[header] = "constant" if content.distinct <= 1 else "prose"
        elif name == "flat_orders" and (order is None or not constant_in(sample.batch, order.header, header)):
            # A custom column of a flat file belongs to the order, so it must have one value per order.
            left_out[header] = "varies"
        elif name == "order_lines":
            left_out[header] = "unmapped"
        else:
            custom[custom_name(header, custom)] = Custom(header, custom_type(header, content))
    return custom, left_out


def _format(entry: Entry) -> tuple[dict[str, Any], list[Finding]]:
    detected, contents = entry.sample.detected, entry.sample.contents
    formats: dict[str, Any] = {}
    findings: list[Finding] = []
    if entry.sample.sheet is not None:
        formats["sheet"] = entry.sample.sheet
    if detected.get("header_row", 1) != 1:
        formats["header_row"] = detected["header_row"]
    if entry.sample.wrapped:
        formats["excel_text"] = True
    if detected.get("long_numbers"):
        findings.append(Finding("long_numbers", {"columns": detected["long_numbers"]}))
    types = {match.header: table(entry.table).columns[name].type for name, match in entry.matches.items()}
    types.update({one.header: one.type for one in entry.custom.values()})
    dates = date_order(contents[header] for header, kind in types.items() if kind in ("date", "timestamp"))
    if dates in ("dmy", "unsure"):
        formats["date_order"] = "dmy" if dates == "dmy" or _european(entry) else "mdy"
    elif dates == "both":
        findings.append(Finding("dates_contradict", {}))
    sign = decimal_sign(
        contents[header] for header, kind in types.items() if kind in ("money", "number", "decimal")
    )
    if sign in (",", "unsure"):
        formats["decimal"] = sign if sign == "," else "."
    elif sign == "both":
        findings.append(Finding("decimals_contradict", {}))
    return formats, findings


def _european(entry: Entry) -> bool:
    sign = decimal_sign(entry.sample.contents.values())
    return sign == "," or entry.sample.detected.get("delimiter") == ";"


def _values_unknown(entry: Entry) -> list[Finding]:
    found = []
    for name, match in entry.matches.items():
        column = table(entry.table).columns[name]
        if (
            column.values
            and not match.sql
            and (unknown := entry.sample.contents[match.header].unknown(column))
        ):
            found.append(Finding("unknown_values", {"column": name, "values": unknown[:10]}))
    return found


__all__ = ["Custom", "Entry", "build_entry", "number_rows", "refresh"]
