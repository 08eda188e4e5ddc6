"""What came of the calls, kept as ordinary touches: `data/workbench/outcomes.parquet` is a source of the next run.

An outcome comes one at a time (a card, the command line) or as a call list that somebody has filled in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, get_args

from kequn.errors import DataError
from kequn.i18n import LANGUAGES, say

Result = Literal["bought", "interested", "callback", "no_answer", "not_interested", "refused"]
RESULTS: tuple[str, ...] = get_args(Result)
FILE = Path("data") / "workbench" / "outcomes.parquet"
FILLED = ("customer_id", "result", "contacted_at", "offer_id", "order_id", "cost")
"""Columns of a filled list that are read; the first two must be there."""


@dataclass(frozen=True)
class Outcome:
    """One call or message and what came of it.

    `campaign_id` names the list; `sent_at` is when it was made, in the workspace's local time; `offer_id` the product that
    was offered; `cost` in major units; `responded_at` when the customer said yes or bought, `converted_order_id` the order.
    """

    campaign_id: str
    customer_id: str
    sent_at: datetime
    channel: str
    result: Result
    offer_id: str | None = None
    cost: Decimal | None = None
    responded_at: datetime | None = None
    converted_order_id: str | None = None


def record_outcomes(workspace: Path, outcomes: Sequence[Outcome]) -> int:
    """Add outcomes to the workspace's file; a later word on the same campaign, customer and time replaces the earlier.

    Several writers take turns (a lock beside the file), and the file is replaced whole. Returns the rows it now holds.

    Raises DataError `act.bad_outcome` naming the field.
    """
    from filelock import FileLock

    for outcome in outcomes:
        _check(outcome)
    file = workspace / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(file) + ".lock"):
        kept = {_key(row): row for row in read_outcomes(workspace)}
        kept.update({_key(row): row for row in map(_row, outcomes)})
        rows = [kept[key] for key in sorted(kept)]
        _write(file, rows)
    return len(rows)


def read_outcomes(workspace: Path, customer_id: str | None = None) -> list[dict[str, Any]]:
    """All outcomes on record (or one customer's), by campaign, customer and time; [] when there is no file."""
    import pyarrow.parquet as pq

    file = workspace / FILE
    only = [("customer_id", "=", customer_id)] if customer_id is not None else None
    return list(pq.read_table(file, filters=only).to_pylist()) if file.is_file() else []


def forget_outcomes(workspace: Path, customer_id: str) -> int:
    """Take a customer's outcomes off the record; how many there were."""
    from filelock import FileLock

    file = workspace / FILE
    if not file.is_file():
        return 0
    with FileLock(str(file) + ".lock"):
        listed = read_outcomes(workspace)
        kept = [row for row in listed if row["customer_id"] != customer_id]
        if len(kept) < len(listed):
            _write(file, kept)
    return len(listed) - len(kept)


def read_filled(file: Path, campaign_id: str, channel: str, made_at: datetime) -> list[Outcome]:
    """The outcomes in a call list (`.csv` or `.xlsx`) whose result column somebody has filled in.

    Rows without a result are calls not made yet. Headings may be Chinese, English or the names of FILLED; so may
    results. `made_at` (local time) stands in where no time of the call is given.

    Raises DataError `act.list_column` for a missing column, `act.bad_outcome` with the line of the file.
    """
    from kequn.data.files import open_table

    raw = open_table(file)
    places = _headings(raw.columns)
    for name in FILLED[:2]:
        if name not in places:
            raise DataError(
                "act.list_column", file=file.name, name=say(f"act.column_{name}"), known=list(raw.columns)
            )
    found, line = [], 1
    for batch in raw.batches():
        for row in batch.select(list(places.values())).to_pylist():
            line += 1
            given = {name: _text(row[heading]) for name, heading in places.items()}
            if given["result"]:
                found.append(_filled(given, campaign_id, channel, made_at, line))
    return found


def _headings(columns: Sequence[str]) -> dict[str, str]:
    """Which heading stands for which column of FILLED."""
    known = {
        title.lower(): name
        for name in FILLED
        for title in (name, *(say(f"act.column_{name}", lang) for lang in LANGUAGES))
    }
    return {
        known[heading.strip().lower()]: heading for heading in columns if heading.strip().lower() in known
    }


def result_named(text: str) -> str:
    """The code of a result given as code or in Chinese or English words. Raises DataError `act.bad_outcome`."""
    known = {
        title.lower(): code
        for code in RESULTS
        for title in (code, *(say(f"act.result_{code}", lang) for lang in LANGUAGES))
    }
    code = known.get(text.strip().lower())
    if code is None:
        raise DataError("act.bad_outcome", field="result", found=text[:60])
    return code


def _text(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return text.removeprefix("'")  # what `safe_cell` put before a sign


def _filled(
    given: Mapping[str, str], campaign_id: str, channel: str, made_at: datetime, line: int
) -> Outcome:
    try:
        cost = Decimal(given["cost"]) if given.get("cost") else None
        at = (
            datetime.fromisoformat(given["contacted_at"].replace("/", "-"))
            if given.get("contacted_at")
            else made_at
        )
        outcome = Outcome(
            campaign_id, given["customer_id"], at, channel, result_named(given["result"]),  # type: ignore[arg-type]
            given.get("offer_id") or None, cost, None, given.get("order_id") or None,
        )  # fmt: skip
        _check(outcome)
    except (InvalidOperation, ValueError):
        field = "contacted_at" if given.get("contacted_at") else "cost"
        raise DataError("act.bad_outcome", field=f"{field} ({line})", found=given[field][:60]) from None
    except DataError as error:
        raise DataError(
            error.code, **{**error.fields, "field": f"{error.fields['field']} ({line})"}
        ) from None
    return outcome


def outcomes_by_list(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per campaign: calls, how many customers, each result's count, and `conversion` (bought over calls)."""
    return list(_by_list(rows))


def _by_list(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for campaign in sorted({row["campaign_id"] for row in rows}):
        own = [row for row in rows if row["campaign_id"] == campaign]
        results = Counter(row["result"] for row in own)
        yield {
            "campaign_id": campaign,
            "calls": len(own),
            "customers": len({row["customer_id"] for row in own}),
            "results": {code: results[code] for code in RESULTS},
            "conversion": results["bought"] / len(own),
        }


def _check(outcome: Outcome) -> None:
    for name in ("campaign_id", "customer_id", "channel"):
        if not str(getattr(outcome, name) or "").strip():
            raise DataError("act.bad_outcome", field=name, found=getattr(outcome, name))
    if outcome.result not in RESULTS:
        raise DataError("act.bad_outcome", field="result", found=outcome.result)
    if outcome.sent_at.tzinfo is not None:
        raise DataError("act.bad_outcome", field="sent_at", found=outcome.sent_at.isoformat())
    if outcome.responded_at is not None and outcome.responded_at < outcome.sent_at:
        raise DataError("act.bad_outcome", field="responded_at", found=outcome.responded_at.isoformat())
    if outcome.cost is not None and not (outcome.cost.is_finite() and outcome.cost >= 0):
        raise DataError("act.bad_outcome", field="cost", found=str(outcome.cost))


def _row(outcome: Outcome) -> dict[str, Any]:
    row = asdict(outcome)
    row["arm"] = "treatment"
    if outcome.responded_at is None and outcome.result in ("bought", "interested"):
        row["responded_at"] = outcome.sent_at
    if outcome.cost is not None:
        row["cost"] = outcome.cost.quantize(Decimal("0.01"))
    return row


def _key(row: dict[str, Any]) -> tuple[str, str, datetime]:
    return row["campaign_id"], row["customer_id"], row["sent_at"]


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment = pa.timestamp("us")
    schema = pa.schema(
        [
            ("campaign_id", pa.string()),
            ("customer_id", pa.string()),
            ("sent_at", moment),
            ("channel", pa.string()),
            ("arm", pa.string()),
            ("offer_id", pa.string()),
            ("cost", pa.decimal128(18, 2)),
            ("responded_at", moment),
            ("converted_order_id", pa.string()),
            ("result", pa.string()),
        ]
    )
    aside = file.with_name(f".{file.name}.draft")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), aside)
    aside.replace(file)


__all__ = [
    "FILE",
    "FILLED",
    "RESULTS",
    "Outcome",
    "Result",
    "forget_outcomes",
    "outcomes_by_list",
    "read_filled",
    "read_outcomes",
    "record_outcomes",
    "result_named",
]
