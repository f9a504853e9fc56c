"""What a site has to offer, read back from a real database day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.models import AvailabilityRule, Chair, ChairClosure, OpeningHours, SiteClosure, TimeOff
from scheduler.supply import supply_days, supply_on
from tests.factories import make_availability, make_chair, make_clinic, make_opening_hours, make_provider

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from scheduler.day import ChairFacts, Day, StaffFacts
    from scheduler.models import Provider
    from tests.factories import Clinic

CHICAGO = ZoneInfo("America/Chicago")
TUESDAY = date(2027, 6, 1)
WEDNESDAY = TUESDAY + timedelta(days=1)


def members(slots: int) -> set[int]:
    return {slot for slot in range(slots.bit_length()) if slots >> slot & 1}


def between(day: Day, since: str, until: str) -> set[int]:
    """The slots that begin from `since` to before `until` on the wall clock."""
    low, high = (int(text[:2]) * 60 + int(text[3:]) for text in (since, until))
    return {slot for slot, minute in enumerate(day.wall) if low <= minute < high}


def at(day: date, text: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), CHICAGO).astimezone(UTC)


def one(clinic: Clinic, day: date) -> Day:
    (found,) = supply_days(clinic.site, day, day)
    return found


def chair_of(day: Day, chair: Chair) -> ChairFacts:
    return next(facts for facts in day.chairs if facts.id == str(chair.id))


def nurse_of(day: Day, nurse: Provider) -> StaffFacts:
    return next(facts for facts in day.nurses if facts.id == str(nurse.id))


def test_an_ordinary_day(clinic: Clinic) -> None:
    day = one(clinic, TUESDAY)
    assert (day.date, day.slots, day.first_instant) == (TUESDAY, 288, at(TUESDAY, "00:00"))
    assert members(day.open) == between(day, "08:00", "18:00")
    assert [chair.id for chair in day.chairs] == sorted(str(chair.id) for chair in clinic.chairs)
    assert {chair.free for chair in day.chairs} == {2**288 - 1}
    assert [nurse.id for nurse in day.nurses] == sorted(str(nurse.id) for nurse in clinic.nurses)
    assert [person.id for person in day.prescribers] == [str(clinic.prescriber.id)]
    assert members(day.nurses[0].on_duty) == between(day, "07:00", "19:00")
    assert (day.taken, day.patient_free, day.from_slot) == ((), 2**288 - 1, 0)


def test_a_day_without_hours_is_closed(clinic: Clinic) -> None:
    sunday = one(clinic, date(2027, 6, 6))
    assert sunday.open == 0
    assert {nurse.on_duty for nurse in sunday.nurses} == {0}


def test_hours_with_a_break_off_the_grid_are_rounded_inward(clinic: Clinic) -> None:
    OpeningHours.objects.filter(site=clinic.site, weekday=1).delete()
    make_opening_hours(clinic.site, weekdays=range(1, 2), opens=time(8, 2), closes=time(12, 4))
    make_opening_hours(clinic.site, weekdays=range(1, 2), opens=time(13), closes=time(17, 59))
    day = one(clinic, TUESDAY)
    assert members(day.open) == between(day, "08:05", "12:00") | between(day, "13:00", "17:55")


def test_a_site_closure_closes_the_site_and_leaves_duty(clinic: Clinic) -> None:
    SiteClosure.objects.create(site=clinic.site, during=(at(TUESDAY, "10:03"), at(TUESDAY, "11:01")))
    day = one(clinic, TUESDAY)
    assert members(day.open) == between(day, "08:00", "10:00") | between(day, "11:05", "18:00")
    assert members(day.nurses[0].on_duty) == between(day, "07:00", "19:00")
    assert chair_of(day, clinic.bed).free == 2**288 - 1


def test_a_closure_over_several_days(clinic: Clinic) -> None:
    SiteClosure.objects.create(site=clinic.site, during=(at(TUESDAY, "17:00"), at(date(2027, 6, 3), "09:00")))
    tuesday, wednesday, thursday = supply_days(clinic.site, TUESDAY, date(2027, 6, 3))
    assert members(tuesday.open) == between(tuesday, "08:00", "17:00")
    assert wednesday.open == 0
    assert members(thursday.open) == between(thursday, "09:00", "18:00")


def test_a_chair_closure_takes_only_that_chair(clinic: Clinic) -> None:
    ChairClosure.objects.create(chair=clinic.bed, during=(at(TUESDAY, "10:03"), at(TUESDAY, "11:01")))
    day = one(clinic, TUESDAY)
    assert set(range(288)) - members(chair_of(day, clinic.bed).free) == between(day, "10:00", "11:05")
    assert chair_of(day, clinic.room).free == 2**288 - 1
    assert members(day.open) == between(day, "08:00", "18:00")


def test_what_a_chair_is(clinic: Clinic) -> None:
    chair = make_chair(clinic.site, kind="bed", features=("cardiac_monitor", "near_exit"))
    facts = chair_of(one(clinic, TUESDAY), chair)
    assert (facts.kind, facts.features) == ("bed", frozenset({"cardiac_monitor", "near_exit"}))


def test_time_off_takes_from_duty_rounded_outward(clinic: Clinic) -> None:
    away, here = clinic.nurses[:2]
    TimeOff.objects.create(provider=away, during=(at(TUESDAY, "12:01"), at(TUESDAY, "12:59")))
    day = one(clinic, TUESDAY)
    expected = between(day, "07:00", "12:00") | between(day, "13:00", "19:00")
    assert members(nurse_of(day, away).on_duty) == expected
    assert members(nurse_of(day, here).on_duty) == between(day, "07:00", "19:00")


def test_a_shift_past_midnight_reaches_the_next_day(clinic: Clinic) -> None:
    nurse = make_provider(clinic.site, weekdays=range(0))
    make_availability(nurse, weekdays=range(1, 2), start=time(22), end=time(6))
    before, tuesday, wednesday, after = supply_days(clinic.site, date(2027, 5, 31), date(2027, 6, 3))
    assert nurse_of(before, nurse).on_duty == nurse_of(after, nurse).on_duty == 0
    assert members(nurse_of(tuesday, nurse).on_duty) == between(tuesday, "22:00", "24:00")
    assert members(nurse_of(wednesday, nurse).on_duty) == between(wednesday, "00:00", "06:00")


def test_a_shift_until_midnight_ends_there(clinic: Clinic) -> None:
    nurse = make_provider(clinic.site, weekdays=range(0))
    make_availability(nurse, weekdays=range(1, 2), start=time(15), end=time(0))
    tuesday, wednesday = supply_days(clinic.site, TUESDAY, WEDNESDAY)
    assert members(nurse_of(tuesday, nurse).on_duty) == between(tuesday, "15:00", "24:00")
    assert nurse_of(wednesday, nurse).on_duty == 0


def test_dates_of_effect_are_those_of_the_day_on_which_a_shift_begins(clinic: Clinic) -> None:
    nurse = make_provider(clinic.site, weekdays=range(0))
    AvailabilityRule.objects.create(
        provider=nurse,
        weekday=1,
        start_time=time(22),
        end_time=time(6),
        effective_from=TUESDAY,
        effective_until=TUESDAY,
    )
    days = supply_days(clinic.site, date(2027, 5, 25), date(2027, 6, 9))
    on_duty = {day.date: members(nurse_of(day, nurse).on_duty) for day in days}
    assert {day for day, slots in on_duty.items() if slots} == {TUESDAY, WEDNESDAY}
    # The window may begin on the morning after, when the rule is no longer in effect.
    assert members(nurse_of(one(clinic, WEDNESDAY), nurse).on_duty) == on_duty[WEDNESDAY]


def test_shifts_that_meet_off_the_grid_are_one(clinic: Clinic) -> None:
    nurse = make_provider(clinic.site, weekdays=range(0))
    make_availability(nurse, weekdays=range(1, 2), start=time(8), end=time(12, 2))
    make_availability(nurse, weekdays=range(1, 2), start=time(12, 2), end=time(16))
    day = one(clinic, TUESDAY)
    assert members(nurse_of(day, nurse).on_duty) == between(day, "08:00", "16:00")


@pytest.mark.parametrize(("day", "slots"), [(date(2027, 3, 14), 276), (date(2027, 11, 7), 300)])
def test_nine_stays_nine_when_clocks_change(clinic: Clinic, day: date, slots: int) -> None:
    nurse = make_provider(clinic.site, weekdays=range(0))
    make_availability(nurse, weekdays=range(6, 7), start=time(9), end=time(17))
    make_opening_hours(clinic.site, weekdays=range(6, 7), opens=time(0), closes=time(23, 55))
    found = one(clinic, day)
    assert found.slots == slots
    assert members(nurse_of(found, nurse).on_duty) == between(found, "09:00", "17:00")
    assert members(found.open) == set(range(slots - 1))


@pytest.mark.django_db
def test_half_an_hour_on_lord_howe() -> None:
    clinic = make_clinic(time_zone="Australia/Lord_Howe")
    make_opening_hours(clinic.site, weekdays=range(6, 7), opens=time(1), closes=time(3))
    short, long = supply_on(clinic.site, [date(2027, 10, 3), date(2027, 4, 4)])[::-1]
    assert (short.date, short.slots, len(members(short.open))) == (date(2027, 10, 3), 282, 18)
    assert (long.date, long.slots, len(members(long.open))) == (date(2027, 4, 4), 294, 30)


def test_who_and_what_is_inactive_is_not_there(clinic: Clinic) -> None:
    clinic.recliners[0].is_active = clinic.nurses[0].is_active = False
    clinic.recliners[0].save()
    clinic.nurses[0].save()
    day = one(clinic, TUESDAY)
    assert str(clinic.recliners[0].id) not in {chair.id for chair in day.chairs}
    assert str(clinic.nurses[0].id) not in {nurse.id for nurse in day.nurses}


def test_no_day_and_days_out_of_order(clinic: Clinic) -> None:
    assert supply_days(clinic.site, WEDNESDAY, TUESDAY) == ()
    found = supply_on(clinic.site, [WEDNESDAY, TUESDAY, WEDNESDAY])
    assert [day.date for day in found] == [TUESDAY, WEDNESDAY]
    assert found == supply_days(clinic.site, TUESDAY, WEDNESDAY)


def test_as_many_queries_for_a_large_site_as_for_a_small_one(
    clinic: Clinic, django_assert_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    for _ in range(10):
        chair, nurse = make_chair(clinic.site), make_provider(clinic.site)
        ChairClosure.objects.create(chair=chair, during=(at(TUESDAY, "10:00"), at(TUESDAY, "11:00")))
        TimeOff.objects.create(provider=nurse, during=(at(TUESDAY, "10:00"), at(TUESDAY, "11:00")))
    with django_assert_num_queries(7):
        supply_days(clinic.site, TUESDAY, TUESDAY + timedelta(days=90))
