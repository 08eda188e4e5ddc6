"""Names, phones and e-mails: found and read only by those who may, and nobody can guess them through a search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from django.test import Client

from kequn.web import contacts
from kequn.web.accounts import api_keys

pytestmark = pytest.mark.django_db
Browse = Callable[..., Client]
WAYS = ("客户7", "户7", "kehu7", "KEHU7", "kh7", "138 0000 0007", "+86 138-0000-0007", "C7@Example.com")


def listed(client: Client, text: str, path: str = "/customers/") -> str:
    answer = client.get(f"{path}?sort=recent&q={quote(text)}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("text", WAYS)
def test_people_who_talk_to_customers_find_them_by_name_pinyin_phone_and_mail(
    browse: Browse, published: Path, text: str
) -> None:
    assert "/customers/C007/" in listed(browse("marketer"), text)


def test_the_search_box_and_the_members_page_find_them_too(browse: Browse, published: Path) -> None:
    client = browse("administrator")
    assert "/customers/C007/" in listed(client, "kehu7", "/search/")
    assert "/customers/C008/" in listed(client, "kehu8", "/segments/rfm/champions/members/")
    assert "/customers/C007/" not in listed(client, "kehu7", "/segments/rfm/champions/members/")


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_not_read_names_can_not_find_by_them(browse: Browse, published: Path, role: str) -> None:
    """The answer to a name that exists is that to one that doesn't, but for the words that were typed."""
    client = browse(role)
    nobody = listed(client, "没有这个人").replace(quote("没有这个人"), "?").replace("没有这个人", "?")
    for text in WAYS:
        page = listed(client, text)
        assert "/customers/C007/" not in page and "没有符合条件的客户" in page, text
    assert "没有符合条件的客户" in nobody
    assert "客户7" not in listed(client, "C007") and "客**" in listed(client, "C007")


def test_sales_people_find_only_their_own(browse: Browse, published: Path) -> None:
    client = browse("sales", account_manager="林晓")
    for text in ("客户7", "kehu7", "13800000007", "c7@example.com"):
        assert "/customers/C007/" not in listed(client, text), text
    assert "/customers/C008/" in listed(client, "13800000008")


def test_part_of_a_number_finds_nobody(browse: Browse, published: Path) -> None:
    client = browse("administrator")
    for text in ("1380000", "0000007", "8613800000", "c7@", "@example.com"):
        assert "没有符合条件的客户" in listed(client, text), text


def test_nobody_can_try_out_numbers_all_day(
    browse: Browse, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "SEARCHES_PER_HOUR", 3)
    client = browse("marketer")
    for number in range(3):
        listed(client, f"1380000{number:04d}")
    answer = client.get("/customers/?q=13800000007")
    assert answer.status_code == 422 and "/customers/C007/" not in answer.content.decode()
    assert "/customers/C007/" in listed(client, "kehu7")


def test_the_card_shows_the_name_and_hides_phone_and_mail_until_asked(
    browse: Browse, published: Path
) -> None:
    client = browse("sales", account_manager="周子航")
    page = client.get("/customers/C007/").content.decode()
    assert "<h1>客户7</h1>" in page and "+86****0007" in page and "c***@example.com" in page
    assert "0000-0007" not in page and "c7@example.com" not in page
    client.post("/customers/C007/unmask/", {"reason": "回访"})
    assert "+86 138-0000-0007" in client.get("/customers/C007/").content.decode()


def test_the_api_masks_contact_data_unless_the_key_may_read_them(browse: Browse, published: Path) -> None:
    client = browse("marketer")
    _, token = api_keys.create(client.user, "k", ["customers:read", "personal:read"])  # type: ignore[attr-defined]
    ask = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    masked = Client().get("/api/v1/customers/C007", **ask).json()["profile"]
    clear = Client().get("/api/v1/customers/C007?personal=true", **ask).json()["profile"]
    assert (masked["name"], masked["phone"]) == ("客**", "+86****0007")
    assert (clear["name"], clear["phone"], clear["email"]) == ("客户7", "+86 138-0000-0007", "c7@example.com")
