"""Wall time and instants, against the published changes of clocks and against a clock that is simply watched."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.walltime import DAY, SLOT, bits, first_instant, instant, local_date, shift, slots_in, wall_minutes

MINUTE = timedelta(minutes=1)
CHANGES = Path(__file__).parent.parent / "data" / "timezones" / "transitions_2024_2030.csv"
ZONES = [
    "America/Chicago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "America/Santiago",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/St_Johns",
    "Pacific/Kiritimati",
]


@cache
def zone(name: str) -> ZoneInfo:
    """The zone as the locked `tzdata` has it, whatever this machine's own tables say."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def rows(kind: str) -> list[dict[str, str]]:
    with CHANGES.open() as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


def label(row: dict[str, str]) -> str:
    return f"{row['zone']} {row['instant_utc']}"


def walls_inside(row: dict[str, str]) -> list[datetime]:
    """Wall times in the window that a change skips or repeats: its first and last minute and one between."""
    first, end = (datetime.fromisoformat(row[f"local_window_{edge}"]) for edge in ("start", "end_exclusive"))
    return [first, first + (end - first) / 2, end - MINUTE]


def offset(text: str) -> timedelta:
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))


@cache
def watched(day: date, name: str) -> tuple[tuple[datetime, datetime], ...]:
    """What the clock shows at each minute of UTC around a day: (instant, wall time)."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    seen = (begin + minute * MINUTE for minute in range(54 * 60))
    return tuple((moment, moment.astimezone(zone(name)).replace(tzinfo=None)) for moment in seen)


def first_seen(day: date, wall: time, name: str) -> datetime:
    """The first minute at which somebody who watches the clock sees this wall time, or one after it."""
    wanted = datetime.combine(day, wall)
    return next(moment for moment, shown in watched(day, name) if shown >= wanted)


def test_the_table_is_whole() -> None:
    assert len(rows("gap")) + len(rows("overlap")) == 343
    assert len({row["zone"] for row in rows("gap") + rows("overlap")}) == 26


@pytest.mark.parametrize("row", rows("gap"), ids=label)
def test_a_skipped_wall_time_is_the_instant_of_the_change(row: dict[str, str]) -> None:
    change = datetime.fromisoformat(row["instant_utc"])
    for wall in walls_inside(row):
        assert instant(wall.date(), wall.time(), zone(row["zone"])) == change
    day = walls_inside(row)[0].date()
    assert slots_in(day, zone(row["zone"])) == 288 - int(row["shift_minutes"]) // 5


@pytest.mark.parametrize("row", rows("overlap"), ids=label)
def test_a_repeated_wall_time_is_the_first_of_the_two(row: dict[str, str]) -> None:
    change = datetime.fromisoformat(row["instant_utc"])
    for wall in walls_inside(row):
        found = instant(wall.date(), wall.time(), zone(row["zone"]))
        assert found == wall.replace(tzinfo=UTC) - offset(row["offset_before"])
        assert found < change
    day = walls_inside(row)[0].date()
    assert slots_in(day, zone(row["zone"])) == 288 + int(row["shift_minutes"]) // 5


@pytest.mark.parametrize(
    ("name", "day", "first", "slots"),
    [
        ("America/Chicago", date(2027, 3, 14), "2027-03-14T06:00:00+00:00", 276),
        ("America/Chicago", date(2027, 11, 7), "2027-11-07T05:00:00+00:00", 300),
        ("America/Chicago", date(2027, 6, 1), "2027-06-01T05:00:00+00:00", 288),
        ("Australia/Lord_Howe", date(2027, 4, 4), "2027-04-03T13:00:00+00:00", 294),
        ("Australia/Lord_Howe", date(2027, 10, 3), "2027-10-02T13:30:00+00:00", 282),
        ("Asia/Kathmandu", date(2027, 1, 1), "2026-12-31T18:15:00+00:00", 288),
        ("Pacific/Chatham", date(2027, 4, 4), "2027-04-03T10:15:00+00:00", 300),
        ("America/Santiago", date(2027, 9, 5), "2027-09-05T04:00:00+00:00", 276),
        ("Asia/Beirut", date(2027, 3, 28), "2027-03-27T22:00:00+00:00", 276),
        ("Africa/Cairo", date(2027, 4, 30), "2027-04-29T22:00:00+00:00", 276),
    ],
)
def test_known_days(name: str, day: date, first: str, slots: int) -> None:
    assert first_instant(day, zone(name)) == datetime.fromisoformat(first)
    assert slots_in(day, zone(name)) == slots


def test_a_nine_o_clock_shift_stays_at_nine_across_both_changes() -> None:
    chicago = zone("America/Chicago")
    hours = {day: instant(day, time(9), chicago).hour for day in (date(2027, 3, 13), date(2027, 3, 14))}
    assert hours == {date(2027, 3, 13): 15, date(2027, 3, 14): 14}
    hours = {day: instant(day, time(9), chicago).hour for day in (date(2027, 11, 6), date(2027, 11, 7))}
    assert hours == {date(2027, 11, 6): 14, date(2027, 11, 7): 15}


def test_a_shift_past_midnight_lasts_as_long_as_the_night() -> None:
    chicago = zone("America/Chicago")
    lengths = [
        end - start
        for start, end in (
            shift(day, time(22), time(6), chicago) for day in (date(2027, 3, 13), date(2027, 6, 1), date(2027, 11, 6))
        )
    ]
    assert lengths == [timedelta(hours=hours) for hours in (7, 8, 9)]
    until_midnight = shift(date(2027, 6, 1), time(22), time(0), chicago)
    assert until_midnight[1] == first_instant(date(2027, 6, 2), chicago)


def test_a_day_that_a_zone_left_out_has_no_slots() -> None:
    samoa = zone("Pacific/Apia")
    assert slots_in(date(2011, 12, 30), samoa) == 0
    assert wall_minutes(date(2011, 12, 30), samoa) == ()
    assert first_instant(date(2011, 12, 30), samoa) == first_instant(date(2011, 12, 31), samoa)


def test_wall_minutes_skip_and_repeat_with_the_clock() -> None:
    spring = wall_minutes(date(2027, 3, 14), zone("America/Chicago"))
    assert spring[23:25] == (115, 180)
    autumn = wall_minutes(date(2027, 11, 7), zone("America/Chicago"))
    assert autumn[12:24] == autumn[24:36] == tuple(range(60, 120, 5))
    assert wall_minutes(date(2027, 3, 28), zone("Asia/Beirut"))[0] == 60


DATES = st.dates(date(2024, 1, 1), date(2035, 12, 31))
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
CHANGE_DAYS = [(row["zone"], datetime.fromisoformat(row["local_window_start"]).date()) for row in rows("gap")]
CHANGE_DAYS += [(row["zone"], datetime.fromisoformat(row["local_window_start"]).date()) for row in rows("overlap")]
PLACES = st.tuples(st.sampled_from(ZONES), DATES) | st.sampled_from(CHANGE_DAYS)


@given(PLACES, TIMES)
def test_an_instant_is_when_the_clock_first_gets_there(place: tuple[str, date], wall: time) -> None:
    name, day = place
    assert instant(day, wall, zone(name)) == first_seen(day, wall, name)


@given(PLACES, TIMES, TIMES)
def test_a_later_wall_time_is_never_an_earlier_instant(place: tuple[str, date], one: time, two: time) -> None:
    name, day = place
    early, late = sorted((one, two))
    assert instant(day, early, zone(name)) <= instant(day, late, zone(name))


@given(st.sampled_from(ZONES), DATES, st.integers(1, 400))
def test_days_follow_each_other_without_a_slot_lost(name: str, day: date, count: int) -> None:
    total = sum(slots_in(day + number * DAY, zone(name)) for number in range(count))
    assert first_instant(day, zone(name)) + total * SLOT == first_instant(day + count * DAY, zone(name))


@given(PLACES)
def test_each_slot_shows_what_the_clock_shows(place: tuple[str, date]) -> None:
    name, day = place
    shown = dict(watched(day, name))
    begins = [first_instant(day, zone(name)) + slot * SLOT for slot in range(slots_in(day, zone(name)))]
    assert wall_minutes(day, zone(name)) == tuple(shown[at].hour * 60 + shown[at].minute for at in begins)
    assert {local_date(at, zone(name)) for at in begins} == {day}


MOMENTS = st.integers(-3600, 30 * 3600).map(lambda s: datetime(2027, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(st.sampled_from([276, 288, 294, 300]), MOMENTS, MOMENTS)
def test_supply_is_rounded_inward_and_what_is_taken_outward(slots: int, start: datetime, end: datetime) -> None:
    midnight = datetime(2027, 1, 1, tzinfo=UTC)
    edges = [(midnight + slot * SLOT, midnight + (slot + 1) * SLOT) for slot in range(slots)]
    inside = sum(1 << slot for slot, (low, high) in enumerate(edges) if start <= low and high <= end)
    touched = sum(1 << slot for slot, (low, high) in enumerate(edges) if start < high and low < end and start < end)
    assert bits(midnight, slots, start, end, inward=True) == inside
    assert bits(midnight, slots, start, end, inward=False) == touched
