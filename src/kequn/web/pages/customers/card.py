"""What the card says of a customer, from rows of the run; personal data come masked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from kequn.i18n import say
from kequn.reading.forecast import offer_reason, trust
from kequn.reading.values import value_title
from kequn.web.accounts.masking import HIDDEN
from kequn.web.published import column_title, language, said, schemes, value_titles, worded
from kequn.web.serving import Reader
from kequn.web.ui import numbers
from kequn.web.ui.templatetags.kequn import money_exact, money_whole

SHOWN_FIRST = (
    "gender", "age", "age_band", "occupation", "education", "marital_status", "children", "household_size_band", "life_stage",
    "income_band", "home_ownership", "industry", "city", "city_tier", "province", "preferred_channel", "first_channel", "preferred_store",
    "top_category", "top_brand", "top_season", "phone", "email", "account_manager", "registered_at", "first_order_at",
)  # fmt: skip
OFFERS = 3
BADGES = 4


def headline(profile: Mapping[str, Any]) -> str:
    """The name to show at the top."""
    return str(profile.get("name") or profile.get("company") or "")


class Card:
    """One customer, ready for the template."""

    def __init__(
        self, reader: Reader, profile: dict[str, Any], places: Mapping[str, str], found: dict[str, Any]
    ) -> None:
        self.reader, self.profile, self.places, self.found = reader, profile, places, found
        self.prediction: dict[str, Any] = found["prediction"] or {}

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """Segment by segment, main schemes first."""
        return [
            {
                "scheme": scheme,
                "segment": segment,
                "title": scheme.segment_title(segment),
                "colour": scheme.colour(segment),
            }
            for scheme in schemes(self.reader).values()
            if (segment := self.places.get(scheme.name))
        ]

    @cached_property
    def badges(self) -> list[dict[str, Any]]:
        return _telling(self.groups)[:BADGES]

    @cached_property
    def facts(self) -> list[tuple[str, Any]]:
        """The attributes that are known, in words."""
        return [
            (column_title(self.reader, name), self._worded(name))
            for name in SHOWN_FIRST
            if self.profile.get(name) not in (None, "")
        ]

    def _worded(self, name: str) -> str:
        value = self.profile[name]
        return (
            value_title(value_titles(self.reader), name, value, language())
            if isinstance(value, str)
            else _plain(value)
        )

    @property
    def known_facts(self) -> list[tuple[str, Any]]:
        """The facts that may be read."""
        return [(title, value) for title, value in self.facts if value != HIDDEN]

    @property
    def hidden_facts(self) -> int:
        """How many more are known but masked."""
        return len(self.facts) - len(self.known_facts)

    @cached_property
    def contact(self) -> list[tuple[str, Any]]:
        """The line below the name."""
        return self.known_facts[:4]

    @cached_property
    def measures(self) -> list[dict[str, Any]]:
        """The strip of figures; what the run lacks is left out."""
        row, forecast = self.profile, self.prediction
        found = []
        if "revenue_12m" in row or "monetary" in row:
            if row.get("revenue_12m") is None:
                found.append((_("累计消费"), money_whole(row.get("monetary")), ""))
            else:
                every = _("累计 %(sum)s") % {"sum": money_whole(row.get("monetary"))}
                found.append((_("近 12 个月消费"), money_whole(row["revenue_12m"]), every))
        if forecast.get("clv_12m") is not None:
            found.append((_("未来 12 个月价值"), money_whole(forecast["clv_12m"]), _("模型估计")))
        if row.get("frequency") is not None:
            each = money_whole(row.get("average_order_value"))
            found.append(
                (_("购买次数"), numbers.number(row["frequency"]), _("客单价 %(value)s") % {"value": each})
            )
        if row.get("recency_days") is not None:
            gap = row.get("gap_mean_days")
            note = _("平常间隔 %(days)s 天") % {"days": numbers.number(gap, 0)} if gap is not None else ""
            found.append(
                (_("最近购买"), _("%(days)s 天前") % {"days": numbers.number(row["recency_days"])}, note)
            )
        if forecast.get("p_churn") is not None:
            found.append((_("流失概率"), numbers.percent(forecast["p_churn"]), self._health))
        if forecast.get("next_order_on") is not None:
            found.append((_("预计下次购买"), str(forecast["next_order_on"]), _("按自己的节奏推算")))
        return [{"title": title, "value": value, "note": note} for title, value, note in found]

    @property
    def _health(self) -> str:
        band = self.prediction.get("health_band")
        return say(f"predict.band_{band}", language()) if band else ""

    @cached_property
    def action(self) -> dict[str, Any] | None:
        """What to do next: the playbook of the segment that says most about what the customer needs now."""
        for group in self.groups:
            if text := _playbook(group):
                return {"text": text, "group": group, "reasons": self.reasons}
        return None

    @cached_property
    def reasons(self) -> list[str]:
        """Why now: what the health score found."""
        found = [self.prediction.get(f"health_reason_{place}") for place in (1, 2, 3)]
        return [say(f"predict.health_{code}", language()) for code in found if code]

    @cached_property
    def offers(self) -> list[dict[str, Any]]:
        """The products to propose, each with one sentence of why."""
        offers = self.found["recommendations"][:OFFERS]
        ids = {row[key] for row in offers for key in ("product_id", "reason_product_id") if row.get(key)}
        names = {one: self.reader.product_name(one) for one in ids}
        return [
            {
                **row,
                "product": names.get(row["product_id"], row["product_id"]),
                "why": offer_reason(row, names, language()),
            }
            for row in offers
        ]

    @cached_property
    def forecasts(self) -> list[dict[str, Any]]:
        """Each prediction with how well its model did on held-out months."""
        models = said(self.reader).get("models") or ()
        found = []
        for column in said(self.reader).get("prediction_columns") or ():
            value = self.prediction.get(column["name"])
            if value is None or column["name"].startswith(("health_reason", "next_best", "health_band")):
                continue
            found.append(
                {
                    "title": worded(column["title"], column["name"]),
                    "value": _forecast(column, value),
                    "trust": trust(models, column["name"], language()),
                }
            )
        return found

    @cached_property
    def orders(self) -> list[dict[str, Any]]:
        return [
            {
                **row,
                "shown": money_exact(row.get("amount")),
                "product": row.get("main_product") or row.get("main_category"),
            }
            for row in self.found["orders"]
        ]


def _telling(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [group for group in groups if group["segment"] not in ("unknown", "other")]


def _playbook(group: Mapping[str, Any]) -> str:
    return str(group["scheme"].playbooks.get(group["segment"]) or "")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, (float, Decimal)):
        return numbers.number(value, 2)
    if isinstance(value, int):
        return str(value)
    return value.strftime("%Y-%m-%d") if isinstance(value, (date, datetime)) else str(value)


def _forecast(column: Mapping[str, Any], value: Any) -> str:
    if column["type"] == "money":
        return money_whole(value)
    if column["name"].startswith("p_"):
        return numbers.percent(value)
    return numbers.number(value, 1) if isinstance(value, float) else _plain(value)
