"""Who may do what: every page and every address of the interface, asked as every role. A new one fails until it is judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse
from tests.web.conftest import Person
from tests.web.described import describe
from tests.web.test_access import _views

from kequn.web.accounts import api_keys
from kequn.web.accounts.models import SegmentOwner, User
from kequn.web.accounts.roles import Role

pytestmark = pytest.mark.django_db
LETTERS = {
    "v": "viewer", "a": "analyst", "m": "marketer", "s": "sales", "o": "segment_owner", "x": "administrator",
}  # fmt: skip
EVERYBODY = "vamsox"
ALLOWED = {
    "home": EVERYBODY, "search": EVERYBODY, "set_language": EVERYBODY, "set_theme": EVERYBODY,
    "overview:index": EVERYBODY, "tasks:index": EVERYBODY, "account:index": EVERYBODY, "account:security": EVERYBODY,
    "account:password": EVERYBODY, "account:totp": EVERYBODY, "account:totp_off": EVERYBODY, "account:end_sessions": EVERYBODY,
    "account:keys": "amx", "customers:index": EVERYBODY, "customers:card": EVERYBODY, "customers:why": EVERYBODY,
    "customers:history": EVERYBODY, "customers:spending": EVERYBODY, "customers:drivers": EVERYBODY, "customers:tags": "msox",
    "customers:outcome": "msox", "customers:unmask": "msox", "sources:index": "ax", "sources:upload": "ax", "sources:delete": "ax",
    "sources:remove": "ax", "sources:map": "ax", "sources:quarantine": "ax", "sources:download_quarantine": "ax",
    "quality:index": EVERYBODY, "quality:readiness": EVERYBODY, "quality:metrics": EVERYBODY, "quality:check": "ax",
    "runs:index": EVERYBODY, "runs:start": "ax", "runs:schedule": "ax", "runs:detail": EVERYBODY, "runs:publish": "ax",
    "segments:index": EVERYBODY, "segments:detail": EVERYBODY, "segments:members": EVERYBODY, "segments:moves": EVERYBODY,
    "segments:export": "amox", "rfm:index": EVERYBODY, "migration:index": EVERYBODY, "cohorts:index": EVERYBODY,
    "predictions:index": EVERYBODY, "tiers:index": EVERYBODY, "rules:index": EVERYBODY, "rules:tree": EVERYBODY,
    "rules:panel": EVERYBODY, "rules:exact": EVERYBODY, "rules:save": "amox", "audiences:index": EVERYBODY,
    "audiences:upload": "amox", "audiences:detail": EVERYBODY, "audiences:export": "amox", "audiences:remove": "amox",
    "editor:index": "amx", "editor:file": "amx", "editor:review": "amx", "editor:effect": "amx", "editor:publish": "amx", "editor:version": "amx",
    "editor:restore": "amx", "system:users": "x", "system:new_user": "x", "system:edit_user": "x", "system:link": "x",
    "system:reset_two_step": "x", "system:unlock": "x", "system:set_active": "x", "system:roles": "x", "system:audit": "x",
    "system:export_audit": "x", "system:keys": "x",
}  # fmt: skip
BY_OBJECT = {"tasks:detail", "tasks:row", "tasks:cancel", "tasks:again", "tasks:file", "account:revoke_key"}
"""Judged by whose it is: tests of jobs and of keys."""
OPEN = {"login:index", "login:code", "login:out", "login:forgot", "login:password_set", "login:setup"}
CLOSED_TO_NARROW = {"audiences:detail", "audiences:index", "audiences:export"}
ROUTES: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "api-1:customer": ("customers:read", "/customers/C007", None),
    "api-1:reasons": ("customers:read", "/customers/C007/reasons?scheme=none", None),
    "api-1:drivers": ("customers:read", "/customers/C007/drivers", None),
    "api-1:schemes": ("segments:read", "/segments", None),
    "api-1:scheme_segments": ("segments:read", "/segments/rfm", None),
    "api-1:one_segment": ("segments:read", "/segments/rfm/regular", None),
    "api-1:members": ("members:export", "/segments/rfm/regular/members", None),
    "api-1:export": ("members:export", "/segments/rfm/regular/export", None),
    "api-1:validate": ("rules:count", "/rules/validate", {"rule": "recency_days > 3"}),
    "api-1:count": ("rules:count", "/rules/count", {"rule": "recency_days > 3"}),
    "api-1:record_outcomes": (
        "outcomes:write",
        "/outcomes",
        {"outcomes": [{"customer_id": "C007", "result": "bought"}]},
    ),
    "api-1:list_runs": ("runs:read", "/runs", None),
    "api-1:one_run": ("runs:read", "/runs/20261122-030000-aaaa", None),
    "api-1:snapshot": ("runs:read", "/snapshot", None),
    "api-1:start_run": ("runs:start", "/runs", {}),
    "api-1:job": ("runs:read", "/jobs/00000000-0000-0000-0000-000000000000", None),
}
SCOPES = {
    "customers:read": EVERYBODY, "segments:read": EVERYBODY, "members:export": "amox", "personal:read": "mx", "rules:count": EVERYBODY,
    "outcomes:write": "msox",
    "runs:read": EVERYBODY, "runs:start": "ax",
}  # fmt: skip


@pytest.fixture
def run(published: Path) -> Path:
    """The published run, with words."""
    return describe(published)


def member(person: Person, role: str) -> User:
    """Somebody in the role who may see C007, where roles are limited to some customers."""
    user = person(role, account_manager="周子航" if role == "sales" else "")
    if role == "segment_owner":
        SegmentOwner.objects.create(user=user, scheme="rfm", segment="regular")
    return user


def address(name: str, run: Path, pk: int) -> str:
    """The view's address with arguments that exist, where it takes some."""
    known: dict[str, Any] = {
        "customer_id": "C007", "scheme": "rfm", "segment": "regular", "run_id": run.name, "folder": "schemes", "pk": pk,
        "name": "rfm" if name.startswith("editor") else "some_list",
    }  # fmt: skip
    view = dict(_views(get_resolver().url_patterns, ()))
    wanted = view[name].pattern.converters if name in view else {}
    return reverse(name, kwargs={argument: known[argument] for argument in wanted})


