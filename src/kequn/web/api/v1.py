"""The addresses of version 1. Each answers as the page and the command line do, from the same functions."""

# no `from __future__ import annotations`: Ninja reads the annotations of wrapped functions
import base64
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Field, NinjaAPI, Path, Query, Router, Schema, Status
from pydantic import AfterValidator

from kequn.act.outcomes import Result
from kequn.snapshot import Snapshot, SnapshotStore
from kequn.web.api import answers, exports, outcomes, rules
from kequn.web.api.access import EXPORTS_PER_HOUR, Key, need, scope, unmask
from kequn.web.api.failures import ApiError, register
from kequn.web.jobs import lifecycle
from kequn.web.jobs.models import Job
from kequn.web.published import said
from kequn.web.serving import serving
from kequn.web.throttle import within

MOST_MEMBERS = 1000


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
RuleText = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_no_nul)]


class Message(Schema):
    """Words in both languages."""

    zh: str
    en: str


class Failure(Schema):
    """What every answer from 400 on looks like."""

    code: str
    message: Message


class RuleBody(Schema):
    """A rule as text."""

    rule: RuleText


class RunBody(Schema):
    """What a run may be told."""

    as_of: date | None = None


class OutcomeBody(Schema):
    """One call or message and what came of it. `contacted_at`: when (default: now; without an offset in the workspace's zone);
    `campaign_id`: the list it belongs to (default: today's call list); `cost` in major units; `order_id`: the order that came of it.
    """

    customer_id: Name
    result: Result
    contacted_at: datetime | None = None
    campaign_id: Name | None = None
    channel: Name = "phone"
    offer_id: Name | None = None
    order_id: Name | None = None
    cost: Annotated[Decimal, Field(ge=0, le=10**12)] | None = None


class OutcomesBody(Schema):
    """Outcomes to keep, all of them or none."""

    outcomes: Annotated[list[OutcomeBody], Field(min_length=1, max_length=outcomes.MOST)]


FAILURES = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Failure)
Json = dict[str, Any]
OK = {200: Json, **FAILURES}
MANY = {200: list[Json], **FAILURES}

api = NinjaAPI(
    title="Kequn", version="1", description="客群：客户细分的开放接口 · Customer segments for other systems",
    auth=Key(), docs_url=None, urls_namespace="api-1",
)  # fmt: skip
register(api)
customers, segments, rule_router, outcome_router, runs = (Router() for _ in range(5))


def _snapshot(request: HttpRequest) -> Snapshot:
    reader = request.snapshot  # type: ignore[attr-defined]
    return Snapshot(reader.folder, reader.manifest)


@customers.get("/{customer_id}", response=OK, summary="客户卡 · One customer")
@scope("customers:read")
def customer(request: HttpRequest, customer_id: Path[Name], personal: bool = False) -> Any:
    """Profile, segments, predictions, offers and latest orders. `personal=true` shows contact data: it needs the scope
    personal:read and is recorded."""
    answers.find(request, customer_id)
    if personal:
        unmask(request, customer_id)
    return answers.card(request, customer_id, personal)


@customers.get("/{customer_id}/reasons", response=OK, summary="为什么在这个客户群 · Why this segment")
@scope("customers:read")
def reasons(
    request: HttpRequest,
    customer_id: Path[Name],
    scheme: Query[Name],
    segment: str | None = Query(None, max_length=200),
    lang: Literal["zh", "en"] = "zh",
) -> Any:
    """The clauses that decided, and the nearest change that would move the customer to `segment`."""
    from kequn.reading.why import why_rows

    answers.find(request, customer_id)
    reader = request.snapshot  # type: ignore[attr-defined]
    wanted = _no_nul_or_none(segment)
    return answers.jsonable(
        why_rows(reader.connection, _snapshot(request), customer_id, scheme, wanted, lang)
    )


@customers.get(
    "/{customer_id}/drivers", response=MANY, summary="是什么推高或拉低了概率 · What moved the probabilities"
)
@scope("customers:read")
def drivers(request: HttpRequest, customer_id: Path[Name], lang: Literal["zh", "en"] = "zh") -> Any:
    """Churn and purchase: exact contributions of the features in log-odds, largest first, computed now."""
    from kequn.reading.forecast import what_moved

    answers.find(request, customer_id)
    reader = request.snapshot  # type: ignore[attr-defined]
    return answers.jsonable(what_moved(reader.connection, reader.folder, said(reader), customer_id, lang))


def _no_nul_or_none(text: str | None) -> str | None:
    if text and "\x00" in text:
        raise ApiError(422, "api.bad_request")
    return text or None


@segments.get("", response=MANY, summary="分群方案 · Schemes")
@scope("segments:read")
def schemes(request: HttpRequest) -> Any:
    """The schemes of the published run with their segments' names."""
    return answers.schemes(request)


@segments.get("/{scheme}", response=MANY, summary="一个方案的客户群 · Segments of a scheme")
@scope("segments:read")
def scheme_segments(request: HttpRequest, scheme: Path[Name]) -> Any:
    """Segments in order. People who see only their customers get counts of these."""
    return answers.segments(request, scheme)


@segments.get("/{scheme}/{segment}", response=OK, summary="一个客户群 · One segment")
@scope("segments:read")
def one_segment(request: HttpRequest, scheme: Path[Name], segment: Path[Name]) -> Any:
    """The segment and what sets it apart from everyone."""
    return answers.segment(request, scheme, segment)


