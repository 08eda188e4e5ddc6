"""Rules over the API: checked, and counted among the customers that the key's owner may see."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest

from kequn.language import compile_rule, matches
from kequn.reading.counting import count_matches
from kequn.reading.rules import rows_for, snapshot_columns
from kequn.snapshot import Snapshot
from kequn.web.accounts.scope import scope_of
from kequn.web.api.access import scoped
from kequn.web.api.failures import ApiError
from kequn.web.published import rule_catalog, said
from kequn.web.serving import Condition, taking_turns
from kequn.workspace import Workspace


def validated(request: HttpRequest, text: str) -> dict[str, Any]:
    """Raises RuleError, which names the place."""
    rule = compile_rule(text, rule_catalog(request.snapshot))  # type: ignore[attr-defined]
    return {"rule": rule.canonical, "columns": sorted(rule.columns), "schemes": sorted(rule.schemes)}


def counted(request: HttpRequest, text: str) -> dict[str, Any]:
    """The same count as `kequn count`, cached by snapshot, rule and scope; scans take turns."""
    reader = request.snapshot  # type: ignore[attr-defined]
    manifest = said(reader)
    scope = scope_of(request.user)
    rule = compile_rule(text, rule_catalog(reader))
    key = Condition("", rule.canonical).key(reader.version, scope) + ":api"
    known = caches["counts"].get(key)
    if known is not None:
        return {"rule": rule.canonical, **known}
    with taking_turns(), reader.limited():
        customers, total = _scan(request, manifest, rule, text)
    found = {"customers": customers, "total": total, "share": customers / total if total else None}
    caches["counts"].set(key, found)
    return {"rule": rule.canonical, **found}


def _scan(request: HttpRequest, manifest: dict[str, Any], rule: Any, text: str) -> tuple[int, int]:
    reader = request.snapshot  # type: ignore[attr-defined]
    if not set(rule.terms) <= {item.name for item in snapshot_columns(manifest)}:
        if not scope_of(request.user).everyone:
            raise ApiError(422, "api.rule_out_of_scope")
        found = count_matches(
            Workspace.open(settings.WORKSPACE), Snapshot(reader.folder, reader.manifest), text
        )
        return found["customers"], found["total"]
    where, values = scoped(request)
    limit = (
        "" if where == "TRUE" else f" WHERE customer_id IN (SELECT customer_id FROM profile WHERE {where})"
    )
    inner = rows_for(manifest, [rule]).sql(dialect="duckdb")
    sql = (
        f"SELECT count(*) FILTER (WHERE {matches(rule).sql(dialect='duckdb')}), count(*) "
        f"FROM ({inner}) AS r{limit}"
    )
    ((customers, total),) = reader.rows(sql, values)
    return int(customers), int(total)
