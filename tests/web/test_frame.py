"""The frame: headers, health, pages that announce themselves, files that are as they must be."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory
from django.test.utils import override_script_prefix
from django.urls import reverse

import kequn.web
from kequn.errors import ConfigError
from kequn.web import environment, navigation
from kequn.web.middleware import Compressed
from kequn.web.ui import lookup

ROOT = Path(kequn.web.__file__).parent
TEMPLATES = sorted(ROOT.rglob("*.html"))
OURS = sorted((ROOT / "static/kequn").iterdir())


def test_every_answer_forbids_inline_code_framing_and_caching(browse: Callable[..., Client]) -> None:
    answer = browse().get("/tasks/")
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer["X-Frame-Options"] == "DENY" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store" and answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_passwords_are_hashed_with_argon2_by_default() -> None:
    assert (
        "Argon2PasswordHasher"
        in (ROOT / "settings.py").read_text().split("PASSWORD_HASHERS")[1].split("]")[0].split(",")[0]
    )


def test_healthz_answers_strangers_on_any_host_name(client: Client, db: None) -> None:
    answer = client.get("/healthz", headers={"host": "10.0.0.7"})
    assert answer.status_code == 200 and answer.json() == {"status": "ok", "database": True, "snapshot": ""}


def test_healthz_fails_when_the_database_does(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import DatabaseError

    from kequn.web import middleware

    class Gone:
        def cursor(self) -> None:
            raise DatabaseError

    monkeypatch.setattr(middleware, "connection", Gone())
    assert client.get("/healthz").status_code == 503


def test_another_host_name_is_refused(client: Client, db: None) -> None:
    assert client.get("/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_template_has_no_inline_code_or_style(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"\bhx-(vals=.js:|on)", text)


def test_every_icon_that_is_named_is_there() -> None:
    drawn = {path.stem for path in (ROOT / "static/vendor/tabler-icons").glob("*.svg")}
    named = {page.icon for page in navigation.pages()}
    for template in TEMPLATES:
        named |= set(
            re.findall(r'{% icon "([\w-]+)"|icon_name="([\w-]+)"', template.read_text())
            and [
                a or b
                for a, b in re.findall(r'{% icon "([\w-]+)"|icon_name="([\w-]+)"', template.read_text())
            ]
        )
    assert named <= drawn


def test_vendored_files_have_licences_and_no_source_maps() -> None:
    for folder in (ROOT / "static/vendor").iterdir():
        assert (folder / "LICENSE").stat().st_size > 300 and (folder / "VERSION").is_file()
        assert not any(
            "sourceMappingURL" in file.read_text(errors="replace")
            for file in folder.iterdir()
            if file.suffix in (".js", ".css")
        )
    assert (ROOT / "static/vendor/echarts/NOTICE").is_file()


def test_our_own_front_end_files_name_no_other_host() -> None:
    for file in OURS:
        assert not re.search(r"https?://(?!www\.w3\.org)", file.read_text(encoding="utf-8")), file.name


def test_every_page_is_a_folder_that_announces_itself() -> None:
    folders = {path.parent.name for path in (ROOT / "pages").glob("*/__init__.py")}
    assert folders == {page.name for page in navigation.pages()}
    for page in navigation.pages():
        assert import_module(f"{page.package}.urls").app_name == page.name
        if page.title:
            assert reverse(page.view).startswith(f"/{page.path}")


def test_the_sidebar_keeps_the_order_of_the_loop(person: Callable) -> None:
    steps = [section.step for section in navigation.sections(person("administrator"))]
    assert steps == [step for step in navigation.STEPS if step in steps] and steps[-1] == "system"


def test_a_page_of_an_unknown_step_is_refused() -> None:
    from types import SimpleNamespace

    with pytest.raises(ValueError, match="no step"):
        navigation._page(SimpleNamespace(PAGE=navigation.Page("x", "x/", step="dance")), "x")


@pytest.mark.parametrize("text", ["系统", "xitong", "xtgl", "admin", "AUDIT", "xi tong"])
def test_pages_are_found_by_chinese_pinyin_initials_and_english(
    browse: Callable[..., Client], text: str
) -> None:
    assert b"/system/" in browse("administrator").get("/search/", {"q": text}).content


def test_the_search_box_shows_only_what_may_be_opened_and_escapes_what_was_typed(
    browse: Callable[..., Client],
) -> None:
    client = browse("viewer")
    assert b"/system/" not in client.get("/search/", {"q": "系统"}).content
    page = client.get("/search/", {"q": "<img src=x onerror=alert(1)>"}).content.decode()
    assert "<img" not in page and "&lt;img" in page


def test_a_page_may_offer_its_own_hits(
    browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, rf: object
) -> None:
    offered = navigation.Page(
        "tasks",
        "tasks/",
        "任务",
        search=lambda request, text: (navigation.Hit(f"{text}{i}", "/x") for i in range(99)),
    )
    monkeypatch.setattr(navigation, "pages", lambda: (offered,))
    request = rf.get("/")
    request.user = browse().user
    ((title, hits),) = lookup.hits(request, "胡")
    assert title == "任务" and len(hits) == lookup.MOST


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", ""])
def test_switching_language_leads_back_here_only(client: Client, db: None, target: str) -> None:
    assert client.post("/language/", {"language": "en", "next": target}).url == "/"
    assert client.post("/language/", {"language": "en", "next": "/login/?next=/x"}).url == "/login/?next=/x"


def test_language_and_theme_are_remembered_for_the_person(browse: Callable[..., Client]) -> None:
    client = browse()
    client.post("/language/", {"language": "en"})
    client.post("/theme/", {"theme": "dark"})
    client.post("/language/", {"language": "klingon"})
    client.post("/theme/", {"theme": "<b>"})
    page = client.get("/tasks/").content.decode()
    assert '<html lang="en" data-theme="dark">' in page and "Jobs and alerts" in page and "Muguang" in page


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/?page=-1",
        "/tasks/?page=%00",
        "/tasks/?state=<x>",
        "/system/?q=%00&role=x",
        "/system/audit/?since=0000-00-00&who=%27",
        "/search/?q=" + "长" * 500,
    ],
)
def test_hostile_query_strings_are_harmless(browse: Callable[..., Client], path: str) -> None:
    assert browse("administrator").get(path).status_code == 200


def test_an_unexpected_upload_or_field_flood_is_harmless(browse: Callable[..., Client]) -> None:
    client = browse("administrator")
    assert client.post(
        "/account/", {"name": SimpleUploadedFile("x.exe", b"MZ"), "theme": "auto"}
    ).status_code in (302, 422)
    client.raise_request_exception = False
    assert client.post("/account/", {f"f{i}": "x" for i in range(6000)}).status_code == 400


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}"]
)
def test_names_of_people_are_never_run(browse: Callable[..., Client], name: str) -> None:
    client = browse("administrator", "boss", name=name)
    for path in ("/tasks/", "/system/", f"/system/users/{client.user.pk}/", "/account/"):
        assert name not in client.get(path).content.decode() or name.startswith("{{")
        assert ">14<" not in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://kequn:p%40ss@db.local:5433/kequn?sslmode=require", {"NAME": "kequn", "PASSWORD": "p@ss", "HOST": "db.local", "PORT": "5433", "OPTIONS": {"sslmode": "require"}}),
        ("postgres:///kequn", {"NAME": "kequn", "HOST": "", "USER": ""}),
    ],
)  # fmt: skip
def test_a_database_url_is_understood(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, expected: dict
) -> None:
    monkeypatch.setenv("KEQUN_DATABASE_URL", url)
    found = environment.database(tmp_path)
    assert found["ENGINE"].endswith("postgresql") and {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://host/", "nonsense"])
def test_another_database_url_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setenv("KEQUN_DATABASE_URL", url)
    with pytest.raises(ConfigError) as caught:
        environment.database(tmp_path)
    assert caught.value.code == "web.database_url" and url not in str(caught.value.fields)


def test_secrets_are_made_once_readable_by_the_owner_only_and_hidden_from_git(tmp_path: Path) -> None:
    first, again = environment.secret_key(tmp_path), environment.secret_key(tmp_path)
    file = tmp_path / ".kequn/secret_key"
    assert first == again and len(first) > 50 and file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".kequn/.gitignore").read_text() == "*\n"


def test_a_broken_kequn_yaml_does_not_keep_the_workbench_from_starting(tmp_path: Path) -> None:
    (tmp_path / "kequn.yaml").write_text("name: [unclosed")
    assert environment.workspace_facts(tmp_path).currency == "CNY"


def test_what_is_drawn_once_carries_the_token_address_and_name_of_each_request(
    browse: Callable[..., Client],
) -> None:
    first, second = browse("viewer", "lin", name="<林>"), browse("viewer", "wu", name="吴")
    pages = [
        client.get(path).content.decode()
        for client in (first, second, first)
        for path in ("/tasks/?state=open&x=1", "/tasks/")
    ]
    assert "&lt;林&gt;" in pages[0] and "<林>" not in pages[0] and "吴" in pages[2] and "林" not in pages[2]
    assert 'value="/tasks/?state=open&amp;x=1"' in pages[0] and 'value="/tasks/"' in pages[1]
    tokens = [set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)) for page in pages]
    assert all(len(token) == 1 and len(next(iter(token))) == 64 for token in tokens)
    assert len(set.union(*tokens)) == len(pages)
    accepted = first.post("/theme/", {"theme": "dark", "csrfmiddlewaretoken": tokens[-1].pop()})
    assert accepted.status_code == 302 and 'data-theme="dark"' in first.get("/tasks/").content.decode()


def test_kept_words_and_addresses_follow_the_language_and_the_prefix_of_each_request(
    browse: Callable[..., Client],
) -> None:
    client = browse()
    chinese = client.get("/tasks/").content.decode()
    english = client.get("/tasks/", headers={"accept-language": "en"}).content.decode()
    assert "跳到主要内容" in chinese and "跳到主要内容" not in english
    with override_script_prefix("/kequn/"):
        moved = client.get("/tasks/").content.decode()
    assert 'href="/kequn/customers/"' in moved and 'href="/customers/"' not in moved
    assert 'href="/customers/"' in client.get("/tasks/").content.decode()


def test_pages_go_out_compressed_and_streamed_lists_as_they_are(browse: Callable[..., Client]) -> None:
    client, zipped = browse(), {"accept-encoding": "gzip"}
    page = client.get("/tasks/", headers=zipped)
    assert page["Content-Encoding"] == "gzip" and "Accept-Encoding" in page["Vary"]
    assert "</html>" in gzip.decompress(page.content).decode() and len(page.content) < 15_000
    listed = Compressed(lambda request: StreamingHttpResponse(["x" * 9_000]))
    assert "Content-Encoding" not in listed(RequestFactory().get("/", headers=zipped))
