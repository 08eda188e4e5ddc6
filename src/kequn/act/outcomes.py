"""What came of the calls, kept as ordinary touches: `data/workbench/outcomes.parquet` is a source of the next run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from kequn.errors import DataError

Result = Literal["bought", "interested", "callback", "no_answer", "not_interested", "refused"]
RESULTS: tuple[str, ...] = get_args(Result)
FILE = Path("data") / "workbench" / "outcomes.parquet"


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


def read_outcomes(workspace: Path) -> list[dict[str, Any]]:
    """All outcomes on record, by campaign, customer and time; [] when there is no file."""
    import pyarrow.parquet as pq

    file = workspace / FILE
    return list(pq.read_table(file).to_pylist()) if file.is_file() else []


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


__all__ = ["FILE", "RESULTS", "Outcome", "Result", "read_outcomes", "record_outcomes"]
