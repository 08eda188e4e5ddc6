"""From audience files to the table `audience_member` (audience, customer_id)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kequn.audience.spec import AudienceSpec, Members
from kequn.definitions import locate, parse_yaml, validate
from kequn.engine import Engine, Parquet
from kequn.errors import ConfigError, DataError, KequnError, RuleError
from kequn.language import Catalog, Rule, Term, column, compile_rule, matches, nearest

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("customer_id", "客户编号", "客户id", "id", "会员号", "会员编号")


@dataclass(frozen=True)
class Audience:
    """A checked audience: its file, what it says, and its rules compiled."""

    file: str
    spec: AudienceSpec
    rule: Rule | None
    exclude: Rule | None


def load_audiences(texts: Mapping[str, str], catalog: Catalog) -> list[Audience]:
    """All audiences from `{file: text}`, checked against the columns and segments there are.

    Raises ConfigError with `file`, `line` and, for a rule, position, word and nearest name.
    """
    found: dict[str, Audience] = {}
    for file, text in texts.items():
        data = parse_yaml(text, file)
        spec = validate(AudienceSpec, data, file)
        if spec.audience in found:
            raise ConfigError(
                "audience.twice", file=file, line=1, name=spec.audience, other=found[spec.audience].file
            )
        rule = _rule(spec, ("rule",), data, file, catalog)
        exclude = _rule(spec.exclude, ("exclude", "rule"), data, file, catalog)
        for part, where in ((spec, ("segments",)), (spec.exclude, ("exclude", "segments"))):
            _check_segments(part, where, data, file, catalog)
        found[spec.audience] = Audience(file, spec, rule, exclude)
    return list(found.values())


def audience_terms(texts: Mapping[str, str], catalog: Catalog) -> list[Term]:
    """The behaviour terms that the rules of all audiences use. Raises ConfigError like `load_audiences`."""
    rules = [rule for item in load_audiences(texts, catalog) for rule in (item.rule, item.exclude) if rule]
    return [term for rule in rules for term in rule.terms.values()]


def _rule(part: Members, where: tuple[str, ...], data: Any, file: str, catalog: Catalog) -> Rule | None:
    if part.rule is None:
        return None
    try:
        return compile_rule(part.rule, catalog)
    except RuleError as error:
        mark = locate(data, where)
        raise ConfigError(
            error.code,
            **{
                **error.fields,
                "file": file,
                "line": mark.line,
                "column": mark.column,
                "where": ".".join(where),
            },
        ) from error


def _check_segments(part: Members, where: tuple[str, ...], data: Any, file: str, catalog: Catalog) -> None:
    for number, name in enumerate(part.segments):
        scheme, _, segment = name.partition("/")
        known = catalog.schemes.get(scheme)
        mark = locate(data, (*where, number))
        if known is None:
            raise ConfigError(
                "audience.no_scheme",
                file=file,
                line=mark.line,
                column=mark.column,
                name=scheme,
                near=nearest(scheme, catalog.schemes),
            )
        if segment not in known:
            raise ConfigError(
                "audience.no_segment", file=file, line=mark.line, column=mark.column, name=segment, scheme=scheme,
                near=nearest(segment, known),
            )  # fmt: skip


def write_audiences(
    engine: Engine,
    audiences: Iterable[Audience],
    relation: str,
    wide: str,
    catalog: Catalog,
    folder: Path,
    work: Path,
    out: Path,
) -> list[KequnError]:
    """Write `audience_member` for every audience; returns warnings.

    `relation` is the profile with predictions, `wide` the assignment with `seg_…` columns; `folder` holds the lists of
    ids, `work` takes their Parquet form. An audience whose columns or schemes this workspace lacks is a warning; ids that
    are nobody's are counted.
    """
    warnings: list[KequnError] = []
    for number, item in enumerate(audiences):
        missing = _missing(item, catalog)
        if missing:
            warnings.append(KequnError("audience.unavailable", audience=item.spec.audience, missing=missing))
            continue
        lists = {
            key: _ids(engine, part, folder, work, f"_kequn_ids_{number}_{key}", item.spec.audience)
            for key, part in (("in", item.spec), ("out", item.spec.exclude))
            if part.ids is not None
        }
        query = _query(item, relation, wide, catalog, {key: view for key, (view, _) in lists.items()})
        rows = engine.write_parquet(query, out, prefix=item.spec.audience, sort=("customer_id",))
        warnings += _unknown_ids(engine, item, relation, lists)
        if rows == 0:
            warnings.append(KequnError("audience.empty", audience=item.spec.audience))
    return warnings


def _missing(item: Audience, catalog: Catalog) -> list[str]:
    used: set[str] = set()
    for rule in (item.rule, item.exclude):
        if rule is not None:
            used |= {name for name in rule.columns if name not in catalog.columns}
            used |= {name for name in rule.schemes if name not in catalog.schemes}
    segments = [*item.spec.segments, *item.spec.exclude.segments]
    used |= {name.partition("/")[0] for name in segments if name.partition("/")[0] not in catalog.schemes}
    return sorted(used)


def _query(
    item: Audience, relation: str, wide: str, catalog: Catalog, lists: Mapping[str, str]
) -> exp.Select:
    inner = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("p")))
    for name in sorted(catalog.schemes):
        inner = inner.select(exp.column(exp.to_identifier(f"seg_{name}", quoted=True), table="w"))
    inner = inner.from_(f"{relation} AS p").join(wide, join_alias="w", on=_same("w"), join_type="left")
    for key, view in lists.items():
        alias = f"i_{key}"
        inner = inner.select(exp.alias_(exp.column("customer_id", table=alias), f"_listed_{key}"))
        inner = inner.join(view, join_alias=alias, on=_same(alias), join_type="left")
    inside = _condition(item.spec, item.rule, "in" in lists, "in")
    outside = _condition(item.spec.exclude, item.exclude, "out" in lists, "out")
    label = exp.alias_(exp.Literal.string(item.spec.audience), "audience")
    query = exp.select(label, column("customer_id")).from_(inner.subquery("r")).where(inside)
    return query if item.spec.exclude.empty else query.where(exp.Not(this=exp.paren(outside)))


def _same(alias: str) -> exp.Expr:
    return exp.EQ(
        this=exp.column("customer_id", table="p"), expression=exp.column("customer_id", table=alias)
    )


def _condition(part: Members, rule: Rule | None, listed: bool, key: str) -> exp.Expr:
    """True or false, never unknown."""
    parts: list[exp.Expr] = [matches(rule)] if rule is not None else []
    for name in part.segments:
        scheme, _, segment = name.partition("/")
        equal = exp.EQ(this=column(f"seg_{scheme}"), expression=exp.Literal.string(segment))
        parts.append(exp.Coalesce(this=equal, expressions=[exp.false()]))
    if listed:
        parts.append(exp.Not(this=exp.Is(this=column(f"_listed_{key}"), expression=exp.Null())))
    return exp.or_(*parts) if parts else exp.false()


def _ids(
    engine: Engine, part: Members, folder: Path, work: Path, view: str, audience: str
) -> tuple[str, int]:
    """The ids of an uploaded list as a view; (view, distinct ids). Ids are text, kept exactly."""
    import pyarrow.parquet as pq

    table = read_ids(folder / str(part.ids), part.column, audience)
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{view.lstrip('_')}.parquet"  # Spark takes a file whose name begins with _ for hidden
    pq.write_table(table, file)
    engine.view(view, Parquet((file,)))
    return view, table.num_rows


def read_ids(file: Path, wanted: str | None, audience: str) -> pa.Table:
    """Distinct customer ids of a CSV, Excel or Parquet list: the named column, one called like an id, or the only one.

    Raises DataError for a file that can't be read, ConfigError when the column can't be told.
    """
    import pyarrow as pa

    from kequn.data.files import open_table

    try:
        raw = open_table(file)
    except DataError as error:
        if error.code != "files.header_only":  # a list that everybody has left
            raise
        return pa.table({"customer_id": pa.array([], pa.string())})
    chosen = id_column(raw.columns, wanted)
    if chosen is None:
        raise ConfigError("audience.id_column", file=str(file), audience=audience, known=list(raw.columns))
    found: dict[str, None] = {}
    for batch in raw.batches():
        found.update(
            dict.fromkeys(str(value) for value in batch[chosen].to_pylist() if value not in (None, ""))
        )
    return pa.table({"customer_id": pa.array(list(found), pa.string())})


def id_column(columns: tuple[str, ...], wanted: str | None) -> str | None:
    """The column of a list that holds the ids: the wanted one, one called like an id, or the only one."""
    if wanted is not None:
        return wanted if wanted in columns else None
    named = [name for name in columns if name.strip().lower() in COLUMNS]
    return named[0] if named else columns[0] if len(columns) == 1 else None


def _unknown_ids(
    engine: Engine, item: Audience, relation: str, lists: Mapping[str, tuple[str, int]]
) -> list[KequnError]:
    warnings = []
    for view, total in lists.values():
        joined = exp.select(exp.Count(this=exp.Star(), big_int=True)).from_(f"{relation} AS p")
        known = int(engine.scalar(joined.join(view, join_alias="i", on=_same("i"), join_type="inner")) or 0)
        if known < total:
            warnings.append(
                KequnError(
                    "audience.unknown_ids", audience=item.spec.audience, unknown=total - known, total=total
                )
            )
    return warnings


__all__ = ["Audience", "audience_terms", "id_column", "load_audiences", "read_ids", "write_audiences"]
