"""What could be planned if rules did not hold or if there were more, by trying every choice of days, slot by slot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from scheduler.day import ChairFacts, Day, Need, StaffFacts, mask
from scheduler.plans import Wishes
from scheduler.suppose import Opening
from scheduler.treatment import Visit, parse_phases, visits_from
from tests.scheduler import clinic
from tests.scheduler.test_planner import random_case

if TYPE_CHECKING:
    from scheduler.relaxations import Step

WISHES = ("chair_kind", "provider", "time_windows", "weekdays", "earliest_date", "latest_date")
SPACING = ("max_gap", "window", "span", "min_gap")
OF_A_DAY = ("patient_busy", "closures", "opening_hours", "chair_need", "chairs", "nurses", "prescribers", "bookings")
BY_SESSION = SPACING + OF_A_DAY
Rules = frozenset[tuple[str, int | None]]


@dataclass
class Case:
    """A request in a small clinic. What has been found out is kept, since most questions are asked many times."""

    visits: tuple[Visit, ...]
    days: list[Day]
    wishes: Wishes
    before: list[date]
    openings: dict[date, Opening]
    known: dict[Any, bool] = field(default_factory=dict)

    def all_rules(self) -> Rules:
        """Every rule that there can be, in force or not."""
        numbers = [visit.sequence for visit in self.visits]
        return frozenset(
            [(code, None) for code in WISHES] + [(code, number) for code in BY_SESSION for number in numbers]
        )

    def possible(self, lifted: Rules = frozenset(), steps: tuple[Step, ...] = ()) -> bool:
        """Whether there is a plan without these rules, and with these changes."""
        wishes, places = self.wishes, self.visits
        for step in steps:
            wishes = replace(wishes, **step.wishes) if step.wishes is not None else wishes
            places = tuple(longer(visit, step) for visit in places)
        more = [step.more for step in steps if step.more is not None]
        options = [[day.date for day in self.days if self.takes(v, day, wishes, lifted, more)] for v in places]
        return self.choose(places, options, lifted, [*self.before])

    def choose(self, places: tuple[Visit, ...], options: list[list[date]], lifted: Rules, chosen: list[date]) -> bool:
        """Whether the rest of the days can be chosen, one after the other."""
        number = len(chosen) - len(self.before)
        if number == len(places):
            return True
        return any(
            self.choose(places, options, lifted, [*chosen, on])
            for on in options[number]
            if keeps(places[number], [*chosen, on], lifted)
        )

    def takes(self, visit: Visit, day: Day, wishes: Wishes, lifted: Rules, more: list[Any]) -> bool:
        """Whether a day can take a session."""
        off = {code for code, number in lifted if number in (None, visit.sequence)}
        if "earliest_date" not in off and day.date < wishes.earliest:
            return False
        if "latest_date" not in off and day.date > wishes.latest:
            return False
        if wishes.weekdays is not None and "weekdays" not in off and day.date.weekday() not in wishes.weekdays:
            return False
        here = [each for each in more if each.on >> (day.date.toordinal() - self.base()) & 1]
        inside = frozenset(off & {"time_windows", "chair_kind", "provider", *OF_A_DAY})
        needed = Need.of(visit)
        extra = tuple(sorted((each.code, each.kind or "") for each in here))
        asks = (wishes.time_windows, wishes.chair_kind, wishes.provider)
        key = (day.date, needed, inside, asks, extra)
        if key not in self.known:
            self.known[key] = self.has_start(needed, day, wishes, inside, extra)
        return self.known[key]

    def base(self) -> int:
        """The date before the first that anybody speaks of."""
        return min([day.date for day in self.days] + self.before).toordinal() - 1

    def has_start(
        self, need: Need, day: Day, wishes: Wishes, off: frozenset[str], more: tuple[tuple[str, str], ...]
    ) -> bool:
        """Whether some start is left when some rules do not hold and there is more, by the slowest way there is."""
        opening, whole = self.openings.get(day.date, Opening(day.open)), mask(0, day.slots, day.slots)
        hours = whole if "opening_hours" in off else opening.hours
        closed = 0 if "closures" in off or ("no_closure", "") in more else opening.closed
        day = replace(day, open=hours & ~closed)
        kind, provider = wishes.chair_kind, wishes.provider
        doctors = {person.id for person in day.prescribers}
        need = replace(need, chair_kind=None if "chair_kind" in off else kind)
        need = replace(need, provider=None if "provider" in off else provider)
        if "chair_need" in off:
            need = replace(need, kinds=frozenset(), features=frozenset())
        if "patient_busy" in off:
            day = replace(day, patient_free=whole)
        if "bookings" in off:
            day = replace(day, taken=())
        for name in clinic.KINDS:
            if "chairs" in off or ("one_chair", name) in more:
                free = whole if "chairs" in off else day.open
                day = replace(day, chairs=(*day.chairs, ChairFacts(f"more {name}", name, need.features, free)))
        if "nurses" in off:
            day = replace(day, nurses=(*day.nurses, StaffFacts("more", "nurse", whole, 99)))
            need = replace(need, provider=need.provider if need.provider in doctors else None)
        elif ("one_nurse", "") in more:
            day = replace(day, nurses=(*day.nurses, StaffFacts("more", "nurse", day.open, 1)))
        if "prescribers" in off:
            day = replace(day, prescribers=(*day.prescribers, StaffFacts("more d", "prescriber", whole, 99)))
            need = replace(need, provider=None if need.provider in doctors else need.provider)
        elif ("one_prescriber", "") in more:
            day = replace(day, prescribers=(*day.prescribers, StaffFacts("more d", "prescriber", day.open, 1)))
        windows = () if "time_windows" in off else wishes.time_windows
        timely = Wishes(day.date, day.date, time_windows=windows)
        return any(clinic.within_wishes(day, need, timely, start) for start in clinic.oracle(day, need))


def keeps(visit: Visit, dates: list[date], lifted: Rules) -> bool:
    """Whether the last of the dates of sessions 1, 2, ... keeps its visit's rules."""
    holds, number, on = partial(_holds, lifted, visit.sequence), visit.sequence, dates[-1]
    if number > 1 and on <= dates[-2]:
        return False
    if visit.span is not None and holds("span") and (on - dates[visit.span.since - 1]).days > visit.span.max_days:
        return False
    if visit.gap is None:
        return True
    days = (on - dates[visit.gap.after - 1]).days
    if visit.gap.after < number - 1:
        return not holds("window") or visit.gap.min_days <= days <= visit.gap.max_days
    soon, late = days < visit.gap.min_days, days > visit.gap.max_days
    return not (soon and holds("min_gap")) and not (late and holds("max_gap"))


