"""run, runs, rollback, migration, forget: making results and going back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, open_workspace, published
from kequn.cli.printing import count, percent, print_json, print_line, print_table, progress
from kequn.i18n import say, title

if TYPE_CHECKING:
    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace


@app.command()
def run(
    folder: WorkspaceOption = HERE,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="运行日期 YYYY-MM-DD · date of the run")
    ] = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """读取数据、计算画像、细分并发布 · Read the data, build profiles, assign segments, publish."""
    workspace, lang = open_workspace(folder, lang)
    result = run_workspace(workspace, lang, _date(as_of), quiet=as_json)
    if as_json:
        print_json(run_summary(result))
    else:
        print_summary(result, lang)


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("YYYY-MM-DD", param_hint="--as-of") from error


def run_workspace(
    workspace: Workspace, lang: str, as_of: date | None = None, *, quiet: bool = False
) -> Snapshot:
    """Run with a progress bar."""
    from kequn.pipeline import run as run_pipeline

    with progress(lang, quiet=quiet) as listener:
        return run_pipeline(workspace, as_of=as_of, listener=listener).snapshot


def run_summary(snapshot: Snapshot) -> dict[str, Any]:
    """What a script would want to know of a run."""
    manifest = snapshot.manifest.model_dump(mode="json")
    keys = (
        "run_id",
        "as_of",
        "engine",
        "customers",
        "rows",
        "digests",
        "reconciliation",
        "seconds",
        "warnings",
        "schemes",
    )
    return {key: manifest.get(key) for key in keys}


def print_summary(snapshot: Snapshot, lang: str) -> None:
    """The readable end of a run: data, overview, a line per scheme, warnings."""
    from kequn.reading import overview, scheme_overview

    manifest = snapshot.manifest.model_dump(mode="json")
    with snapshot.connect() as con:
        totals = overview(con)
        segments = scheme_overview(con)
    currency = manifest.get("currency", "")
    print_line(say("summary.head", lang, run_id=snapshot.run_id, as_of=str(snapshot.manifest.as_of)))
    print_line(
        say(
            "summary.totals", lang, customers=count(totals["customers"]), buyers=count(totals["buyers"]),
            revenue=count(totals["revenue"]), currency=currency, features=len(manifest.get("columns", [])),
        )
    )  # fmt: skip
    _print_reconciliation(manifest, lang)
    for scheme in dict.fromkeys(row["scheme"] for row in segments):
        print_scheme(scheme, [row for row in segments if row["scheme"] == scheme], manifest, lang)
    for name, missing in manifest.get("schemes_unavailable", {}).items():
        print_line(say("summary.unavailable", lang, scheme=name, missing=missing))
    print_warnings(manifest, lang)


def _print_reconciliation(manifest: dict[str, Any], lang: str) -> None:
    rows = [
        [name, *(count(part[key]) for key in ("read", "kept", "quarantined", "duplicates"))]
        for name, part in manifest.get("reconciliation", {}).get("tables", {}).items()
        if part["read"]
    ]
    names = [say(f"summary.{key}", lang) for key in ("table", "read", "kept", "quarantined", "duplicates")]
    print_table(say("summary.data", lang), names, rows, right=(1, 2, 3, 4))


def print_scheme(scheme: str, rows: list[dict[str, Any]], manifest: dict[str, Any], lang: str) -> None:
    """One scheme as a table: segment, customers, share, revenue."""
    value = next((name for name in ("revenue_12m", "monetary") if rows and name in rows[0]), None)
    total = sum(row[value] or 0 for row in rows) if value else 0
    names = [say(f"summary.{key}", lang) for key in ("segment", "customers", "share")]
    names += [say("summary.revenue", lang), say("summary.revenue_share", lang)] if value else []
    body = []
    for row in rows:
        line = [row[f"title_{lang}"], count(row["customers"]), percent(row["share"])]
        if value:
            line += [count(row[value]), percent(float(row[value] or 0) / float(total)) if total else "–"]
        body.append(line)
    heading = scheme_title(scheme, manifest, lang)
    print_table(f"{heading} ({scheme})", names, body, right=(1, 2, 3, 4))


def scheme_title(scheme: str, manifest: dict[str, Any], lang: str) -> str:
    """The title of a scheme, as it stood in its file when the run was made."""
    return title(manifest.get("schemes", {}).get(scheme, {}).get("title", scheme), lang) or scheme


def print_warnings(manifest: dict[str, Any], lang: str) -> None:
    """Warnings of the run, worded."""
    for warning in manifest.get("warnings", []):
        fields = {key: value for key, value in warning.items() if key != "code"}
        print_line("! " + say(warning["code"], lang, **fields))


@app.command()
def runs(folder: WorkspaceOption = HERE, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """列出所有运行 · List all runs."""
    workspace, lang = open_workspace(folder, lang)
    current = workspace.store.current()
    listed: list[dict[str, Any]] = [
        {
            "run_id": item.run_id, "as_of": item.manifest.as_of, "engine": item.manifest.engine,
            "customers": item.manifest.rows.get("profile"), "seconds": round(sum(item.manifest.seconds.values()), 1),
            "published": current is not None and item.run_id == current.run_id,
        }
        for item in workspace.store.runs()
    ]  # fmt: skip
    if as_json:
        print_json(listed)
        return
    names = [
        say(f"summary.{key}", lang) for key in ("run", "as_of", "engine", "customers", "seconds", "published")
    ]
    body = [
        [
            i["run_id"],
            i["as_of"],
            i["engine"],
            count(i["customers"]),
            i["seconds"],
            say("word.yes", lang) if i["published"] else "",
        ]
        for i in listed
    ]
    print_table(say("summary.runs", lang), names, body, right=(3, 4))


@app.command()
def rollback(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """回到上一次或指定的运行 · Go back to the previous or the named run."""
    workspace, lang = open_workspace(folder, lang)
    with workspace.store.lock():
        snapshot = workspace.store.rollback(run_id)
    print_line(say("summary.rolled_back", lang, run_id=snapshot.run_id, as_of=str(snapshot.manifest.as_of)))


@app.command()
def migration(
    before: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None,
    after: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """两次运行之间谁换了客户群 · Who moved between two runs (default: the last two)."""
    from kequn.errors import SnapshotError
    from kequn.snapshot import compare

    workspace, snapshot, lang = published(folder, lang)
    store = workspace.store
    later = store.snapshot(after) if after else snapshot
    older = [item for item in store.runs() if item.run_id < later.run_id]
    if before is None and not older:
        raise SnapshotError("cli.one_run_only")
    earlier = store.snapshot(before) if before else older[0]
    change = compare(earlier, later)
    moves = change.migration.to_pylist()
    if as_json:
        print_json({"from": earlier.run_id, "to": later.run_id, "moves": moves})
        return
    names = [say(f"summary.{key}", lang) for key in ("scheme", "from", "to", "customers")]
    body = [
        [m["scheme"], m["from_segment"] or "–", m["to_segment"] or "–", count(m["customers"])] for m in moves
    ]
    print_table(
        say("summary.migration", lang, before=earlier.run_id, after=later.run_id), names, body, right=(3,)
    )


@app.command()
def forget(
    customer_id: Annotated[str, typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · don't ask")] = False,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """从所有快照中删除一位客户 · Erase a customer from every snapshot."""
    workspace, lang = open_workspace(folder, lang)
    if not yes:
        typer.confirm(say("summary.forget_ask", lang, id=customer_id), abort=True)
    with workspace.store.lock():
        erased = workspace.store.forget(customer_id, now=datetime.now(UTC))
    print_line(say("summary.forgotten", lang, id=customer_id, rows=erased.rows))


__all__ = ["print_scheme", "print_summary", "print_warnings", "run_workspace", "scheme_title"]
