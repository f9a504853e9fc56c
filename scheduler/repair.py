"""The least disturbing repair of days on which supply has fallen away.

What counts, in this order: as few sessions as possible without a place; as few people moved; as few minutes moved in
all. A session that keeps its start may get another chair, nurse or prescriber: nobody has to be told of that. Whoever
supply has not been taken from keeps their start.

First it is found by sums when each session would be (`scheduler.shifting`), then who has it, by the day's exact
assignment. Where nobody can be assigned, that start is struck out and the session gets the nearest one left. All of it
is bounded by counts, never by the clock: the same values give the same repair.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from scheduler.assignment import Effort, joined, lay_pool
from scheduler.day import Day, Place, Refusal, Taken, place
from scheduler.shifting import MOST_TRIES, Case, Times, Worth
from scheduler.walltime import SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from scheduler.windows import Course

__all__ = ["Case", "Repair", "Spot", "Worth", "repair"]

# A place that the sums allow may still be one that nobody can be assigned to; so many are tried for one session.
TRIES = 14
# Of so many cases each laying disturbs as few others as can be; where there are more, the first laying will do.
FEW = 12
# So often it begins anew with what turned out to be nobody's struck out.
ROUNDS = 2
# Steps of assigning (`assignment.MOST_STEPS`) for all of a repair.
STEPS = 6_000


class Spot(NamedTuple):
    """Where a session goes: the day, the slot, how many minutes from its start, and who has it."""

    day: date
    slot: int
    minutes: int
    place: Place


@dataclass
class Repair:
    """What was found: the days as they would be, where each case is (None: nowhere), and why it is nowhere."""

    times: Times
    days: dict[date, Day]
    effort: Effort
    spots: dict[str, Spot | None] = field(default_factory=dict)
    why: dict[str, Refusal] = field(default_factory=dict)

    @property
    def _few(self) -> bool:
        return len(self.times.cases) <= FEW

    def worth(self) -> Worth:
        """How much it disturbs."""
        return self.times.worth()

    def give_places(self) -> list[str]:
        """Assign chairs and people to everybody at their time; who cannot be gets the nearest time left: those."""
        failed = [name for name in self._settled() if not self._give(name)]
        for name in failed:
            self.times.strike(name)
        for name in failed:
            self._nearest(name)
        for name, at in self.times.at.items():
            if at is None:
                self.spots[name] = None
                self.why[name] = self._why(self.times.cases[name])
        return failed

    def _settled(self) -> list[str]:
        """Cases in the order in which they are given chairs and people: by day, who stays first, then the longest."""
        there = [
            (at.day, at.minutes > 0, -self.times.cases[name].need.sitting, name)
            for name, at in self.times.at.items()
            if at is not None
        ]
        return [name for *_, name in sorted(there)]

    def _give(self, name: str) -> bool:
        """Whether somebody can be assigned to a case at its time; then it has its place."""
        case, at = self.times.cases[name], self.times.at[name]
        if at is None:
            return False
        day = self.days[at.day]
        new = replace(case.need.at(at.slot, name), **case.present._asdict())
        laid = []
        for which in range(3):
            found = lay_pool(day, which, [new], self._few, self.effort)
            if found is None:
                return False
            laid.append(found)
        moved = joined(day, [new], laid)
        mine = moved.pop(name)
        self.days[at.day] = _with(day, new, mine, moved)
        self.spots[name] = Spot(at.day, at.slot, at.minutes, mine)
        return True

    def _nearest(self, name: str) -> None:
        """Put a case at the nearest time at which somebody can be assigned to it."""
        for number in range(TRIES):
            self.times.put(name)
            # What is full now mostly is so five minutes later: where many look for a place, steps grow.
            if self._give(name) or not self.times.strike(name, 0 if self._few else number):
                return

    def _why(self, case: Case) -> Refusal:
        """Why a case is nowhere: what its own start is refused for, where that says it, else that no day has room."""
        low, high = self.times.window(case)
        if low > high:
            return Refusal("patient_busy", "no date keeps the days between its neighbours")
        day = self.days.get(case.day)
        if day is not None and low <= case.day <= high:
            slot = int((case.start - day.first_instant) / SLOT)
            found = place(day, case.need, slot, case.present, case.id, fewest=False)
            if isinstance(found, Refusal) and found.code not in ("outside_opening_hours", "in_past", "off_grid"):
                return found
        return Refusal("outside_opening_hours", f"no room on any day from {low} to {high} that its series allows")


def _with(day: Day, new: Taken, mine: Place, moved: Mapping[str, Place]) -> Day:
    """The day with one more session on it, and those that change hands for it."""
    taken = [_laid(item, moved[item.id]) if item.id in moved else item for item in day.taken]
    return replace(day, taken=(*taken, _laid(new, mine)))


def _laid(item: Taken, who: Place) -> Taken:
    return replace(item, chair=who.chair, nurse=who.nurse, prescriber=who.prescriber)


def repair(cases: Sequence[Case], courses: Mapping[str, Course], days: Mapping[date, Day], seed: int = 0) -> Repair:
    """The least disturbing repair that a bounded search finds.

    `days` are facts with what has fallen away, without the cases themselves, and no patient's (`patient_free` full);
    `courses` the series of the cases, by `Case.series`.
    """
    times = Times({case.id: case for case in cases}, courses, days)
    times.fill()
    times.improve(seed)
    best, effort = None, Effort(STEPS)
    for number in range(1, ROUNDS + 1):
        found = Repair(times.copy(), dict(days), effort)
        failed = found.give_places()
        best = found if best is None or found.worth() < best.worth() else best
        if not failed or number == ROUNDS:
            break
        for name in failed:
            times.strike(name)
        times.fill()
        times.improve(seed + number, MOST_TRIES // 4)
    assert best is not None
    return best