def _holds(lifted: Rules, number: int, code: str) -> bool:
    return (code, number) not in lifted


def longer(visit: Visit, step: Step) -> Visit:
    """A visit with the days more that a step gives its phase."""
    code, phase, days = step.stretch or ("", "", 0)
    if visit.phase == phase and code == "span" and visit.span:
        return replace(visit, span=replace(visit.span, max_days=visit.span.max_days + days))
    if visit.phase == phase and visit.gap and code == ("window" if visit.gap.after < visit.sequence - 1 else "max_gap"):
        return replace(visit, gap=replace(visit.gap, max_days=visit.gap.max_days + days))
    return visit


def random_request(seed: int) -> Case:
    """A small clinic's week and a request that often has no plan: a window within the week, a closure, many wishes."""
    luck = Random(seed)
    phases, days, wishes, before = random_case(seed)
    days = days or [clinic.day()]
    first, last = luck.choice([0, 0, 1, 2]), luck.choice([3, 4, 5, 7])
    some = sorted(luck.sample(range(7), luck.choice([2, 3, 5])))
    wishes = replace(
        wishes,
        earliest=clinic.MONDAY + timedelta(days=first),
        latest=clinic.MONDAY + timedelta(days=last),
        weekdays=frozenset(some) if luck.random() < 0.2 else None,
        provider=luck.choice(["nurse-0", "prescriber-0", "nobody"]) if luck.random() < 0.15 else None,
        chair_kind=luck.choice(clinic.KINDS) if luck.random() < 0.15 else None,
    )
    openings = {}
    for place, day in enumerate(days):
        if luck.random() < 0.2:
            from_slot = luck.randrange(day.slots)
            closed = mask(from_slot, from_slot + luck.randint(1, day.slots), day.slots)
            openings[day.date] = Opening(day.open, closed)
            days[place] = replace(day, open=day.open & ~closed)
    return Case(visits_from(parse_phases(phases), len(before)), days, wishes, before, openings)
