"""The metric dictionary: what each figure means, with its formula and unit, in zh and en."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from kequn.i18n import packaged_yaml

UNITS = frozenset({"share", "money", "score", "ratio", "months", "people"})


@dataclass(frozen=True)
class Metric:
    """One figure. `unit` is share, money, score, ratio, months or people; `title` and `formula` are in zh and en."""

    id: str
    title: Mapping[str, str]
    formula: Mapping[str, str]
    unit: str


@cache
def metrics() -> dict[str, Metric]:
    """All metrics by id, in the order of the dictionary.

    >>> metrics()["aov"].formula["en"]
    'net revenue ÷ orders'
    """
    text = resources.files("kequn").joinpath("metrics.yaml").read_text(encoding="utf-8")
    return {
        name: Metric(name, said["title"], said["formula"], said["unit"])
        for name, said in packaged_yaml(text).items()
    }


__all__ = ["UNITS", "Metric", "metrics"]
