"""demo, init, check: from nothing, or from the user's files, to a workspace that runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kequn.cli.app import (
    HERE,
    JsonOption,
    LangOption,
    WorkspaceOption,
    app,
    open_workspace,
    published,
    speak,
)
from kequn.cli.printing import count, own_name, print_json, print_line, print_table
from kequn.cli.runs import run_workspace
from kequn.cli.summary import print_reconciliation, print_summary
from kequn.errors import ConfigError
from kequn.i18n import say, title

if TYPE_CHECKING:
    from kequn.data.recognise import Proposal, Question


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]")] = None,
    sample: Annotated[
        str | None,
        typer.Option("--sample", help="某行业的示例（生成数据）· sample of an industry pack, generated data"),
    ] = None,
    lang: LangOption = None,
) -> None:
    """用真实零售数据走一遍全程 · The whole way on real retail data: data, segments, report."""
    from kequn.demo import write_demo
    from kequn.packs import write_sample
    from kequn.pipeline.setup import prepare
    from kequn.report import write_report
    from kequn.workspace import Workspace

    lang = speak(lang)
    folder = folder or Path(f"kequn-sample-{sample}" if sample else "kequn-demo")
    fresh = not (folder / "kequn.yaml").exists()
    workspace = Workspace.open(write_sample(folder, sample) if sample else write_demo(folder))
    if fresh:
        prepare(workspace)
    snapshot = run_workspace(workspace, lang)
    print_summary(snapshot, lang, folder)
    file = write_report(snapshot, folder / "report.html", lang)
    print_line(say("summary.report", lang, file=str(file)))
    print_line(say("summary.demo_next", lang, kequn=own_name(), folder=shlex.quote(str(folder))))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    files: Annotated[
        list[Path] | None, typer.Option("--from", help="订单、客户等文件 · orders, customers …")
    ] = None,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES…]", help="更多文件 · more files")
    ] = None,
    template: Annotated[str | None, typer.Option("--template", help="行业模板 · industry pack")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="不提问，写下建议 · don't ask, write the proposal")
    ] = False,
    lang: LangOption = None,
) -> None:
    """从你的文件建立工作区：识别列、提出映射 · A workspace from your files: recognises columns, proposes the mapping."""
    from kequn.data.recognise import recognise
    from kequn.definitions import save_text
    from kequn.pipeline.setup import copy_library, prepare
    from kequn.workspace import Settings, Workspace

    lang = speak(lang)
    given = [*(files or []), *(more or [])]
    proposal = recognise(given) if given else None
    if proposal is not None and not yes and sys.stdin.isatty():
        proposal = ask(proposal, lang)
    currency = (proposal.currency if proposal else None) or "CNY"
    workspace = Workspace.create(
        folder,
        Settings(name=folder.resolve().name, language="en" if lang == "en" else "zh", currency=currency),
    )
    if template is not None:
        from kequn.packs import write_pack

        write_pack(workspace, template)
    if proposal is None:
        copy_library(workspace)
        print_line(say("init.empty", lang, folder=str(folder)))
        return
    save_text(workspace.sources_file, proposal.text(lang, workspace.folder.resolve()))
    print_proposal(proposal, lang)
    if not {"customers", "orders", "flat_orders"} & proposal.as_sources().keys():
        copy_library(workspace)
    else:
        for scheme, values in prepare(workspace).items():
            print_line(
                say(
                    "init.proposed",
                    lang,
                    scheme=scheme,
                    values=", ".join(f"{k} = {v}" for k, v in values.items()),
                )
            )
    print_line(_next_step(proposal, folder, lang))


def _next_step(proposal: Proposal, folder: Path, lang: str) -> str:
    """What to do after init: run, settle the open questions first, or map by hand."""
    sources = proposal.as_sources()
    fields = {"kequn": own_name(), "folder": shlex.quote(str(folder)), "file": str(folder / "sources.yaml")}
    buyers = {"customers", "orders", "flat_orders"} & sources.keys()
    if not buyers:
        return say("init.nothing" if not sources else "init.nobody", lang, **fields)
    return say(
        "init.settle" if any(q.kind != "unsure" for q in proposal.questions) else "init.done", lang, **fields
    )


def ask(proposal: Proposal, lang: str) -> Proposal:
    """Ask what the files can't tell, one question at a time; an empty answer takes the suggestion."""
    from kequn.data.proposal_text import question_words

    while proposal.questions:
        question = proposal.questions[0]
        print_line(question_words(question, lang))
        proposal = proposal.answer(question, _choice(question, lang))
    return proposal


