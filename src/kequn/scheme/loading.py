"""From the text of scheme files to checked schemes, and the order in which they can be assigned."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, get_args

from kequn.definitions import LocatedDict, nearest, parse_yaml, validate
from kequn.errors import ConfigError
from kequn.language import Catalog, Column, Rule, Type
from kequn.scheme.kind import MEASURABLE, Kind, Loading, Needs, Scheme, Where, missing_columns, missing_terms
from kequn.scheme.kinds import kinds
from kequn.scheme.spec import ID, QuantileParameter, SchemeSpec, metadata


@dataclass(frozen=True)
class _File:
    """A scheme file, read and shaped but not yet checked against columns and other schemes."""

    file: str
    data: LocatedDict
    spec: SchemeSpec
    kind: Kind[Any]


def _read(text: str, file: str) -> _File:
    data = parse_yaml(text, file)
    name = data.get("kind")
    if name not in kinds():
        mark = data.marks.get("kind", data.mark)
        raise ConfigError(
            "scheme.unknown_kind", file=file, where="kind", line=mark.line, column=mark.column,
            name=name, known=list(kinds()), near=nearest(str(name), list(kinds())) or "",
        )  # fmt: skip
    kind = kinds()[name]
    return _File(file, data, validate(kind.model, data, file), kind)


def load_scheme(text: str, file: str, catalog: Catalog) -> Scheme:
    """One scheme from its YAML text. `catalog` holds every column that could exist and the schemes it may refer to.

    Raises ConfigError with `file`, `line`, `where`, and for a rule its `position`, `word` and the nearest known name.
    """
    return _compile(_read(text, file), catalog, {})


def load_schemes(texts: Mapping[str, str], catalog: Catalog) -> dict[str, Scheme]:
    """All schemes of a workspace from `{file: text}`, in an order in which each comes after those it refers to.

    Raises ConfigError like `load_scheme`, and for a scheme that stands in two files or refers to itself in a circle.
    """
    files: dict[str, _File] = {}
    for file, text in texts.items():
        read = _read(text, file)
        if read.spec.scheme in files:
            raise ConfigError(
                "scheme.scheme_twice", file=file, where="scheme", line=read.data.marks["scheme"].line,
                column=1, name=read.spec.scheme, other=files[read.spec.scheme].file,
            )  # fmt: skip
        files[read.spec.scheme] = read
    specs = {name: read.spec for name, read in files.items()}
    around = replace(
        catalog,
        schemes={**catalog.schemes, **_segment_ids(files)},
        columns={**catalog.columns, **_scores(files)},
    )
    schemes = {name: _compile(read, around, specs) for name, read in files.items()}
    return {scheme.name: scheme for layer in arrange(schemes.values()) for scheme in layer}


def with_schemes(catalog: Catalog, schemes: Iterable[Scheme]) -> Catalog:
    """`catalog` with the segments and the score columns of `schemes`, for rules that refer to them."""
    listed = list(schemes)
    return replace(
        catalog,
        schemes={
            **catalog.schemes,
            **{scheme.name: tuple(s.id for s in scheme.segments) for scheme in listed},
        },
        columns={
            **catalog.columns,
            **{c.name: c for scheme in listed for c in scheme.kind.scores(scheme.spec)},
        },
    )


def _segment_ids(files: Mapping[str, _File]) -> dict[str, tuple[str, ...]]:
    """Segment ids of every file; a cross is known once those it crosses are."""
    found: dict[str, tuple[str, ...]] = {}
    specs = {name: read.spec for name, read in files.items()}
    for name, read in files.items():
        circle = _cross_circle(name, files, ())
        if circle:
            raise ConfigError("scheme.cycle", file=read.file, where="of", line=1, column=1, names=circle)
        found[name] = tuple(segment.id for segment in read.kind.segments(read.spec, specs))
    return found


def _cross_circle(name: str, files: Mapping[str, _File], path: tuple[str, ...]) -> tuple[str, ...]:
    if name in path:
        return (*path[path.index(name) :], name)
    if name not in files:
        return ()
    read = files[name]
    return next(
        (
            c
            for other in sorted(read.kind.depends(read.spec))
            if (c := _cross_circle(other, files, (*path, name)))
        ),
        (),
    )


def _scores(files: Mapping[str, _File]) -> dict[str, Column]:
    return {column.name: column for read in files.values() for column in read.kind.scores(read.spec)}


def _compile(read: _File, catalog: Catalog, specs: Mapping[str, SchemeSpec]) -> Scheme:
    spec, kind = read.spec, read.kind
    parameters = {name: 0 if isinstance(v, QuantileParameter) else v for name, v in spec.parameters.items()}
    sight = catalog if catalog.as_of else replace(catalog, as_of=date(2000, 1, 1))
    loading = Loading(read.file, read.data, sight, parameters)
    segments = kind.segments(spec, specs)
    _check_segments(spec, loading)
    needs = [kind.needs(spec, loading), *_parameter_needs(spec, loading)]
    rules: dict[Where, Rule] = {where: loading.rule(text, where) for where, text in _common_rules(spec)}
    rules |= {where: loading.rule(text, where) for where, text in kind.rules(spec)}
    optional = kind.optional_rules(spec)
    used = [rule for where, rule in rules.items() if where not in optional]
    spare = {
        name: loading.column(name, ("optional", i), get_args(Type)) for i, name in enumerate(spec.optional)
    }
    columns = frozenset(name for rule in used for name in rule.columns if name not in spare)
    groups = tuple(loading.known(group, ("one_of", i), get_args(Type)) for i, group in enumerate(spec.one_of))
    needs.append(Needs(columns, groups))
    kind.check(spec, loading, rules)
    depends = _depends(spec, kind, rules, needs, specs)
    if spec.scheme in depends:
        raise loading.fail("scheme.cycle", ("scheme",), names=[spec.scheme, spec.scheme])
    content = {
        **kind.content(spec),
        "rules": {".".join(map(str, w)): r.canonical for w, r in rules.items()},
    }
    return Scheme(
        spec.scheme, spec, kind, read.file, rules,
        Needs(frozenset().union(*(n.columns for n in needs)), tuple(g for n in needs for g in n.one_of)),
        depends, segments, _digest(_without_rule_texts(content, rules)), _digest(metadata(spec.model_dump(mode="json"))), spare,
    )  # fmt: skip


def _common_rules(spec: SchemeSpec) -> Iterable[tuple[Where, str]]:
    if spec.scope is not None:
        yield ("scope",), spec.scope
    for index, segment in enumerate(spec.named):
        if segment.stay is not None:
            yield ("segments", index, "stay"), segment.stay
    if spec.otherwise.stay is not None:
        yield ("otherwise", "stay"), spec.otherwise.stay


def _check_segments(spec: SchemeSpec, loading: Loading) -> None:
    ids: list[tuple[Where, str]] = [(("scheme",), spec.scheme), (("otherwise", "id"), spec.otherwise.id)]
    if spec.kind != "cross":  # a combination's id is checked by the cross
        ids += [(("segments", index, "id"), segment.id) for index, segment in enumerate(spec.named)]
    for where, name in ids:
        if not re.fullmatch(ID, name):
            raise loading.fail("scheme.bad_id", where, id=name)
    seen: dict[str, Where] = {spec.otherwise.id: ("otherwise", "id")}
    owners: dict[str, str] = {}
    for index, segment in enumerate(spec.named):
        if segment.id in seen:
            raise loading.fail("scheme.segment_twice", ("segments", index, "id"), id=segment.id)
        seen[segment.id] = ("segments", index, "id")
    for index, segment in enumerate((*spec.named, spec.otherwise)):
        for customer in segment.override:
            if customer in owners:
                raise loading.fail(
                    "scheme.override_twice",
                    ("segments", index, "override"),
                    id=customer,
                    other=owners[customer],
                )
            owners[customer] = segment.id
    for parent, child in spec.refine.items():
        if parent not in seen:
            raise loading.fail("scheme.unknown_segment", ("refine", parent), id=parent, known=list(seen))
        if child == spec.scheme:
            raise loading.fail("scheme.cycle", ("refine", parent), names=[spec.scheme, child])
        if child not in loading.catalog.schemes:
            known = sorted(loading.catalog.schemes)
            raise loading.fail("scheme.unknown_scheme", ("refine", parent), name=child, known=known)


def _parameter_needs(spec: SchemeSpec, loading: Loading) -> Iterable[Needs]:
    for name, value in spec.parameters.items():
        if isinstance(value, QuantileParameter) and value.of not in spec.optional:
            yield Needs(frozenset({loading.column(value.of, ("parameters", name, "of"), MEASURABLE).name}))


def _depends(
    spec: SchemeSpec,
    kind: Kind[Any],
    rules: Mapping[Where, Rule],
    needs: Iterable[Needs],
    specs: Mapping[str, SchemeSpec],
) -> frozenset[str]:
    """Schemes whose segments or scores must be known first; a refinement comes after everything and doesn't count."""
    named = set(kind.depends(spec)) | {name for rule in rules.values() for name in rule.schemes}
    columns = {name for need in needs for name in (*need.columns, *(n for g in need.one_of for n in g))}
    columns |= {name for rule in rules.values() for name in rule.columns} | set(getattr(spec, "then_by", ()))
    makers = {
        column.name: name for name, other in specs.items() for column in kinds()[other.kind].scores(other)
    }
    return frozenset(named | {makers[name] for name in columns if name in makers})


