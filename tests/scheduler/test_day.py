"""One day at one site: each rule allowed and refused by one slot, and the sets of starts against the one predicate."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.day import Day, Need, Placement, Refusal, can_keep, cost, mask, place, ranked, starts
from scheduler.load import KEPT_AT_MOST, keep
from scheduler.slots import bits
from tests.scheduler import clinic
from tests.scheduler.clinic import chair, day, need, staff, taken


def code(on: Day, asked: Need, start: int) -> str:
    found = place(on, asked, start)
    assert (isinstance(found, Placement)) == clinic.has(starts(on, asked), start) if 0 <= start < on.slots else True
    return found.code if isinstance(found, Refusal) else "fits"


# A session of need() prepares in slot 0, infuses in 1 and 2, recovers in 3, and its chair is turned over in 4.
@pytest.mark.parametrize(
    ("on", "start", "expected"),
    [
        pytest.param(day(), 0, "fits", id="empty day"),
        pytest.param(day(), 19, "fits", id="turnover ends with the day"),
        pytest.param(day(), 20, "recovery_after_close", id="turnover runs past the day"),
        pytest.param(day(), 24, "outside_opening_hours", id="no such slot"),
        pytest.param(day(), -1, "outside_opening_hours", id="before the day"),
        pytest.param(day(opens=(2, 10)), 2, "fits", id="starts at opening"),
        pytest.param(day(opens=(2, 10)), 1, "outside_opening_hours", id="starts before opening"),
        pytest.param(day(opens=(2, 10)), 5, "fits", id="turnover ends at closing"),
        pytest.param(day(opens=(2, 10)), 6, "recovery_after_close", id="turnover ends after closing"),
        pytest.param(day(from_slot=3), 3, "fits", id="now"),
        pytest.param(day(from_slot=3), 2, "in_past", id="just gone"),
        pytest.param(day(wall=tuple(481 + 5 * i for i in range(24))), 3, "off_grid", id="off the five-minute marks"),
        pytest.param(day(patient_free=mask(0, 7, 24)), 3, "fits", id="patient leaves for another session at the end"),
        pytest.param(day(patient_free=mask(0, 6, 24)), 3, "patient_busy", id="patient is due elsewhere at the end"),
        pytest.param(day(taken=(taken(0, 4, turnover=1, chair="chair-a"),)), 5, "fits", id="chair free after turnover"),
        pytest.param(day(taken=(taken(0, 4, turnover=1, chair="chair-a"),)), 4, "chair_taken", id="chair in turnover"),
        pytest.param(day(taken=(taken(5, 9, chair="chair-a"),)), 0, "fits", id="own turnover ends in time"),
        pytest.param(day(taken=(taken(4, 9, chair="chair-a"),)), 0, "chair_taken", id="own turnover does not"),
        pytest.param(day(chairs=(chair(free=mask(0, 5, 24)),)), 0, "fits", id="chair closes after turnover"),
        pytest.param(day(chairs=(chair(free=mask(0, 4, 24)),)), 0, "chair_taken", id="chair closes before"),
        pytest.param(day(chairs=()), 0, "chair_unfit", id="no chair"),
        pytest.param(day(nurses=(staff("n", on_duty=mask(1, 5, 24)),)), 1, "fits", id="nurse on duty to the end"),
        pytest.param(
            day(nurses=(staff("n", on_duty=mask(1, 4, 24)),)), 1, "nurse_unavailable", id="nurse leaves early"
        ),
        pytest.param(day(nurses=(staff("n", on_duty=mask(2, 9, 24)),)), 1, "nurse_unavailable", id="nurse comes late"),
        pytest.param(day(taken=(taken(0, 9, hands_on=2, nurse="nurse-a"),)), 2, "fits", id="nurse's hands free again"),
        pytest.param(
            day(taken=(taken(0, 9, hands_on=2, nurse="nurse-a"),)), 1, "nurse_unavailable", id="hands not free"
        ),
        pytest.param(day(taken=(taken(1, 9, hands_on=2, nurse="nurse-a"),)), 0, "fits", id="own hands-on ends in time"),
        pytest.param(
            day(taken=(taken(1, 9, nurse="nurse-a"), taken(4, 9, nurse="nurse-a"))), 0, "fits", id="two at once"
        ),
        pytest.param(
            day(taken=(taken(1, 9, nurse="nurse-a"), taken(3, 9, nurse="nurse-a"))), 0, "ratio_exceeded", id="three"
        ),
        pytest.param(
            day(nurses=(staff("n", max_acuity=4),), taken=(taken(0, 9, acuity=3, nurse="n"),)), 1, "fits", id="4 points"
        ),
        pytest.param(
            day(nurses=(staff("n", max_acuity=3),), taken=(taken(0, 9, acuity=3, nurse="n"),)),
            1,
            "ratio_exceeded",
            id="more points than allowed",
        ),
        pytest.param(
            day(nurses=(staff("n", max_acuity=3),), taken=(taken(0, 4, acuity=3, nurse="n"),)),
            4,
            "fits",
            id="points gone",
        ),
        pytest.param(
            day(prescribers=(staff("p", on_duty=mask(1, 4, 24)),)), 0, "fits", id="prescriber comes for the infusion"
        ),
        pytest.param(
            day(prescribers=(staff("p", on_duty=mask(2, 9, 24)),)), 0, "prescriber_unavailable", id="comes too late"
        ),
        pytest.param(
            day(prescribers=(staff("p", on_duty=mask(1, 3, 24)),)), 0, "prescriber_unavailable", id="leaves in recovery"
        ),
        pytest.param(
            day(prescribers=(staff("p", capacity=1),), taken=(taken(4, 9, prescriber="p"),)), 0, "fits", id="next one"
        ),
        pytest.param(
            day(prescribers=(staff("p", capacity=1),), taken=(taken(3, 9, prescriber="p"),)),
            0,
            "prescriber_unavailable",
            id="prescriber has one already",
        ),
        pytest.param(
            day(prescribers=(staff("p", capacity=1),), taken=(taken(0, 9, infuse_start=4, prescriber="p"),)),
            0,
            "fits",
            id="a prescriber is not needed while others prepare",
        ),
    ],
)
def test_each_rule_to_the_slot(on: Day, start: int, expected: str) -> None:
    assert code(on, need(), start) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (need(kinds=("recliner",), features=("monitor",)), "fits"),
        (need(kinds=("bed", "recliner")), "fits"),
        (need(kinds=("bed",)), "chair_unfit"),
        (need(features=("monitor", "quiet")), "chair_unfit"),
        (need(chair_kind="recliner"), "fits"),
        (need(chair_kind="bed"), "chair_unfit"),
        (need(kinds=("bed",), chair_kind="recliner"), "chair_unfit"),
        (need(provider="nurse-a"), "fits"),
        (need(provider="prescriber-a"), "fits"),
        (need(provider="somebody else"), "nurse_unavailable"),
    ],
)
def test_chair_and_provider_wished_for(asked: Need, expected: str) -> None:
    assert code(day(chairs=(chair(features=("monitor",)),)), asked, 0) == expected


def test_wished_provider_is_the_only_one_asked() -> None:
    nurses = (staff("nurse-a"), staff("nurse-b", on_duty=mask(8, 24, 24)))
    assert code(day(nurses=nurses), need(provider="nurse-b"), 7) == "nurse_unavailable"
    found = place(day(nurses=nurses), need(provider="nurse-b"), 8)
    assert isinstance(found, Placement)
    assert found.nurse == "nurse-b"


def test_one_nurse_throughout() -> None:
    shifts = (staff("a", on_duty=mask(0, 3, 24)), staff("b", on_duty=mask(3, 24, 24)))
    assert code(day(nurses=shifts), need(), 0) == "nurse_unavailable"


def test_lowest_ids_least_loaded_nurse_and_best_filled_chair() -> None:
    busy = (
        taken(0, 12, nurse="nurse-a", chair="chair-z"),
        taken(0, 2, chair="chair-b"),
        taken(7, 24, chair="chair-b"),
    )
    on = day(
        chairs=(chair("chair-c"), chair("chair-b"), chair("chair-a", free=mask(0, 11, 24))),
        nurses=(staff("nurse-b"), staff("nurse-a")),
        taken=busy,
    )
    assert place(on, need(), 2) == Placement(2, "chair-b", "nurse-b", "prescriber-a", 2, 0)
    assert place(on, need(), 8) == Placement(8, "chair-c", "nurse-b", "prescriber-a", 6, 0)
    assert place(on, need(), 12) == Placement(12, "chair-c", "nurse-a", "prescriber-a", 4, 0)


def test_what_a_start_costs_the_day_does_not_ask_who_has_whom() -> None:
    chairs, nurses = (chair("chair-a"), chair("chair-b")), (staff("nurse-a"), staff("nurse-b"))
    free = day(chairs=chairs, nurses=nurses, opens=(0, 24))
    one_way = (
        taken(0, 5, chair="chair-a", nurse="nurse-a"),
        taken(5, 10, chair="chair-b", nurse="nurse-b"),
        taken(6, 9, chair="chair-a", nurse="nurse-a"),
    )
    other = tuple(replace(each, chair="chair-b", nurse="nurse-a") for each in one_way[:2])
    laid = [replace(free, taken=(*sessions, one_way[2])) for sessions in (one_way[:2], other)]
    costs = [{s: cost(on, need(), s) for s in range(20)} for on in laid]
    assert costs[0] == costs[1]
    # The third leaves two sessions for two nurses at 6 to 9; 5 follows an end, 10 too; 24 is the close.
    assert [costs[0][start] for start in (0, 1, 5, 6, 10, 11, 19)] == [
        (2, 0),
        (2, 1),
        (4, 0),
        (4, 1),
        (2, 0),
        (2, 1),
        (2, 0),
    ]


def test_a_session_more_for_all_the_nurses_makes_a_start_dearer_before_each_has_one() -> None:
    nurses = tuple(staff(f"nurse-{n}") for n in range(4))
    chairs = tuple(chair(f"chair-{n}") for n in range(4))
    there = (taken(0, 8, chair="chair-0", nurse="nurse-0"), taken(4, 8, chair="chair-1", nurse="nurse-1"))
    on = day(slots=48, opens=(0, 48), nurses=nurses, chairs=chairs, taken=there)
    assert [cost(on, need(), start)[0] for start in (0, 1, 4, 8)] == [1, 2, 2, 0]


def test_last_hour_counts_against_a_start() -> None:
    on = day(opens=(0, 24))
    levels = [found.level for s in bits(starts(on, need())) if isinstance(found := place(on, need(), s), Placement)]
    assert levels == [0] * 8 + [2] * 12


def test_can_keep_names_what_no_longer_holds() -> None:
    free = day(nurses=(staff("nurse-a"), staff("nurse-b")), chairs=(chair("chair-a"), chair("chair-b")))
    assert can_keep(free, need(), 0, "chair-a", "nurse-b", "prescriber-a") is None
    gone = can_keep(free, need(), 0, "chair-x", "nurse-b", "prescriber-a")
    assert gone is not None
    assert gone.code == "chair_unfit"
    taken_now = day(
        nurses=free.nurses,
        chairs=free.chairs,
        taken=(taken(0, 5, chair="chair-a"), taken(0, 5, nurse="nurse-b", hands_on=3)),
    )
    cases = [
        (0, "chair-a", "nurse-a", "prescriber-a", "chair_taken"),
        (0, "chair-b", "nurse-b", "prescriber-a", "nurse_unavailable"),
        (0, "chair-b", "nurse-x", "prescriber-a", "nurse_unavailable"),
        (0, "chair-b", "nurse-a", "prescriber-x", "prescriber_unavailable"),
        (23, "chair-b", "nurse-a", "prescriber-a", "recovery_after_close"),
    ]
    for start, seat, nurse, prescriber, expected in cases:
        refusal = can_keep(taken_now, need(), start, seat, nurse, prescriber)
        assert refusal is not None
        assert refusal.code == expected


@pytest.mark.parametrize("slots", [276, 288, 300])
def test_days_with_a_clock_change_have_their_own_length(slots: int) -> None:
    on = day(slots=slots)
    assert starts(on, need()) == mask(0, slots - 4, slots)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_can_keep_allows_exactly_what_the_rules_allow(seed: int) -> None:
    rng = Random(seed)
    on = clinic.random_day(rng, clinic.MONDAY, 14, busy=6)
    asked = clinic.random_need(rng, on)
    for start in range(on.slots):
        new, in_time = asked.at(start, "new"), clinic.time_will_do(on, asked, start)
        for people in product(on.chairs, on.nurses, on.prescribers):
            names = [each.id for each in people]
            each = [clinic.as_things_lie(on, new, pool, name) for pool, name in zip(clinic.POOLS, names, strict=True)]
            assert (can_keep(on, asked, start, *names) is None) == (in_time and all(each))


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_a_day_that_many_look_at_is_to_each_as_if_it_were_theirs_alone(seed: int) -> None:
    rng = Random(seed)
    shared = clinic.random_day(rng, clinic.MONDAY, 24, busy=3)
    for _ in range(3):
        asked = clinic.random_need(rng, shared)
        free, from_slot = rng.getrandbits(24), rng.randrange(25)
        mine, alone = shared.seen_by(free, from_slot), replace(shared, patient_free=free, from_slot=from_slot)
        assert mine.load is shared.load
        assert mine == alone
        assert starts(mine, asked) == starts(alone, asked)
        assert list(ranked(mine, asked, starts(mine, asked))) == list(ranked(alone, asked, starts(alone, asked)))
        assert [place(mine, asked, start) for start in range(24)] == [place(alone, asked, start) for start in range(24)]


def test_what_a_day_remembers_has_an_end() -> None:
    remembered: dict[int, int] = {}
    for number in range(3 * KEPT_AT_MOST):
        keep(remembered, number, number)
        assert remembered[number] == number
    assert len(remembered) <= KEPT_AT_MOST
