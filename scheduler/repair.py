"""The least disturbing repair of days on which supply has fallen away.

What counts, in this order: as few sessions as possible without a place; as few people moved; as few minutes moved in
all. A session that keeps its start may get another chair, nurse or prescriber: nobody has to be told of that. Whoever
supply has not been taken from keeps their start.

The search puts each session back as near its start as the day's exact predicate lets it, the hardest first; then, until
nothing can be gained or its time is over, takes some out again and puts them back in another order. Every state of it
is a repair in which everybody has a place that is theirs alone; what is best so far is the answer.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from scheduler.day import Day, Need, Place, Refusal, Taken, place, starts
from scheduler.slots import bits, runs
from scheduler.walltime import DAY, SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from scheduler.windows import Course

# A place that the sums allow may still be one that nobody can be assigned to; so many are tried for one session.
TRIES = 24
TAKEN_OUT = (2, 3, 4, 6)
MOST_DAYS_AWAY = 35


@dataclass(frozen=True)
class Case:
    """A session that what has fallen away was needed for. `present` is who has it now, as ids.

    `free` holds by date the slots in which its patient is not elsewhere; a date that is missing is free all day.
    """

    id: str
    person: str
    series: str
    sequence: int
    need: Need
    start: datetime
    day: date
    present: Place
    free: Mapping[date, int]


class Spot(NamedTuple):
    """Where a session goes: the day, the slot, how many minutes from its start, and who has it."""

    day: date
    slot: int
    minutes: int
    place: Place


class Worth(NamedTuple):
    """How much a repair disturbs; less is better."""

    unresolved: int
    people: int
    minutes: int


@dataclass
class Repair:
    """A state of the search: the days as they would be, and where each case is (None: nowhere)."""

    cases: Mapping[str, Case]
    courses: Mapping[str, Course]
    days: dict[date, Day]
    spots: dict[str, Spot | None] = field(default_factory=dict)
    why: dict[str, Refusal] = field(default_factory=dict)

    def worth(self) -> Worth:
        """How much it disturbs."""
        moved = [(self.cases[name].person, spot.minutes) for name, spot in self.spots.items() if spot and spot.minutes]
        nowhere = sum(spot is None for spot in self.spots.values())
        return Worth(nowhere, len({person for person, _ in moved}), sum(minutes for _, minutes in moved))

    def copy(self) -> Repair:
        """The same state, to be changed; days are values and shared."""
        return Repair(self.cases, self.courses, dict(self.days), dict(self.spots), dict(self.why))

    def put_back(self, case: Case) -> None:
        """Give a case the nearest place that it can have, or none."""
        refused: Refusal | None = None
        for count, (minutes, day, slot) in enumerate(self._candidates(case)):
            if count == TRIES:
                break
            found = place(self.days[day], case.need, slot, case.present, case.id)
            if not isinstance(found, Refusal):
                mine = Place(found.chair, found.nurse, found.prescriber)
                self.days[day] = _with(self.days[day], case, slot, mine, found.moved)
                self.spots[case.id] = Spot(day, slot, minutes, mine)
                return
            refused = refused or found
        self.spots[case.id] = None
        self.why[case.id] = refused or self._why(case)

    def take_out(self, name: str) -> None:
        """Free a case's place."""
        spot = self.spots.pop(name)
        if spot is not None:
            day = self.days[spot.day]
            self.days[spot.day] = replace(day, taken=tuple(item for item in day.taken if item.id != name))

    def window(self, case: Case) -> tuple[date, date]:
        """The dates that the series leaves to a case, as its sessions stand in this state."""
        course = self.courses[case.series]
        dates = dict(course.dates)
        changed = False
        for other in self.cases.values():
            spot = self.spots.get(other.id)
            if other.series == case.series and other.id != case.id and spot is not None and spot.day != other.day:
                dates[other.sequence], changed = spot.day, True
        return course.window(case.sequence, dates if changed else None)

    def _candidates(self, case: Case) -> Iterable[tuple[int, date, int]]:
        """(minutes away, day, slot) by nearness; its own start first, where the sums leave it."""
        low, high = self.window(case)
        low, high = max(low, case.day - MOST_DAYS_AWAY * DAY), min(high, case.day + MOST_DAYS_AWAY * DAY)
        reach = max((high - case.day).days, (case.day - low).days, 0)
        pending: list[tuple[int, date, int]] = []
        for away in range(reach + 1):
            for day in {case.day - away * DAY, case.day + away * DAY}:
                if low <= day <= high and day in self.days:
                    pending += self._on(case, day)
            pending.sort()
            # What lies on days farther off is at least so many minutes away.
            near = away * 24 * 60 - 24 * 60 if away < reach else None
            while pending and (near is None or pending[0][0] <= max(near, 0)):
                yield pending.pop(0)
        yield from pending

    def _on(self, case: Case, day: date) -> list[tuple[int, date, int]]:
        facts = self.days[day]
        found = starts(facts, case.need)
        if day in case.free:
            found &= runs(case.free[day], case.need.stay)
        first = facts.first_instant
        return [(int(abs((first + slot * SLOT - case.start).total_seconds())) // 60, day, slot) for slot in bits(found)]

    def _why(self, case: Case) -> Refusal:
        low, high = self.window(case)
        if low > high:
            return Refusal("patient_busy", "no date keeps the days between its neighbours")
        return Refusal("outside_opening_hours", f"no room on any day from {low} to {high} that its series allows")


def _with(day: Day, case: Case, slot: int, mine: Place, moved: Mapping[str, Place]) -> Day:
    """The day with one more session on it, and those that change hands for it."""
    taken = [_laid(item, moved[item.id]) if item.id in moved else item for item in day.taken]
    return replace(day, taken=(*taken, _laid(case.need.at(slot, case.id), mine)))


def _laid(item: Taken, who: Place) -> Taken:
    return replace(item, chair=who.chair, nurse=who.nurse, prescriber=who.prescriber)


def repair(
    cases: Sequence[Case],
    courses: Mapping[str, Course],
    days: Mapping[date, Day],
    seconds: float = 1.0,
    seed: int = 0,
) -> Repair:
    """The least disturbing repair that is found within `seconds` beyond the first one.

    `days` are facts with what has fallen away, without the cases themselves, and no patient's (`patient_free` full);
    `courses` the series of the cases, by `Case.series`. The same values give the same repair as long as there is time.
    """
    until = time.monotonic() + seconds
    chance = random.Random(seed)
    best = Repair({case.id: case for case in cases}, courses, dict(days))
    for case in sorted(cases, key=lambda case: _hardness(best, case)):
        best.put_back(case)
    low = Worth(0, 0, 0)
    idle = 0
    while best.worth() > low and idle < 40 + 4 * len(cases) and time.monotonic() < until:
        tried = _again(best, chance)
        if tried.worth() <= best.worth():
            idle = idle + 1 if tried.worth() == best.worth() else 0
            best = tried
        else:
            idle += 1
    return best


def _hardness(state: Repair, case: Case) -> tuple[int, int, str]:
    """Those with the fewest days first, then the longest, so that the easy ones fill what is left."""
    low, high = state.window(case)
    dates = sum(low <= day <= high for day in state.days)
    return dates, -case.need.sitting, case.id


def _again(best: Repair, chance: random.Random) -> Repair:
    """Take out one that is moved or nowhere, with some that are near it, and put them back in another order."""
    state = best.copy()
    unhappy = sorted(name for name, spot in best.spots.items() if spot is None or spot.minutes)
    chosen = chance.choice(unhappy)
    near = sorted(
        (name for name in best.spots if name != chosen),
        key=lambda name: (_apart(best, chosen, name), chance.random()),
    )
    out = [chosen, *chance.sample(near[:12], min(chance.choice(TAKEN_OUT), len(near[:12])))]
    for name in out:
        state.take_out(name)
    chance.shuffle(out)
    if chance.random() < 0.5:
        out.sort(key=lambda name: name != chosen)
    for name in out:
        state.put_back(state.cases[name])
    return state


def _apart(state: Repair, one: str, other: str) -> int:
    """How far one case's wish lies from where another is or would be, in minutes."""
    wished, spot = state.cases[one].start, state.spots[other]
    there = state.cases[other].start if spot is None else state.days[spot.day].first_instant + spot.slot * SLOT
    return int(abs((there - wished).total_seconds())) // 60