def _without_rule_texts(content: dict[str, Any], rules: Mapping[Where, Rule]) -> dict[str, Any]:
    """Spaces and comments in a rule don't change its meaning: its canonical text stands in for it."""
    for where in rules:
        inner: Any = content
        for part in where[:-1]:
            inner = inner[part]
        inner.pop(where[-1], None)
    return content


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def arrange(schemes: Iterable[Scheme]) -> tuple[tuple[Scheme, ...], ...]:
    """Layers of schemes: each refers only to schemes of earlier layers. Raises ConfigError naming the circle."""
    left = {scheme.name: scheme for scheme in schemes}
    layers: list[tuple[Scheme, ...]] = []
    while left:
        ready = tuple(scheme for scheme in left.values() if not (scheme.depends & left.keys()))
        if not ready:
            circle = _circle(left)
            scheme = left[circle[0]]
            raise ConfigError("scheme.cycle", file=scheme.file, where="-", line=1, column=1, names=circle)
        layers.append(ready)
        for scheme in ready:
            del left[scheme.name]
    return tuple(layers)


def _circle(schemes: Mapping[str, Scheme]) -> list[str]:
    path = [next(iter(schemes))]
    while True:
        following = sorted(schemes[path[-1]].depends & schemes.keys())[0]
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def available(scheme: Scheme, catalog: Catalog) -> tuple[str, ...]:
    """What `catalog` lacks for `scheme`: columns (`a|b`: one of them), facts of behaviour terms, `scheme:name`. Empty: go."""
    optional = scheme.kind.optional_rules(scheme.spec)
    lacking = set(scheme.needs.missing(catalog))
    for where, rule in scheme.rules.items():
        if where not in optional:
            lacking |= missing_columns(rule, catalog) - scheme.optional.keys()
            lacking |= missing_terms(rule, catalog)
            lacking |= {f"scheme:{name}" for name in rule.schemes if name not in catalog.schemes}
    lacking |= {f"scheme:{name}" for name in scheme.kind.depends(scheme.spec) if name not in catalog.schemes}
    return tuple(sorted(lacking))


def possible(
    schemes: Mapping[str, Scheme], catalog: Catalog
) -> tuple[dict[str, Scheme], dict[str, tuple[str, ...]]]:
    """Which schemes this workspace can assign, and what each of the others needs: `({name: scheme}, {name: missing})`.

    `catalog` holds the workspace's own columns, without those of schemes.
    """
    usable: dict[str, Scheme] = {}
    missing: dict[str, tuple[str, ...]] = {}
    sight = catalog
    for layer in arrange(schemes.values()):
        for scheme in layer:
            lacking = available(scheme, sight)
            if lacking:
                missing[scheme.name] = lacking
            else:
                usable[scheme.name] = scheme
        sight = with_schemes(catalog, usable.values())
    return usable, missing


__all__ = ["arrange", "available", "load_scheme", "load_schemes", "possible", "with_schemes"]
