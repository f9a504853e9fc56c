"""What is a red flag, how urgent and until when somebody must act. Pure: rules are data (`red_flags.json`).

Each rule names its source. An organization may change a rule's level, threshold and clocks (`FlagRule`), never remove
one: what was asked is looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

ANY = "any"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Raised where one of `items` (or any, or by `score` the total or its rise) is `at_least` so much.

    Or where a reading of `measure` during a visit is (with `below`, is less than that), or the `grade` of an adverse
    event, or where a text message holds one of `words` (small letters without accents). Only between `from_hours` and
    `to_hours` after the discharge where they are given, and not beside `unless`, which says more. `act_minutes`: until
    when a person must have acted. `escalate_minutes`: after how long without acknowledgement it is passed on.
    `holds_series`: nothing more is given before a prescriber has looked. `page`: what the patient reads at once,
    `crisis` or `urgent`. `asks_next`: the questionnaire that is asked at once.
    """

    kind: str
    level: str
    act_minutes: int
    escalate_minutes: int
    holds_series: bool
    source: str
    instruments: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    score: str = ""
    page: str = ""
    asks_next: str = ""
    words: tuple[str, ...] = ()
    measure: str = ""
    below: bool = False
    grade: bool = False
    at_least: int = 0
    unless: str = ""
    from_hours: int | None = None
    to_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """One questionnaire's answers as they came in; `before` is the patient's score the time before, if any."""

    instrument: str
    answers: Mapping[str, int]
    score: Decimal
    hours_after: int
    before: Decimal | None = None


@cache
def _book() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("red_flags.json").read_text(encoding="utf-8"))
    return found


@cache
def rules() -> dict[str, Rule]:
    """The rules of the house by kind, in the order of the file."""
    return {entry["kind"]: _rule(entry) for entry in _book()["rules"]}


def _rule(entry: Mapping[str, Any]) -> Rule:
    items = entry.get("items", ())
    listed = {"instruments": tuple(entry.get("instruments", ())), "items": (ANY,) if items == ANY else tuple(items)}
    return Rule(**{**entry, **listed, "words": tuple(entry.get("words", ()))})


def ladder() -> tuple[str, ...]:
    """Who is told, step by step: `on_call`, `on_call_and_creator`, `care_of_site`; the last again and again."""
    return tuple(_book()["ladder"])


def suicide_items() -> frozenset[str]:
    """Instruments that ask about suicide: while one is in use, somebody is on call at every hour."""
    return frozenset(code for rule in rules().values() if "suicid" in rule.kind for code in rule.instruments)


def changed(rule: Rule, level: str, at_least: int | None, act_minutes: int, escalate_minutes: int) -> Rule:
    """The rule as an organization has it."""
    threshold = rule.at_least if at_least is None else at_least
    return replace(rule, level=level, at_least=threshold, act_minutes=act_minutes, escalate_minutes=escalate_minutes)


def raised(answered: Answered, in_force: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that these answers meet, in the order given."""
    asked = (rule for rule in in_force if answered.instrument in rule.instruments)
    return _saying_most([rule for rule in asked if _meets(rule, answered)])


def raised_by_reading(values: Mapping[str, float | None], in_force: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that a reading of vital signs meets; `values` by measure, None where it was not taken."""
    taken = [(rule, values.get(rule.measure)) for rule in in_force if rule.measure]
    return _saying_most([rule for rule, value in taken if value is not None and _beyond(rule, value)])


def _beyond(rule: Rule, value: float) -> bool:
    return value < rule.at_least if rule.below else value >= rule.at_least


def raised_by_grade(grade: int, in_force: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that an adverse event of this CTCAE grade meets."""
    return tuple(rule for rule in in_force if rule.grade and grade >= rule.at_least)


def raised_by_words(folded: str, in_force: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that a text message meets; `folded` in small letters without accents and points."""
    return tuple(rule for rule in in_force if any(word in folded for word in rule.words))


def _saying_most(met: Sequence[Rule]) -> tuple[Rule, ...]:
    kinds = {rule.kind for rule in met}
    return tuple(rule for rule in met if rule.unless not in kinds)


def _meets(rule: Rule, answered: Answered) -> bool:
    if rule.from_hours is not None and answered.hours_after < rule.from_hours:
        return False
    if rule.to_hours is not None and answered.hours_after >= rule.to_hours:
        return False
    if rule.score == "total":
        return answered.score >= rule.at_least
    if rule.score == "rise":
        return answered.before is not None and answered.score - answered.before >= rule.at_least
    items = answered.answers if rule.items == (ANY,) else rule.items
    return any(answered.answers.get(item, 0) >= rule.at_least for item in items)
