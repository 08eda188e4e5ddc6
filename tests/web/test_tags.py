"""Tags: who may, what is recorded, and that a tag is a list which the next run takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from tests.web.published import MANAGERS

from kequn.audience import AudienceSpec
from kequn.audience.build import read_ids
from kequn.definitions import parse_yaml, read_text, validate
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs.models import Job
from kequn.web.tags.models import Tag

Browse = Callable[..., Client]


@pytest.fixture(autouse=True)
def audiences(published: Path) -> Iterator[Path]:
    import shutil

    folder = settings.WORKSPACE / "audiences"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def tag(client: Client, customer: str, **change: str) -> Any:
    return client.post(f"/customers/{customer}/tags/", change, headers={"HX-Request": "true"})


def test_a_tag_is_put_on_once_shown_found_and_taken_off(browse: Browse, audiences: Path) -> None:
    client = browse("marketer")
    assert tag(client, "C004", add="  重点  跟进 ").status_code == 200
    assert tag(client, "C004", add="重点 跟进").status_code == 200
    tag(client, "C007", add="重点 跟进")
    assert Tag.objects.filter(customer_id="C004").count() == 1
    assert "重点 跟进" in client.get("/customers/C004/").content.decode()
    listed = client.get("/customers/", {"tag": "重点 跟进"}).content.decode()
    assert "C004" in listed and "C007" in listed and "C005" not in listed
    assert tag(client, "C004", remove="重点 跟进").status_code == 200
    assert "C004" not in client.get("/customers/", {"tag": "重点 跟进"}).content.decode()
    noted = list(AuditEvent.objects.filter(action__startswith="tag.").values_list("action", "object_id"))
    assert sorted(noted) == [("tag.added", "C004"), ("tag.added", "C007"), ("tag.removed", "C004")]


def test_a_tag_is_a_list_with_its_customers(browse: Browse, audiences: Path) -> None:
    client = browse("marketer")
    for customer in ("C001", "C002", "C003"):
        tag(client, customer, add="到店")
    tag(client, "C002", remove="到店")
    (file,) = audiences.glob("*.yaml")
    spec = validate(AudienceSpec, parse_yaml(read_text(file), file.name), file.name)
    ids = read_ids(audiences / spec.ids, spec.column, spec.audience)
    assert ids["customer_id"].to_pylist() == ["C001", "C003"] and spec.title["zh"] == "到店"
    assert f"/audiences/{spec.audience}/" in client.get("/audiences/").content.decode()
    for customer in ("C001", "C003"):
        tag(client, customer, remove="到店")
    assert not list(audiences.glob("*.yaml")) and not (audiences / spec.ids).exists()


@pytest.mark.parametrize("text", ["", " ", "x" * 25, "<b>", 'a"b', "a/b", "line\x00"])
def test_what_cannot_be_a_tag_is_refused_with_words(browse: Browse, text: str) -> None:
    answer = tag(browse("marketer"), "C001", add=text)
    assert answer.status_code == 422 and "24" in answer.content.decode() and not Tag.objects.exists()


def test_only_those_who_may_change_tags_and_only_of_their_own_customers(browse: Browse) -> None:
    for role in ("viewer", "analyst"):
        assert tag(browse(role), "C001", add="x").status_code == 403
    sales = browse("sales", account_manager=MANAGERS[0])
    assert tag(sales, "C000", add="mine").status_code == 200
    assert tag(sales, "C001", add="theirs").status_code == 404
    assert list(Tag.objects.values_list("customer_id", flat=True)) == ["C000"]
    seen = browse("analyst", "reader").get("/customers/C000/").content.decode()
    assert "mine" in seen and 'name="add"' not in seen
    assert sales.get("/customers/C000/tags/").status_code == 405


def test_a_list_is_exported_only_by_those_who_see_everybody(browse: Browse, audiences: Path) -> None:
    marketer = browse("marketer")
    tag(marketer, "C001", add="到店")
    path = "/audiences/dao_dian/export/"
    assert browse("sales", account_manager=MANAGERS[1]).post(path, {"format": "csv"}).status_code == 403
    assert browse("segment_owner").post(path, {"format": "csv"}).status_code == 404
    assert marketer.post(path, {"format": "exe"}).status_code == 404
    assert marketer.post("/audiences/nobody/export/", {"format": "csv"}).status_code == 404
    assert browse("analyst").post(path, {"format": "csv", "personal": "on"}).status_code == 404
    assert marketer.get(path).status_code == 405
    started = marketer.post(path, {"format": "csv"})
    job = Job.objects.get(kind="members.export")
    assert started.url == f"/tasks/{job.pk}/" and job.params["audience"] == "dao_dian"
