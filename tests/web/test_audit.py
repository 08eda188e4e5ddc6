"""The audit log can be added to and read, nothing else."""

from __future__ import annotations

import ast
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

import kequn.web
from kequn.web.audit.actions import ACTIONS
from kequn.web.audit.models import AuditEvent
from kequn.web.audit.record import record
from kequn.web.jobs import lifecycle
from kequn.web.jobs.context import result_folder
from kequn.web.jobs.models import Job

ROOT = Path(kequn.web.__file__).parent


@pytest.mark.parametrize(
    "change", ["UPDATE audit_auditevent SET actor = 'nobody'", "DELETE FROM audit_auditevent"]
)
def test_the_database_refuses_to_change_or_delete_events(db: None, change: str) -> None:
    record("login")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert AuditEvent.objects.get().actor == "system"


def test_the_model_refuses_too(db: None) -> None:
    event = record("login")
    attempts = [
        event.save, event.delete, AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(actor="x"), lambda: AuditEvent.objects.filter(pk=event.pk).delete(),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(PermissionError):
            attempt()


def test_an_action_without_words_can_not_be_recorded(db: None) -> None:
    with pytest.raises(KeyError):
        record("customer.stolen")


def test_every_action_that_the_code_records_has_words_and_every_word_is_used() -> None:
    used = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record" and node.args:
                used |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    assert used == set(ACTIONS)


def test_events_outlive_the_account_they_name(db: None, person: Callable) -> None:
    user = person("viewer", "lin")
    record("login", actor=user)
    user.delete()
    assert AuditEvent.objects.get(action="login").actor == "lin"


def test_the_log_is_filtered_by_member_action_and_day(browse: Callable[..., Client]) -> None:
    client = browse("administrator")
    record("user.unlocked", target=("user", "zhou"))

    def shown(query: str) -> bool:
        return "<td>zhou</td>" in client.get(f"/system/audit/{query}").content.decode()

    assert shown("") and shown("?action=user.unlocked") and shown("?who=sys")
    assert not shown("?action=job.started") and not shown("?who=lin") and not shown("?until=2020-01-01")
    assert shown("?since=rubbish&action=rubbish&page=rubbish")


def test_an_export_of_the_log_is_a_job_whose_file_only_its_owner_and_administrators_get(
    browse: Callable[..., Client],
    django_capture_on_commit_callbacks: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "enqueue", lambda job: lifecycle.execute(str(job.pk)))
    client = browse("administrator")
    record("login.failed", target=("user", "=HYPERLINK(1)"))
    with django_capture_on_commit_callbacks(execute=True):
        path = client.post("/system/audit/export/", {"action": "login.failed"}).url
    job = Job.objects.get()
    assert job.state == "done" and job.result["rows"] == 1, job.trace
    with (result_folder(job) / job.result["file"]).open(encoding="utf-8-sig", newline="") as file:
        header, row = csv.reader(file)
    assert row[header.index("object_id")] == "'=HYPERLINK(1)"
    assert b"".join(client.get(f"{path}file/").streaming_content).startswith(b"\xef\xbb\xbf")
    assert browse("analyst").get(f"{path}file/").status_code == 404
    assert AuditEvent.objects.filter(action="export.downloaded").count() == 1