@segments.get("/{scheme}/{segment}/members", response=OK, summary="成员（分页） · Members by page")
@scope("members:export")
def members(
    request: HttpRequest,
    scheme: Path[Name],
    segment: Path[Name],
    limit: int = Query(100, ge=1, le=MOST_MEMBERS),
    cursor: str = Query("", max_length=400),
) -> Any:
    """Members by id with their profile, personal data masked. `next` is the cursor of the next page, null at the end."""
    after = _decoded(cursor)
    rows, last = exports.page(request, scheme, segment, after, limit)
    return {
        "members": rows,
        "next": _encoded(last) if last is not None else None,
        "run_id": _snapshot(request).run_id,
    }


def _encoded(customer_id: str) -> str:
    return base64.urlsafe_b64encode(customer_id.encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise ApiError(422, "api.cursor") from None
    if "\x00" in text:
        raise ApiError(422, "api.cursor")
    return text


@segments.get(
    "/{scheme}/{segment}/export",
    response={200: None, **FAILURES},
    summary="导出名单（流式） · Stream all members",
)
@scope("members:export")
def export(
    request: HttpRequest,
    scheme: Path[Name],
    segment: Path[Name],
    format: Literal["csv", "jsonl"] = "csv",
    personal: bool = False,
    lang: Literal["zh", "en"] = "zh",
) -> HttpResponse:
    """The whole list as it is read. CSV begins with a byte order mark, has titles in `lang` and no live formulas."""
    if personal:
        need(request, "personal:read")
    if not within(f"api-export:{request.user.pk}", EXPORTS_PER_HOUR, 3600):
        raise ApiError(429, "api.too_many", seconds=3600)
    lines = exports.stream(request, scheme, segment, format, personal, lang)
    kind = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    made = StreamingHttpResponse(lines, content_type=kind)
    made["Content-Disposition"] = f'attachment; filename="members.{format}"'
    return made


@rule_router.post("/validate", response=OK, summary="校验规则 · Is this a rule")
@scope("rules:count")
def validate(request: HttpRequest, data: RuleBody) -> Any:
    """The rule in its normal form and the columns it uses; 422 with the place where it can't be read."""
    return rules.validated(request, data.rule)


@rule_router.post("/count", response=OK, summary="规则计数 · How many match")
@scope("rules:count")
def count(request: HttpRequest, data: RuleBody) -> Any:
    """How many customers match, of those that the key's owner may see."""
    return rules.counted(request, data.rule)


@outcome_router.post("", response={201: Json, **FAILURES}, summary="写回跟进结果 · What came of calls")
@scope("outcomes:write")
def record_outcomes(request: HttpRequest, data: OutcomesBody) -> Any:
    """Keep outcomes of calls, all or none; the next run reads them as touches. A later word on the same list, customer
    and time replaces the earlier."""
    return Status(201, outcomes.recorded(request, data.outcomes))


@runs.get("/runs", response=MANY, summary="运行 · Runs")
@scope("runs:read")
def list_runs(request: HttpRequest) -> Any:
    """All runs, newest first."""
    from kequn.web.pages.runs.views import run_row

    current = serving().current_run()
    return answers.jsonable(
        [run_row(run, current) for run in SnapshotStore(settings.WORKSPACE / "snapshots").runs()]
    )


@runs.post("/runs", response={202: Json, **FAILURES}, summary="启动运行 · Start a run")
@scope("runs:start")
def start_run(request: HttpRequest, data: RunBody) -> Any:
    """Queue a run, or name the one that is waiting or at work already. Follow it at `/jobs/{id}`."""
    from kequn.web.pages.runs.views import start_run as start

    return Status(202, answers.job(start(request, data.as_of.isoformat() if data.as_of else "")))


@runs.get("/runs/{run_id}", response=OK, summary="一次运行 · One run")
@scope("runs:read")
def one_run(request: HttpRequest, run_id: Path[Name]) -> Any:
    """A run with its reconciliation, seconds per step and warnings."""
    from kequn.web.pages.runs.views import run_row

    run = SnapshotStore(settings.WORKSPACE / "snapshots").snapshot(run_id)
    manifest = run.manifest.model_dump(mode="json")
    more = {
        name: manifest.get(name)
        for name in ("reconciliation", "seconds", "warnings", "digests", "rows", "previous")
    }
    return answers.jsonable(
        {**run_row(run, serving().current_run()), **more, "warnings": manifest["warnings"]}
    )


@runs.get("/snapshot", response=OK, summary="已发布的快照 · The published snapshot")
@scope("runs:read")
def snapshot(request: HttpRequest) -> Any:
    """The run that every answer comes from, and the overview of its customers."""
    return answers.snapshot(request)


@runs.get("/jobs/{job_id}", response=OK, summary="任务进度 · Progress of a job")
@scope("runs:read")
def job(request: HttpRequest, job_id: Path[Name]) -> Any:
    """State, share done, step and result of a job that the key's owner may see."""
    import uuid

    try:
        found = lifecycle.visible_to(request.user).filter(pk=uuid.UUID(job_id)).first()
    except ValueError:
        found = None
    if not isinstance(found, Job):
        raise ApiError(404, "api.no_address")
    return answers.job(found)


api.add_router("/customers", customers, tags=["customers"])
api.add_router("/segments", segments, tags=["segments"])
api.add_router("/rules", rule_router, tags=["rules"])
api.add_router("/outcomes", outcome_router, tags=["outcomes"])
api.add_router("", runs, tags=["runs"])
