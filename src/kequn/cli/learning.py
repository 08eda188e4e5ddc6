"""learn: a scorecard's points from what customers did afterwards."""

from __future__ import annotations

from typing import Annotated

import typer

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, open_workspace
from kequn.cli.printing import count, percent, print_json, print_line, print_table
from kequn.i18n import say, title


@app.command()
def learn(
    scheme: Annotated[str, typer.Argument(metavar="SCHEME")] = "loyalty",
    days: Annotated[
        int,
        typer.Option(
            "--days", min=30, max=1095, help="多久之内再买算留下 · bought again within so many days"
        ),
    ] = 180,
    write: Annotated[
        bool, typer.Option("--write", help="把学到的分值写进方案 · write the learnt points into the scheme")
    ] = False,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """从留存学习评分卡的分值 · Learn a scorecard's points from retention."""
    from kequn.pipeline.weights import learn_weights, write_weights

    workspace, lang = open_workspace(folder, lang)
    learnt, found = learn_weights(workspace, scheme, days)
    written = write_weights(workspace, scheme, learnt) if write and learnt.better else None
    if as_json:
        print_json({"scheme": scheme, "days": days, "written": written, **learnt.as_json()})
        return
    body = [
        [title(dict(item.title), lang) or item.id, str(item.now), str(item.learnt), percent(item.known)]
        for item in learnt.items
    ]
    names = [say(f"learn.{key}", lang) for key in ("item", "now", "learnt", "known")]
    print_table(title(dict(found.spec.title), lang) or scheme, names, body, right=(1, 2, 3))
    fields = {"now": f"{learnt.auc_now:.3f}", "learnt": f"{learnt.auc_learnt:.3f}"}
    print_line(
        say(
            "learn.judged",
            lang,
            customers=count(learnt.customers),
            retained=percent(learnt.retained),
            days=days,
            **fields,
        )
    )
    if not learnt.better:
        print_line(say("learn.no_better", lang))
    elif written:
        print_line(say("learn.written", lang, file=written))
    else:
        print_line(say("learn.how_to_write", lang, scheme=scheme))


__all__ = ["learn"]
