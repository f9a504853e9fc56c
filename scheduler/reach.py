"""Whether days can be found for all visits, once it is known which days can take each. Sets of days as ints.

Bit n stands for day n of some count; bit 0 is before every day that may be chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.slots import mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.treatment import Visit

# So many days are followed first as days of the first visit.
FIRST_DAYS = 16

# The days that later rules count from, by the numbers of their sessions, and the days that the session before may have.
_Layer = dict[tuple[int, ...], int]


def chain(visits: Sequence[Visit], free: Sequence[int], before: Sequence[int] = ()) -> tuple[int, ...] | None:
    """Ascending days, one from each visit's set `free`, that keep every gap, window and span; None if there are none.

    `before` are the days of the series' sessions before the first visit, from session 1 on.
    """
    if not visits:
        return ()
    free = _tightened(visits, free)
    rest, width = free[0] if all(free) else 0, FIRST_DAYS
    # Where there is a chain, one from the first days is found long before all days have been followed.
    while rest:
        lowest = (rest & -rest).bit_length() - 1
        some = rest & mask(lowest, lowest + width, lowest + width)
        found = _from(visits, [some, *free[1:]], before)
        if found is not None:
            return found
        rest, width = rest ^ some, width * 2
    return None


def _tightened(visits: Sequence[Visit], free: Sequence[int]) -> list[int]:
    """The sets without the days that the least gaps before or after them rule out in any case."""
    tight, place = list(free), {visit.sequence: i for i, visit in enumerate(visits)}
    links = [(place[v.sequence - 1], i, 1) for i, v in enumerate(visits) if v.sequence - 1 in place]
    links += [
        (place[v.gap.after], i, v.gap.min_days)
        for i, v in enumerate(visits)
        if v.gap is not None and v.gap.after in place
    ]
    for earlier, later, least in sorted(links, key=lambda link: link[1]):
        earliest = (tight[earlier] & -tight[earlier]).bit_length() - 1
        tight[later] &= -1 << max(0, earliest + least)
    for earlier, later, least in sorted(links, key=lambda link: -link[1]):
        latest = tight[later].bit_length() - 1 - least
        tight[earlier] &= mask(0, latest + 1, latest + 1)
    return tight


def _from(visits: Sequence[Visit], free: Sequence[int], before: Sequence[int]) -> tuple[int, ...] | None:
    """`chain` by following every day of the first set at once."""
    kept = _anchors(visits)
    known = tuple(before[number - 1] for number in kept[0])
    layers: list[_Layer] = [{known: 1 << before[-1] if before else 1}]
    for place, visit in enumerate(visits):
        layers.append(_next(layers[-1], visit, free[place], kept[place], kept[place + 1]))
        if not layers[-1]:
            return None
    return _back(visits, layers, kept)


def _anchors(visits: Sequence[Visit]) -> list[tuple[int, ...]]:
    """For each visit the sessions, other than the one just before, that its rules or later ones count from."""
    later: set[int] = set()
    kept: list[tuple[int, ...]] = [()]
    for visit in reversed(visits):
        later.discard(visit.sequence)
        mine = {visit.gap.after} if visit.gap else set()
        mine |= {visit.span.since} if visit.span else set()
        # What later visits count from stays; the session just before is in the set of days anyway.
        here = later | (mine - {visit.sequence - 1})
        kept.append(tuple(sorted(number for number in here if number < visit.sequence)))
        later = here
    return kept[::-1]


def _next(layer: _Layer, visit: Visit, free: int, kept: tuple[int, ...], then: tuple[int, ...]) -> _Layer:
    """The days that a visit may have, by the days that later rules count from."""
    found: _Layer = {}
    for key, previous in layer.items():
        days = _after(visit, dict(zip(kept, key, strict=True)), previous) & free
        for known, some in _split(days, visit.sequence, dict(zip(kept, key, strict=True)), then):
            found[known] = found.get(known, 0) | some
    return found


def _split(days: int, number: int, known: dict[int, int], then: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
    """The days by what must be known after them: each by itself where a later rule counts from this very session."""
    if not days:
        return []
    if number not in then:
        return [(tuple(known[each] for each in then), days)]
    parts = []
    while days:
        lowest = days & -days
        known[number] = lowest.bit_length() - 1
        parts.append((tuple(known[each] for each in then), lowest))
        days ^= lowest
    return parts


def _bounds(visit: Visit, known: dict[int, int]) -> tuple[int, int | None, int, int | None]:
    """(least, most) days from the session before and (first, last) day: what a visit's rules come to."""
    least, most, first, last = 1, None, 0, None
    rules = [(visit.gap.after, visit.gap.min_days, visit.gap.max_days)] if visit.gap else []
    rules += [(visit.span.since, 0, visit.span.max_days)] if visit.span else []
    for after, low, high in rules:
        if after == visit.sequence - 1:
            least, most = max(least, low), high if most is None else min(most, high)
        else:
            day = known[after]
            first, last = max(first, day + low), day + high if last is None else min(last, day + high)
    return least, most, first, last


def _after(visit: Visit, known: dict[int, int], previous: int) -> int:
    """The days that keep a visit's rules for some day of the session before; without end where nothing ends them."""
    least, most, first, last = _bounds(visit, known)
    soonest = (previous & -previous).bit_length() - 1 + least
    days = -1 << soonest if most is None else _smear(previous, least, most)
    return days & (-1 << first if last is None else mask(first, last + 1, last + 1))


def _smear(days: int, least: int, most: int) -> int:
    """The days from `least` to `most` after one of the days; by doubling."""
    width, wanted, reached = 1, most - least + 1, days << least
    while width < wanted:
        step = min(width, wanted - width)
        reached |= reached << step
        width += step
    return reached if wanted > 0 else 0


def _back(visits: Sequence[Visit], layers: list[_Layer], kept: list[tuple[int, ...]]) -> tuple[int, ...]:
    """One choice of days, from the earliest last day back."""
    days: list[int] = []
    ends = layers[-1]
    wanted, some = min(ends.items(), key=lambda item: (item[1] & -item[1], item[0]))
    day = (some & -some).bit_length() - 1
    for place in reversed(range(len(visits))):
        days.append(day)
        wanted, day = _previous(visits[place], layers[place], kept[place], kept[place + 1], wanted, day)
    return tuple(reversed(days))


def _previous(
    visit: Visit, layer: _Layer, kept: tuple[int, ...], then: tuple[int, ...], wanted: tuple[int, ...], day: int
) -> tuple[tuple[int, ...], int]:
    """What was known before a visit on `day`, and a day of the session before from which it was reached."""
    for key, previous in layer.items():
        known = dict(zip(kept, key, strict=True))
        least, most, first, last = _bounds(visit, known)
        after = {**known, visit.sequence: day}
        if tuple(after[each] for each in then) != wanted or day < first or (last is not None and day > last):
            continue
        from_days = previous & mask(0 if most is None else day - most, day - least + 1, day + 1)
        if from_days:
            return key, from_days.bit_length() - 1
    raise AssertionError("a day was reached from nowhere")
