"""schemes, audiences, show, customer, why, count, export, report: reading what was published."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from kequn.cli.app import HERE, JsonOption, LangOption, WorkspaceOption, app, published
from kequn.cli.groups import print_groups
from kequn.cli.printing import count, percent, print_json, print_line, print_table
from kequn.cli.summary import print_ahead, print_scheme, scheme_title
from kequn.i18n import say, title

Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="最多几行 · how many rows")]


@app.command()
def schemes(folder: WorkspaceOption = HERE, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """列出细分方案 · List the schemes."""
    _, snapshot, lang = published(folder, lang)
    manifest = snapshot.manifest.model_dump(mode="json")
    listed = manifest.get("schemes", {})
    if as_json:
        print_json({"schemes": listed, "unavailable": manifest.get("schemes_unavailable", {})})
        return
    names = [say(f"summary.{key}", lang) for key in ("scheme", "title", "kind", "customers", "segments")]
    body = [
        [
            name,
            scheme_title(name, manifest, lang),
            item["kind"],
            count(item["customers"]),
            len(item["segments"]),
        ]
        for name, item in listed.items()
    ]
    print_table(say("summary.schemes", lang), names, body, right=(3, 4))
    locked = [
        [name, ", ".join(missing).replace("|", " / ")]
        for name, missing in manifest.get("schemes_unavailable", {}).items()
    ]
    if locked:
        print_table(
            say("summary.unavailable", lang),
            [say("summary.scheme", lang), say("summary.missing", lang)],
            locked,
        )


@app.command()
def audiences(folder: WorkspaceOption = HERE, lang: LangOption = None, as_json: JsonOption = False) -> None:
    """列出名单 · List the audiences."""
    from kequn.reading.rows import has_table, rows

    _, snapshot, lang = published(folder, lang)
    with snapshot.connect() as con:
        sql = (
            "SELECT audience, count(*) AS customers FROM audience_member GROUP BY audience ORDER BY audience"
        )
        listed = rows(con, sql) if has_table(con, "audience_member") else []
    if as_json:
        print_json(listed)
        return
    body = [[row["audience"], count(row["customers"])] for row in listed]
    print_table(
        say("summary.audiences", lang),
        [say("summary.audience", lang), say("summary.customers", lang)],
        body,
        right=(1,),
    )


@app.command()
def show(
    target: Annotated[str | None, typer.Argument(metavar="[SCHEME[/SEGMENT]]")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """看一个方案的客户群，或一个客户群的画像 · Show a scheme's segments, or a segment's portrait."""
    from kequn.reading import found_groups, scheme_overview, segment_portrait

    _, snapshot, lang = published(folder, lang)
    manifest = snapshot.manifest.model_dump(mode="json")
    scheme, _, segment = (target or "").partition("/")
    with snapshot.connect() as con:
        rows = scheme_overview(con, scheme or None)
        portrait = segment_portrait(con, scheme, segment) if segment else []
    if as_json:
        print_json(
            {
                "segments": [row for row in rows if not segment or row["segment"] == segment],
                "portrait": portrait,
                **(
                    {"found": found_groups(manifest, scheme)}
                    if scheme in manifest.get("clusters", {})
                    else {}
                ),
            }
        )
        return
    for name in dict.fromkeys(row["scheme"] for row in rows):
        part = [row for row in rows if row["scheme"] == name]
        print_scheme(name, part, manifest, lang, segment or None)
        print_ahead(part, manifest, lang, segment or None)
    found = found_groups(manifest, scheme)
    if found and not segment:
        print_groups(found, lang)
    if segment:
        _print_portrait(portrait, manifest, lang)
        _print_playbook(workspace_playbook(snapshot, scheme, segment, lang), lang)


def _print_portrait(portrait: list[dict[str, Any]], manifest: dict[str, Any], lang: str) -> None:
    from kequn.reading.values import column_title, value_title, value_titles

    titles = value_titles(manifest)
    body = [
        [column_title(manifest, row["dimension"], lang), value_title(titles, row["dimension"], row["value"], lang), percent(row["share"]), percent(row["rest_share"]),
         f"{row['lift']:.2f}" if row["lift"] is not None else "–"]
        for row in portrait
    ]  # fmt: skip
    names = [say(f"summary.{key}", lang) for key in ("dimension", "value", "share", "rest_share", "lift")]
    print_table(say("summary.portrait", lang), names, body, right=(2, 3, 4))


def workspace_playbook(snapshot: Any, scheme: str, segment: str, lang: str) -> str:
    """The playbook sentence of a segment, as its scheme said when the run was made."""
    entry = (
        snapshot.manifest.model_dump(mode="json")
        .get("schemes", {})
        .get(scheme, {})
        .get("playbooks", {})
        .get(segment)
    )
    return title(entry, lang) if entry else ""


def _print_playbook(sentence: str, lang: str) -> None:
    if sentence:
        print_line(say("summary.playbook", lang, sentence=sentence))


@app.command()
def customer(
    customer_id: Annotated[str, typer.Argument(metavar="ID")],
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """一位客户：画像、所在客户群、预测、下一步 · One customer: profile, segments, predictions, next step."""
    from kequn.reading import customer_card
    from kequn.reading.forecast import offered, what_moved
    from kequn.reading.values import column_title, value_title, value_titles

    _, snapshot, lang = published(folder, lang)
    manifest = snapshot.manifest.model_dump(mode="json")
    with snapshot.connect() as con:
        card = customer_card(con, customer_id)
        card["recommendations"] = offered(con, card["recommendations"], lang)
        card["moved"] = (
            what_moved(con, snapshot.folder, manifest, customer_id, lang) if card["prediction"] else []
        )
    if as_json:
        print_json(card)
        return
    _print_segments(snapshot, card, manifest, lang)
    values = value_titles(manifest)
    known = [
        [column_title(manifest, name, lang), value_title(values, name, value, lang) if isinstance(value, (str, bool)) else value]
        for name, value in card["profile"].items()
        if value is not None
    ]  # fmt: skip
    print_table(
        say("summary.profile", lang), [say("summary.attribute", lang), say("summary.value", lang)], known
    )
    if card["prediction"]:
        _print_predictions(card, manifest, lang)


def _print_predictions(card: dict[str, Any], manifest: dict[str, Any], lang: str) -> None:
    """Each prediction with how far it can be trusted, what moved the chances, and the offers."""
    from kequn.reading.forecast import trust

    models = manifest.get("models") or []
    body = [
        [title(item["title"], lang), _worded(item["name"], card["prediction"][item["name"]], lang), trust(models, item["name"], lang)]
        for item in manifest.get("prediction_columns", [])
        if card["prediction"].get(item["name"]) is not None and item["name"] != "next_best_offer"
    ]  # fmt: skip
    names = [say(f"summary.{key}", lang) for key in ("attribute", "value", "trust")]
    print_table(say("summary.predictions", lang), names, body)
    for moved in card["moved"]:
        reasons = [[one["title"], one["value"], f"{one['contribution']:+.2f}"] for one in moved["reasons"]]
        heading = say(
            "summary.moved",
            lang,
            title=moved["title"],
            probability=percent(moved["probability"]),
            used=moved["used"],
        )
        names = [say(f"summary.{key}", lang) for key in ("attribute", "value", "part")]
        print_table(
            heading,
            names,
            [[a, count(v), c] for a, v, c in reasons],
            right=(1, 2),
        )
    if card["recommendations"]:
        offers = [
            [row["rank"], row["product"], percent(row["probability"]), row["why"]]
            for row in card["recommendations"]
        ]
        names = [say(f"summary.{key}", lang) for key in ("rank", "offer", "probability", "sentence")]
        print_table(say("summary.offers", lang), names, offers, right=(0, 2))


def _worded(column: str, value: Any, lang: str) -> Any:
    """Health reasons and bands in words, chances as percentages, the rest as it is."""
    if column.startswith("health_reason"):
        return say(f"predict.health_{value}", lang)
    if column == "health_band":
        return say(f"predict.band_{value}", lang)
    return (
        percent(value)
        if column.startswith("p_")
        else count(value)
        if isinstance(value, (int, float, Decimal))
        else value
    )


def _print_segments(snapshot: Any, card: dict[str, Any], manifest: dict[str, Any], lang: str) -> None:
    body = [
        [scheme_title(row["scheme"], manifest, lang), row[f"title_{lang}"], row["since"],
         workspace_playbook(snapshot, row["scheme"], row["segment"], lang)]
        for row in card["segments"]
    ]  # fmt: skip
    names = [say(f"summary.{key}", lang) for key in ("scheme", "segment", "since", "action")]
    print_table(f"{say('summary.customer', lang)} {card['customer_id']}", names, body)


@app.command()
def why(
    customer_id: Annotated[str, typer.Argument(metavar="ID")],
    target: Annotated[str, typer.Argument(metavar="SCHEME[/SEGMENT]")],
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """为什么在（不在）这个客户群，怎样才能进去 · Why in (or not in) a segment, and the nearest change that would move them."""
    from kequn.reading.why import why_rows

    _, snapshot, lang = published(folder, lang)
    scheme, _, segment = target.partition("/")
    with snapshot.connect() as con:
        answer = why_rows(con, snapshot, customer_id, scheme, segment or None, lang)
    if as_json:
        print_json(answer)
        return
    print_line(answer["sentence"])
    names = [say(f"summary.{key}", lang) for key in ("segment", "clause", "value", "passed")]
    body = [
        [c["segment"], c["clause"], c["value"], {True: "✓", False: "✗", None: "?"}[c["passed"]]]
        for c in answer["clauses"]
    ]
    print_table(say("summary.clauses", lang), names, body)
    if answer["change"]:
        print_line(answer["change"])


@app.command("count")
def count_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE")],
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """一条规则选中多少客户 · How many customers a rule matches."""
    from kequn.reading.counting import count_matches

    workspace, snapshot, lang = published(folder, lang)
    answer = count_matches(workspace, snapshot, rule)
    if as_json:
        print_json(answer)
        return
    print_line(
        say(
            "summary.count",
            lang,
            customers=count(answer["customers"]),
            share=percent(answer["share"]),
            rule=answer["rule"],
        )
    )


@app.command()
def export(
    target: Annotated[str, typer.Argument(metavar="SCHEME/SEGMENT|AUDIENCE")],
    to: Annotated[Path, typer.Option("--to", help="file.csv | file.xlsx | file.parquet")],
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """导出客户群或名单 · Export a segment or an audience."""
    from kequn.reading.export import export_members

    _, snapshot, lang = published(folder, lang)
    with snapshot.connect() as con:
        rows = export_members(con, target, to, snapshot.manifest.model_dump(mode="json"), lang)
    print_line(say("summary.exported", lang, rows=count(rows), file=str(to)))


@app.command()
def report(
    to: Annotated[Path | None, typer.Option("--to", help="report.html")] = None,
    folder: WorkspaceOption = HERE,
    lang: LangOption = None,
) -> None:
    """生成一个可离线打开的 HTML 报告 · Write one self-contained HTML report."""
    from kequn.report import write_report

    workspace, snapshot, lang = published(folder, lang)
    file = write_report(snapshot, to or workspace.folder / "report.html", lang)
    print_line(say("summary.report", lang, file=str(file)))


__all__: list[str] = []
