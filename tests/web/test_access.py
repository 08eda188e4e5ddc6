"""Who may open what: stranger, outsider, colleague, owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from kequn.web.accounts.permissions import allowed
from kequn.web.accounts.roles import PERMISSIONS, Role
from kequn.web.jobs.models import Job, State

OPEN_TO_STRANGERS = {"login:index", "login:code", "login:forgot", "api-1:api-root", "api-1:openapi-json"}
"""The description of the interface is public; its root answers 404."""
PAGES = [
    "home",
    "search",
    "account:index",
    "account:security",
    "account:totp",
    "account:totp_off",
    "tasks:index",
]
ADMINISTRATION = ["system:users", "system:new_user", "system:roles", "system:audit", "system:keys"]
Browse = Callable[..., Client]


@pytest.mark.parametrize("name", PAGES + ADMINISTRATION)
def test_a_stranger_is_sent_to_sign_in(client: Client, db: None, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 302 and answer.url.startswith("/login/?next=")


def _views(patterns: list[Any], spaces: tuple[str, ...]) -> Iterator[tuple[str, URLPattern]]:
    """Every named view below namespaces, with its full name; the interface answers strangers with 401."""
    for entry in patterns:
        inside = (*spaces, entry.namespace) if getattr(entry, "namespace", None) else spaces
        if hasattr(entry, "url_patterns"):
            yield from _views(entry.url_patterns, inside)
        elif spaces and entry.name:
            yield ":".join((*spaces, entry.name)), entry


def test_every_view_without_arguments_asks_strangers_to_sign_in_unless_it_is_named_here(
    client: Client, db: None
) -> None:
    open_views = set()
    for name, view in _views(get_resolver().url_patterns, ()):
        if not view.pattern.converters and client.get(reverse(name)).status_code not in (302, 401, 405):
            open_views.add(name)
    assert open_views <= OPEN_TO_STRANGERS


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
@pytest.mark.parametrize("name", ADMINISTRATION)
def test_administration_is_closed_to_other_roles(browse: Browse, role: str, name: str) -> None:
    assert browse(role).get(reverse(name)).status_code == 403


@pytest.mark.parametrize("name", ADMINISTRATION + PAGES[2:])
def test_an_administrator_opens_every_page(browse: Browse, name: str) -> None:
    assert browse("administrator").get(reverse(name)).status_code == 200


def test_the_sidebar_shows_only_pages_that_open(browse: Browse) -> None:
    assert "/system/" not in browse("viewer").get("/tasks/").content.decode()
    assert "/system/" in browse("administrator").get("/tasks/").content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "login:out",
        "set_language",
        "set_theme",
        "account:password",
        "account:end_sessions",
        "system:export_audit",
    ],
)
def test_what_changes_something_refuses_get(browse: Browse, name: str) -> None:
    assert browse("administrator").get(reverse(name)).status_code == 405


def test_a_form_without_csrf_token_is_refused_with_a_way_out(person: Callable[..., object]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("administrator"))
    answer = strict.post("/system/audit/export/")
    assert answer.status_code == 403 and "页面已过期" in answer.content.decode()


@pytest.fixture
def lins_job(person: Callable[..., object]) -> Job:
    owner = person("administrator", "lin")
    return Job.objects.create(kind="audit.export", created_by=owner, state=State.RUNNING)


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 404), ("sales", 404), ("marketer", 404), ("analyst", 200), ("administrator", 200)],
)
@pytest.mark.parametrize("view", ["detail", "row"])
def test_somebody_elses_job_is_seen_by_analysts_and_administrators_only(
    browse: Browse, lins_job: Job, role: str, status: int, view: str
) -> None:
    assert browse(role).get(reverse(f"tasks:{view}", args=[lins_job.pk])).status_code == status


@pytest.mark.parametrize(
    ("role", "status", "asked"),
    [("viewer", 404, False), ("analyst", 403, False), ("administrator", 302, True)],
)
def test_somebody_elses_job_is_cancelled_by_administrators_only(
    browse: Browse, lins_job: Job, role: str, status: int, asked: bool
) -> None:
    assert browse(role).post(reverse("tasks:cancel", args=[lins_job.pk])).status_code == status
    lins_job.refresh_from_db()
    assert lins_job.cancel_requested is asked


def test_one_may_cancel_ones_own_job(browse: Browse) -> None:
    client = browse("viewer")
    job = Job.objects.create(kind="audit.export", created_by=client.user, state=State.RUNNING)
    assert client.post(reverse("tasks:cancel", args=[job.pk])).status_code == 302
    job.refresh_from_db()
    assert job.cancel_requested


def test_somebody_elses_api_key_can_not_be_revoked(browse: Browse, person: Callable[..., object]) -> None:
    from kequn.web.accounts import api_keys

    key, _ = api_keys.create(person("analyst", "lin"), "bi", ["runs:read"])
    assert browse("marketer").post(reverse("account:revoke_key", args=[key.pk])).status_code == 404
    assert browse("administrator").post(reverse("account:revoke_key", args=[key.pk])).status_code == 302
    key.refresh_from_db()
    assert not key.works


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_an_inactive_user_may_do_nothing(person: Callable[..., object], permission: str) -> None:
    assert not allowed(person("administrator", is_active=False), permission)


def test_a_permission_nobody_declared_is_an_error_not_a_yes(person: Callable[..., object]) -> None:
    with pytest.raises(KeyError):
        allowed(person("administrator"), "customers.destroy")


@pytest.mark.parametrize(("name", "most"), [("tasks:index", 8), ("system:users", 8), ("system:audit", 8)])
def test_a_page_asks_the_database_no_more_for_more_rows(
    browse: Browse, django_assert_max_num_queries: Callable, name: str, most: int
) -> None:
    client = browse("administrator")
    for _ in range(20):
        Job.objects.create(kind="audit.export", created_by=client.user, state=State.DONE)
    client.get(reverse(name))
    with django_assert_max_num_queries(most):
        assert client.get(reverse(name)).status_code == 200


def test_an_unknown_address_says_so_in_both_languages(browse: Browse) -> None:
    client = browse("viewer")
    assert "找不到这个页面" in client.get("/nowhere/").content.decode()
    client.post("/language/", {"language": "en"})
    assert "This page can't be found" in client.get("/nowhere/").content.decode()
