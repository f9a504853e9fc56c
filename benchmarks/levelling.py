"""What a level objective is worth: a year of the same arrivals, booked with the objective and with first-fit.

First-fit takes the earliest day that the rules leave and the earliest start on it, and looks back where it is stuck: it
finds a plan wherever there is one, so the ways differ only in what they leave to those who come later. A third way
tells levelling apart: the objective's days, but the earliest start on each. The planner alone: no database, no HTTP.
"""

from __future__ import annotations

import json
import math
import random
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import say
from scheduler import treatment
from scheduler.day import Place, Placement, place, starts
from scheduler.facts import ChairFacts, Day, Need, StaffFacts, Taken
from scheduler.planner import Wishes, plan
from scheduler.search import permitted
from scheduler.slots import mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scheduler.treatment import Visit

SLOTS = 288
MONDAY = date(2031, 3, 3)
OPEN = mask(96, 216, SLOTS)  # 08:00 to 18:00, Monday to Saturday
KINDS = ("recliner",) * 5 + ("bed",) + ("private_room",) * 2
NURSES, PRESCRIBERS = 4, 2
# Courses of the catalogue and how often each is asked for.
COURSES = {"KET-TRD-2W": 4, "KET-CRPS": 1, "FE-NDD": 3, "IFX-IND": 2, "IVIG-ITP": 1}
ARRIVALS_A_DAY = 4.0
WARM_UP, WEEKS_AHEAD = 28, 4
# Of patients, how many want mornings only, and how many only three weekdays.
MORNINGS, THREE_DAYS = 0.25, 0.15
# Two-sided 95 % points of Student's distribution, by how many seeds there are.
STUDENT = {2: 12.706, 10: 2.262}

Chosen = list[tuple[date, int]]


@dataclass(frozen=True)
class Arrival:
    """Somebody who asks for a course on a day of the year."""

    visits: tuple[Visit, ...]
    wishes: Wishes


@dataclass
class Clinic:
    """The days of the simulated clinic, and what came of the requests after the warm-up."""

    days: dict[date, Day]
    waits: list[int] = field(default_factory=list)
    off_target: list[int] = field(default_factory=list)
    placed: int = 0
    refused: int = 0

    def book(self, visits: Sequence[Visit], chosen: Chosen) -> None:
        """Put the sessions on their days."""
        for visit, (on, start) in zip(visits, chosen, strict=True):
            day, need = self.days[on], Need.of(visit)
            found = place(day, need, start)
            if not isinstance(found, Placement):
                raise SystemExit(f"A start was chosen that cannot be taken: {found.detail}")
            new = _given(need.at(start, f"{on}/{len(day.taken)}"), found)
            others = (_given(one, found.moved[one.id]) if one.id in found.moved else one for one in day.taken)
            self.days[on] = replace(day, taken=(*others, new))


def main(quick: bool) -> None:
    """Book the same arrivals each way, for every seed; tell means, and 95 % confidence intervals over the seeds."""
    seeds, length = (2, 35) if quick else (10, 365)
    say(f"{len(KINDS)} chairs, {NURSES} nurses, {length} days, {ARRIVALS_A_DAY} requests a day; {seeds} seeds")
    # Nothing is timed, so as many years as there are processors go by at once.
    with ProcessPoolExecutor() as processes:
        years = list(processes.map(year, range(seeds), repeat(length)))
    for name in years[0]["objective"]:
        say(f"\n{name}")
        each = {way: [outcomes[way][name] for outcomes in years] for way in WAYS}
        for way, values in each.items():
            say(f"  {way:28}{interval(values)}")
        for way in ("first-fit", "objective, earliest starts"):
            less = [mine - other for mine, other in zip(each["objective"], each[way], strict=True)]
            say(f"  objective less {way:28}{interval(less)}")


def year(seed: int, length: int) -> dict[str, dict[str, float]]:
    """What comes of one year's arrivals, by the way in which they are booked."""
    asked = list(arrivals(random.Random(seed), length))
    return {way: simulate(asked, choose, length) for way, choose in WAYS.items()}


