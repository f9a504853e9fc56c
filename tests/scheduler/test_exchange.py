"""Room made by exchanging what follows between chairs: always found where they are alike, and never against a rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.day import Day, Placement, place
from scheduler.exchange import make_room
from tests.scheduler import clinic
from tests.scheduler.clinic import chair, day, need, staff, taken
from tests.scheduler.test_assignment import check_laid

SLOTS = 30


def alike(rng: Random) -> Day:
    """A day on chairs that are alike, each session on one that was free, whichever it was."""
    chairs = [f"chair-{number}" for number in range(rng.randint(1, 5))]
    rows: dict[str, list[tuple[int, int]]] = {name: [] for name in chairs}
    for _ in range(30):
        begin, name = rng.randrange(SLOTS - 2), rng.choice(chairs)
        end = min(SLOTS, begin + rng.randint(2, 9))
        if all(end <= since or until <= begin for since, until in rows[name]):
            rows[name].append((begin, end))
    there = [taken(*span, chair=name, nurse="nurse", prescriber="prescriber") for name in chairs for span in rows[name]]
    return day(
        slots=SLOTS,
        chairs=tuple(map(chair, chairs)),
        nurses=(staff("nurse", capacity=99),),
        prescribers=(staff("prescriber", "prescriber", capacity=99),),
        taken=tuple(there),
    )


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_where_chairs_are_alike_there_is_room_exactly_below_the_peak(seed: int) -> None:
    rng = Random(seed)
    on, length = alike(rng), rng.randint(2, 8)
    pool = on.load.seats
    for start in range(SLOTS - length + 1):
        new = on.load.seat(need(infuse=length - 2, turnover=0).at(start, "new"))
        there = [sum(item.start <= slot < item.turnover_end for item in on.taken) for slot in range(SLOTS)]
        laid = make_room(pool, new)
        assert (laid is not None) == (max(there[start : start + length]) < len(on.chairs))
        for name in on.load.seats.resources if laid else ():
            claims = [new, *map(on.load.seat, on.taken)]
            row = [claim.during for claim in claims if (laid or {}).get(claim.id, claim.at) == name]
            assert not any(one & two for one, two in combinations(row, 2))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_a_quick_look_finds_the_same_starts_and_breaks_no_rule(seed: int) -> None:
    rng = Random(seed)
    on = clinic.random_day(rng, clinic.MONDAY, rng.randint(3, 30), busy=rng.choice([8, 12]), whole=0.8)
    asked = clinic.random_need(rng, on)
    found = {s: place(on, asked, s, name="new", fewest=False) for s in range(on.slots)}
    laid = {s: each for s, each in found.items() if isinstance(each, Placement)}
    assert sorted(laid) == sorted(clinic.oracle(on, asked))
    for placed in laid.values():
        check_laid(on, asked, placed, fewest=False)


def test_what_may_not_move_is_not_exchanged() -> None:
    there = [taken(0, 4, chair="chair-a"), taken(4, 8, chair="chair-b")]
    for pinned, room in ((False, True), (True, False)):
        on = day(
            chairs=(chair("chair-a"), chair("chair-b")), taken=tuple(replace(each, pinned=pinned) for each in there)
        )
        new = on.load.seat(need(infuse=6, turnover=0).at(0, "new"))
        assert (make_room(on.load.seats, new) is not None) == room
