"""Pools: a start is feasible exactly where all of the day's sessions can be assigned with it, and few change for it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.assignment import Place, assign
from scheduler.day import Day, Need, Placement, Refusal, mask, place, ranked, starts
from scheduler.facts import Seat
from scheduler.pools import Claim, Resource, Use
from scheduler.slots import bits
from tests.scheduler import clinic
from tests.scheduler.clinic import chair, day, need, staff, taken

if TYPE_CHECKING:
    from scheduler.facts import Taken


def laid(on: Day, asked: Need, start: int) -> Placement:
    found = place(on, asked, start, name="new")
    assert isinstance(found, Placement)
    return found


def code(on: Day, asked: Need, start: int) -> str:
    found = place(on, asked, start)
    return found.code if isinstance(found, Refusal) else "fits"


def after(on: Day, asked: Need, found: Placement) -> Day:
    """The day as it lies once the session is there and the others have moved for it."""
    new = replace(asked.at(found.start, "new"), chair=found.chair, nurse=found.nurse, prescriber=found.prescriber)
    stood = [replace(item, **found.moved[item.id]._asdict()) if item.id in found.moved else item for item in on.taken]
    return replace(on, taken=(*stood, new))


# -- Examples ----------------------------------------------------------------------------------------------------------

BED, RECLINER = chair("bed", kind="bed"), chair("recliner")
ANY = taken(0, 5, chair="bed", nurse="nurse-a", prescriber="prescriber-a")


def test_who_needs_no_bed_leaves_it_to_one_who_does() -> None:
    on = day(chairs=(BED, RECLINER), nurses=(staff("nurse-a"),), taken=(ANY,))
    found = laid(on, need(kinds=("bed",)), 0)
    assert (found.chair, found.moved) == ("bed", {ANY.id: Place("recliner", "nurse-a", "prescriber-a")})
    assert laid(on, need(), 0).moved == {}


@pytest.mark.parametrize(
    "stays",
    [
        pytest.param({"pinned": True}, id="begun"),
        pytest.param({"seat": Seat(chair_kind="bed")}, id="wished for a bed"),
        pytest.param({"seat": Seat(frozenset({"bed"}))}, id="needs a bed"),
        pytest.param({"start": -1}, id="began the day before"),
        pytest.param({"end": 24, "turnover_end": 25}, id="ends the day after"),
    ],
)
def test_who_may_not_move_does_not(stays: dict[str, object]) -> None:
    on = day(chairs=(BED, RECLINER), taken=(replace(ANY, **stays),))  # type: ignore[arg-type]
    assert code(on, need(kinds=("bed",)), 0) == "chair_taken"
    assert not starts(on, need(kinds=("bed",))) & 1


def test_a_nurse_wished_for_is_kept_and_another_is_not() -> None:
    one = staff("nurse-a", capacity=1)
    on = day(chairs=(BED, RECLINER), nurses=(one, staff("nurse-b", capacity=1)), taken=(ANY,))
    assert laid(on, need(provider="nurse-a"), 0).moved == {ANY.id: Place("bed", "nurse-b", "prescriber-a")}
    wished = replace(on, taken=(replace(ANY, provider="nurse-a"),))
    assert code(wished, need(provider="nurse-a"), 0) == "ratio_exceeded"
    assert laid(wished, need(), 0).nurse == "nurse-b"


def test_short_shifts_hands_and_points_make_nurses_change() -> None:
    early = staff("early", on_duty=mask(0, 8, 24), capacity=1)
    on = day(
        chairs=(chair("a"), chair("b")),
        nurses=(early, staff("late", capacity=1)),
        taken=(taken(0, 5, chair="a", nurse="late", prescriber="prescriber-a"),),
    )
    assert set(laid(on, need(infuse=6), 1).moved) == {on.taken[0].id}
    hands = day(
        chairs=(chair("a"), chair("b")),
        nurses=(staff("early", on_duty=mask(0, 8, 24), capacity=9), staff("late", capacity=9)),
        taken=(taken(0, 5, hands_on=3, chair="a", nurse="late", prescriber="prescriber-a"),),
    )
    assert set(laid(hands, need(infuse=6), 2).moved) == {hands.taken[0].id}
    points = day(
        chairs=(chair("a"), chair("b")),
        nurses=(staff("strong", max_acuity=4), staff("weak", max_acuity=2)),
        taken=(taken(0, 5, acuity=2, chair="a", nurse="strong", prescriber="prescriber-a"),),
    )
    assert laid(points, need(acuity=4), 0).moved == {points.taken[0].id: Place("a", "weak", "prescriber-a")}


def test_a_chain_of_changes() -> None:
    """Each of three chairs has to be left by the one who could do with the next one."""
    kinds = ("recliner", "bed", "private_room")
    chairs = tuple(chair(kind, kind=kind) for kind in kinds)
    sessions = (
        replace(taken(0, 5, chair="recliner", nurse="n", prescriber="prescriber-a"), seat=Seat(frozenset(kinds[:2]))),
        replace(taken(0, 6, chair="bed", nurse="n", prescriber="prescriber-a"), seat=Seat(frozenset(kinds[1:]))),
    )
    on = day(
        chairs=chairs,
        nurses=(staff("n", capacity=3),),
        prescribers=(staff("prescriber-a", role="prescriber", capacity=3),),
        taken=sessions,
    )
    found = laid(on, need(kinds=("recliner",)), 0)
    assert (found.chair, [place.chair for place in found.moved.values()]) == ("recliner", ["bed", "private_room"])
    assert code(replace(on, chairs=chairs[:2]), need(kinds=("recliner",)), 0) == "chair_taken"


def test_what_breaks_a_rule_already_is_left_alone_and_in_nobodys_way() -> None:
    astray = taken(0, 5, chair="bed", nurse="gone", prescriber="prescriber-a")
    twice = (ANY, replace(ANY, id="same chair, same time"))
    on = day(chairs=(BED, RECLINER), nurses=(staff("nurse-a", capacity=9),), taken=(astray, *twice))
    on = replace(on, prescribers=(staff("prescriber-a", role="prescriber", capacity=9),))
    assert code(on, need(kinds=("bed",)), 0) == "chair_taken"
    assert (laid(on, need(), 0).chair, laid(on, need(), 0).moved) == ("recliner", {})
    assert laid(on, need(kinds=("bed",)), 5).moved == {}


def test_several_at_once_keep_whom_they_name_where_they_can() -> None:
    on = day(
        chairs=(BED, RECLINER, chair("second")),
        nurses=(staff("nurse-a", capacity=9), staff("nurse-b", capacity=9)),
        prescribers=(staff("prescriber-a", role="prescriber", capacity=9),),
        taken=(ANY,),
    )
    added: list[Taken] = [
        replace(need(kinds=("bed",)).at(0, "x"), nurse="nurse-b"),
        replace(need(hands_on=2).at(1, "y"), chair="second", nurse="nurse-b"),
    ]
    assert assign(on, added) == {
        ANY.id: Place("recliner", "nurse-a", "prescriber-a"),
        "x": Place("bed", "nurse-b", "prescriber-a"),
        "y": Place("second", "nurse-b", "prescriber-a"),
    }
    assert assign(on, [*added, need().at(2, "z")]) is None
    assert assign(on, []) == {}


# -- Every assignment tried by hand ------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32))
@settings(max_examples=400)
def test_a_start_is_feasible_exactly_where_an_assignment_exists(seed: int) -> None:
    rng = Random(seed)
    on = clinic.random_day(rng, clinic.MONDAY, rng.randint(3, 30), busy=rng.choice([3, 8, 12]))
    asked = clinic.random_need(rng, on)
    truth, maybe = clinic.oracle(on, asked), starts(on, asked)
    found = {s: placed for s in range(on.slots) if isinstance(placed := place(on, asked, s, name="new"), Placement)}
    assert sorted(found) == sorted(truth)
    assert set(found) <= set(bits(maybe))
    costs = {start: cost[:2] for *cost, some in ranked(on, asked, maybe) for start in bits(some)}
    for start, placed in found.items():
        assert (placed.level, placed.fragments) == truth[start] == tuple(costs[start])
        check_laid(on, asked, placed)


def check_laid(on: Day, asked: Need, placed: Placement, fewest: bool = True) -> None:
    """All rules hold afterwards wherever they held before, the pinned stay, and no fewer changes would have done."""
    then = after(on, asked, placed)
    for pool in clinic.POOLS:
        known = {who.id: who for who in clinic.members(on, pool)}
        for before, item in zip(on.taken, then.taken, strict=False):
            had, has = getattr(before, pool), getattr(item, pool)
            if had in known and clinic.stands_well(on, before, pool, known[had]) and not before.pinned:
                assert clinic.stands_well(then, item, pool, known[has])
            else:
                assert had == has
        assert clinic.stands_well(then, then.taken[-1], pool, known[getattr(then.taken[-1], pool)])
        changes = sum(getattr(a, pool) != getattr(b, pool) for a, b in zip(on.taken, then.taken, strict=False))
        if changes and fewest:
            fewer = min(changes - 1, 2)
            assert clinic.assigned(on, pool, [asked.at(placed.start, "new")], most=fewer) is None


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_how_sessions_were_laid_makes_no_start_worse(seed: int) -> None:
    """Two layings of the same day offer the same starts at the same cost."""
    rng = Random(seed)
    on = clinic.random_day(rng, clinic.MONDAY, 20, busy=6)
    asked = clinic.random_need(rng, on)
    before = {s: found for s in range(20) if isinstance(found := place(on, asked, s, name="new"), Placement)}
    if not before or clinic.in_disorder(on):
        return
    moved = max(before.values(), key=lambda found: len(found.moved)).moved
    then = replace(on, taken=tuple(replace(t, **moved[t.id]._asdict()) if t.id in moved else t for t in on.taken))
    again = {s: found for s in range(20) if isinstance(found := place(then, asked, s, name="new"), Placement)}
    assert {s: (f.level, f.fragments) for s, f in again.items()} == {
        s: (f.level, f.fragments) for s, f in before.items()
    }


@pytest.mark.parametrize(("there", "capacity", "limit"), [(2, 2, None), (2, 9, 5), (3, 3, 99), (4, 4, None)])
def test_a_nurse_is_full_with_as_many_as_allowed(there: int, capacity: int, limit: int | None) -> None:
    """Two points each: whoever comes last finds room with one session fewer, or one point more, and else none."""
    mine = [Claim(f"{n}", 0b111111 << n, 1 << n, 2, "nurse", None) for n in range(there + 1)]
    use, alone = Use.of(mine[:-1]), Use.of(mine[1:-1])
    person = Resource("nurse", 0b1111111111, capacity, limit, ())
    assert not use.takes(person, mine[-1])
    assert alone.takes(person, mine[-1])
    roomier = Resource("nurse", 0b1111111111, capacity + 1, None if limit is None else limit + 1, ())
    assert use.takes(roomier, mine[-1])
    assert not use.takes(roomier, mine[-1]._replace(hands=mine[0].hands))
