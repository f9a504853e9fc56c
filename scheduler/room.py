"""What the sums of one day leave, kept up to date while sessions come and go: for searches that try many of them.

`Load` works out the sums of a day that stands; a day that changes is another day. Here one session more or less is one
subtraction or addition in all slots at once. The sums are necessary: who has whom is for `scheduler.assignment` to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scheduler.day import starts
from scheduler.slots import add, at_most, mask, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scheduler.facts import Day, Need, Seat
    from scheduler.pools import Claim, Pool


class _Part(NamedTuple):
    """What a session takes of one sum: so much in so many slots from so many after its start."""

    sum: int
    amount: int
    after: int
    length: int


class Room:
    """One day. `allowed` are the starts that its sums leave, `take` and `give` count a session in and out."""

    def __init__(self, day: Day, seats: Iterable[Seat]) -> None:
        self.day, self.slots, self.all = day, day.slots, (1 << day.slots) - 1
        self._bases: dict[Need, int] = {}
        self._parts: dict[Need, list[_Part]] = {}
        self._sums: list[list[int]] = []
        self._kept: dict[tuple[int, int, int], int] = {}
        load = day.load
        self._by_seats = {
            ids: self._sum(load.seats, ids)
            for ids in {load.seats.fitting_ids(seat) for seat in (*seats, *(item.seat for item in day.taken))}
        }
        nurses = load.carers.resources.values()
        self._nurses = self._sum(load.carers)
        self._hands = self._sum(load.carers, capacity=lambda _: 1, of=lambda claim: (1, claim.hands))
        limits = [each.max_points for each in nurses]
        points: dict[str, int] = {each.id: each.max_points or 0 for each in nurses}
        self._points = (
            None
            if None in limits
            else self._sum(load.carers, capacity=points.__getitem__, of=lambda claim: (claim.points, claim.during))
        )
        self._doctors = self._sum(load.doctors)

    def _sum(
        self,
        pool: Pool,
        ids: frozenset[str] | None = None,
        capacity: Callable[[str], int] | None = None,
        of: Callable[[Claim], tuple[int, int]] = lambda claim: (1, claim.during),
    ) -> int:
        """What is there less what is taken, as one more sum; of some of the resources only, if `ids` are given."""
        there: list[int] = []
        for name, each in pool.resources.items():
            if ids is None or name in ids:
                add(there, each.capacity if capacity is None else capacity(name), each.free)
        used: list[int] = []
        for name, claims in pool.claims.items():
            for claim in claims:
                bound = ids is None or pool.fitting_ids(claim.asks) <= ids or (name in ids and pool.is_firm(claim))
                if bound and claim.id not in pool.astray[name]:
                    add(used, *of(claim))
        self._sums.append(_difference(there, used, self.all))
        return len(self._sums) - 1

    def _asks(self, need: Need) -> list[_Part]:
        """The sums that a session takes of."""
        found = self._parts.get(need)
        if found is None:
            mine = self.day.load.seats.fitting_ids(need.seat)
            found = [_Part(which, 1, 0, need.sitting) for ids, which in self._by_seats.items() if mine <= ids]
            found += [_Part(self._nurses, 1, 0, need.stay), _Part(self._hands, 1, 0, need.hands_on)]
            if self._points is not None and need.acuity:
                found.append(_Part(self._points, need.acuity, 0, need.stay))
            found.append(_Part(self._doctors, 1, need.prepare, need.stay - need.prepare))
            self._parts[need] = found
        return found

    def allowed(self, need: Need) -> int:
        """The starts at which the sums leave room for one more."""
        base = self._bases.get(need)
        if base is None:
            base = self._bases[need] = starts(self.day, need)
        for part in self._asks(need):
            if not base:
                break
            base &= self._room(part.sum, part.amount, part.length) >> part.after
        return base

    def _room(self, which: int, amount: int, length: int) -> int:
        key = (which, amount, length)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = runs(_at_least(self._sums[which], amount, self.all), length)
        return found

    def take(self, need: Need, start: int) -> None:
        """Count a session in that is `allowed`."""
        for which, amount, after, length in self._asks(need):
            _subtract(self._sums[which], amount, mask(start + after, start + after + length, self.slots))
        self._kept.clear()

    def give(self, need: Need, start: int) -> None:
        """Count out what was taken."""
        for which, amount, after, length in self._asks(need):
            add(self._sums[which], amount, mask(start + after, start + after + length, self.slots))
        self._kept.clear()


def _at_least(planes: list[int], amount: int, everywhere: int) -> int:
    """The slots in which a sum is so much or more; mostly it is one more that is asked for."""
    if amount != 1:
        return everywhere & ~at_most(planes, amount - 1, everywhere)
    some = 0
    for plane in planes:
        some |= plane
    return some


def _difference(there: Sequence[int], used: Sequence[int], everywhere: int) -> list[int]:
    """One count less another, as planes; nothing where it would be less than nothing."""
    width = max(len(there), len(used))
    left, borrow = [*there, *[0] * (width - len(there))], 0
    for place, plane in enumerate(left):
        term = used[place] if place < len(used) else 0
        left[place] = plane ^ term ^ borrow
        borrow = (~plane & (term | borrow)) | (term & borrow)
    return [plane & everywhere & ~borrow for plane in left]


def _subtract(planes: list[int], amount: int, slots: int) -> None:
    """Take an amount from a sum in each of the slots, in which it is at least as much."""
    borrow, place = 0, 0
    while slots and (amount or borrow):
        plane, term = planes[place], slots if amount & 1 else 0
        planes[place] = plane ^ term ^ borrow
        borrow = (~plane & (term | borrow)) | (term & borrow)
        amount >>= 1
        place += 1
