"""Days on which people buy for something: festivals that ship with Kequn, and events that a workspace declares.

A day is given by the solar calendar (`from` and `to`, or `every: 11-11`), by the Chinese lunar calendar (`lunar: 08-15`) or
by a solar term (`term: 清明`). Lunar dates come from lunar-python; leap months have no festivals, and where the last month
has 29 days, the 30th is the 29th.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kequn.definitions import parse_yaml, refusal, validate
from kequn.i18n import packaged_yaml
from kequn.profile.questionnaire import NAME

MONTH_DAY = re.compile(r"(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])")
MOST_DAYS = 60
MonthDay = Annotated[str, Field(pattern=rf"^{MONTH_DAY.pattern}$")]
Terms = Literal["立春", "清明", "立夏", "夏至", "立秋", "秋分", "立冬", "冬至"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class Days(_Part):
    """One way to say when: exactly one of `from` (with `to`), `every`, `lunar`, `term`; `days` is how long it lasts."""

    start: dt.date | None = Field(default=None, alias="from")
    end: dt.date | None = Field(default=None, alias="to")
    every: MonthDay | None = None
    lunar: MonthDay | None = None
    term: Terms | None = None
    days: int = Field(default=1, ge=1, le=MOST_DAYS)

    @model_validator(mode="after")
    def _one_way(self) -> Days:
        ways = [way for way in (self.start, self.every, self.lunar, self.term) if way is not None]
        if len(ways) != 1 or (self.end is not None and self.start is None):
            raise refusal("enrich.calendar_when", found=len(ways))
        if (
            self.start is not None
            and self.end is not None
            and not 0 <= (self.end - self.start).days < MOST_DAYS
        ):
            raise refusal(
                "enrich.calendar_span", start=self.start.isoformat(), end=self.end.isoformat(), most=MOST_DAYS
            )
        return self

    def spans(self, year: int) -> Iterator[tuple[dt.date, dt.date]]:
        """First and last day of what begins in `year` (of the lunar calendar for `lunar`)."""
        if self.start is not None:
            if self.start.year == year:
                yield self.start, self.end or self.start + dt.timedelta(days=self.days - 1)
            return
        first = (
            _solar(year, self.every)
            if self.every
            else _lunar(year, self.lunar)
            if self.lunar
            else _term(year, str(self.term))
        )
        if first is not None:
            yield first, first + dt.timedelta(days=self.days - 1)


class Occasion(_Part):
    """A festival or a local event. `before` days count as buying for it; `regions` say where (none: everywhere)."""

    occasion: str = Field(pattern=NAME)
    title: dict[Literal["zh", "en"], str]
    when: list[Days] = Field(min_length=1)
    before: int = Field(default=0, ge=0, le=MOST_DAYS)
    regions: list[Annotated[str, Field(min_length=1, max_length=60)]] = Field(default_factory=list)

    def days(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Its days between `first` and `last`, those before it included, in order."""
        found: set[dt.date] = set()
        for year in range(first.year - 1, last.year + 2):
            for start, end in (span for when in self.when for span in when.spans(year)):
                at = start - dt.timedelta(days=self.before)
                while at <= end:
                    if first <= at <= last:
                        found.add(at)
                    at += dt.timedelta(days=1)
        return sorted(found)


def _solar(year: int, month_day: str) -> dt.date | None:
    month, day = (int(part) for part in month_day.split("-"))
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None  # 29 February


def _lunar(year: int, month_day: str) -> dt.date:
    from lunar_python import Solar

    month, day = (int(part) for part in month_day.split("-"))
    found = _lunar_year(year).getMonth(month)
    solar = Solar.fromJulianDay(found.getFirstJulianDay() + min(day, found.getDayCount()) - 1)
    return dt.date(solar.getYear(), solar.getMonth(), solar.getDay())


@cache
def _lunar_year(year: int) -> Any:
    """The months of a lunar year; kept, because working them out takes hundredths of a second."""
    from lunar_python import LunarYear

    return LunarYear(year)


def _term(year: int, name: str) -> dt.date:
    solar = _terms(year)[name]
    return dt.date(solar.getYear(), solar.getMonth(), solar.getDay())


@cache
def _terms(year: int) -> Any:
    from lunar_python import Solar

    return Solar.fromYmd(year, 7, 1).getLunar().getJieQiTable()


@cache
def festivals() -> tuple[Occasion, ...]:
    """China's festivals as they ship; of two that cover a day the one listed first counts."""
    content: Any = packaged_yaml(
        resources.files("kequn.profile").joinpath("festivals.yaml").read_text(encoding="utf-8")
    )
    return tuple(Occasion.model_validate(each) for each in content)


def occasions(texts: Mapping[str, str]) -> tuple[Occasion, ...]:
    """A workspace's own `calendar/*.yaml`, by file name. Raises ConfigError with file, line and what is wrong."""
    found: dict[str, str] = {}
    made = []
    for file, text in sorted(texts.items()):
        read = validate(Occasion, parse_yaml(text, file), file)
        if read.occasion in found:
            from kequn.errors import ConfigError

            raise ConfigError(
                "enrich.calendar_twice", occasion=read.occasion, file=file, other=found[read.occasion]
            )
        found[read.occasion] = file
        made.append(read)
    return tuple(made)


__all__ = ["Days", "Occasion", "festivals", "occasions"]
