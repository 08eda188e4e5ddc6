"""Signing in: passwords, lockout, codes, links, sessions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from tests.web.conftest import HOME, PASSWORD

from kequn.web import environment
from kequn.web.accounts import totp
from kequn.web.accounts.models import User
from kequn.web.audit.models import AuditEvent

Person = Callable[..., User]


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str) -> object:
    return client.post("/login/", {"username": username, "password": password, **more})


def enrolled(user: User) -> str:
    secret = totp.new_secret()
    assert totp.enrol(user, secret, pyotp.TOTP(secret).now())
    return secret


def later_code(secret: str) -> str:
    return pyotp.TOTP(secret).at(time.time() + 30)  # the one of now was used to enrol


def test_the_right_password_opens_the_page_that_was_asked_for(client: Client, person: Person) -> None:
    person("viewer", "lin")
    answer = sign_in(client, "lin", next="/account/")
    assert answer.status_code == 302 and answer.url == "/account/"
    assert AuditEvent.objects.filter(action="login", actor="lin").count() == 1


def test_the_user_name_is_found_whatever_its_case(client: Client, person: Person) -> None:
    person("viewer", "lin")
    assert sign_in(client, "LIN").status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(client: Client, person: Person, target: str) -> None:
    person("viewer", "lin")
    assert sign_in(client, "lin", next=target).url == "/"


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(client: Client, person: Person) -> None:
    person("viewer", "lin")
    wrong, unknown = sign_in(client, "lin", "no"), sign_in(client, "nobody", "no")

    def told(answer: object) -> str:
        text = re.sub(r'(csrf\w*"( value)?|content)="[^"]*"', "", answer.content.decode())
        return re.sub(r'value="[^"]*"', "", text)

    assert wrong.status_code == unknown.status_code == 422
    assert told(wrong) == told(unknown)


def test_five_wrong_passwords_lock_even_the_right_one_until_an_administrator_unlocks(
    client: Client, person: Person
) -> None:
    from axes.utils import reset

    person("viewer", "lin")
    answers = [sign_in(client, "lin", "wrong").status_code for _ in range(5)]
    assert answers[:4] == [422] * 4 and answers[4] == 429
    assert sign_in(client, "lin").status_code == 429
    reset(username="lin")
    assert sign_in(client, "lin").status_code == 302


def test_an_inactive_member_can_not_sign_in(client: Client, person: Person) -> None:
    person("viewer", "lin", is_active=False)
    assert sign_in(client, "lin").status_code == 422


def test_with_two_step_sign_in_the_password_alone_opens_nothing(client: Client, person: Person) -> None:
    secret = enrolled(person("viewer", "lin"))
    assert sign_in(client, "lin").url == "/login/code/"
    assert client.get("/tasks/").url.startswith("/login/")
    assert client.post("/login/code/", {"code": later_code(secret)}).url == "/"
    assert client.get("/tasks/").status_code == 200


def test_a_code_works_once(person: Person) -> None:
    user = person("viewer", "lin")
    code = later_code(enrolled(user))
    assert totp.check(user, code) == "totp"
    assert totp.check(user, code) is None


def test_a_recovery_code_works_once_and_is_recorded(client: Client, person: Person) -> None:
    user = person("viewer", "lin")
    secret = totp.new_secret()
    codes = totp.enrol(user, secret, pyotp.TOTP(secret).now())
    sign_in(client, "lin")
    assert client.post("/login/code/", {"code": codes[0]}).status_code == 302
    assert AuditEvent.objects.filter(action="totp.recovery_used").exists()
    assert totp.check(user, codes[0]) is None and len(User.objects.get(pk=user.pk).recovery_codes) == 9


def test_five_wrong_codes_lock_the_second_step(person: Person) -> None:
    user = person("viewer", "lin")
    secret = enrolled(user)
    assert [totp.check(user, "000000") for _ in range(5)] == [None] * 5
    assert totp.check(user, later_code(secret)) is None
    User.objects.filter(pk=user.pk).update(totp_locked_until=timezone.now() - timedelta(seconds=1))
    assert totp.check(user, later_code(secret)) == "totp"


def test_the_secret_is_not_readable_in_the_database(person: Person) -> None:
    user = person("viewer", "lin")
    secret = enrolled(user)
    assert secret not in User.objects.get(pk=user.pk).totp_secret
    assert totp.unseal(user.totp_secret) == secret


def test_enrolling_through_the_page_shows_ten_recovery_codes_once(browse: Callable[..., Client]) -> None:
    client = browse("viewer")
    client.get("/account/security/two-step/")
    secret = client.session["totp_new"]
    assert client.post("/account/security/two-step/", {"code": "123"}).status_code == 422
    shown = client.post("/account/security/two-step/", {"code": pyotp.TOTP(secret).now()}).content.decode()
    assert len(re.findall(r"<li>[0-9a-f]{6}-[0-9a-f]{6}</li>", shown)) == 10
    assert client.get("/account/security/two-step/").status_code == 302


def test_a_role_that_must_use_two_steps_can_do_nothing_else_first(
    browse: Callable[..., Client], settings: object
) -> None:
    settings.REQUIRE_TOTP_ROLES = ["administrator"]
    client = browse("administrator")
    assert client.get("/system/").url == "/account/security/two-step/"
    assert client.get("/account/security/two-step/").status_code == 200
    assert browse("viewer").get("/tasks/").status_code == 200


def test_a_forgotten_password_is_reset_by_a_link_that_works_once(client: Client, person: Person) -> None:
    person("viewer", "lin", email="lin@example.com")
    client.post("/login/forgot/", {"name": "LIN@example.com"})
    link = re.search(r"http://testserver(/login/password/\S+)", mail.outbox[0].body)[1]
    form = client.get(link)
    assert form.url.endswith("/new/")
    assert client.post(form.url, {"password": "short", "again": "short"}).status_code == 422
    assert client.post(form.url, {"password": "maple-orbit-77", "again": "maple-orbit-77"}).status_code == 302
    assert sign_in(client, "lin", "maple-orbit-77").status_code == 302
    assert Client().get(link).status_code == 410


def test_asking_for_an_unknown_account_answers_alike_and_mails_nobody(client: Client, person: Person) -> None:
    person("viewer", "lin", email="lin@example.com")
    known, unknown = (client.post("/login/forgot/", {"name": name}).content for name in ("lin", "nobody"))
    assert re.sub(rb'content="\w{64}"|value="\w{64}"', b"", known) == re.sub(
        rb'content="\w{64}"|value="\w{64}"', b"", unknown
    )
    assert len(mail.outbox) == 1


def test_only_five_reset_mails_an_hour_leave_for_one_address(client: Client, person: Person) -> None:
    person("viewer", "lin", email="lin@example.com")
    for _ in range(8):
        client.post("/login/forgot/", {"name": "lin"})
    assert len(mail.outbox) == 5


def test_the_first_administrator_is_made_with_the_printed_link_and_only_once(
    client: Client, db: None
) -> None:
    path = f"/login/setup/{environment.setup_token(HOME)}/"
    assert client.get("/login/setup/guess/").status_code == 404
    fields = {"username": "boss", "name": "", "password": "maple-orbit-77", "again": "maple-orbit-77"}
    assert client.post(path, fields).status_code == 302
    assert User.objects.get().role == "administrator" and client.get("/system/").status_code == 200
    assert Client().get(path).status_code == 404


def test_signing_out_elsewhere_ends_other_sessions_and_keeps_this_one(person: Person) -> None:
    user = person("viewer", "lin")
    here, there = Client(), Client()
    here.force_login(user)
    there.force_login(user)
    here.post("/account/security/sessions/")
    assert here.get("/tasks/").status_code == 200 and there.get("/tasks/").status_code == 302


def test_a_session_ends_after_a_week_however_busy(browse: Callable[..., Client]) -> None:
    client = browse("viewer")
    session = client.session
    session["signed_in_at"] = int(time.time()) - 8 * 86_400
    session.save()
    assert client.get("/tasks/").url == "/login/"


def test_changing_the_password_asks_for_the_old_one_and_ends_other_sessions(
    browse: Callable[..., Client],
) -> None:
    client = browse("viewer")
    other = Client()
    other.force_login(client.user)
    fields = {"old": "wrong", "password": "maple-orbit-77", "again": "maple-orbit-77"}
    assert client.post("/account/security/password/", fields).status_code == 422
    assert client.post("/account/security/password/", {**fields, "old": PASSWORD}).status_code == 302
    assert client.get("/tasks/").status_code == 200 and other.get("/tasks/").status_code == 302
