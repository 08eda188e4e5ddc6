"""call-list, outcome, outcomes: whom to call, and what came of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, published
from kequn.cli.printing import count, percent, print_json, print_line, print_table
from kequn.i18n import say

if TYPE_CHECKING:
    from kequn.snapshot import Snapshot
    from kequn.workspace import Workspace

ListOption = Annotated[
    str | None, typer.Option("--list", help="名单编号 · name of the list (default: calls-<date of the run>)")
]
ChannelOption = Annotated[str, typer.Option("--channel", help="渠道 · channel")]


@app.command("call-list")
def call_list(
    target: Annotated[str | None, typer.Argument(metavar="[SCHEME/SEGMENT]")] = None,
    capacity: Annotated[
        int, typer.Option("--capacity", min=1, max=1_000_000, help="能打多少个电话 · how many calls")
    ] = 50,
    owner: Annotated[str | None, typer.Option("--owner", help="客户经理 · account manager")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="file.csv | file.xlsx")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """先打给谁：按成交概率 × 价值排序 · Whom to call first: probability × value, cut to capacity."""
    from kequn.reading.calls import call_rows, write_calls

    workspace, snapshot, lang = published(folder, lang)
    with snapshot.connect() as con:
        answer = call_rows(con, workspace, snapshot, target, capacity=capacity, owner=owner, lang=lang)
    if to is not None:
        write_calls(answer, to, lang)
    if as_json:
        print_json(answer)
        return
    names = [say(f"summary.{key}", lang) for key in ("rank", "customer", "probability", "expected", "action")]
    body = [
        [r["rank"], r["customer_id"], percent(r["probability"]), count(r["expected_value"]), r["sentence"]]
        for r in answer["calls"]
    ]
    print_table(say("summary.call_list", lang), names, body, right=(0, 2, 3))
    widen = [[w["calls"], count(w["added_orders"]), percent(w["conversion"])] for w in answer["widening"]]
    print_table(
        say("summary.widening", lang),
        [say(f"summary.{key}", lang) for key in ("calls", "added", "conversion")],
        widen,
        right=(0, 1, 2),
    )


@app.command()
def outcome(
    customer_id: Annotated[str, typer.Argument(metavar="ID")],
    result: Annotated[str, typer.Argument(metavar="RESULT")],
    offer: Annotated[str | None, typer.Option("--offer", help="推荐的商品编号 · product offered")] = None,
    order: Annotated[str | None, typer.Option("--order", help="成交订单号 · order it led to")] = None,
    cost: Annotated[str | None, typer.Option("--cost", help="成本（元） · cost in major units")] = None,
    at: Annotated[str | None, typer.Option("--at", help="YYYY-MM-DD HH:MM")] = None,
    channel: ChannelOption = "phone",
    campaign: ListOption = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """记录一次跟进的结果（成交、有意向、稍后再联系、未接通、暂无意向、拒绝联系） · Record what came of a call: bought, interested,
    callback, no_answer, not_interested, refused."""
    from kequn.act.outcomes import Outcome, record_outcomes, result_named
    from kequn.reading.customer import find_customer

    workspace, snapshot, lang = published(folder, lang)
    with snapshot.connect() as con:
        find_customer(con, customer_id)
    made = Outcome(
        campaign or _list_name(snapshot), customer_id, _moment(workspace, at), channel, result_named(result),  # type: ignore[arg-type]
        offer, _money(cost), None, order,
    )  # fmt: skip
    record_outcomes(workspace.folder, [made])
    print_line(
        say("summary.outcome_kept", lang, id=customer_id, result=say(f"act.result_{made.result}", lang))
    )


@app.command()
def outcomes(
    file: Annotated[
        Path | None, typer.Option("--from", help="填好的名单 · a filled call list: file.csv | file.xlsx")
    ] = None,
    channel: ChannelOption = "phone",
    campaign: ListOption = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """跟进结果：导入填好的名单，看每份名单的成交率 · Outcomes of calls: take in a filled list, see each list's conversion."""
    from kequn.act.outcomes import outcomes_by_list, read_filled, read_outcomes, record_outcomes

    workspace, snapshot, lang = published(folder, lang)
    if file is not None:
        made = read_filled(file, campaign or _list_name(snapshot), channel, _moment(workspace, None))
        record_outcomes(workspace.folder, made)
        if not as_json:
            print_line(say("summary.outcomes_kept", lang, rows=count(len(made)), file=file.name))
    listed = outcomes_by_list(read_outcomes(workspace.folder))
    if as_json:
        print_json(listed)
        return
    _print_outcomes(listed, lang)


def _print_outcomes(listed: list[dict[str, Any]], lang: str) -> None:
    if not listed:
        print_line(say("summary.no_outcomes", lang))
        return
    codes = list(listed[0]["results"])
    names = [say("summary.list", lang), say("summary.calls", lang), say("summary.conversion_seen", lang)]
    names += [say(f"act.result_{code}", lang) for code in codes]
    body = [
        [row["campaign_id"], count(row["calls"]), percent(row["conversion"]), *(count(row["results"][code]) for code in codes)]
        for row in listed
    ]  # fmt: skip
    print_table(say("summary.outcomes", lang), names, body, right=range(1, len(names)))


def _list_name(snapshot: Snapshot) -> str:
    return f"calls-{snapshot.manifest.as_of.isoformat()}"


def _moment(workspace: Workspace, text: str | None) -> datetime:
    """The time of a call in the workspace's local time; now unless given."""
    if text is None:
        return datetime.now(workspace.settings.zone).replace(tzinfo=None, microsecond=0)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("YYYY-MM-DD HH:MM", param_hint="--at") from error


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter("12.50", param_hint="--cost") from error


__all__: list[str] = []
