"""The pure planner beside the arithmetic that no planner can do without: bit sets of what is free, a search over days.

50 chairs, 24 nurses and 6 prescribers, 90 days on the five-minute grid, six sessions of two hours two to four days
apart. The limit keeps none of our rules: no hands-on minutes, no capacity, no acuity, no choice of who and where.
"""

from __future__ import annotations

import gc
import random
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.common import percentile, say, spread, tell
from scheduler import treatment
from scheduler.facts import ChairFacts, Day, StaffFacts, Taken
from scheduler.planner import Wishes, plan
from scheduler.reasons import why_not
from scheduler.relaxations import relaxations
from scheduler.slots import bits, mask, runs
from scheduler.suppose import Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.treatment import Visit

CHAIRS, NURSES, PRESCRIBERS, DAYS, SLOTS = 50, 24, 6, 90, 288
OPEN = mask(96, 216, SLOTS)  # 08:00 to 18:00
SITTING = 24
MONDAY = date(2031, 3, 3)
PHASES = [
    {
        "name": "induction",
        "sessions": 6,
        "spacing": {"anchor": "previous", "min_days": 2, "target_days": 3, "max_days": 4},
        "minutes": {"prepare": 15, "infuse": 60, "recover": 30, "turnover": 15},
        "hands_on_minutes": 15,
        "chair": {"kinds": [], "features": []},
        "acuity": 2,
    }
]
WISHES = Wishes(earliest=MONDAY, latest=MONDAY + timedelta(days=DAYS - 1))


def main(quick: bool) -> None:
    """Measure for a site without sessions, with 5,000 and with 20,000; tell limit, ours and ratio."""
    rounds, sizes = (2, (0, 500)) if quick else (25, (0, 5_000, 20_000))
    visits = treatment.visits(treatment.parse_phases(PHASES))
    say(f"{CHAIRS} chairs, {NURSES + PRESCRIBERS} providers, {DAYS} days, six sessions; {rounds} rounds")
    for size in sizes:
        days = site_days(size)
        _measure(f"{size:,} sessions there", days, visits, rounds)
        _measure_why_not(f"{size:,} sessions there", days, visits, rounds)


