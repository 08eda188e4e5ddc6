"""The REST API: equal to the command line, within permissions, and JSON whatever is thrown at it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests.web.conftest import HOME
from tests.web.test_import import customers_csv, orders_csv

from kequn.act import read_outcomes
from kequn.pipeline import run
from kequn.reading import customer_card, scheme_overview
from kequn.reading.counting import count_matches
from kequn.snapshot import Snapshot
from kequn.web import serving
from kequn.web.accounts import api_keys
from kequn.web.accounts.models import SegmentOwner, User
from kequn.web.api import access
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs.models import Job
from kequn.workspace import Workspace

pytestmark = pytest.mark.django_db
RULE = "frequency >= 3 and monetary > 500"
SCHEME = """
scheme: visits
title: {zh: 购买次数, en: Visits}
kind: rules
segments:
- {id: often, title: {zh: 常客, en: Often}, when: frequency >= 7}
- {id: rare, title: {zh: 稀客, en: Rare}, when: frequency < 7}
"""
SOURCES = """
orders:
- name: orders
  files: [data/orders.csv]
  columns: {order_id: 订单编号, customer_id: 买家会员名, ordered_at: 订单创建时间, amount: 买家实际支付金额}
customers:
- name: customers
  files: [data/customers.csv]
  columns: {customer_id: 客户编号, name: 姓名, phone: 手机号, gender: 性别, account_manager: 客户经理}
