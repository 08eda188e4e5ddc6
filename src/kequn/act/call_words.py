"""Words of a call list: its headings, and for each call one sentence of what to offer and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kequn.i18n import say, title

TITLES = (
    "rank",
    "customer_id",
    "account_manager",
    "probability",
    "value",
    "expected_value",
    "offer",
    "sentence",
)


@dataclass(frozen=True)
class Playbooks:
    """What to do in each segment of the list's scheme: {segment: {zh, en} or text}."""

    texts: Mapping[str, Any] = field(default_factory=dict)

    def say(self, segment: str | None, lang: str) -> str | None:
        """The text for a segment, None when there is none."""
        text = self.texts.get(segment) if segment is not None else None
        return title(text, lang) or None if text is not None else None


def call_titles(lang: str = "zh") -> dict[str, str]:
    """Columns of a call list with their headings."""
    return {name: say(f"act.column_{name}", lang) for name in TITLES}


def sentence(
    offer: str | None, reason: str | None, usual: bool, playbook: str | None, lang: str = "zh"
) -> str:
    """What to offer and why, in one sentence, followed by what the segment's playbook asks for.

    `offer` and `reason` are names of products: "bought `reason`; people who buy it buy `offer`"; `usual` means that the
    customer buys the offer anyway.
    """
    if offer is None:
        return playbook or say("act.call_no_offer", lang)
    if usual:
        first = say("act.call_usual", lang, product=offer)
    elif reason is not None:
        first = say("act.call_because", lang, product=offer, reason=reason)
    else:
        first = say("act.call_popular", lang, product=offer)
    return f"{first}{playbook}" if playbook and lang == "zh" else f"{first} {playbook}" if playbook else first


__all__ = ["TITLES", "Playbooks", "call_titles", "sentence"]
