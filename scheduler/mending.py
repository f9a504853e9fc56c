"""The least change of a series that has to change: its sessions again on days that keep the spacing, exactly.

Fewest sessions that do not keep their start, then fewest minutes moved in all. A dynamic programme over days, like the
search for new plans: what one session's move costs does not depend on the others, only whether it is allowed does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scheduler.plans import Planned
from scheduler.search import Search
from scheduler.slots import bits
from scheduler.walltime import SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from scheduler.day import Day
    from scheduler.plans import Wishes
    from scheduler.treatment import Visit

DAY_MINUTES = 24 * 60

# (sessions moved, minutes moved), then days and starts, so that ties go to earlier ones.
_Tail = tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Mended:
    """A series made whole: its sessions, how many do not keep their start, and minutes moved in all."""

    sessions: tuple[Planned, ...]
    moved: int
    minutes: int


@dataclass
class Mender:
    """One search. `present` holds by sequence number where a session is now, `fixed` where one has to be.

    A session without a present place is put as near its target day as can be, which counts as minutes and moves nobody.
    """

    search: Search
    present: Mapping[int, datetime]
    fixed: Mapping[int, datetime]
    struck: set[tuple[int, int, int]] = field(default_factory=set)
    known: dict[tuple[int, tuple[int, ...]], _Tail | None] = field(default_factory=dict)

    def rest(self, number: int, state: tuple[int, ...]) -> _Tail | None:
        """The cheapest way to place session `number` and all after it."""
        if number == len(self.search.visits):
            return ((0, 0), (), ())
        key = (number, state)
        if key not in self.known:
            best: _Tail | None = None
            for day, off in self.search.options(number, state):
                for cost, start in self.choices(number, day, off):
                    if best is not None and cost > best[0]:
                        continue
                    after = self.rest(number + 1, self.search.step(number, state, day))
                    if after is None:
                        continue
                    sum_ = (cost[0] + after[0][0], cost[1] + after[0][1])
                    tail = (sum_, (day, *after[1]), (start, *after[2]))
                    best = tail if best is None or tail < best else best
            self.known[key] = best
        return self.known[key]

    def choices(self, number: int, day: int, off: int) -> list[tuple[tuple[int, int], int]]:
        """The best start of a session on a day with its cost; none where the day has no room for it."""
        sequence = self.search.visits[number].sequence
        facts = self.search.days[day]
        free = self.search.starts(number, day)
        starts = [start for start in bits(free) if (number, day, start) not in self.struck]
        if sequence in self.fixed:
            wanted = self.fixed[sequence]
            return [((0, 0), start) for start in starts if facts.first_instant + start * SLOT == wanted]
        if not starts:
            return []
        now = self.present.get(sequence)
        if now is None:
            return [((0, off * DAY_MINUTES), starts[0])]
        away, start = min((abs((facts.first_instant + start * SLOT - now)), start) for start in starts)
        minutes = int(away.total_seconds()) // 60
        return [((int(minutes > 0), minutes), start)]


def mend(
    visits: Sequence[Visit],
    days: Sequence[Day],
    wishes: Wishes,
    before: Sequence[date],
    present: Mapping[int, datetime],
    fixed: Mapping[int, datetime] | None = None,
) -> Mended | None:
    """The least change after which `visits` keep their spacing on `days`; None where nothing does.

    `days` are facts without the series' own sessions, `before` the dates of its sessions that stay. `present` are
    starts by sequence number, `fixed` those that must be reached.
    """
    mender = Mender(Search(visits, days, wishes, before), present, fixed or {})
    while True:
        found = mender.rest(0, mender.search.origin)
        if found is None:
            return None
        wrong = [
            (number, day, start)
            for number, (day, start) in enumerate(zip(found[1], found[2], strict=True))
            if mender.search.laid(number, day, start) is None
        ]
        if not wrong:
            sessions = tuple(_planned(mender.search, *item) for item in _numbered(found))
            return Mended(sessions, *found[0])
        mender.struck.update(wrong)
        mender.known.clear()


def _numbered(tail: _Tail) -> list[tuple[int, int, int]]:
    return [(number, day, start) for number, (day, start) in enumerate(zip(tail[1], tail[2], strict=True))]


def _planned(search: Search, number: int, day: int, start: int) -> Planned:
    facts = search.days[day]
    placed = search.laid(number, day, start)
    if placed is None:
        raise AssertionError("a start was checked and is refused")
    instant = facts.first_instant + start * SLOT
    return Planned(search.visits[number], facts.date, start, instant, placed.chair, placed.nurse, placed.prescriber)
