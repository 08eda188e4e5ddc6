"""Members, scopes, masking, API keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.utils import timezone

from kequn.web.accounts import api_keys, masking
from kequn.web.accounts.models import SegmentOwner, User
from kequn.web.accounts.roles import Role
from kequn.web.accounts.scope import EVERYONE, Customer, Scope, scope_of
from kequn.web.audit.models import AuditEvent

Person = Callable[..., User]
Browse = Callable[..., Client]
LINS = Customer("C1", "林晓", frozenset({("rfm", "champions")}))
OTHERS = Customer("C2", "周子航", frozenset({("rfm", "regular")}))


def member(**changed: str) -> dict[str, str]:
    return {
        "username": "chen",
        "name": "陈思远",
        "email": "",
        "role": "sales",
        "account_manager": "陈思远",
        "segments": "",
        **changed,
    }


def test_inviting_a_member_shows_a_link_on_which_they_choose_a_password(browse: Browse) -> None:
    page = browse("administrator").post("/system/users/new/", member()).content.decode()
    chen = User.objects.get(username="chen")
    assert "/login/password/" in page and not chen.has_usable_password()
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"user.created", "user.invited"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": ""},
        {"username": "a b"},
        {"username": "x" * 65},
        {"role": "king"},
        {"email": "nope"},
        {"segments": "rfm"},
        {"username": "ADMINISTRATOR"},
    ],
)
def test_a_wrong_member_form_is_refused_and_creates_nobody(browse: Browse, wrong: dict[str, str]) -> None:
    client = browse("administrator")
    assert client.post("/system/users/new/", member(**wrong)).status_code == 422
    assert User.objects.count() == 1


def test_a_changed_role_holds_at_once(browse: Browse) -> None:
    administrator, lin = browse("administrator"), browse("viewer", "lin")
    administrator.post(
        f"/system/users/{lin.user.pk}/",
        member(username="lin", role="segment_owner", segments="rfm/champions\nrfm/lost"),
    )
    assert lin.get("/tasks/").status_code == 302
    assert scope_of(User.objects.get(username="lin")) == Scope(
        segments=(("rfm", "champions"), ("rfm", "lost"))
    )


def test_the_last_administrator_can_neither_step_down_nor_be_switched_off(browse: Browse) -> None:
    client = browse("administrator", "boss")
    path = f"/system/users/{client.user.pk}/"
    assert client.post(path, member(username="boss", role="viewer")).status_code == 422
    client.post(f"{path}active/", {"active": "0"})
    boss = User.objects.get(username="boss")
    assert boss.is_active and boss.role == Role.ADMINISTRATOR


def test_a_deactivated_member_is_out_at_once_with_their_keys(browse: Browse) -> None:
    administrator, lin = browse("administrator"), browse("analyst", "lin")
    _, token = api_keys.create(lin.user, "bi", ["runs:read"])
    administrator.post(f"/system/users/{lin.user.pk}/active/", {"active": "0"})
    assert lin.get("/tasks/").status_code == 302 and api_keys.find(token) is None


@pytest.mark.parametrize(
    ("role", "mine", "others"),
    [("viewer", True, True), ("analyst", True, True), ("marketer", True, True), ("administrator", True, True), ("sales", True, False), ("segment_owner", True, False)],
)  # fmt: skip
def test_sales_people_and_segment_owners_see_only_their_customers(
    person: Person, role: str, mine: bool, others: bool
) -> None:
    user = person(role, account_manager="林晓")
    SegmentOwner.objects.create(user=user, scheme="rfm", segment="champions")
    assert (user.has_perm("customers.view", LINS), user.has_perm("customers.view", OTHERS)) == (mine, others)


@pytest.mark.parametrize("role", ["sales", "segment_owner"])
def test_without_a_name_or_segments_the_scope_is_empty_not_everything(person: Person, role: str) -> None:
    scope = scope_of(person(role))
    assert not scope.sees(Customer("C3", "")) and not scope.sees(Customer("C3", None))


def test_scopes_with_other_customers_have_other_keys() -> None:
    scopes = [
        EVERYONE,
        Scope(),
        Scope(account_manager="林晓"),
        Scope(account_manager="林"),
        Scope(segments=(("rfm", "a"),)),
        Scope(segments=(("rf", "ma"),)),
    ]
    assert len({scope.key for scope in scopes}) == len(scopes)
    assert Scope(segments=(("a", "b"), ("c", "d"))).key == Scope(segments=(("c", "d"), ("a", "b"))).key


def request_of(user: User) -> object:
    request = RequestFactory().get("/")
    request.user, request.session = user, {}
    return request


ROW = {
    "customer_id": "C1",
    "name": "胡佳怡",
    "phone": "13812346027",
    "email": "hu@example.com",
    "birth_date": date(1998, 5, 1),
    "city": "上海",
}
PERSONAL = ("name", "phone", "email", "birth_date")


def test_personal_data_are_masked_for_every_role_until_unmasked(person: Person) -> None:
    for role in Role.values:
        shown = masking.masked_row(request_of(person(role)), "C1", ROW, PERSONAL)
        assert (shown["phone"], shown["email"], shown["birth_date"], shown["city"]) == (
            "138****6027",
            "h***@example.com",
            "1998-**-**",
            "上海",
        )
        assert shown["name"] == ("胡**" if role in ("viewer", "analyst") else "胡佳怡")


def test_unmasking_is_recorded_and_ends_after_a_quarter_of_an_hour(person: Person) -> None:
    request = request_of(person("sales", account_manager="林晓"))
    masking.unmask(request, LINS, "回访")
    assert masking.masked_row(request, "C1", ROW, PERSONAL) == ROW
    assert masking.masked_row(request, "C2", ROW, PERSONAL) != ROW
    event = AuditEvent.objects.get(action="customer.unmasked")
    assert (event.object_id, event.details) == ("C1", {"reason": "回访"})
    request.session["unmasked"]["C1"] -= masking.SHOWN_SECONDS + 1
    assert masking.masked_row(request, "C1", ROW, PERSONAL) != ROW


@pytest.mark.parametrize(
    ("role", "customer"), [("viewer", LINS), ("analyst", LINS), ("sales", OTHERS), ("segment_owner", OTHERS)]
)
def test_unmasking_is_refused_outside_role_and_scope(person: Person, role: str, customer: Customer) -> None:
    with pytest.raises(PermissionDenied):
        masking.unmask(request_of(person(role, account_manager="林晓")), customer, "好奇")
    assert not AuditEvent.objects.filter(action="customer.unmasked").exists()


def test_nobody_unmasks_more_than_the_daily_number(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "UNMASK_PER_DAY", 2)
    request = request_of(person("marketer"))
    masking.unmask(request, LINS, "")
    masking.unmask(request, OTHERS, "")
    with pytest.raises(masking.TooManyUnmasked):
        masking.unmask(request, LINS, "")


@pytest.mark.parametrize("value", ["12", "+1", "abc", "1380000", "--", "一二三"])
def test_a_short_or_strange_phone_number_is_hidden_whole(value: str) -> None:
    assert masking.mask_phone(value) == masking.HIDDEN


def test_a_key_is_found_by_its_token_only_and_kept_only_as_digest(person: Person) -> None:
    key, token = api_keys.create(person("analyst"), "bi", ["customers:read"])
    assert api_keys.find(token) == key and token.split(".")[1] not in str(vars(key))
    for wrong in (
        "",
        ".",
        token[:-1],
        token + "x",
        token.replace(".", ""),
        f"{key.prefix}.",
        "kqdeadbeef." + token.split(".")[1],
    ):
        assert api_keys.find(wrong) is None


def test_a_key_ends_when_revoked_or_expired(person: Person) -> None:
    key, token = api_keys.create(person("analyst"), "bi", ["customers:read"], days=1)
    type(key).objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api_keys.find(token) is None
    other, token = api_keys.create(key.user, "bi", [])
    api_keys.revoke(other)
    assert api_keys.find(token) is None


def test_a_key_can_do_no_more_than_its_owner_may_today(person: Person) -> None:
    user = person("marketer")
    with pytest.raises(ValueError):
        api_keys.create(user, "bi", ["runs:start"])
    key, _ = api_keys.create(user, "bi", ["personal:read"])
    assert api_keys.grants(key, "personal:read") and not api_keys.grants(key, "customers:read")
    user.role = Role.VIEWER
    assert not api_keys.grants(key, "personal:read")


def test_a_new_key_is_shown_once(browse: Browse) -> None:
    client = browse("analyst")
    shown = client.post(
        "/account/keys/", {"name": "bi", "days": "90", "scopes": ["runs:read"]}
    ).content.decode()
    key = api_keys.ApiKey.objects.get()
    assert f"{key.prefix}." in shown and f"{key.prefix}." not in client.get("/account/keys/").content.decode()
    assert client.post("/account/keys/", {"name": "bi", "days": "90", "scopes": ["root"]}).status_code == 422
