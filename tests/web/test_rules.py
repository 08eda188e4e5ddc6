"""The rule builder, lists and the editor of definitions: who may, what is saved, and what hostile forms do."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.web.conftest import HOME
from tests.web.described import describe
from tests.web.published import publish

from kequn.web.audit.models import AuditEvent
from kequn.web.definitions.models import Version

SCHEME = """# 按最近购买分三段，注释要留着
scheme: freshness
kind: rules
title: {zh: 新鲜度, en: Freshness}
segments:
- id: fresh
  title: {zh: 活跃, en: Active}
  when: recency_days <= 9
otherwise: {id: old, title: {zh: 其他, en: Others}}
"""


@pytest.fixture
def run(snapshots: Path) -> Path:
    """A published run of 40 customers whose manifest names its columns; a workspace with one scheme and no lists."""
    import shutil

    made = describe(publish(snapshots, customers=40))
    for folder in ("schemes", "audiences"):
        shutil.rmtree(HOME / folder, ignore_errors=True)
        (HOME / folder).mkdir()
    (HOME / "schemes/freshness.yaml").write_text(SCHEME, encoding="utf-8")
    return made


@pytest.fixture
def analyst(browse: Callable[..., Client]) -> Client:
    return browse("analyst")


def count_of(client: Client, rule: str) -> int:
    page = client.post("/rules/exact/", {"rule": rule}).content.decode()
    return int(re.search(r'data-count="(\d+)"', page)[1])


def test_the_count_follows_what_a_person_may_see(browse: Callable[..., Client], run: Path) -> None:
    assert count_of(browse("analyst"), "recency_days <= 9") == 10
    assert count_of(browse("sales", account_manager="林晓"), "recency_days <= 9") == 5
    assert count_of(browse("segment_owner"), "recency_days <= 9") == 0


def test_a_stranger_is_sent_to_sign_in_and_a_viewer_may_count_but_not_save(
    browse: Callable[..., Client], run: Path
) -> None:
    assert "/login/" in Client().get("/rules/").url
    viewer = browse("viewer")
    assert (
        viewer.get("/rules/").status_code == 200 and "save-rule" not in viewer.get("/rules/").content.decode()
    )
    for path in ("/rules/save/", "/audiences/upload/", "/editor/schemes/freshness/review/"):
        assert viewer.post(path, {"rule": "recency_days <= 9", "title": "x"}).status_code == 403
    assert viewer.get("/rules/save/").status_code in (403, 405) and viewer.get("/editor/").status_code == 403


def test_members_are_masked_for_those_who_do_not_talk_to_customers(
    browse: Callable[..., Client], run: Path
) -> None:
    rule = {"rule": "recency_days <= 2"}
    assert "客户1" not in browse("viewer").post("/rules/exact/", rule).content.decode()
    assert "客户1" in browse("marketer").post("/rules/exact/", rule).content.decode()


def test_buttons_grow_the_tree_and_give_the_new_row_the_focus(
    browse: Callable[..., Client], run: Path
) -> None:
    client = browse("analyst")
    form = {"0.g": "and", "0.0.c": "recency_days", "0.0.o": "le", "0.0.v": "9"}
    grown = client.post("/rules/tree/", {**form, "act": "group:0"})
    page = grown.content.decode()
    assert 'name="0.1.0.c"' in page and "data-focus" in page.split('name="0.1.0.c"')[1].split(">")[0]
    assert grown["HX-Trigger-After-Settle"] == "rule-changed"
    assert 'name="0.0.c"' not in client.post("/rules/tree/", {**form, "act": "drop:0.0"}).content.decode()


def test_the_panel_names_the_rule_in_words_and_keeps_a_permalink(
    browse: Callable[..., Client], run: Path
) -> None:
    answer = browse("analyst").post(
        "/rules/panel/", {"0.g": "and", "0.0.c": "recency_days", "0.0.o": "le", "0.0.v": "9"}
    )
    assert "最近消费距今不超过 9 天" in answer.content.decode() and "recency_days" in answer["HX-Replace-Url"]


def test_a_mistyped_rule_shows_the_place_and_the_nearest_name(
    browse: Callable[..., Client], run: Path
) -> None:
    page = browse("analyst").post("/rules/panel/", {"text": "recency_dayz <= 9"}).content.decode()
    assert "<mark>recency_dayz</mark>" in page and "recency_days" in page


def test_a_rule_saved_as_a_list_is_a_file_with_author_version_and_record(
    browse: Callable[..., Client], run: Path
) -> None:
    client = browse("marketer")
    answer = client.post("/rules/save/", {"rule": "recency_days <= 9", "title": "近期客户"})
    assert answer.url == "/audiences/jin_qi_ke_hu/"
    text = (HOME / "audiences/jin_qi_ke_hu.yaml").read_text(encoding="utf-8")
    assert "rule: recency_days <= 9" in text and "owner: marketer" in text
    assert (
        Version.objects.get().author == "marketer"
        and AuditEvent.objects.filter(action="definition.saved").count() == 1
    )
    assert 'data-count="10"' in client.get(answer.url).content.decode()
    assert (
        client.post("/rules/save/", {"rule": "recency_days <= 9", "title": "近期客户"}).url
        == "/audiences/jin_qi_ke_hu_2/"
    )


def test_a_rule_becomes_a_segment_of_a_scheme_after_review_only(analyst: Client, run: Path) -> None:
    form = {"rule": "recency_days > 30", "title": "沉睡", "scheme": "freshness"}
    page = analyst.post("/rules/save/", form).content.decode()
    assert "k-diff-in" in page and (HOME / "schemes/freshness.yaml").read_text(encoding="utf-8") == SCHEME
    text = html.unescape(re.search(r'<textarea name="text" hidden>(.*?)</textarea>', page, re.S)[1])
    mark = re.search(r'name="fingerprint" value="(\w+)"', page)[1]
    assert (
        analyst.post("/editor/schemes/freshness/publish/", {"fingerprint": mark, "text": text}).status_code
        == 302
    )
    saved = (HOME / "schemes/freshness.yaml").read_text(encoding="utf-8")
    assert "when: recency_days > 30" in saved and saved.startswith(SCHEME.splitlines()[0])


def test_what_sets_the_members_apart_is_suggested_and_can_be_added(analyst: Client, run: Path) -> None:
    said = analyst.post(
        "/rules/tree/",
        {
            "0.g": "or",
            "0.0.c": "recency_days",
            "0.0.o": "le",
            "0.0.v": "9",
            "act": "suggest:0",
            "rule": "segment('rfm') = 'champions'",
        },
    )
    assert 'name="0.1.c"' in said.content.decode() and 'name="0.0.0.c"' in said.content.decode()


def test_an_uploaded_list_becomes_an_audience_and_rubbish_is_refused(
    browse: Callable[..., Client], run: Path
) -> None:
    client = browse("marketer")
    good = SimpleUploadedFile("../../x.csv", b"customer_id\nC001\nC002\nC001\n")
    assert client.post("/audiences/upload/", {"title": "VIP", "file": good}).url == "/audiences/vip/"
    assert "ids: lists/" in (HOME / "audiences/vip.yaml").read_text() and not (HOME / "x.csv").exists()
    for name, body in (("x.exe", b"MZ"), ("x.xlsx", b"not excel"), ("x.parquet", b"PAR1"), ("x.csv", b"")):
        assert (
            client.post(
                "/audiences/upload/", {"title": "t", "file": SimpleUploadedFile(name, body)}
            ).status_code
            == 422
        )
    assert len(list((HOME / "audiences/lists").iterdir())) == 1


def edit(client: Client) -> str:
    page = client.get("/editor/schemes/freshness/").content.decode()
    return re.search(r'name="fingerprint" value="(\w+)"', page)[1]


def test_fields_say_in_words_what_they_are(browse: Callable[..., Client], run: Path) -> None:
    text = SCHEME.replace("recency_days <= 9", "recency_days <= :fresh").replace(
        "segments:", "parameters: {fresh: 9}\nsegments:", 1
    )
    (HOME / "schemes/freshness.yaml").write_text(text, encoding="utf-8")
    fields = {
        field.path: field.hint
        for part in browse("analyst").get("/editor/schemes/freshness/").context["parts"]
        for field in part.fields
    }
    assert "最近消费距今不超过 9" in fields["segments.0.when"]
    assert fields["parameters.fresh"].startswith("用在：") and fields["segments.0.title.zh"] == ""


def test_the_review_shows_who_would_change_segments(browse: Callable[..., Client], run: Path) -> None:
    client, url = browse("analyst"), "/editor/schemes/freshness/effect/"
    said = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    said["columns"] = [item for item in said["columns"] if item["name"] not in ("name", "phone")]
    (run / "manifest.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    review = client.post(
        "/editor/schemes/freshness/review/",
        {"fingerprint": edit(client), "f:segments.0.when": "recency_days <= 4"},
    )
    assert url in review.content.decode()
    shown = client.post(url, {"text": SCHEME.replace("<= 9", "<= 4")})
    moves = [(str(old), str(new), n) for old, new, n in shown.context["moves"]]
    (_, before, after), *_ = shown.context["segments"]
    assert shown.status_code == 200 and after == 5 and sum(n for _, _, n in moves) == shown.context["moved"]
    assert before is None  # the run was published before the scheme was there
    wrong = client.post(url, {"text": SCHEME.replace("recency_days <= 9", "recency_dayz <= 9")})
    assert wrong.status_code == 200 and "recency_days" in wrong.content.decode()
    assert client.post("/editor/audiences/x/effect/", {"text": "x"}).status_code in (403, 404)


def test_fields_are_reviewed_published_and_undone_and_comments_stay(
    browse: Callable[..., Client], run: Path
) -> None:
    client, file = browse("analyst"), HOME / "schemes/freshness.yaml"
    mark = edit(client)
    review = client.post(
        "/editor/schemes/freshness/review/", {"fingerprint": mark, "f:segments.0.when": "recency_days <= 4"}
    )
    page = review.content.decode()
    assert review.status_code == 200 and "k-diff-in" in page and file.read_text(encoding="utf-8") == SCHEME
    text = SCHEME.replace("<= 9", "<= 4")
    client.post("/editor/schemes/freshness/publish/", {"fingerprint": mark, "text": text, "note": "收紧"})
    assert file.read_text(encoding="utf-8") == text and "注释要留着" in text
    newest, found = Version.objects.all()
    assert (newest.note, newest.author, found.text) == ("收紧", "analyst", SCHEME)
    client.post(
        f"/editor/schemes/freshness/versions/{found.pk}/restore/", {"fingerprint": newest.fingerprint}
    )
    assert file.read_text(encoding="utf-8") == SCHEME


def test_a_stale_tab_gets_a_clear_page_and_overwrites_nothing(
    browse: Callable[..., Client], run: Path
) -> None:
    client, colleague = browse("analyst"), browse("marketer")
    mark = edit(client)
    colleague.post(
        "/editor/schemes/freshness/publish/", {"fingerprint": mark, "text": SCHEME.replace("<= 9", "<= 4")}
    )
    for path, field in (("review", "f:segments.0.when"), ("publish", "text")):
        late = client.post(
            f"/editor/schemes/freshness/{path}/", {"fingerprint": mark, field: SCHEME.replace("<= 9", "<= 1")}
        )
        assert late.status_code == 409 and "marketer" in late.content.decode()
    assert "<= 4" in (HOME / "schemes/freshness.yaml").read_text(encoding="utf-8")


def test_a_wrong_definition_is_shown_again_with_what_is_wrong_and_not_saved(
    browse: Callable[..., Client], run: Path
) -> None:
    client = browse("analyst")
    for fields in (
        {"f:segments.0.when": "recency_dayz <= 9"},
        {"text": "scheme: ["},
        {"f:segments.9.when": "x"},
        {"f:segments": "x"},
    ):
        answer = client.post("/editor/schemes/freshness/review/", {"fingerprint": edit(client), **fields})
        assert answer.status_code == 422, fields
    assert (HOME / "schemes/freshness.yaml").read_text(encoding="utf-8") == SCHEME


@pytest.mark.parametrize(
    "path", ["/editor/schemes/nope/", "/editor/data/x/", "/editor/schemes/..%2Fx/", "/audiences/nope/"]
)
def test_only_definitions_can_be_opened(browse: Callable[..., Client], run: Path, path: str) -> None:
    assert browse("administrator").get(path).status_code == 404


NAMES = st.sampled_from(
    [
        "0.g",
        "0.0.c",
        "0.0.o",
        "0.0.v",
        "0.1.g",
        "0.1.0.c",
        "0.1.0.v",
        "0.2.t",
        "0.99.c",
        "act",
        "text",
        "rule",
    ]
)
VALUES = st.sampled_from([
    "and", "or", "recency_days", "name", "segment:rfm", "segment:'", "le", "in", "between", "9", "nan", "1e999", "'", '"', "\x00", "%", "{{7}}",
    "recency_days <= 9", "add:0.1", "group:0.0.0.0", "drop:0", "copy:0.99", "suggest:0", "x" * 5000, "<script>", "((((", "1=1 --", "读",
]) | st.text(max_size=12)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES | st.text(max_size=6), VALUES), max_size=12))
def test_no_form_whatsoever_breaks_the_builder(
    analyst: Client, run: Path, items: list[tuple[str, str]]
) -> None:
    form: dict[str, list[str]] = {}
    for name, value in items:
        form.setdefault(name.replace("\x00", ""), []).append(value)
    for path in ("/rules/tree/", "/rules/panel/", "/rules/exact/"):
        answer = analyst.post(path, form)
        assert answer.status_code == 200 and b"<script>" not in answer.content
