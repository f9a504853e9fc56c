"""Why there is no plan: rules that stand in the way together, none of them needlessly named."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scheduler.suppose import DAY_RULES, SPACING_RULES, WISH_RULES, Question, Rule
from scheduler.wording import values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scheduler.treatment import Visit


@dataclass(frozen=True)
class Reason:
    """A rule that stands in the way; `session` is a number in the series, None for a rule on the whole request.

    `values` are what there is to say of it.
    """

    code: str
    session: int | None
    values: Mapping[str, Any] = field(compare=False)


def why_not(question: Question) -> tuple[Reason, ...]:
    """Rules because of which there is no plan; () where there is one.

    Together they leave no plan even if no other rule held; without any one of them there would be one, if none but the
    rest held. A rule without which alone, all others holding, there would be a plan is among them in any case. Where
    nothing at all would help, `too_few_days`: fewer days are known than there are sessions.
    """
    if not question.asked.visits or question.possible(question.asked):
        return ()
    rules = in_force(question)
    codes = list(dict.fromkeys(Rule(rule.code) for rule in rules))

    def stands(kept: Sequence[Rule]) -> bool:
        lifted = [rule for rule in rules if rule not in kept and Rule(rule.code) not in kept]
        return not question.possible(replace(question.asked, lifted=frozenset(lifted)))

    if stands(()):
        return (_reason(Rule("too_few_days"), question),)
    # Kinds of rules first, then their sessions: fewer questions, and few kinds in the answer.
    kinds = irreducible(stands, codes)
    found = irreducible(stands, [rule for rule in rules if Rule(rule.code) in kinds])
    return tuple(_reason(rule, question) for rule in found)


def _reason(rule: Rule, question: Question) -> Reason:
    return Reason(rule.code, rule.session, values_of(rule, question))


def in_force(question: Question) -> list[Rule]:
    """Every rule that bears on the request; first those that are told rather than others."""
    wishes, days = question.asked.wishes, question.days.values()
    wished = {
        "chair_kind": wishes.chair_kind is not None,
        "provider": wishes.provider is not None,
        "time_windows": bool(wishes.time_windows),
        "weekdays": wishes.weekdays is not None,
    }
    idle = set()
    if all(day.patient_free + 1 == 1 << day.slots for day in days):
        idle.add("patient_busy")
    if not any(opening.closed for opening in question.openings.values()):
        idle.add("closures")
    if not any(day.taken for day in days):
        idle.add("bookings")
    rules = [Rule(code) for code in WISH_RULES if wished.get(code, True)]
    rules += [
        Rule(code, visit.sequence) for code in SPACING_RULES for visit in question.asked.visits if _spaces(visit, code)
    ]
    return rules + [
        Rule(code, visit.sequence)
        for code in DAY_RULES
        for visit in question.asked.visits
        if code not in idle and (code != "chair_need" or visit.chair.kinds or visit.chair.features)
    ]


def _spaces(visit: Visit, code: str) -> bool:
    """Whether a visit has a rule of this kind."""
    from_previous = visit.gap is not None and visit.gap.after == visit.sequence - 1
    return {
        "max_gap": from_previous,
        "min_gap": from_previous and visit.gap is not None and visit.gap.min_days > 1,
        "window": visit.gap is not None and not from_previous,
        "span": visit.span is not None,
    }[code]


def irreducible(stands: Callable[[Sequence[Rule]], bool], rules: Sequence[Rule]) -> list[Rule]:
    """A set of rules that stands, and would not without any one of them; in order, earlier rules rather than later.

    `stands` says whether rules together stand in the way: all of `rules` do, none do not, and more never do less. The
    way of halving is that of QuickXplain (Junker, AAAI 2004): few questions where few of many rules matter.
    """

    def look(base: list[Rule], news: bool, some: list[Rule]) -> list[Rule]:
        if news and stands(base):
            return []
        if len(some) == 1:
            return some
        first, second = some[: len(some) // 2], some[len(some) // 2 :]
        later = look(base + first, True, second)
        return look(base + later, bool(later), first) + later

    return look([], False, list(rules))