"""


@pytest.fixture(scope="module")
def real_run() -> Iterator[Snapshot]:
    """A published run of the test workspace, made by the pipeline; two account managers in turn."""
    shutil.rmtree(HOME / "snapshots", ignore_errors=True)
    for folder in ("data", "schemes"):
        (HOME / folder).mkdir(exist_ok=True)
    head, *rest = customers_csv().decode().splitlines()
    lines = [f"{head},客户经理", *(f"{line},{'林晓' if n % 2 else '周子航'}" for n, line in enumerate(rest))]
    (HOME / "data/customers.csv").write_text(
        "\n".join(lines) + "\n=1+1,=cmd(),13800009999,男,杭州,林晓\n", encoding="utf-8"
    )
    (HOME / "data/orders.csv").write_bytes(orders_csv())
    (HOME / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (HOME / "schemes/visits.yaml").write_text(SCHEME, encoding="utf-8")
    snapshot = run(Workspace.open(HOME)).snapshot
    yield snapshot
    serving.serving().close()
    serving._serving.clear()
    for name in ("data", "schemes", "facts", "snapshots"):
        shutil.rmtree(HOME / name, ignore_errors=True)
    (HOME / "sources.yaml").unlink()


class Caller:
    """A system with a key."""

    def __init__(self, user: User, scopes: list[str] | None = None) -> None:
        self.user = user
        self.key, self.token = api_keys.create(user, "test", scopes or api_keys.scopes_for(user.role))
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers={"Authorization": f"Bearer {self.token}"})

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(
            f"/api/v1{path}",
            json.dumps(body),
            "application/json",
            headers={"Authorization": f"Bearer {self.token}"},
        )


@pytest.fixture
def calls(person: Callable[..., User], real_run: Snapshot) -> Callable[..., Caller]:
    def make(
        role: str = "analyst", scopes: list[str] | None = None, username: str = "", **fields: Any
    ) -> Caller:
        return Caller(person(role, username, **fields), scopes)

    return make


def test_answers_equal_those_of_the_command_line(calls: Callable[..., Caller], real_run: Snapshot) -> None:
    caller = calls("analyst")
    with real_run.connect() as con:
        segments = scheme_overview(con, "visits")
        card = customer_card(con, "会员001")
    said = caller.get("/segments/visits").json()
    assert [(row["segment"], row["customers"]) for row in said] == [
        (row["segment"], row["customers"]) for row in segments
    ]
    count = caller.post("/rules/count", {"rule": RULE}).json()
    assert count == count_matches(Workspace.open(HOME), real_run, RULE)
    got = caller.get("/customers/会员001").json()
    assert got["profile"]["frequency"] == card["profile"]["frequency"]
    assert [row["segment"] for row in got["segments"]] == [row["segment"] for row in card["segments"]]
    why = caller.get("/customers/会员001/reasons", scheme="visits").json()
    assert why["segment"] == got["segments"][0]["segment"] and why["sentence"]
    assert caller.get("/snapshot").json()["customers"] == 61
    assert caller.get("/runs").json()[0]["published"] is True
    assert (
        caller.get(f"/runs/{real_run.run_id}").json()["reconciliation"]["tables"]["orders"]["quarantined"]
        == 1
    )


def test_pages_of_members_join_to_the_whole_and_equal_the_stream(
    calls: Callable[..., Caller], real_run: Snapshot
) -> None:
    caller = calls("marketer")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = caller.get("/segments/visits/rare/members", limit=7, cursor=cursor).json()
        seen += [row["customer_id"] for row in page["members"]]
        cursor = page["next"]
    lines = (
        b"".join(caller.get("/segments/visits/rare/export", format="jsonl").streaming_content)
        .decode()
        .splitlines()
    )
    assert seen == sorted(set(seen)) == [json.loads(line)["customer_id"] for line in lines] and len(seen) > 7
    text = b"".join(caller.get("/segments/visits/rare/export").streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == len(seen) + 1
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert AuditEvent.objects.filter(action="export.created", api_key=caller.key.prefix).count() == 3


def test_personal_data_are_masked_until_a_key_may_read_them_and_then_recorded(
    calls: Callable[..., Caller],
) -> None:
    plain = calls("analyst")
    assert plain.get("/customers/会员001").json()["profile"]["gender"] == "••••"
    assert plain.get("/customers/会员001", personal="true").json()["code"] == "api.no_scope"
    assert plain.get("/segments/visits/rare/export", personal="true").status_code == 403
    allowed = calls("marketer")
    assert allowed.get("/customers/会员001", personal="true").json()["profile"]["gender"] == "male"
    assert AuditEvent.objects.get(action="customer.unmasked").object_id == "会员001"
    exported = b"".join(plain.get("/segments/visits/rare/export").streaming_content).decode()
    assert "••••" in exported and "male" not in exported


def test_sales_people_reach_only_their_own_customers_whatever_they_ask(calls: Callable[..., Caller]) -> None:
    lin, zhou = (calls("sales", username=name, account_manager=name) for name in ("林晓", "周子航"))
    for caller, own, other in ((lin, "会员001", "会员000"), (zhou, "会员000", "会员001")):
        assert caller.get(f"/customers/{own}").status_code == 200
        for path in (f"/customers/{other}", f"/customers/{other}/reasons?scheme=visits"):
            answer = caller.get(path)
            assert answer.status_code == 404 and answer.json() == caller.get("/customers/nobody").json()
        counted = caller.post("/rules/count", {"rule": "frequency >= 0"}).json()
        segments = caller.get("/segments/visits").json()
        assert counted["total"] == sum(row["customers"] for row in segments) in (30, 31)
        assert "customers" not in caller.get("/snapshot").json()
        assert caller.get("/segments/visits/rare/members").status_code == 403
    empty = calls("sales", username="neu")
    assert empty.post("/rules/count", {"rule": "frequency >= 0"}).json()["total"] == 0


def test_owners_export_the_members_of_their_segment_only(calls: Callable[..., Caller]) -> None:
    owner = calls("segment_owner")
    SegmentOwner.objects.create(user=owner.user, scheme="visits", segment="often")
    assert owner.get("/segments/visits/often/members").json()["members"]
    assert owner.get("/segments/visits/rare/members").json()["members"] == []


def test_a_key_without_the_scope_or_of_a_demoted_or_deactivated_owner_is_refused(
    calls: Callable[..., Caller],
) -> None:
    caller = calls("analyst", ["runs:read"])
    assert caller.get("/runs").status_code == 200
    for path in ("/segments", "/customers/x", "/segments/visits/rare/members"):
        assert caller.get(path).json()["code"] == "api.no_scope"
    assert caller.post("/runs", {}).status_code == 403 and not Job.objects.exists()
    other = calls("analyst", username="b")
    User.objects.filter(pk=other.user.pk).update(role="viewer")
    assert other.get("/segments/visits/rare/members").status_code == 403
    User.objects.filter(pk=other.user.pk).update(is_active=False)
    assert other.get("/segments").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "kq0.1", "kq\x00.a", "Bearer " * 50, "kq" + "0" * 5000])
def test_without_a_working_key_every_address_answers_401_in_both_languages(
    real_run: Snapshot, token: str
) -> None:
    client = Client(raise_request_exception=False)
    for path in ("/snapshot", "/customers/a", "/segments/visits/rare/export"):
        answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401 and set(answer.json()["message"]) == {"zh", "en"}


def test_a_session_is_no_key(browse: Callable[..., Client], real_run: Snapshot) -> None:
    assert browse("administrator").get("/api/v1/runs").status_code == 401


def test_too_many_requests_are_told_when_to_come_back(
    calls: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "PER_MINUTE", 3)
    caller = calls("analyst")
    codes = [caller.get("/runs").status_code for _ in range(5)]
    last = caller.get("/runs")
    assert codes[:3] == [200] * 3 and last.status_code == 429 and int(last["Retry-After"]) > 0


def test_a_run_is_started_once_and_followed(calls: Callable[..., Caller]) -> None:
    caller = calls("analyst")
    first, second = caller.post("/runs", {}), caller.post("/runs", {"as_of": "2025-09-01"})
    assert first.status_code == 202 and first.json()["id"] == second.json()["id"]
    assert caller.get(f"/jobs/{first.json()['id']}").json()["state"] == "queued"
    assert calls("marketer").get(f"/jobs/{first.json()['id']}").status_code == 404


def test_outcomes_are_kept_whole_dated_in_the_workspace_and_recorded(
    calls: Callable[..., Caller], real_run: Snapshot, outcomes: Path
) -> None:
    caller = calls("marketer")
    sent = [
        {"customer_id": "会员001", "result": "bought", "contacted_at": "2025-09-01T20:30:00Z", "campaign_id": "秋季回访",
         "offer_id": "p1", "order_id": "o9", "cost": 1.5},
        {"customer_id": "会员002", "result": "no_answer"},
    ]  # fmt: skip
    answer = caller.post("/outcomes", {"outcomes": sent})
    assert (answer.status_code, answer.json()) == (201, {"recorded": 2})
    first, second = sorted(read_outcomes(HOME), key=lambda row: row["customer_id"])
    assert first["sent_at"].isoformat() == "2025-09-02T04:30:00"  # Shanghai, from UTC
    assert (first["campaign_id"], first["converted_order_id"], str(first["cost"])) == (
        "秋季回访",
        "o9",
        "1.50",
    )
    assert second["campaign_id"] == f"calls-{real_run.manifest.as_of}" and second["channel"] == "phone"
    kept = AuditEvent.objects.filter(action="outcome.recorded", api_key=caller.key.prefix)
    assert sorted(kept.values_list("object_id", flat=True)) == ["会员001", "会员002"]
    assert caller.post("/outcomes", {"outcomes": sent[:1]}).status_code == 201
    assert len(read_outcomes(HOME)) == 2  # the same call again is the same call


def test_outcomes_of_customers_out_of_scope_keep_nothing(
    calls: Callable[..., Caller], outcomes: Path
) -> None:
    lin = calls("sales", username="林晓", account_manager="林晓")
    own = {"customer_id": "会员001", "result": "callback"}
    for foreign in ("会员000", "nobody"):
        answer = lin.post("/outcomes", {"outcomes": [own, {"customer_id": foreign, "result": "bought"}]})
        assert (answer.status_code, answer.json()["code"]) == (404, "api.no_customers")
    assert not outcomes.exists() and not AuditEvent.objects.filter(action="outcome.recorded").exists()
    assert lin.post("/outcomes", {"outcomes": [own]}).status_code == 201
    assert calls("analyst").post("/outcomes", {"outcomes": [own]}).json()["code"] == "api.no_scope"
    assert len(read_outcomes(HOME)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"result": "delighted"}, {"customer_id": ""}, {"cost": -1}, {"cost": "NaN"}, {"cost": 1e30}, {"contacted_at": "2999-01-01"},
        {"contacted_at": "0001-01-01T00:00:00+14:00"}, {"contacted_at": "soon"}, {"channel": ""}, {"channel": " "}, {"order_id": "\x00"},
        {"customer_id": "x" * 201},
    ],
)  # fmt: skip
def test_a_wrong_outcome_is_refused_and_nothing_is_kept(
    calls: Callable[..., Caller], outcomes: Path, wrong: dict[str, Any]
) -> None:
    good = {"customer_id": "会员001", "result": "bought"}
    answer = calls("marketer").post("/outcomes", {"outcomes": [good, good | wrong]})
    assert answer.status_code == 422 and answer.json()["code"] in ("api.invalid", "act.bad_outcome")
    assert not outcomes.exists()


@pytest.mark.parametrize("many", [0, 201])
def test_between_one_and_two_hundred_outcomes_are_taken_at_once(
    calls: Callable[..., Caller], outcomes: Path, many: int
) -> None:
    given = {"outcomes": [{"customer_id": "会员001", "result": "bought"}] * many}
    assert calls("marketer").post("/outcomes", given).json()["code"] == "api.invalid"
    assert not outcomes.exists()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("get", "/segments/nope", None, 404, "reading.no_scheme"), ("get", "/segments/visits/nope", None, 404, "reading.no_segment"),
        ("get", "/runs/nope", None, 404, "snapshot.no_run"), ("get", "/jobs/nope", None, 404, "api.no_address"),
        ("get", "/nowhere", None, 404, "api.no_address"), ("get", "/segments/visits/rare/members?limit=0", None, 422, "api.invalid"),
        ("get", "/segments/visits/rare/members?cursor=%FF", None, 422, "api.cursor"), ("get", "/segments/visits/rare/export?format=exe", None, 422, "api.invalid"),
        ("post", "/rules/count", {"rule": ""}, 422, "api.invalid"), ("post", "/rules/count", {}, 422, "api.invalid"),
        ("post", "/rules/count", {"rule": "\ud800"}, 422, "api.invalid"), ("post", "/rules/count", [1], 422, "api.invalid"),
        ("post", "/runs", {"as_of": "yesterday"}, 422, "api.invalid"),
    ],
)  # fmt: skip
def test_wrong_requests_are_told_what_is_wrong(
    calls: Callable[..., Caller], method: str, path: str, body: Any, status: int, code: str
) -> None:
    caller = calls("analyst")
    answer = caller.get(path) if method == "get" else caller.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert all(answer.json()["message"].values())


@pytest.mark.parametrize(
    "rule",
    ["1; DROP TABLE profile", "frequency > (select 1)", "x" * 20_001, "(" * 5000, "frequency > 1e999999", "name = '\x00'", "read_csv('/etc/passwd') > 1"],
)  # fmt: skip
def test_hostile_rules_are_refused_and_never_run(calls: Callable[..., Caller], rule: str) -> None:
    caller = calls("analyst")
    for path in ("/rules/count", "/rules/validate"):
        answer = caller.post(path, {"rule": rule})
        assert answer.status_code == 422, answer.content


def test_without_a_snapshot_the_answer_says_so(person: Callable[..., User], snapshots: Path) -> None:
    assert Caller(person("analyst")).get("/segments").json()["code"] == "web.no_snapshot"


def test_whatever_the_description_allows_is_answered_as_described(
    calls: Callable[..., Caller], outcomes: Path
) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, settings

    caller = calls("administrator")
    schema = Client().get("/api/v1/openapi.json").json()
    from django.core.wsgi import get_wsgi_application

    described = schemathesis.openapi.from_dict(schema)
    described.app = get_wsgi_application()
    tried = 0
    for operation in described.get_all_operations():
        op = operation.ok()

        @settings(max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @schemathesis_given(op)
        def send(case: Any) -> None:
            nonlocal tried
            tried += 1
            answer = _send(caller, case)
            assert answer.status_code < 500, (case.method, case.path, answer.content[:500])
            kind = answer.headers.get("Content-Type", "")
            if answer.status_code >= 400 and answer.status_code != 405:
                assert kind.startswith("application/json") and set(answer.json()) >= {"code", "message"}

        send()
    assert tried > 100


def schemathesis_given(operation: Any) -> Any:
    """Cases of one operation, right and wrong ones."""
    from hypothesis import given
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    return given(st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))


def _send(caller: Caller, case: Any) -> Any:
    """The case through Django's client (its own transport would leave the test's transaction)."""
    from urllib.parse import quote, urlencode

    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    query = urlencode(dict(case.query) if case.query else {}, doseq=True, errors="replace")
    body = b"" if type(case.body).__name__ == "NotSet" else json.dumps(case.body, default=str).encode()
    return caller.client.generic(
        case.method,
        f"{path}?{query}",
        body,
        "application/json",
        headers={"Authorization": f"Bearer {caller.token}"},
    )