def _choice(question: Question, lang: str) -> str | None:
    for number, candidate in enumerate(question.candidates, start=1):
        print_line(f"  {number}. {candidate}")
    default = (
        question.candidates.index(question.suggestion) + 1
        if question.suggestion in question.candidates
        else 0
    )
    number = typer.prompt(say("init.choose", lang), default=default, type=int)
    return question.candidates[number - 1] if 1 <= number <= len(question.candidates) else None


def print_proposal(proposal: Proposal, lang: str) -> None:
    """What was recognised: file, table, columns with their confidence, and what is still open."""
    from kequn.data.proposal_text import question_words

    names = [say(f"init.{key}", lang) for key in ("column", "header", "confidence")]
    for entry in proposal.entries:
        file, sheet = entry.sample.files[0].name, f" [{entry.sample.sheet}]" if entry.sample.sheet else ""
        body = [[name, match.header, f"{match.confidence:.0%}"] for name, match in entry.matches.items()]
        print_table(f"{file}{sheet} → {entry.table}", names, body, right=(2,))
        for finding in entry.findings:
            print_line("  " + say("files.finding." + finding.code, lang, **finding.fields))
    for question in proposal.questions:
        print_line("? " + question_words(question, lang))
    for sample in proposal.unrecognised:
        if len(sample.columns) == 1:
            print_line("  " + say("init.one_column", lang, file=sample.files[0].name))


@app.command()
def check(folder: WorkspaceOption = HERE, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """检查设置、数据源和数据就绪度 · Check settings, sources and what the data allow, by model."""
    from kequn.pipeline.check import check_workspace

    workspace, lang = open_workspace(folder, lang)
    answer = check_workspace(workspace)
    if as_json:
        print_json(answer)
    else:
        _print_check(answer, lang)


def _print_check(answer: dict[str, Any], lang: str) -> None:
    print_reconciliation({part["table"]: part for part in answer["tables"]}, lang)
    refused = [
        [item["table"], say(item["reason"], lang), item["column"] or "", count(item["rows"]),
         f"{Path(item['file'] or '').name}:{item['row']} {item['text'] or ''}".strip()]
        for item in answer["quarantined"]
    ]  # fmt: skip
    if refused:
        names = [say(f"check.{key}", lang) for key in ("table", "reason", "column", "rows", "example")]
        print_table(say("check.quarantined", lang), names, refused, right=(3,))
    names = [say(f"check.{key}", lang) for key in ("model", "features", "possible", "unlocks")]
    models = [
        [say(f"model.{m['model']}", lang), f"{m['available']}/{m['available'] + m['unavailable']}", ", ".join(m["schemes"]),
         "; ".join(f"{u['missing']} → {', '.join(title(t, lang) for t in u['features'][:4])}" for u in m["unlocks"][:3])]
        for m in answer["models"]
    ]  # fmt: skip
    print_table(say("check.readiness", lang), names, models)
    for warning in answer["warnings"]:
        print_line("! " + say(warning["code"], lang, **{k: v for k, v in warning.items() if k != "code"}))
    print_line(say("check.good", lang))


@app.command()
def preview(
    file: Annotated[str, typer.Argument(metavar="SCHEME.yaml")],
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """改了方案，先看谁会换群 · Who would change segments if a scheme file, as it stands, were run."""
    from kequn.definitions import read_text
    from kequn.editing import effect

    workspace, snapshot, lang = published(folder, lang)
    name = f"schemes/{Path(file).name}"
    path = workspace.folder / name
    if not path.is_file():
        raise ConfigError("editing.no_scheme", file=name)
    found = effect(workspace, snapshot, name, read_text(path))
    if as_json:
        moves = [{"from": old, "to": new, "customers": n} for old, new, n in found.moves]
        print_json({"scheme": found.scheme, "before": found.before, "after": found.after, "moves": moves})
        return
    words = {one: title(text, lang) for one, text in found.titles.items()}

    def worded(one: str | None) -> str:
        return say("summary.outside_scheme", lang) if one is None else words.get(one, one)

    print_line(
        say("summary.preview", lang, scheme=found.scheme, moved=found.moved, as_of=snapshot.manifest.as_of)
    )
    names = [say(f"summary.{key}", lang) for key in ("segment", "before", "after")]
    listed = dict.fromkeys([*found.after, *found.before])
    body = [[worded(one), count(found.before.get(one)), count(found.after.get(one))] for one in listed]
    print_table(found.scheme, names, body, right=(1, 2))
    if found.moves:
        names = [say(f"summary.{key}", lang) for key in ("from", "to", "customers")]
        body = [[worded(old), worded(new), count(n)] for old, new, n in found.moves[:20]]
        print_table(say("summary.moves", lang), names, body, right=(2,))


__all__: list[str] = []
