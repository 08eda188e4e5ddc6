"""How a file writes things: order of day and month, decimal sign, cancellations, custom attributes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kequn.data.column_content import Content
from kequn.data.content_fit import is_age, is_year
from kequn.data.headers import fold_header
from kequn.data.matching import Match
from kequn.data.standard import CUSTOM_PREFIX, Table, Type

_PREFIXED = re.compile(r"([A-Za-z]{1,3})(\d{3,})")
_AMOUNT = re.compile(
    r"(金额|货款|邮费|运费|价格|单价|总价|费用|收入|余额|消费|amount|price|revenue|spend|cost|salary|mnt)",
    re.I,
)
_LONG_TEXT = 200
_BANDS = (
    "CASE WHEN {age} < 0 OR {age} > 120 THEN NULL WHEN {age} < 18 THEN '0-17' WHEN {age} < 25 THEN '18-24' "
    "WHEN {age} < 35 THEN '25-34' WHEN {age} < 45 THEN '35-44' WHEN {age} < 55 THEN '45-54' "
    "WHEN {age} < 65 THEN '55-64' WHEN {age} >= 65 THEN '65+' END"
)
_PAID = frozenset(
    fold_header(text).key
    for text in ("付款时间", "订单付款时间", "买家付款时间", "支付时间", "支付完成时间", "付款确认时间", "付款日期",
                 "paid at", "payment date", "payment time", "paid time", "date paid")
)  # fmt: skip
_UNPAID = "CASE WHEN COALESCE(TRIM(CAST({paid} AS VARCHAR)), '') IN ('', '-', 'NULL', 'null') THEN 'pending' ELSE 'completed' END"


@dataclass(frozen=True)
class Finding:
    """Something found out about a file, to be told or asked; `code` names the sentence `files.<kind>.<code>`."""

    code: str
    fields: Mapping[str, Any]


def date_order(contents: Iterable[Content]) -> str | None:
    """`dmy`, `mdy`, `unsure`, `both` (they contradict each other), or None where no date has this form."""
    found = frozenset[str]().union(*(content.date_orders for content in contents))
    proved = found & {"dmy", "mdy"}
    return "both" if len(proved) == 2 else next(iter(proved or found), None)


def decimal_sign(contents: Iterable[Content]) -> str | None:
    """`,` or `.` where proved, `unsure`, `both`, or None where no number tells."""
    found = frozenset[str]().union(*(content.decimals for content in contents))
    proved = found & {".", ","}
    return "both" if len(proved) == 2 else next(iter(proved or found), None)


def cancelled_prefix(batch: pa.RecordBatch, order: str, amounts: Iterable[str]) -> str | None:
    """Letters before the order numbers of cancellations: nearly all such rows are negative, few others are."""
    numbers = _texts(batch, order)
    prefixed = pc.match_substring_regex(numbers, r"^[A-Za-z]{1,3}\d{3,}$")
    plain = pc.match_substring_regex(numbers, r"^\d{3,}$")
    if not pc.any(prefixed).as_py() or not pc.any(plain).as_py():
        return None
    for name in amounts:
        negative = pc.starts_with(_texts(batch, name), "-")
        inside = pc.mean(negative.filter(prefixed).cast(pa.int8())).as_py()
        outside = pc.mean(negative.filter(plain).cast(pa.int8())).as_py()
        if inside >= 0.9 and outside <= 0.1:
            letters = pc.value_counts(
                pc.replace_substring_regex(numbers.filter(prefixed), r"\d+$", "")
            ).to_pylist()
            return str(max(letters, key=lambda one: one["counts"])["values"])
    return None


def repeats_per_order(batch: pa.RecordBatch, order: str, amount: str) -> bool:
    """Whether an amount stands in full on every line of its order instead of being the line's own."""
    lines = pa.table({"order": _texts(batch, order), "amount": _texts(batch, amount)})
    grouped = lines.group_by("order").aggregate([("amount", "count"), ("amount", "count_distinct")])
    several = grouped.filter(pc.greater(grouped["amount_count"], 2))
    return several.num_rows >= 5 and bool(
        pc.mean(pc.equal(several["amount_count_distinct"], 1)).as_py() >= 0.95
    )


