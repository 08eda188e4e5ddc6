"""What a model card says in words: its remarks, and what each covariate of the purchase model does."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

from kequn.i18n import catalogue, say
from kequn.reading.forecast import model_title
from kequn.reading.values import column_title, value_title, value_titles

SEPARATOR = {"zh": "、", "en": ", "}
ALONE = ("other", "unknown")
"""Values of a covariate that stand for several or for none, worded by the catalogue."""


def note_text(manifest: Mapping[str, Any], note: Mapping[str, Any], lang: str) -> str:
    """A remark of a card in one sentence, with models, columns and values by their titles; the code itself where it has no words."""
    code = str(note.get("code"))
    if code not in catalogue():
        return code
    fields = {name: value for name, value in note.items() if name != "code"}
    if isinstance(fields.get("rate"), (int, float)):
        fields["rate"] = f"{fields['rate']:.0%}"
    if "used" in fields:
        fields["used"] = titled(manifest, str(fields["used"]), lang)
    if "others" in fields:
        fields["others"] = SEPARATOR[lang].join(short(model_title(name, lang)) for name in fields["others"])
    if "value" in fields:
        fields["value"] = _value(manifest, str(fields.get("column")), fields["value"], lang)
    if "column" in fields:
        fields["column"] = column_title(manifest, str(fields["column"]), lang)
    return say(code, lang, **{name: _grouped(value) for name, value in fields.items()})


def short(title: str) -> str:
    """A title without what it says in brackets.

    >>> short("Pareto/NBD (may leave at any time)")
    'Pareto/NBD'
    """
    return title.split("（")[0].split(" (")[0]


def titled(manifest: Mapping[str, Any], name: str, lang: str) -> str:
    """A model or a method in words; a single column that serves as a baseline has its own title."""
    words = model_title(name, lang)
    return (
        words if words != name else column_title(manifest, {"recency": "recency_days"}.get(name, name), lang)
    )


def coefficients(manifest: Mapping[str, Any], card: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    """One row for each covariate of a card: `title` and, for how often they buy (`rate`) and how readily they leave (`leaving`), the
    `factor` it multiplies the rate or the odds by, the coefficient (`value`, ln of the factor) and its standard `error`.
    """
    return [
        {
            "title": _covariate(manifest, row, lang),
            **{
                effect: {"factor": exp(row[effect]), "value": row[effect], "error": row[f"{effect}_error"]}
                for effect in ("rate", "leaving")
            },
        }
        for row in (card.get("parameters") or {}).get("coefficients") or ()
    ]


def _covariate(manifest: Mapping[str, Any], row: Mapping[str, Any], lang: str) -> str:
    title = column_title(manifest, row["column"], lang)
    if row.get("value") is None:
        return title
    value = _value(manifest, row["column"], row["value"], lang)
    return say("reading.covariate_value", lang, column=title, value=value)


def _value(manifest: Mapping[str, Any], column: str, value: Any, lang: str) -> str:
    if value in ALONE:
        return say(f"reading.covariate_{value}", lang)
    return value_title(value_titles(manifest), column, value, lang)


def _grouped(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


__all__ = ["coefficients", "note_text", "short", "titled"]
