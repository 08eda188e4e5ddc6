"""What the API answers, from `kequn.reading`, within what the key's owner may see."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from kequn.reading import customer_card, overview, scheme_overview, segment_portrait
from kequn.reading.overview import check_segment
from kequn.web.api.access import personal_columns, plain_row, scoped, sees_everyone
from kequn.web.api.failures import ApiError
from kequn.web.contacts import contacts_of
from kequn.web.jobs.models import Job
from kequn.web.published import remembered, said


def jsonable(value: Any) -> Any:
    """Plain JSON: dates as ISO text, exact decimals as numbers, no NaN."""
    if isinstance(value, dict):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(inner) for inner in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def find(request: HttpRequest, customer_id: str) -> None:
    """Raise ApiError 404 unless the customer is there and in scope: both look the same from outside."""
    where, values = scoped(request)
    sql = f"SELECT 1 FROM profile WHERE customer_id = ? AND {where}"
    if request.snapshot.value(sql, [customer_id, *values]) is None:  # type: ignore[attr-defined]
        raise ApiError(404, "api.no_customer")


def card(request: HttpRequest, customer_id: str, in_clear: bool) -> Any:
    """The customer card; personal data masked unless `in_clear`."""
    reader = request.snapshot  # type: ignore[attr-defined]
    found = customer_card(reader.connection, customer_id, reader.tables)
    found["profile"] |= contacts_of(reader, [customer_id]).get(customer_id, {})
    personal = personal_columns(said(reader))
    found["profile"] = plain_row(found["profile"], personal, in_clear)
    if not sees_everyone(request):
        for row in found["segments"]:  # sizes of whole segments say something of other people's customers
            row.pop("customers", None)
            row.pop("share", None)
    return jsonable({**found, "run_id": reader.run_id, "as_of": reader.manifest.as_of})


def schemes(request: HttpRequest) -> Any:
    """The schemes of the published run."""
    reader = request.snapshot  # type: ignore[attr-defined]
    declared = said(reader).get("schemes", {})
    names: dict[str, list[str]] = {}
    for row in scheme_overview(reader.connection):
        names.setdefault(row["scheme"], []).append(row["segment"])
    return [
        {"scheme": name, "title": declared.get(name, {}).get("title", {}), "model": declared.get(name, {}).get("model"),
         "segments": listed}
        for name, listed in names.items()
    ]  # fmt: skip


def segments(request: HttpRequest, scheme: str) -> Any:
    """The segments of a scheme; within a narrow scope only titles and the owner's own counts."""
    reader = request.snapshot  # type: ignore[attr-defined]
    if sees_everyone(request):
        whole = lambda: jsonable(scheme_overview(reader.connection, scheme))  # noqa: E731
        return remembered(reader, f"api-segments:{scheme}", whole)
    found = scheme_overview(reader.connection, scheme)
    where, values = scoped(request)
    counts = {
        row["segment"]: row["customers"]
        for row in reader.dicts(
            "SELECT a.segment, count(*) AS customers FROM assignment AS a JOIN profile USING (customer_id) "
            f"WHERE a.scheme = ? AND {where} GROUP BY a.segment",
            [scheme, *values],
        )
    }
    total = sum(counts.values())
    titles = ("scheme", "segment", "position", "title_zh", "title_en")
    return [
        {**{key: row[key] for key in titles if key in row}, "customers": counts.get(row["segment"], 0),
         "share": counts.get(row["segment"], 0) / total if total else None}
        for row in found
    ]  # fmt: skip


def segment(request: HttpRequest, scheme: str, name: str) -> Any:
    """One segment with its portrait (for those who see everyone)."""
    reader = request.snapshot  # type: ignore[attr-defined]
    check_segment(reader.connection, scheme, name)
    row = next(item for item in segments(request, scheme) if item["segment"] == name)
    portrait = segment_portrait(reader.connection, scheme, name) if sees_everyone(request) else []
    return {**row, "portrait": jsonable(portrait)}


def snapshot(request: HttpRequest) -> Any:
    """The published run; totals only for those who see everyone."""
    reader = request.snapshot  # type: ignore[attr-defined]
    manifest = reader.manifest
    found = {
        "run_id": reader.run_id,
        "as_of": manifest.as_of,
        "created_at": manifest.created_at,
        "engine": manifest.engine,
    }
    return jsonable({**found, **(overview(reader.connection) if sees_everyone(request) else {})})


def job(found: Job) -> Any:
    """A job as JSON."""
    fields = {name: str(value) for name, value in found.error_fields.items()}
    from kequn.web.api.failures import body

    error = body(found.error_code, fields) if found.error_code else None
    result = {name: value for name, value in found.result.items() if name in ("run_id", "rows")}
    return {
        "id": str(found.pk), "kind": found.kind, "state": found.state, "progress": found.progress, "step": found.step,
        "result": result, "error": error,
    }  # fmt: skip
