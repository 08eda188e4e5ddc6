"""Invented answers to a questionnaire: each person has a leaning per trait, and items scatter around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from kequn.packs.samples.people import World
from kequn.profile.questionnaire import Questionnaire

HEADER = ("客户编号", "问卷", "题目", "回答时间", "分值", "文字")
Answer = tuple[str, str, str, datetime, int, str]


def answers(
    world: World, questionnaire: Questionnaire, person: str, day: date, leaning: Mapping[str, float]
) -> Iterator[Answer]:
    """One person's answers. `leaning`: trait to a share of the scale (0 low … 1 high); others are drawn."""
    moment = world.moment(day)
    for trait in questionnaire.traits:
        level = leaning.get(trait.id, world.between(0.15, 0.85))
        for item in questionnaire.items:
            if item.id not in trait.items or world.chance(0.04):
                continue
            scale = item.scale or questionnaire.scale
            share = min(1.0, max(0.0, level + world.random.gauss(0.0, 0.13)))
            low, high = int(scale.low), int(scale.high)
            value = low + round((1 - share if item.reverse else share) * (high - low))
            yield person, questionnaire.questionnaire, item.id, moment, value, ""


__all__ = ["HEADER", "Answer", "answers"]
