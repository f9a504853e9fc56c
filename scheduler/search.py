"""An exact search for the best series: a dynamic programme over days.

The objective is lexicographic (see plans.Cost), so the search goes term by term. First the days: how few days off
target the rest of a series can be, from every day and with the days that later rules count from. Only choices of days
that reach that least deviation are looked at again, for the time of day, the level and the fragments of their starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from scheduler.day import Day, Need, Placement, place, ranked, starts
from scheduler.phases import SLOT_MINUTES
from scheduler.plans import Cost, Wishes
from scheduler.slots import bits, runs
from scheduler.tails import LEVEL, SAME_TIME, Tail, better, extended, spread, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from scheduler.treatment import Visit

MARKS = 24 * 60 // SLOT_MINUTES


@dataclass(frozen=True, order=True)
class Chain:
    """A whole series found: its cost, its days (ordinals) and its starts (slots)."""

    cost: Cost
    days: tuple[int, ...]
    starts: tuple[int, ...]


class Search:
    """One search. Sessions are numbered by place in `visits` from 0, days by their ordinals.

    A state is the days that the rules of a session and of those after it count from: always the session before, and
    where a rule asks for them the series' first, the phase's first or the cycle's day 0.
    """

    def __init__(self, visits: Sequence[Visit], days: Sequence[Day], wishes: Wishes, before: Sequence[date]) -> None:
        self.visits, self.wishes = visits, wishes
        self.days = {day.date.toordinal(): day for day in days if self._wanted(day.date)}
        self.window = sorted(self.days)
        self.needs = [Need.of(visit, wishes.chair_kind, wishes.provider) for visit in visits]
        self.keep = self._keep()
        self.origin = tuple(before[sequence - 1].toordinal() for sequence in self.keep[0])
        self.free: dict[tuple[Need, int], int] = {}
        self.choice: dict[tuple[Need, int], list[tuple[int, int, int]]] = {}
        self.deviations: dict[tuple[int, tuple[int, ...]], int | None] = {}
        self.furthest = 0
        self.placed: dict[tuple[Need, int, int], Placement | None] = {}
        self.tails: dict[tuple[int, tuple[int, ...]], list[Tail | None]] = {}
        self.relaxed = self._relaxed(days, before)

    def _relaxed(self, days: Sequence[Day], before: Sequence[date]) -> Search | None:
        """The search without the rules that make a state remember a day of long ago; its deviations are lower bounds.

        None where there is no such rule. It keeps a state small for long phases: a bound that is met ends the search.
        """
        easier = [_without_long_memory(visit) for visit in self.visits]
        if easier == list(self.visits):
            return None
        relaxed = Search(easier, days, self.wishes, before)
        relaxed.free = self.free
        return relaxed

    def _wanted(self, day: date) -> bool:
        weekdays = self.wishes.weekdays
        return self.wishes.earliest <= day <= self.wishes.latest and (weekdays is None or day.weekday() in weekdays)

    def _keep(self) -> list[tuple[int, ...]]:
        """For each session the sequence numbers whose days it or a later one must know; and () at the end."""
        later: set[int] = set()
        keep: list[tuple[int, ...]] = [()]
        for visit in reversed(self.visits):
            later |= {visit.sequence - 1}
            later |= {visit.gap.after} if visit.gap else set()
            later |= {visit.span.since} if visit.span else set()
            later -= {0, visit.sequence}
            keep.append(tuple(sorted(number for number in later if number < visit.sequence)))
        return keep[::-1]

    def starts(self, place: int, day: int) -> int:
        """Starts of a session on a day within the wishes that nobody has found to fail yet."""
        key = (self.needs[place], day)
        if key not in self.free:
            self.free[key] = starts(self.days[day], key[0]) & permitted(self.days[day], key[0], self.wishes)
        return self.free[key]

    def every_session_somewhere(self) -> bool:
        """Whether each session by itself has a start on some day, and there are days enough: cheap, and often no."""
        places = {need: place for place, need in enumerate(self.needs)}.values()
        enough = len(self.visits) <= len(self.window)
        return enough and all(any(self.starts(place, day) for day in self.window) for place in places)

    def step(self, place: int, state: tuple[int, ...], day: int) -> tuple[int, ...]:
        """The state after putting a session on a day."""
        known = dict(zip(self.keep[place], state, strict=True))
        known[self.visits[place].sequence] = day
        return tuple(known[number] for number in self.keep[place + 1])

    def options(self, place: int, state: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """The days that the rules leave to a session and its deviation on each, least deviation first."""
        visit, known = self.visits[place], dict(zip(self.keep[place], state, strict=True))
        if not self.window:
            return
        low = max(self.window[0], known.get(visit.sequence - 1, 0) + 1)
        high = self.window[-1]
        target = low
        if visit.gap:
            after = known[visit.gap.after]
            low, high = max(low, after + visit.gap.min_days), min(high, after + visit.gap.max_days)
            target = after + visit.gap.target_days
        if visit.span:
            high = min(high, known[visit.span.since] + visit.span.max_days)
        for day in sorted(range(low, high + 1), key=lambda day: (abs(day - target), day)):
            if day in self.days:
                yield day, abs(day - target) if visit.gap else 0

    def bounded(
        self, place: int, state: tuple[int, ...], enough: Callable[[int, int], bool]
    ) -> Iterator[tuple[int, int]]:
        """The days that can take a session and its deviation on each, by a lower bound on all from it on, then by day.

        Ends at the first bound and day of which `enough` says so. Only then would the day itself be looked at: that is
        what takes long.
        """
        # An entry whose bound is the session's own deviation may have a better one still, from the relaxed search.
        waiting = [(off, day, off) for day, off in self.options(place, state)]
        while waiting:
            bound, day, off = waiting[0]
            if enough(bound, day):
                return
            heappop(waiting)
            if bound == off and self.relaxed is not None:
                rest = self.least(place + 1, self.step(place, state, day)) if self.starts(place, day) else None
                if rest is None:
                    continue
                if rest:
                    heappush(waiting, (off + rest, day, off))
                    continue
            if self.starts(place, day):
                yield day, off

    def least(self, place: int, state: tuple[int, ...]) -> int | None:
        """A lower bound on `deviation`, from the relaxed search; 0 where there is none."""
        if self.relaxed is None:
            return 0
        known = dict(zip(self.keep[place], state, strict=True))
        return self.relaxed.deviation(place, tuple(known[number] for number in self.relaxed.keep[place]))

    def deviation(self, place: int, state: tuple[int, ...]) -> int | None:
        """The fewest days off target for a session and all after it; None where they cannot be placed."""
        self.furthest = max(self.furthest, place)
        if place == len(self.visits):
            return 0
        key = (place, state)
        if key not in self.deviations:
            self.deviations[key] = self._deviation(place, state)
        return self.deviations[key]

    def _deviation(self, place: int, state: tuple[int, ...]) -> int | None:
        best: int | None = None

        def enough(bound: int, _: int) -> bool:
            return best is not None and bound >= best

        for day, off in self.bounded(place, state, enough):
            rest = self.deviation(place + 1, self.step(place, state, day))
            if rest is not None and (best is None or off + rest < best):
                best = off + rest
        return best

    def placings(self, place: int, day: int) -> list[tuple[int, int, int]]:
        """(mark, cost, start) worth looking at: every start where the time of day matters, else only the best one."""
        key = (self.needs[place], day)
        if key not in self.choice:
            self.choice[key] = self.worth_a_look(place, day, self.starts(place, day))
        return self.choice[key]

    def worth_a_look(self, place: int, day: int, some: int) -> list[tuple[int, int, int]]:
        """`placings` among some starts, of which there is at least one."""
        found, wall = ranked(self.days[day], self.needs[place], some), self.days[day].wall
        if not self.wishes.same_time_of_day:
            level, count, best = next(found)
            return [(0, within(level, count), (best & -best).bit_length() - 1)]
        return [
            (self.mark(wall[start]), within(level, count), start)
            for level, count, alike in found
            for start in bits(alike)
        ]

    def mark(self, minute: int) -> int:
        """The place of a wall-clock minute among the marks that neighbours compare; one for all if nobody compares."""
        return minute // SLOT_MINUTES if self.wishes.same_time_of_day else 0

    def onward(self, place: int, state: tuple[int, ...]) -> list[Tail | None]:
        """For each mark at which the session before may start, the best rest of the series of least deviation."""
        marks = MARKS if self.wishes.same_time_of_day else 1
        if place == len(self.visits):
            return [(0, (), ())] * marks
        key = (place, state)
        if key not in self.tails:
            best: list[Tail | None] = [None] * marks
            least = self.deviation(place, state)
            for day, off in self.bounded(place, state, lambda bound, _: least is None or bound > least):
                rest = self.deviation(place + 1, self.step(place, state, day))
                if rest is not None and off + rest == least:
                    after = self.onward(place + 1, self.step(place, state, day))
                    for mark, tail in extended(after, day, self.placings(place, day)):
                        best[mark] = better(best[mark], tail)
            self.tails[key] = spread(best) if self.wishes.same_time_of_day else best
        return self.tails[key]

    def laid(self, number: int, day: int, start: int) -> Placement | None:
        """Who gets a session at a start; None where the day's sessions cannot be assigned together with it."""
        key = (self.needs[number], day, start)
        if key not in self.placed:
            found = place(self.days[day], key[0], start, fewest=False)
            self.placed[key] = found if isinstance(found, Placement) else None
        return self.placed[key]

    def strike(self, number: int, day: int, starts: int) -> None:
        """Never choose these starts again for sessions like this one."""
        key = (self.needs[number], day)
        self.free[key] &= ~starts
        self.choice.pop(key, None)
        for search in (self, self.relaxed):
            if search is not None:
                search.tails.clear()
                search.deviations.clear()

    def best_by_first_day(self, limit: int) -> list[Chain]:
        """The best series of each of the best `limit` first days, best first."""
        if not self.every_session_somewhere():
            return []
        by_deviation = self.first_days(limit)
        found: list[Chain] = []
        for deviation, days in sorted(by_deviation.items()):
            chains: list[Chain] = []
            for day in days:
                chains += self.chain(day, deviation, self.placings(0, day))
                if sum(chain.cost.same_time == 0 for chain in chains) >= limit - len(found):
                    break
            found += sorted(chains)[: limit - len(found)]
            if len(found) == limit:
                break
        return found

    def first_days(self, limit: int) -> dict[int, list[int]]:
        """Days to begin on by the fewest days off target: at least the best `limit`, if there are so many.

        Where the time of day matters, every day that ties with the last of these too, since that time decides.
        """
        known: list[tuple[int, int]] = []

        def enough(bound: int, day: int) -> bool:
            last = sorted(known)[limit - 1] if len(known) >= limit else (bound, day)
            return last[0] < bound or (not self.wishes.same_time_of_day and last < (bound, day))

        for day, off in self.bounded(0, self.origin, enough):
            rest = self.deviation(1, self.step(0, self.origin, day))
            if rest is not None:
                known.append((off + rest, day))
        by_deviation: dict[int, list[int]] = {}
        for deviation, day in sorted(known):
            by_deviation.setdefault(deviation, []).append(day)
        return by_deviation

    def chain(self, day: int, deviation: int, placings: list[tuple[int, int, int]]) -> list[Chain]:
        """The best series of a given deviation that begins on a day at one of some starts, if any."""
        after = self.onward(1, self.step(0, self.origin, day))
        tails = [tail for _, tail in extended(after, day, placings)]
        if not tails:
            return []
        whole, days, slots = min(tails)
        same_time, rest = divmod(whole, SAME_TIME)
        level, fragments = divmod(rest, LEVEL)
        cost = Cost(deviation, same_time, day - self.wishes.earliest.toordinal(), level, fragments)
        return [Chain(cost, days, slots)]

    def other_parts(self, chain: Chain, minutes: int, used: set[int]) -> list[Chain]:
        """The best series that begins on the same day as another one in each part of it, `used` ones left out.

        A part is so many minutes of the wall clock, numbered from midnight.
        """
        day, wall = chain.days[0], self.days[chain.days[0]].wall
        parts: dict[int, int] = {}
        for start in bits(self.starts(0, day)):
            part = wall[start] // minutes
            parts[part] = parts.get(part, 0) | 1 << start
        found: list[Chain] = []
        for part, some in parts.items():
            if part not in used:
                found += self.chain(day, chain.cost.deviation, self.worth_a_look(0, day, some))
        return found


def _without_long_memory(visit: Visit) -> Visit:
    """The same visit without its span, and without a gap that counts from an earlier phase."""
    gap, opened = visit.gap, visit.sequence - visit.ordinal + 1
    long = gap is not None and gap.after < min(opened, visit.sequence - 1)
    return replace(visit, gap=None if long else gap, span=None)


def permitted(day: Day, need: Need, wishes: Wishes) -> int:
    """The starts whose stay lies within one of the wished time windows (all where none is wished)."""
    if not wishes.time_windows:
        return (1 << day.slots) - 1
    inside = 0
    for opens, closes in wishes.time_windows:
        inside |= runs(_wall_between(day.wall, opens, closes), need.stay)
    return inside


@lru_cache(maxsize=1024)
def _wall_between(wall: tuple[int, ...], opens: int, closes: int) -> int:
    """The slots that lie whole within [opens, closes) of the wall clock."""
    return sum(1 << slot for slot, minute in enumerate(wall) if opens <= minute and minute + SLOT_MINUTES <= closes)
