"""`segment('rfm') = 'champions'`: a segment that the scheme doesn't have is a slip of the pen, not a rule for nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from kequn.language.types import nearest


def unknown_segment(
    reference: exp.Expr, compared: Iterable[exp.Expr], schemes: Mapping[str, Sequence[str]]
) -> tuple[exp.Expr, dict[str, str]] | None:
    """The literal that names no segment of the scheme referred to, with what to say about it.

    Groups found in the data are known only after a run; until then any name may be one.
    """
    if not isinstance(reference, exp.Anonymous) or str(reference.this).lower() != "segment":
        return None
    scheme = reference.expressions[0].name if reference.expressions else ""
    known = schemes.get(scheme, ())
    if len(known) < 2:
        return None
    for literal in compared:
        if isinstance(literal, exp.Literal) and literal.is_string and literal.name not in known:
            near = nearest(literal.name, known)
            return literal, {"word": literal.name, "scheme": scheme, "near": near}
    return None


__all__ = ["unknown_segment"]