def _measure_why_not(name: str, days: tuple[Day, ...], visits: tuple[Visit, ...], rounds: int) -> None:
    """Reasons and relaxations for requests that have no plan in the first half of the days, from fresh days."""
    half = replace(WISHES, latest=MONDAY + timedelta(days=DAYS // 2))
    asked = {
        "on Tuesdays only": replace(half, weekdays=frozenset({1})),
        "within 100 minutes of the day": replace(half, time_windows=((540, 640),)),
        "within nine days": replace(half, latest=MONDAY + timedelta(days=8)),
        "all of these": Wishes(MONDAY, MONDAY + timedelta(days=8), frozenset({1}), ((540, 640),)),
    }
    say(f"\n{name}: no plan, reasons and relaxations, target: p99 at most 300 ms")
    for what, wishes in asked.items():
        took = []
        for _ in range(rounds):
            question = Question(visits, [replace(day) for day in days], wishes)
            begin = time.perf_counter()
            if not why_not(question):
                raise SystemExit(f"{what}: there is a plan")
            relaxations(question)
            took.append((time.perf_counter() - begin) * 1000)
        say(f"  {what:30} p50 {percentile(took, 0.5):,.1f} ms, p99 {percentile(took, 0.99):,.1f} ms")


def _measure(name: str, days: tuple[Day, ...], visits: tuple[Visit, ...], rounds: int) -> None:
    busy = busy_intervals(days)
    free = free_sets(busy)
    if not plan(visits, days, WISHES, limit=5) or not best_six(all_starts(free)):
        raise SystemExit(f"{name}: there is no plan to be found")
    steps: dict[str, Callable[[], object]] = {
        "bare search": lambda: best_six(all_starts(free)),
        "bare search from intervals": lambda: best_six(all_starts(free_sets(busy))),
        "plan, days known": lambda: plan(visits, days, WISHES),
        # A fresh copy of a day has worked nothing out yet.
        "plan from facts": lambda: plan(visits, tuple(replace(day) for day in days), WISHES),
        "five plans from facts": lambda: plan(visits, tuple(replace(day) for day in days), WISHES, limit=5),
        "five plans, days known": lambda: plan(visits, days, WISHES, limit=5),
    }
    took: dict[str, list[float]] = {step: [] for step in steps}
    # As in a server that has started: what is there for good is not walked through for what can be thrown away.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for step, work in steps.items():
            begin = time.perf_counter()
            work()
            took[step].append((time.perf_counter() - begin) * 1000)
    gc.unfreeze()
    tell(f"{name}: plan, days known", "ms", took["bare search"], took["plan, days known"], "at most 2")
    tell(f"{name}: plan from facts", "ms", took["bare search from intervals"], took["plan from facts"], "at most 2")
    one = took["plan from facts"]
    say(f"  p99 beside p50  {percentile(one, 0.99) / percentile(one, 0.5):.2f}   target: at most 2")
    for what, limit in (("from facts", "bare search from intervals"), ("days known", "bare search")):
        single = took["plan from facts" if what == "from facts" else "plan, days known"]
        many = took[f"five plans{'' if what == 'from facts' else ','} {what}"]
        beside = [five / alone for five, alone in zip(many, single, strict=True)]
        floor = [five / bare for five, bare in zip(many, took[limit], strict=True)]
        say(f"  five plans {what}  {spread(floor)} of the limit, {spread(beside)} of one   target: 1.5 of one")


def site_days(sessions: int) -> tuple[Day, ...]:
    """A site's days with so many sessions of 60 to 120 minutes on them, at most five a chair and day.

    No rule is broken: a session that finds no room in its chair's day or no nurse is left out.
    """
    luck = random.Random(1)
    rows: list[list[_Row]] = [[] for _ in range(DAYS)]
    ends: dict[tuple[int, int], int] = {}
    for number in range(sessions):
        day, chair = number % DAYS, number // DAYS % CHAIRS
        start = ends.get((day, chair), 96) + luck.choice((0, 3, 6))
        length = luck.choice((12, 18, 24))
        if start + length <= 216:
            rows[day].append((start, start + length, chair))
            ends[day, chair] = start + length
    return tuple(_day(MONDAY + timedelta(days=number), _nursed(there)) for number, there in enumerate(rows))


_Row = tuple[int, int, int]  # start, end with turnover, chair


def _nursed(rows: list[_Row]) -> tuple[Taken, ...]:
    """The sessions of a day with a nurse for each, who starts one at a time and has at most four."""
    given: list[list[_Row]] = [[] for _ in range(NURSES)]
    taken = []
    for row in sorted(rows):
        start, until, chair = row
        # She who has fewest just now, then she who had fewest: else some would start all, and others none.
        there = [(sum(end - 3 > start for _, end, _ in mine), len(mine), n) for n, mine in enumerate(given)]
        could = [one for one in there if one[0] < 4 and not any(begun > start - 3 for begun, _, _ in given[one[2]])]
        if could:
            nurse = min(could)[2]
            given[nurse].append(row)
            who = f"chair-{chair:02}", f"nurse-{nurse:02}", f"prescriber-{chair % PRESCRIBERS:02}"
            taken.append(Taken(f"{chair:02}-{start:03}", start, start + 3, until - 3, until, start + 3, 2, *who))
    return tuple(taken)


def _day(on: date, taken: tuple[Taken, ...]) -> Day:
    return Day(
        date=on,
        first_instant=datetime(on.year, on.month, on.day, tzinfo=UTC),
        slots=SLOTS,
        open=OPEN,
        wall=tuple(range(0, 1440, 5)),
        chairs=tuple(
            ChairFacts(f"chair-{n:02}", "recliner", frozenset(), mask(0, SLOTS, SLOTS)) for n in range(CHAIRS)
        ),
        nurses=tuple(StaffFacts(f"nurse-{n:02}", "nurse", OPEN, 4, 8) for n in range(NURSES)),
        prescribers=tuple(StaffFacts(f"prescriber-{n:02}", "prescriber", OPEN, 12) for n in range(PRESCRIBERS)),
        taken=taken,
        patient_free=mask(0, SLOTS, SLOTS),
    )


def busy_intervals(days: tuple[Day, ...]) -> list[list[tuple[int, int]]]:
    """When each chair has a session, in slots from the first day on; then the same for providers, each like one chair.

    Here a provider has one patient at a time: to count several is a rule already.
    """
    found: dict[str | None, list[tuple[int, int]]] = {chair.id: [] for chair in days[0].chairs}
    for number, day in enumerate(days):
        for item in day.taken:
            found[item.chair].append((number * SLOTS + item.start, number * SLOTS + item.turnover_end))
    chairs = list(found.values())
    return chairs + chairs[: NURSES + PRESCRIBERS]


def free_sets(busy: list[list[tuple[int, int]]]) -> list[int]:
    """For each calendar the slots of all days in which the site is open and nothing is there."""
    opened = sum(OPEN << day * SLOTS for day in range(DAYS))
    sets = []
    for intervals in busy:
        taken = 0
        for start, end in intervals:
            taken |= ((1 << (end - start)) - 1) << start
        sets.append(opened & ~taken)
    return sets


def all_starts(free: list[int]) -> int:
    """The slots at which some chair is free for two hours, and some provider too."""
    found = -1
    for pool in (free[:CHAIRS], free[CHAIRS:]):
        anybody = 0
        for each in pool:
            anybody |= runs(each, SITTING)
        found &= anybody
    return found


def best_six(starts: int) -> tuple[int, tuple[int, ...]] | None:
    """The cheapest six starts two to four days apart, by a dynamic programme over days."""
    whole = (1 << SLOTS) - 1
    best: list[tuple[int, int] | None] = []
    for day in range(DAYS):
        costs = [(abs(slot - 120) + day * 15, day * SLOTS + slot) for slot in bits(starts >> day * SLOTS & whole)]
        best.append(min(costs, default=None))
    layer: list[tuple[int, tuple[int, ...]] | None] = [(each[0], (each[1],)) if each else None for each in best]
    for _ in range(5):
        further: list[tuple[int, tuple[int, ...]] | None] = [None] * DAYS
        for day in range(2, DAYS):
            here, before = best[day], [each for each in layer[max(0, day - 4) : day - 1] if each]
            if here and before:
                cost, chain = min(before)
                further[day] = (cost + here[0], (*chain, here[1]))
        layer = further
    return min((each for each in layer if each), default=None)