def asked(user: User, path: str) -> int:
    """The status of GET, or of POST where the view takes nothing else."""
    client = Client()
    user.refresh_from_db()  # ending other sessions changes what a session is checked against
    client.force_login(user)
    answer = client.get(path)
    return client.post(path, {}).status_code if answer.status_code == 405 else answer.status_code


def test_every_view_is_judged_here() -> None:
    views = {name for name, _ in _views(get_resolver().url_patterns, ()) if not name.startswith("api-1:")}
    top = {"home", "search", "set_language", "set_theme"}
    assert views | top == set(ALLOWED) | BY_OBJECT | OPEN


@pytest.mark.parametrize("role", Role.values)
def test_pages_open_to_the_roles_that_may_and_to_no_other(person: Person, run: Path, role: str) -> None:
    user, other = member(person, role), person("viewer", "other")
    for name, letters in ALLOWED.items():
        if name.startswith("runs:start"):
            continue  # starts a process: its permission has a test of its own
        status = asked(user, address(name, run, other.pk))
        may = role in {LETTERS[letter] for letter in letters}
        assert status < 500, (name, status)
        if not may:
            assert status == 403, (name, status)
        elif name not in CLOSED_TO_NARROW:
            assert status != 403, (name, status)
        User.objects.filter(pk=other.pk).update(is_active=True)


def test_runs_are_started_by_those_who_may(person: Person, run: Path) -> None:
    for role in Role.values:
        if role not in ("analyst", "administrator"):
            assert asked(member(person, role), reverse("runs:start")) == 403


@pytest.mark.parametrize("role", Role.values)
def test_a_key_does_what_its_scope_and_its_owners_role_allow(
    person: Person, run: Path, outcomes: Path, role: str
) -> None:
    user = member(person, role)
    may = {scope for scope, letters in SCOPES.items() if role in {LETTERS[letter] for letter in letters}}
    assert set(api_keys.scopes_for(role)) == may
    for name, (scope, path, body) in ROUTES.items():
        if name == "api-1:start_run" and scope in may:
            continue  # starts a process: test_api does
        for held in ({scope} & may, may - {scope}):
            _, token = api_keys.create(user, "k", held)
            status = _api(token, path, body)
            assert status < 500, (name, status)
            assert (status == 403) is (scope not in held), (name, held, status)


def _api(token: str, path: str, body: dict[str, Any] | None) -> int:
    client, headers = Client(), {"Authorization": f"Bearer {token}"}
    if body is None:
        answer = client.get(f"/api/v1{path}", headers=headers)
    else:
        answer = client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)
    if answer.streaming:
        b"".join(answer.streaming_content)
    return int(answer.status_code)


def test_every_route_of_the_interface_is_judged_here() -> None:
    views = {name for name, _ in _views(get_resolver().url_patterns, ()) if name.startswith("api-1:")}
    assert views == {*ROUTES, "api-1:openapi-json", "api-1:api-root"}


@pytest.mark.parametrize("role", ["sales", "segment_owner"])
def test_somebody_elses_customer_looks_like_one_that_is_not_there(
    person: Person, run: Path, role: str
) -> None:
    """C008 is another manager's and in another segment: every way to ask answers as for an id that nobody has."""
    user = member(person, role)
    for name in (name for name in ALLOWED if name.startswith("customers:") and name != "customers:index"):
        path = address(name, run, 0)
        theirs, nobodys = (asked(user, path.replace("C007", one)) for one in ("C008", "C999"))
        assert theirs == nobodys == 404, (name, theirs, nobodys)
    _, token = api_keys.create(user, "k", {"customers:read"})
    for path in ("", "/drivers", "/reasons?scheme=rfm"):
        assert (
            _api(token, f"/customers/C008{path}", None) == _api(token, f"/customers/C999{path}", None) == 404
        )


def test_a_snapshot_whose_folder_is_gone_is_told_and_comes_back(
    browse: Callable[..., Client], run: Path
) -> None:
    client = browse("analyst")
    assert client.get("/customers/").status_code == 200
    aside = run.with_name("aside")
    run.rename(aside)
    try:
        answer = client.get("/customers/")
        assert answer.status_code == 503 and "kequn rollback" in answer.content.decode()
        assert client.get("/account/").status_code == 200
    finally:
        aside.rename(run)
    assert client.get("/customers/").status_code == 200


def test_a_whole_folder_of_snapshots_that_is_gone_is_told(browse: Callable[..., Client], run: Path) -> None:
    client = browse("analyst")
    client.get("/customers/")
    shutil.rmtree(Path(settings.WORKSPACE) / "snapshots")
    answer = client.get("/customers/")
    assert answer.status_code in (200, 503) and "还没有" in answer.content.decode()
    (Path(settings.WORKSPACE) / "snapshots").mkdir()
