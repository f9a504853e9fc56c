"""Sets of five-minute slots as ints: bit i stands for slot i. Every function works on all slots at once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.phases import SLOT_MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def mask(start: int, end: int, slots: int) -> int:
    """The slots [start, end) that lie within a day of `slots` slots."""
    # Asked for every session of a day: calls of min and max would take half of the time.
    if start < 0:
        start = 0
    if end > slots:
        end = slots
    return ((1 << (end - start)) - 1) << start if end > start else 0


def bits(slots: int) -> Iterator[int]:
    """The slots of a set, ascending."""
    while slots:
        lowest = slots & -slots
        yield lowest.bit_length() - 1
        slots ^= lowest


def runs(free: int, length: int) -> int:
    """The slots from which `length` slots in a row are in the set; by doubling, so in log(length) steps."""
    have = 1
    while have < length:
        step = min(have, length - have)
        free &= free >> step
        have += step
    return free


@lru_cache(maxsize=256)
def grid_marks(wall: tuple[int, ...]) -> int:
    """The slots that begin on a five-minute mark of the wall clock."""
    return sum(1 << slot for slot, minute in enumerate(wall) if minute % SLOT_MINUTES == 0)


def add(planes: list[int], points: int, slots: int) -> None:
    """Add `points` in each of the slots; plane j holds bit j of every slot's sum (all slots added at once)."""
    place = 0
    while points:
        carry, at = slots if points & 1 else 0, place
        while carry:
            while at >= len(planes):
                planes.append(0)
            plane = planes[at]
            planes[at] = plane ^ carry
            carry &= plane
            at += 1
        points >>= 1
        place += 1


def total(counts: Iterable[list[int]]) -> list[int]:
    """The sum of several counts, each given as planes: three planes of one weight become one and a carry."""
    columns: list[list[int]] = []
    for planes in counts:
        while len(columns) < len(planes):
            columns.append([])
        for column, plane in zip(columns, planes, strict=False):
            column.append(plane)
    summed: list[int] = []
    while columns:
        column, carries = columns.pop(0), []
        while len(column) > 1:
            one, two, three = column.pop(), column.pop(), column.pop() if column else 0
            either = one ^ two
            column.append(either ^ three)
            carries.append((one & two) | (either & three))
        if any(carries):
            if columns:
                columns[0] += carries
            else:
                columns.append(carries)
        summed += column
    return summed


def times(number: int, planes: list[int]) -> list[int]:
    """So many times a count."""
    return total([0] * place + planes for place in bits(number))


def peak(planes: list[int], within: int) -> int:
    """The highest sum in any of the slots; 0 where there are none."""
    highest = 0
    for place in range(len(planes) - 1, -1, -1):
        higher = within & planes[place]
        if higher:
            highest |= 1 << place
            within = higher
    return highest


def less(planes: list[int], others: list[int], everywhere: int) -> int:
    """The slots in which one count is less than another: compared bit by bit from the highest."""
    below, equal = 0, everywhere
    for place in reversed(range(max(len(planes), len(others)))):
        one = planes[place] if place < len(planes) else 0
        other = others[place] if place < len(others) else 0
        below |= equal & ~one & other
        equal &= ~(one ^ other)
    return below


def soon_after(slots: int, most: int) -> int:
    """The slots that lie from 1 to `most` slots after one of the set; by doubling."""
    have, found = 1, slots << 1 if most else 0
    while have < most:
        step = min(have, most - have)
        found |= found << step
        have += step
    return found


def soon_before(slots: int, most: int) -> int:
    """The slots that lie from 1 to `most` slots before one of the set; by doubling."""
    have, found = 1, slots >> 1 if most else 0
    while have < most:
        step = min(have, most - have)
        found |= found >> step
        have += step
    return found


def at_most(planes: list[int], limit: int, everywhere: int) -> int:
    """The slots whose sum is at most `limit`: compared bit by bit from the highest."""
    if limit < 0:
        return 0
    less, equal = 0, everywhere
    for place in reversed(range(max(len(planes), limit.bit_length()))):
        plane = planes[place] if place < len(planes) else 0
        if limit >> place & 1:
            less |= equal & ~plane
            equal &= plane
        else:
            equal &= ~plane
    return less | equal
