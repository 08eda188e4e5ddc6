"""The call list of a published run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kequn.i18n import say
from kequn.reading.members import parse_target

if TYPE_CHECKING:
    import duckdb

    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace

DEFAULT_SCHEME = "transaction_type"
FACTS = ("products", "consents", "touches")


def call_rows(
    con: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    snapshot: Snapshot,
    target: str | None,
    *,
    capacity: int,
    owner: str | None,
    lang: str,
) -> dict[str, Any]:
    """Whom to call first in a segment (or among everybody), with what widening would add; plain JSON.

    Raises SnapshotError for an unknown segment, DataError and ModelError from the call list itself.
    """
    from kequn.act import CallRequest, CallTables, Playbooks, call_list
    from kequn.act.outcomes import FILE

    manifest = snapshot.manifest.model_dump(mode="json")
    wanted = parse_target(con, target) if target else None
    scheme = wanted.scheme if wanted else DEFAULT_SCHEME if DEFAULT_SCHEME in manifest["schemes"] else None
    facts = {
        name: tuple(sorted((workspace.facts / manifest["facts"][name]["fingerprint"]).glob("*.parquet")))
        for name in FACTS
        if name in manifest["facts"]
    }
    own = {
        name: snapshot.files(name) if snapshot.has(name) else ()
        for name in ("profile", "prediction", "assignment", "recommendation")
    }
    made = (workspace.folder / FILE,) if (workspace.folder / FILE).is_file() else ()
    playbooks = Playbooks(manifest["schemes"].get(scheme or "", {}).get("playbooks", {}))
    request = CallRequest(
        capacity=capacity, scheme=scheme, segment=wanted.segment if wanted else None, owner=owner
    )
    found = call_list(
        CallTables(**own, **facts, outcomes=made), request, snapshot.manifest.as_of, lang, playbooks
    )
    return found.as_dict()


def write_calls(answer: dict[str, Any], file: Path, lang: str) -> int:
    """The list as `.csv`, `.xlsx` or `.parquet`, with empty columns for what comes of each call; returns the rows."""
    from kequn.act import call_titles
    from kequn.act.export import write_rows

    titles = call_titles(lang)
    empty = {name: say(f"act.column_{name}", lang) for name in ("result", "contacted_at", "order_id")}
    rows = [{**row, "offer_id": row["product_id"], **dict.fromkeys(empty, "")} for row in answer["calls"]]
    return write_rows(file, rows, {**titles, "offer_id": say("act.column_offer_id", lang), **empty})


__all__ = ["call_rows", "write_calls"]
