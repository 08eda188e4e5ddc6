"""Members by page and as a stream, from one snapshot to the end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpRequest

from kequn.reading.export import headings
from kequn.reading.overview import check_segment
from kequn.web.api.access import personal_columns, plain_row, scoped
from kequn.web.api.answers import jsonable
from kequn.web.audit.record import record
from kequn.web.contacts import shown_columns
from kequn.web.published import said
from kequn.web.ui.spreadsheet import safe_cell

BATCH = 2_000


def _query(where: str, contact: Sequence[str] = ()) -> str:
    named = "".join(f", c.{name}" for name in contact)
    join = " LEFT JOIN contact AS c USING (customer_id)" if contact else ""
    return (
        f"SELECT a.scheme, a.segment, a.sub_segment, a.since, p.*{named} FROM assignment AS a "
        f"JOIN (SELECT * FROM profile WHERE {where}) AS p USING (customer_id){join} "
        "WHERE a.scheme = ? AND a.segment = ? AND p.customer_id > ? ORDER BY p.customer_id"
    )


def page(
    request: HttpRequest, scheme: str, segment: str, after: str, limit: int
) -> tuple[list[Any], str | None]:
    """The members after `after`, at most `limit`, personal data masked; and the last id when there are more."""
    reader = request.snapshot  # type: ignore[attr-defined]
    check_segment(reader.connection, scheme, segment)
    where, values = scoped(request)
    rows = reader.dicts(f"{_query(where)} LIMIT ?", [*values, scheme, segment, after, limit + 1])
    personal = personal_columns(said(reader))
    shown = [jsonable(plain_row(row, personal, in_clear=False)) for row in rows[:limit]]
    if not after:
        record(
            "export.created", request=request, target=("segment", f"{scheme}/{segment}"), kind="api.members"
        )
    return shown, rows[limit - 1]["customer_id"] if len(rows) > limit else None


def stream(
    request: HttpRequest, scheme: str, segment: str, form: str, in_clear: bool, lang: str
) -> Iterator[bytes]:
    """All members as CSV or JSON lines. Raises SnapshotError at once for an unknown segment, before anything is sent."""
    reader = request.snapshot  # type: ignore[attr-defined]
    check_segment(reader.connection, scheme, segment)
    manifest = said(reader)
    where, values = scoped(request)
    cursor = reader.connection.cursor()
    cursor.execute("SET search_path = 'serving.main,memory.main'")
    contact = shown_columns(reader) if in_clear else ()
    cursor.execute(_query(where, contact), [*values, scheme, segment, ""])
    record(
        "export.created",
        request=request,
        target=("segment", f"{scheme}/{segment}"),
        kind=f"api.{form}",
        personal=in_clear,
    )
    names = [item[0] for item in cursor.description or ()]
    shown = [name for name in names if not name.startswith(("_t_", "seg_"))]
    personal = personal_columns(manifest)
    batches = _batches(cursor, names, personal, in_clear)
    return _csv(batches, shown, headings(shown, manifest, lang)) if form == "csv" else _json_lines(batches)


def _batches(
    cursor: Any, names: list[str], personal: frozenset[str], in_clear: bool
) -> Iterator[list[dict[str, Any]]]:
    try:
        while found := cursor.fetchmany(BATCH):
            yield [plain_row(dict(zip(names, row, strict=True)), personal, in_clear) for row in found]
    finally:
        cursor.close()


def _csv(
    batches: Iterator[list[dict[str, Any]]], shown: list[str], titles: dict[str, str]
) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _lines([[titles[name] for name in shown]])
    for batch in batches:
        yield _lines([["" if row[name] is None else row[name] for name in shown] for row in batch])


def _lines(rows: list[list[Any]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[safe_cell(cell) for cell in row] for row in rows])
    return out.getvalue().encode()


def _json_lines(batches: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for batch in batches:
        yield "".join(json.dumps(jsonable(row), ensure_ascii=False) + "\n" for row in batch).encode()
