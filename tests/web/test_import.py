"""Files come in through the browser: upload, mapping, saving, check, quarantine, run. As analyst, teammate, outsider."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from tests.web.conftest import HOME

from kequn.errors import DataError
from kequn.web.audit.models import AuditEvent
from kequn.web.jobs import lifecycle
from kequn.web.jobs.models import Job, State
from kequn.web.pages.sources import saving, uploads

Browse = Callable[..., Client]
pytestmark = pytest.mark.django_db


def orders_csv(rows: int = 400, seed: int = 5) -> bytes:
    """Orders as a shop exports them: Chinese headers, GBK, one unreadable amount."""
    chance = random.Random(seed)
    lines = ["订单编号,买家会员名,订单创建时间,买家实际支付金额,订单状态"]
    for n in range(rows):
        day = date(2025, 1, 1) + timedelta(days=chance.randrange(300))
        amount = "很多" if n == 7 else f"{chance.randrange(2000, 90000) / 100:.2f}"
        lines.append(f"T{n:06d},会员{chance.randrange(60):03d},{day} 10:{n % 60:02d}:00,{amount},交易成功")
    return ("\r\n".join(lines) + "\r\n").encode("gb18030")


def customers_csv() -> bytes:
    lines = ["客户编号,姓名,手机号,性别,城市"]
    lines += [f"会员{n:03d},客{n},1380000{n:04d},{'男' if n % 2 else '女'},杭州" for n in range(60)]
    return ("\n".join(lines) + "\n").encode()


def a_file(name: str, content: bytes) -> io.BytesIO:
    made = io.BytesIO(content)
    made.name = name
    return made


@pytest.fixture
def workspace(snapshots: Path) -> Iterator[Path]:
    """The test workspace without data; whatever a test leaves is removed."""

    def clear() -> None:
        for folder in ("data", "facts", "schemes"):
            shutil.rmtree(HOME / folder, ignore_errors=True)
        (HOME / "sources.yaml").unlink(missing_ok=True)
        for name in ("check.json", "schedule.json"):
            (HOME / ".kequn" / name).unlink(missing_ok=True)

    clear()
    yield HOME
    clear()


@pytest.fixture
def analyst(browse: Browse) -> Client:
    return browse("analyst")


def upload(client: Client, *files: io.BytesIO, **fields: str) -> object:
    return client.post(reverse("sources:upload"), {"files": list(files), **fields})


def save_mapping(client: Client, *names: str, **changes: str) -> object:
    """Send the mapping form as the page shows it."""
    query = "&".join(f"file={name}" for name in names)
    url = f"{reverse('sources:map')}?{query}"
    page = client.get(url)
    assert page.status_code == 200, page.content.decode()[-3000:]
    fields = {"action": "save", "seen": page.context["seen"]}
    for entry in page.context["entries"]:
        fields |= {f"{entry['key']}.table": entry["table"], f"{entry['key']}.was": entry["table"]}
        for column in [*entry.get("columns", []), *entry.get("others", [])]:
            fields[f"{entry['key']}.c.{column['name']}"] = column["header"]
    return client.post(url, {**fields, **changes})


@pytest.mark.slow  # a whole run of the library
def test_two_files_become_sources_and_a_published_run(
    analyst: Client, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        lifecycle, "HEARTBEAT_SECONDS", 3600
    )  # its thread can't write beside the test's transaction
    answer = upload(analyst, a_file("orders.csv", orders_csv()), a_file("customers.csv", customers_csv()))
    assert answer.status_code == 302 and answer["Location"].startswith("/sources/map/?file=orders.csv")
    saved = save_mapping(analyst, "orders.csv", "customers.csv")
    assert saved.status_code == 302, saved.content.decode()[-2000:]
    tables = {table: source for table, _, source in saving.sources().entries()}
    assert set(tables) == {"orders", "customers"}
    assert tables["orders"].columns["order_id"] == "订单编号" and tables["orders"].files == (
        "data/orders.csv",
    )
    for kind in ("check", "run"):
        if kind == "run":
            analyst.post(reverse("runs:start"))
        job = Job.objects.get(kind=kind)
        lifecycle.execute(str(job.pk))
        job.refresh_from_db()
        assert job.state == State.DONE, job.trace
        assert analyst.get(job.result["url"]).status_code == 200
    runs = analyst.get(reverse("runs:index")).content.decode()
    assert job.result["run_id"] in runs and "已发布" in runs
    quality = analyst.get(reverse("quality:index")).context
    orders = next(table for table in quality["tables"] if table["name"] == "orders")
    assert (orders["read"], orders["kept"], orders["quarantined"]) == (400, 399, 1)
    assert analyst.get(reverse("quality:readiness")).context["models"][0]["whole"] > 0
    refused = analyst.get(reverse("sources:quarantine") + "?table=orders")
    assert refused.context["rows"][0]["text"] == "很多" and refused.context["rows"][0]["row"] == 8
    told = b"".join(analyst.get(reverse("sources:download_quarantine")).streaming_content).decode("utf-8-sig")
    assert "很多" in told
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {
        "data.uploaded", "sources.saved", "run.published", "quarantine.downloaded",
    }  # fmt: skip


def test_a_correction_in_the_form_ends_in_the_file(analyst: Client, workspace: Path) -> None:
    upload(analyst, a_file("orders.csv", orders_csv()))
    assert save_mapping(analyst, "orders.csv", **{"f0.c.customer_id": ""}).status_code == 302
    (source,) = saving.sources().of("orders")
    assert "customer_id" not in source.columns and "amount" in source.columns


def test_a_second_import_of_the_same_file_replaces_its_source(analyst: Client, workspace: Path) -> None:
    upload(analyst, a_file("orders.csv", orders_csv()))
    save_mapping(analyst, "orders.csv")
    upload(analyst, a_file("orders.csv", orders_csv(rows=50)), replace="1")
    save_mapping(analyst, "orders.csv")
    upload(analyst, a_file("customers.csv", customers_csv()))
    save_mapping(analyst, "customers.csv")
    assert [(table, source.name) for table, _, source in saving.sources().entries()] == [
        ("customers", "customers"),
        ("orders", "orders"),
    ]


def test_what_a_colleague_saved_meanwhile_is_not_overwritten(analyst: Client, workspace: Path) -> None:
    upload(analyst, a_file("orders.csv", orders_csv()))
    text = "products:\n  - {name: p, files: [data/p.csv], columns: {product_id: id}}\n"
    (workspace / "sources.yaml").write_text(text, encoding="utf-8")
    answer = save_mapping(analyst, "orders.csv", seen="")
    assert answer.status_code == 422 and (workspace / "sources.yaml").read_text(encoding="utf-8") == text


def test_a_file_with_a_missing_required_column_is_not_saved_and_says_which(
    analyst: Client, workspace: Path
) -> None:
    upload(analyst, a_file("orders.csv", orders_csv()))
    answer = save_mapping(analyst, "orders.csv", **{"f0.c.order_id": ""})
    assert answer.status_code == 422 and "还有必填列没有对应" in answer.content.decode()
    assert not (workspace / "sources.yaml").exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.csv", "passwd.csv"), ("..\\..\\win.csv", "win.csv"), ("/abs/x.CSV", "x.csv"), ("a\0b.csv", "a_b.csv"),
        (".hidden.csv", "hidden.csv"), ("<script>.csv", "script.csv"), ("订单 2026.csv", "订单 2026.csv"), ("长" * 300 + ".csv", "长" * 50 + ".csv"),
    ],
)  # fmt: skip
def test_no_name_leaves_the_data_folder(given: str, kept: str) -> None:
    assert uploads.safe_name(given) == kept


@pytest.mark.parametrize("given", ["x.exe", "x", "x.csv.php", "", "..", "x.yaml"])
def test_a_name_that_no_table_has_is_refused(given: str) -> None:
    with pytest.raises(DataError, match="upload_kind"):
        uploads.safe_name(given)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""), ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(200)), ("page.csv", b"<html><table></table></html>"),
        ("zip.xlsx", b"PK\x03\x04" + bytes(100)), ("noise.parquet", b"PAR1" + bytes(300)), ("half.csv", b"\xff\xfe\x00"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_a_reason_and_not_kept(
    analyst: Client, workspace: Path, name: str, content: bytes
) -> None:
    answer = upload(analyst, a_file(name, content))
    assert answer.status_code == 422 and answer.context["errors"]
    assert uploads.local_files() == [] and list((HOME / ".kequn/uploads").iterdir()) == []


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(analyst: Client, workspace: Path) -> None:
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(1200):
                sheet.write(bytes(1 << 20))
    assert len(packed.getvalue()) < 3_000_000
    answer = upload(analyst, a_file("bomb.xlsx", packed.getvalue()))
    assert answer.status_code == 422 and uploads.local_files() == []


def test_an_upload_that_says_it_is_too_large_is_refused_before_it_is_read(
    analyst: Client, workspace: Path
) -> None:
    answer = analyst.generic(
        "POST",
        reverse("sources:upload"),
        b"--x--",
        "multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(3 * 1024**3),
    )
    assert answer.status_code == 413 and "2048 MB" in answer.content.decode()


def test_an_upload_that_grows_beyond_the_limit_is_stopped_while_it_arrives(
    analyst: Client, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LIMIT", 100_000)
    answer = upload(analyst, a_file("orders.csv", orders_csv(rows=3000)))
    assert answer.status_code == 413
    assert uploads.local_files() == [] and list((HOME / ".kequn/uploads").iterdir()) == []


def test_the_same_name_gets_a_number(analyst: Client, workspace: Path) -> None:
    for _ in range(3):
        upload(analyst, a_file("orders.csv", orders_csv(rows=5)))
    assert [path.name for path in uploads.local_files()] == ["orders-2.csv", "orders-3.csv", "orders.csv"]


def test_an_upload_without_the_token_of_the_form_is_refused(
    person: Callable[..., object], workspace: Path
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("analyst"))
    assert upload(client, a_file("orders.csv", orders_csv())).status_code == 403
    assert uploads.local_files() == []


@pytest.mark.parametrize("role", ["viewer", "marketer", "sales", "segment_owner"])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("get", "sources:index"), ("post", "sources:upload"), ("get", "sources:map"), ("get", "sources:quarantine"), ("post", "sources:remove"),
        ("get", "sources:download_quarantine"), ("post", "sources:delete"), ("post", "runs:start"), ("post", "runs:schedule"), ("post", "quality:check"),
    ],
)  # fmt: skip
def test_only_those_who_may_import_reach_the_sources(
    browse: Browse, role: str, method: str, name: str
) -> None:
    assert getattr(browse(role), method)(reverse(name)).status_code == 403
    assert getattr(Client(), method)(reverse(name)).status_code in (302, 403)


@pytest.mark.parametrize("file", ["../kequn.yaml", "/etc/passwd", "", "kequn.yaml", "a\0", "x" * 5000])
def test_no_file_outside_data_is_mapped_or_deleted(analyst: Client, workspace: Path, file: str) -> None:
    assert analyst.get(reverse("sources:map"), {"file": file}).status_code in (302, 422)
    assert analyst.post(reverse("sources:delete"), {"file": file}).status_code == 422
    assert (HOME / "kequn.yaml").exists()


def test_a_file_in_use_is_not_deleted_and_a_removed_source_keeps_its_file(
    analyst: Client, workspace: Path
) -> None:
    upload(analyst, a_file("orders.csv", orders_csv()))
    save_mapping(analyst, "orders.csv")
    analyst.post(reverse("sources:delete"), {"file": "orders.csv"})
    assert (HOME / "data/orders.csv").exists()
    assert analyst.post(reverse("sources:remove"), {"table": "orders", "name": "orders"}).status_code == 302
    analyst.post(reverse("sources:delete"), {"file": "orders.csv"})
    assert not (HOME / "data/orders.csv").exists()
    assert analyst.post(reverse("sources:remove"), {"table": "orders", "name": "orders"}).status_code == 422


@pytest.mark.parametrize(
    "value", ["nonsense", "x" * 20_000, "'; DROP TABLE", "<script>alert(1)</script>", "\x00"]
)
def test_hostile_fields_of_the_mapping_never_crash(analyst: Client, workspace: Path, value: str) -> None:
    upload(analyst, a_file("orders.csv", orders_csv(rows=20)))
    for field in ("f0.table", "f0.was", "f0.c.order_id", "f0.date_order", "seen"):
        answer = save_mapping(analyst, "orders.csv", **{field: value})
        assert answer.status_code in (302, 422)
        assert b"<script>alert" not in answer.content
    for query in ({"table": value, "reason": value, "page": value}, {"page": "-1"}, {"page": "9" * 30}):
        assert analyst.get(reverse("sources:quarantine"), query).status_code == 200


def test_examples_of_contact_data_are_masked_in_the_mapping(analyst: Client, workspace: Path) -> None:
    upload(analyst, a_file("customers.csv", customers_csv()))
    page = analyst.get(reverse("sources:map"), {"file": "customers.csv"}).content.decode()
    assert "138****0000" in page and "13800000000" not in page and "女" in page