def interval(values: Sequence[float]) -> str:
    """Mean and its 95 % confidence interval."""
    middle = statistics.mean(values)
    half = STUDENT[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{middle:,.3f} ({middle - half:,.3f} to {middle + half:,.3f})"


def arrivals(luck: random.Random, length: int) -> Iterator[Arrival]:
    """Who asks for what, in order; as many a day as chance has it."""
    rows = json.loads((Path(treatment.__file__).parent / "catalogue.json").read_text(encoding="utf-8"))["rows"]
    courses = {code: treatment.visits(treatment.parse_phases([rows[code]["phase"]])) for code in COURSES}
    for number in range(length):
        today, chance = MONDAY + timedelta(days=number), luck.random()
        while chance > math.exp(-ARRIVALS_A_DAY):
            chance *= luck.random()
            visits = courses[luck.choices(list(COURSES), list(COURSES.values()))[0]]
            one = Arrival(visits, _wishes(luck, visits, today))
            # What not even an idle clinic could give is nobody's merit.
            if plan(one.visits, [_day(on) for on in _dates(one.wishes)], one.wishes):
                yield one


def _wishes(luck: random.Random, visits: Sequence[Visit], today: date) -> Wishes:
    """Dates with room for the longest gaps and some weeks more; some want mornings only, some three weekdays."""
    gaps = [visit.gap for visit in visits if visit.gap]
    longest = max(sum(gap.max_days for gap in gaps if gap.after > 1) + gaps[0].max_days, gaps[-1].max_days)
    return Wishes(
        earliest=today + timedelta(days=1),
        latest=today + timedelta(days=longest + 7 * WEEKS_AHEAD),
        weekdays=frozenset(luck.sample(range(5), 3)) if luck.random() < THREE_DAYS else None,
        time_windows=((480, 780),) if luck.random() < MORNINGS else (),
    )


def simulate(asked: Sequence[Arrival], choose: Callable[[Arrival, Clinic], Chosen], length: int) -> dict[str, float]:
    """What comes of a year of arrivals; the warm-up does not count."""
    clinic = Clinic({on: _day(on) for on in (MONDAY + timedelta(days=n) for n in range(length + 150))})
    counted = MONDAY + timedelta(days=WARM_UP)
    for one in asked:
        chosen = choose(one, clinic)
        clinic.book(one.visits, chosen) if chosen else None
        if one.wishes.earliest > counted:
            clinic.placed += bool(chosen)
            clinic.refused += not chosen
            clinic.waits += [(chosen[0][0] - one.wishes.earliest).days] if chosen else []
            clinic.off_target += _off_target(one.visits, chosen) if chosen else []
    end = MONDAY + timedelta(days=length)
    days = [day for on, day in clinic.days.items() if counted <= on < end and day.open]
    return {
        "peak nurse load, sessions at once, mean of days": statistics.mean(map(peak_load, days)),
        "the same, were each moment's work spread evenly": statistics.mean(map(even_peak, days)),
        "days to first session, mean": statistics.mean(clinic.waits),
        "days off the target gap, mean of sessions": statistics.mean(clinic.off_target),
        "series placed": clinic.placed,
        "requests without a plan, share": clinic.refused / (clinic.placed + clinic.refused),
    }


def _off_target(visits: Sequence[Visit], chosen: Chosen) -> list[int]:
    """Days off the wanted gap, session by session."""
    dates = [on for on, _ in chosen]
    gaps = [(dates[number], visit.gap) for number, visit in enumerate(visits) if visit.gap]
    return [abs((on - dates[gap.after - 1]).days - gap.target_days) for on, gap in gaps]


def peak_load(day: Day) -> float:
    """The most sessions that any nurse has at any instant of the day."""
    moments = [
        sum(other.nurse == one.nurse and other.start <= one.start < other.end for other in day.taken)
        for one in day.taken
    ]
    return max(moments, default=0)


def even_peak(day: Day) -> float:
    """The most sessions at any instant of the day, divided by the nurses on duty: what is to be had at best."""
    moments = [sum(other.start <= one.start < other.end for other in day.taken) for one in day.taken]
    return max(moments, default=0) / len(day.nurses)


def by_objective(one: Arrival, clinic: Clinic) -> Chosen:
    """The best plan by the service's objective."""
    found = plan(one.visits, _window(one, clinic), one.wishes)
    return [(session.date, session.start) for session in found[0].sessions] if found else []


def unlevelled(one: Arrival, clinic: Clinic) -> Chosen:
    """The days of the best plan, and on each the earliest start: the objective without its level and its fragments."""
    chosen = []
    for (on, start), visit in zip(by_objective(one, clinic), one.visits, strict=False):
        earliest = _first_start(visit, clinic.days[on], one.wishes)
        chosen.append((on, start if earliest is None else earliest))
    return chosen


def first_fit(one: Arrival, clinic: Clinic) -> Chosen:
    """The earliest start of the earliest day for each session in turn."""
    days = {day.date: day for day in _window(one, clinic)}
    stuck: set[tuple[date, ...]] = set()

    def onward(chosen: Chosen) -> Chosen | None:
        number, dates = len(chosen), tuple(on for on, _ in chosen)
        if number == len(one.visits) or dates in stuck:
            return None if dates in stuck else chosen
        visit = one.visits[number]
        for on in _allowed(visit, dates, days):
            start = _first_start(visit, days[on], one.wishes)
            rest = None if start is None else onward([*chosen, (on, start)])
            if rest is not None:
                return rest
        stuck.add(dates)
        return None

    return onward([]) or []


def _allowed(visit: Visit, dates: Sequence[date], days: dict[date, Day]) -> Iterator[date]:
    """The days that the spacing leaves, earliest first."""
    for on in sorted(days):
        gap, span = visit.gap, visit.span
        if dates and on <= dates[-1]:
            continue
        if gap and not gap.min_days <= (on - dates[gap.after - 1]).days <= gap.max_days:
            continue
        if not span or (on - dates[span.since - 1]).days <= span.max_days:
            yield on


def _first_start(visit: Visit, day: Day, wishes: Wishes) -> int | None:
    need = Need.of(visit)
    free = starts(day, need) & permitted(day, need, wishes)
    while free:
        start = (free & -free).bit_length() - 1
        if isinstance(place(day, need, start), Placement):
            return start
        free &= free - 1
    return None


def _window(one: Arrival, clinic: Clinic) -> list[Day]:
    return [clinic.days[on] for on in _dates(one.wishes)]


def _dates(wishes: Wishes) -> list[date]:
    """The dates of the window on the weekdays wished for."""
    dates = (wishes.earliest + timedelta(days=n) for n in range((wishes.latest - wishes.earliest).days + 1))
    return [on for on in dates if wishes.weekdays is None or on.weekday() in wishes.weekdays]


WAYS: dict[str, Callable[[Arrival, Clinic], Chosen]] = {
    "first-fit": first_fit,
    "objective": by_objective,
    "objective, earliest starts": unlevelled,
}


def _given(one: Taken, found: Placement | Place) -> Taken:
    return replace(one, chair=found.chair, nurse=found.nurse, prescriber=found.prescriber)


def _day(on: date) -> Day:
    opened = OPEN if on.weekday() < 6 else 0
    return Day(
        date=on,
        first_instant=datetime(on.year, on.month, on.day, tzinfo=UTC),
        slots=SLOTS,
        open=opened,
        wall=tuple(range(0, 1440, 5)),
        chairs=tuple(
            ChairFacts(f"chair-{n}", kind, frozenset(), mask(0, SLOTS, SLOTS)) for n, kind in enumerate(KINDS)
        ),
        nurses=tuple(StaffFacts(f"nurse-{n}", "nurse", opened, 4, 8) for n in range(NURSES)),
        prescribers=tuple(StaffFacts(f"prescriber-{n}", "prescriber", opened, 8) for n in range(PRESCRIBERS)),
        taken=(),
        patient_free=mask(0, SLOTS, SLOTS),
    )
