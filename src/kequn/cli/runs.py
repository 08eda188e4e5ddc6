"""run, runs, rollback, migration, forget: making results and going back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, open_workspace, published
from kequn.cli.printing import count, percent, print_json, print_line, print_table, progress
from kequn.cli.summary import print_summary
from kequn.i18n import say

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
        print_summary(result, lang, folder)


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
def cohorts(
    segment: Annotated[str | None, typer.Argument(metavar="[SCHEME/SEGMENT]")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """每个月的新客之后还有多少回来买 · Retention: of each month's new customers, how many bought again."""
    import duckdb

    from kequn.errors import SnapshotError
    from kequn.reading.cohorts import retention
    from kequn.reading.overview import check_segment

    _, snapshot, lang = published(folder, lang)
    if snapshot.serving is None:
        raise SnapshotError("reading.no_orders")
    where, values = "TRUE", []
    if segment:
        scheme, _, name = segment.partition("/")
        with snapshot.connect() as con:
            check_segment(con, scheme, name)
        where, values = f'"seg_{scheme}" = ?', [name]
    with duckdb.connect(str(snapshot.serving), read_only=True) as con:
        found = retention(con, snapshot.manifest.as_of, where, values)
    if as_json:
        print_json(
            [
                {"month": one.month, "customers": one.customers, "active": one.active, "money": one.money}
                for one in found
            ]
        )
        return
    months = (1, 2, 3, 6, 9, 12)
    names = [say("summary.cohort", lang), say("summary.customers", lang), *map(str, months)]
    body = [
        [f"{one.month:%Y-%m}", count(one.customers), *(percent(one.retention[n]) if n < len(one.active) else "" for n in months)]
        for one in found
    ]  # fmt: skip
    print_table(say("summary.cohorts", lang), names, body, right=tuple(range(1, len(names))))


@app.command()
def forget(
    customer_id: Annotated[str, typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · don't ask")] = False,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """从快照、跟进记录、标签和名单中删除一位客户 · Erase a customer from snapshots, outcomes, tags and lists."""
    from kequn.act import forget_outcomes
    from kequn.audience import forget_in_lists
    from kequn.web import forget_tags

    workspace, lang = open_workspace(folder, lang)
    if not yes:
        typer.confirm(say("summary.forget_ask", lang, id=customer_id), abort=True)
    with workspace.store.lock():
        erased = workspace.store.forget(customer_id, now=datetime.now(UTC))
        outcomes = forget_outcomes(workspace.folder, customer_id)
        tags = forget_tags(workspace.folder, customer_id)
        lists = forget_in_lists(workspace.folder / "audiences", customer_id)
    print_line(
        say("summary.forgotten", lang, id=customer_id, rows=erased.rows, outcomes=outcomes, tags=tags, listed=lists.rows)
    )  # fmt: skip
    for name in lists.left:
        print_line(say("summary.forget_list", lang, file=f"audiences/{name}"))
    print_line(say("summary.forget_sources", lang))


__all__ = ["run_workspace"]