def constant_in(batch: pa.RecordBatch, order: str, header: str) -> bool:
    """Whether a column has one value per order."""
    pairs = pa.table({"order": _texts(batch, order), "value": _texts(batch, header)})
    grouped = pairs.group_by("order").aggregate([("value", "count_distinct")])
    return bool(pc.max(grouped["value_count_distinct"]).as_py() == 1)


def computed(owner: Table, match: Match, content: Content) -> Match:
    """The match with an expression where the header's values aren't yet what the column means."""
    quoted = '"' + match.header.replace('"', '""') + '"'
    scale = fold_header(match.header).scale
    sql = None
    if owner.columns[match.column].type == "money" and scale > 1:
        sql = f"{quoted} * {scale}"
    elif match.column == "birth_date" and is_year(content):
        # Only the year is known: the middle of it is wrong by half a year at most.
        sql = f"CAST({quoted} || '-07-01' AS DATE)"
    elif match.column == "age_band" and is_age(content):
        sql = _BANDS.format(age=f"{quoted} + 0")
    return (
        Match(match.column, match.header, match.confidence, match.reasons, match.rivals, sql)
        if sql
        else match
    )


def status_by_payment(contents: Mapping[str, Content], taken: Iterable[str]) -> Match | None:
    """Where no column tells an order's status, one that tells when it was paid does: an order without is not paid yet."""
    used = set(taken)
    for header, content in contents.items():
        blank = content.filled < content.rows and content.filled > 0 and content.date >= 0.8
        if blank and header not in used and fold_header(header).key in _PAID:
            quoted = '"' + header.replace('"', '""') + '"'
            return Match("status", header, 0.75, ("paid_time",), sql=_UNPAID.format(paid=quoted))
    return None


def customer_by_contact(contents: Mapping[str, Content]) -> Match | None:
    """Where no column tells the customer, a phone number or an address of e-mail does, unless it is masked."""
    for header, content in contents.items():
        whole = not any("*" in text for text in content.values)
        known = content.phone >= 0.8 or content.email >= 0.8
        if known and whole and content.filled >= 0.5 * content.rows and content.distinct > 1:
            return Match("customer_id", header, 0.7, ("contact",))
    return None


def custom_name(header: str, taken: Iterable[str]) -> str:
    """The name of a custom attribute: `x_` and the letters and digits of the header, Chinese ones kept.

    >>> custom_name("Mnt Wines(€)", [])
    'x_mnt_wines'
    """
    plain = unicodedata.normalize("NFKC", header).strip().lower()
    words = re.findall(r"[^\W_]+", plain)
    base = CUSTOM_PREFIX + "_".join(words)[:60].strip("_")
    if base == CUSTOM_PREFIX or not base.isidentifier():
        base = CUSTOM_PREFIX + "column"
    used, name, number = set(taken), base, 2
    while name in used:
        name, number = f"{base}_{number}", number + 1
    return name


def custom_type(header: str, content: Content) -> Type:
    """The type of a custom attribute, by its content and, for money, by its header."""
    if content.boolean >= 0.98 and content.distinct <= 2:
        return "boolean"
    if content.phone >= 0.5:
        return "text"
    if content.typed in ("integer", "number") or content.number >= 0.98:
        folded = fold_header(header)
        if content.money >= 0.5 or folded.currency or _AMOUNT.search(folded.text):
            return "money"
        if content.integer >= 0.98:
            return "integer"
        leading_zeros = any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in content.values)
        return "text" if leading_zeros else "number"
    if content.date >= 0.98:
        return "timestamp" if content.timed else "date"
    return "text"


def worth_keeping(content: Content) -> bool:
    """Whether a column that the standard doesn't know can be an attribute: it varies and isn't prose."""
    return content.distinct > 1 and content.length <= _LONG_TEXT


def _texts(batch: pa.RecordBatch, name: str) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.fill_null(batch.column(name).cast(pa.string()), ""))


__all__ = [
    "Finding",
    "cancelled_prefix",
    "computed",
    "constant_in",
    "custom_name",
    "custom_type",
    "customer_by_contact",
    "date_order",
    "decimal_sign",
    "repeats_per_order",
    "status_by_payment",
    "worth_keeping",
]
