"""When each session of a repair would be, by the sums of the days: as few people and minutes as can be.

A state gives every case a day and a start that the sums allow, or none. The first state puts each at the nearest start
left, the hardest first. Then some cases, close to one that is not happy, are taken out and put back in another order,
and the new state is kept where it is no worse, at first even where it is a little worse in minutes. How long that goes
on is counted, never timed: the same values give the same answer on any machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from scheduler.room import Room
from scheduler.slots import mask, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from scheduler.day import Day, Need, Place
    from scheduler.windows import Course

MOST_DAYS_AWAY = 35
TAKEN_OUT = (1, 2, 3, 4, 6)
# So many tries a case, at most so many in all.
TRIES_A_CASE, MOST_TRIES = 60, 1600
# By so many minutes a try may be worse at first.
SLACK = 240


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


class At(NamedTuple):
    """When a session would be: the day, the slot, how many minutes from its start."""

    minutes: int
    day: date
    slot: int


class Worth(NamedTuple):
    """How much a repair disturbs; less is better."""

    unresolved: int
    people: int
    minutes: int


@dataclass
class Times:
    """A state of the search, and what it knows of the days. `struck` are starts that turned out to be nobody's."""

    cases: Mapping[str, Case]
    courses: Mapping[str, Course]
    days: Mapping[date, Day]
    at: dict[str, At | None] = field(default_factory=dict)
    struck: dict[tuple[str, date], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seats = {case.need.seat for case in self.cases.values()}
        self.rooms = {on: Room(day, seats) for on, day in self.days.items()}
        self.near: dict[str, list[str]] = {}
        for case in self.cases.values():
            self.near[case.id] = [
                other.id
                for other in self.cases.values()
                if other.id != case.id and (other.series == case.series or other.person == case.person)
            ]
        self._offsets: dict[tuple[str, date], int] = {}
        self._windows: dict[str, tuple[date, date]] = {}
        self._dates: dict[tuple[str, date, date], list[tuple[date, int]]] = {}

    def copy(self) -> Times:
        """The same state, to be changed apart."""
        other = Times(self.cases, self.courses, self.days, {}, dict(self.struck))
        for name, at in self.at.items():
            other.put_at(name, at)
        return other

    def worth(self) -> Worth:
        """How much it disturbs."""
        moved = [(self.cases[name].person, at.minutes) for name, at in self.at.items() if at and at.minutes]
        nowhere = sum(at is None for at in self.at.values())
        return Worth(nowhere, len({person for person, _ in moved}), sum(minutes for _, minutes in moved))

    def put(self, name: str) -> None:
        """Give a case that is nowhere the nearest start that the sums leave to it."""
        case = self.cases[name]
        at = self.at[name] = self.nearest(case)
        if at is not None:
            self.rooms[at.day].take(case.need, at.slot)

    def take_out(self, name: str) -> None:
        """Free a case's place."""
        at = self.at.get(name)
        if at is not None:
            self.rooms[at.day].give(self.cases[name].need, at.slot)
        self.at[name] = None

    def strike(self, name: str, around: int = 0) -> bool:
        """Take a case from a time that turned out to be nobody's, and what is around, for good; False: it has none."""
        at = self.at[name]
        if at is not None:
            self.take_out(name)
            slots = mask(at.slot - around, at.slot + around + 1, self.days[at.day].slots)
            self.struck[name, at.day] = self.struck.get((name, at.day), 0) | slots
        return at is not None

    def put_at(self, name: str, at: At | None) -> None:
        """Put a case that is nowhere where it has been before."""
        self.at[name] = at
        if at is not None:
            self.rooms[at.day].take(self.cases[name].need, at.slot)

    def nearest(self, case: Case) -> At | None:
        """The start nearest to its own among all days that the series leaves."""
        best: At | None = None
        for day, least in self.dates(case):
            if best is not None and least > best.minutes:
                break
            found = self._on(case, day)
            if found is not None and (best is None or found < best):
                best = found
        return best

    def dates(self, case: Case) -> list[tuple[date, int]]:
        """The days that are left to a case with the least minutes that each is away, nearest first."""
        low, high = self.window(case)
        found = self._dates.get((case.id, low, high))
        if found is None:
            days = [on for on in self.days if low <= on <= high and abs((on - case.day).days) <= MOST_DAYS_AWAY]
            found = sorted(((on, self._away(case, on)) for on in days), key=lambda each: (each[1], each[0]))
            self._dates[case.id, low, high] = found
        return found

    def _away(self, case: Case, on: date) -> int:
        """How far a day is off, whatever the start: minutes from a case's start to its begin, or from its end."""
        begin = self._offset(case, on)
        return max(begin, -(begin + 5 * self.days[on].slots), 0)

    def _offset(self, case: Case, on: date) -> int:
        """Minutes from a case's start to the first instant of a day."""
        key = (case.id, on)
        found = self._offsets.get(key)
        if found is None:
            found = int((self.days[on].first_instant - case.start).total_seconds()) // 60
            self._offsets[key] = found
        return found

    def _on(self, case: Case, on: date) -> At | None:
        """The nearest start on one day."""
        found = self.rooms[on].allowed(case.need) & ~self.struck.get((case.id, on), 0)
        if on in case.free:
            found &= runs(case.free[on], case.need.stay)
        found = self._beside_own(case, on, found) if found and self.near[case.id] else found
        if not found:
            return None
        offset = self._offset(case, on)
        # The slots from which it would be later than now; before these, earlier.
        turn = min(max(-(offset // 5), 0), self.days[on].slots)
        later, earlier = found >> turn, found & ((1 << turn) - 1)
        slots = [earlier.bit_length() - 1] if earlier else []
        slots += [turn + (later & -later).bit_length() - 1] if later else []
        return min(At(abs(offset + 5 * slot), on, slot) for slot in slots)

    def _beside_own(self, case: Case, on: date, found: int) -> int:
        """The starts at which the patient's other cases do not take place."""
        for name in self.near[case.id]:
            at, other = self.at.get(name), self.cases[name]
            if at is not None and at.day == on and other.person == case.person:
                low, high = max(at.slot - case.need.stay + 1, 0), at.slot + other.need.stay
                found &= ~((1 << high) - (1 << low))
        return found

    def window(self, case: Case) -> tuple[date, date]:
        """The dates that the series leaves to a case, as its sessions stand in this state."""
        course, dates = self.courses[case.series], None
        for name in self.near[case.id]:
            other, at = self.cases[name], self.at.get(name)
            if other.series == case.series and at is not None and at.day != other.day:
                dates = dates or dict(course.dates)
                dates[other.sequence] = at.day
        if dates is not None:
            return course.window(case.sequence, dates)
        if case.id not in self._windows:
            self._windows[case.id] = course.window(case.sequence)
        return self._windows[case.id]

    def fill(self) -> None:
        """Put everybody who is nowhere, those with the fewest days first; of these the longest."""
        nowhere = [case for case in self.cases.values() if self.at.get(case.id) is None]
        for case in sorted(nowhere, key=lambda case: (len(self.dates(case)), -case.need.sitting, case.id)):
            self.put(case.id)

    def improve(self, seed: int, most: int = MOST_TRIES) -> None:
        """Take some out and put them back in another order, as often as is worth it."""
        chance, floor = random.Random(seed), self.floor()
        tries = min(TRIES_A_CASE * len(self.cases), most)
        now = best = self.worth()
        kept = dict(self.at)
        for number in range(tries):
            if best <= floor:
                break
            undo = self._again(chance)
            then = self.worth()
            slack = SLACK * (tries - number) // tries
            if then[:2] < now[:2] or (then[:2] == now[:2] and then.minutes <= now.minutes + slack):
                now = then
                if now < best:
                    best, kept = now, dict(self.at)
                continue
            self._back(undo)
        self._back(kept)

    def floor(self) -> Worth:
        """What no state can be better than: everybody where they would be, were nobody else looking for a place."""
        there = dict(self.at)
        for name in there:
            self.take_out(name)
        alone = [self.nearest(case) for case in self.cases.values()]
        for name, at in there.items():
            self.put_at(name, at)
        minutes = sum(at.minutes for at in alone if at)
        people = {case.person for case, at in zip(self.cases.values(), alone, strict=True) if at and at.minutes}
        return Worth(sum(at is None for at in alone), len(people), minutes)

    def _back(self, before: Mapping[str, At | None]) -> None:
        for name in before:
            self.take_out(name)
        for name, at in before.items():
            self.put_at(name, at)

    def _again(self, chance: random.Random) -> dict[str, At | None]:
        """One try: somebody who is moved or nowhere and some who may be in the way; where they were before."""
        unhappy = sorted(name for name, at in self.at.items() if at is None or at.minutes)
        chosen = chance.choice(unhappy)
        out = [chosen, *self._others(chosen, chance)]
        before = {name: self.at[name] for name in out}
        for name in out:
            self.take_out(name)
        chance.shuffle(out)
        if chance.random() < 0.5:
            out.sort(key=lambda name: name != chosen)
        for name in out:
            self.put(name)
        return before

    def _others(self, chosen: str, chance: random.Random) -> Sequence[str]:
        """Some of those who have a place on a day on which the chosen one would be nearer."""
        mine = self.at[chosen]
        days = [on for on, least in self.dates(self.cases[chosen]) if mine is None or least <= mine.minutes]
        others = [name for name, at in self.at.items() if name != chosen and at is not None and at.day in days]
        return chance.sample(others, min(chance.choice(TAKEN_OUT), len(others)))
