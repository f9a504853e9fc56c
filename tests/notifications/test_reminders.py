"""What should be said about a session, by its rules, at every boundary."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.reminders import CheckIn, Due, Reminder, SessionFacts, SitePlan, due_messages
from tests.clerk import TOGETHER, Clerk
from tests.lives import Event, Person, lived

START = datetime(2027, 3, 1, 15, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
SILENT = SitePlan(False, False, False, False, None, 0)
LONG_BEFORE = START - 400 * HOUR


def facts(**changes: Any) -> SessionFacts:
    """A booked session with reminders three days and one day before it, by e-mail, to a patient who wants e-mail."""
    values: dict[str, Any] = {
        "status": "booked",
        "start": START,
        "discharged_at": None,
        "stands_since": LONG_BEFORE,
        "reminders": (Reminder(72, ("email",)), Reminder(24, ("email",))),
        "follow_ups": (CheckIn("PHQ-9", 24), CheckIn("side-effects", 0)),
        "wished": ("email",),
        "reachable": frozenset({"email", "sms"}),
        "last_reminder": timedelta(minutes=30),
        "follow_up_life": timedelta(days=7),
        "site": SILENT,
    }
    return SessionFacts(**(values | changes))


def kinds(dues: tuple[Due, ...]) -> list[str]:
    return [due.kind for due in dues]


def test_each_reminder_stands_until_the_next_and_the_last_until_half_an_hour_before() -> None:
    first, last = due_messages(facts())
    assert (first.kind, first.due_at, first.not_after) == ("reminder_72h", START - 72 * HOUR, START - 24 * HOUR)
    assert (last.kind, last.due_at, last.not_after) == ("reminder_24h", START - 24 * HOUR, START - HOUR / 2)
    assert {first.speaks_of, last.speaks_of} == {START}
    assert first.instrument is None


@pytest.mark.parametrize(
    ("stands_since", "expected"),
    [
        (START - 72 * HOUR - SECOND, ["reminder_72h", "reminder_24h"]),
        (START - 72 * HOUR, ["reminder_72h", "reminder_24h"]),
        (START - 72 * HOUR + SECOND, ["reminder_72h", "reminder_24h"]),
        (START - 24 * HOUR - SECOND, ["reminder_72h", "reminder_24h"]),
        (START - 24 * HOUR, ["reminder_24h"]),
        (START - 24 * HOUR + SECOND, ["reminder_24h"]),
        (START - HOUR / 2 - SECOND, ["reminder_24h"]),
        (START - HOUR / 2, []),
        (START - HOUR / 2 + SECOND, []),
        (START + SECOND, []),
    ],
)
def test_of_those_past_at_booking_only_the_latest_that_is_still_open_is_said_at_once(
    stands_since: datetime, expected: list[str]
) -> None:
    dues = due_messages(facts(stands_since=stands_since))
    assert kinds(dues) == expected
    assert all(due.due_at >= stands_since for due in dues)


@pytest.mark.parametrize(
    "status", ["arrived", "infusing", "recovering", "completed", "stopped_early", "cancelled", "no_show"]
)
def test_only_a_session_to_come_is_reminded_of(status: str) -> None:
    assert not any("reminder" in kind for kind in kinds(due_messages(facts(status=status, discharged_at=START))))


def test_a_reminder_after_the_last_call_is_never_said_and_shortens_no_other() -> None:
    dues = due_messages(facts(reminders=(Reminder(0, ("email",)), Reminder(24, ("email",)))))
    assert [(due.kind, due.not_after) for due in dues] == [("reminder_24h", START - HOUR / 2)]


def test_two_entries_for_one_hour_are_one_reminder_by_both_channels() -> None:
    plan = (Reminder(24, ("email",)), Reminder(24, ("sms", "email")))
    dues = due_messages(facts(reminders=plan, wished=("sms", "email")))
    assert [(due.kind, due.channel) for due in dues] == [("reminder_24h", "sms"), ("reminder_24h", "email")]


@pytest.mark.parametrize("status", ["completed", "stopped_early"])
def test_check_ins_count_from_the_actual_discharge(status: str) -> None:
    discharged = START + 5 * HOUR
    now, later = due_messages(facts(status=status, discharged_at=discharged))
    assert (now.kind, now.due_at, now.not_after) == ("follow_up_side-effects_0h", discharged, discharged + 168 * HOUR)
    assert (later.kind, later.due_at) == ("follow_up_phq-9_24h", discharged + 24 * HOUR)
    assert (later.instrument, later.hours_after, later.speaks_of) == ("PHQ-9", 24, START)


@pytest.mark.parametrize("status", ["booked", "confirmed", "arrived", "infusing", "recovering", "cancelled", "no_show"])
def test_nothing_is_asked_before_the_discharge(status: str) -> None:
    assert not any("follow_up" in kind for kind in kinds(due_messages(facts(status=status, discharged_at=START))))


@pytest.mark.parametrize(
    ("wished", "reachable", "offered", "expected"),
    [
        (("email",), {"email", "sms"}, ("email", "sms"), ["email"]),
        (("sms", "email"), {"email", "sms"}, ("email", "sms"), ["sms", "email"]),
        (("sms",), {"email", "sms"}, ("email",), ["sms"]),
        (("sms", "email"), {"email"}, ("sms",), ["email"]),
        (("sms",), {"email"}, ("email", "sms"), ["sms no_address"]),
        ((), {"email", "sms"}, ("sms",), ["sms no_channel_wanted"]),
        ((), set(), (), ["email no_channel_wanted"]),
    ],
)
def test_channels_are_those_offered_that_the_patient_wants_else_the_first_wish(
    wished: tuple[str, ...], reachable: set[str], offered: tuple[str, ...], expected: list[str]
) -> None:
    plan = (Reminder(24, offered),)
    dues = due_messages(facts(reminders=plan, wished=wished, reachable=frozenset(reachable)))
    assert [f"{due.channel} {due.hindrance}".strip() for due in dues] == expected


def test_a_question_is_asked_by_one_channel() -> None:
    asked = facts(status="completed", discharged_at=START, wished=("sms", "email"), follow_ups=(CheckIn("PEG", 4),))
    assert [due.channel for due in due_messages(asked)] == ["sms"]


@given(
    hours=st.lists(st.integers(0, 2160), max_size=6),
    since=st.integers(-2200 * 3600, 3600),
    last_minutes=st.integers(0, 300),
)
def test_windows_are_open_apart_and_in_order(hours: list[int], since: int, last_minutes: int) -> None:
    stands_since, last = START + since * SECOND, timedelta(minutes=last_minutes)
    plan = tuple(Reminder(number, ("email",)) for number in hours)
    dues = due_messages(facts(reminders=plan, stands_since=stands_since, last_reminder=last))
    assert len({due.kind for due in dues}) == len(dues)
    assert all(stands_since <= due.due_at < due.not_after <= START - last for due in dues)
    assert all(before.not_after <= after.due_at for before, after in itertools.pairwise(dues))
    assert sum(START - timedelta(hours=int(due.kind[9:-1])) <= stands_since for due in dues) <= 1
    to_come = {number for number in hours if stands_since < START - timedelta(hours=number) < START - last}
    assert to_come <= {int(due.kind[9:-1]) for due in dues}
    open_at_booking = min((number for number in hours if START - timedelta(hours=number) <= stands_since), default=None)
    if (
        open_at_booking is not None
        and dues
        and stands_since < min([START - timedelta(hours=number) for number in to_come], default=START - last)
    ):
        assert f"reminder_{open_at_booking}h" == dues[0].kind


CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize("start", ["2027-03-14T15:30", "2027-03-15T15:30", "2027-11-07T16:30", "2027-11-08T16:30"])
def test_hours_count_from_the_instant_and_days_by_the_wall_clock(start: str) -> None:
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC)
    plan = (Reminder(24, ("email",)), Reminder(0, ("email",), 1, time(10)))
    dues = {due.kind: due for due in due_messages(facts(start=begins, reminders=plan, zone=CHICAGO))}
    assert begins - dues["reminder_24h"].due_at == 24 * HOUR
    said = dues["reminder_1d_1000"].due_at.astimezone(CHICAGO)
    assert (said.hour, said.minute) == (10, 0)
    assert (begins.astimezone(CHICAGO).date() - said.date()).days == 1


def test_a_wall_time_that_a_change_skips_is_the_instant_of_the_change() -> None:
    begins = datetime(2027, 3, 15, 15, tzinfo=UTC)
    plan = (Reminder(0, ("email",), 1, time(2, 30)),)
    (due,) = due_messages(facts(start=begins, reminders=plan, zone=CHICAGO))
    assert due.due_at == datetime(2027, 3, 14, 8, tzinfo=UTC)


def test_what_is_asked_before_a_session_and_after_the_series() -> None:
    plan = (CheckIn("PHQ-9", 48, "before_session"), CheckIn("PEG", 720, "series_end"))
    before = facts(reminders=(), follow_ups=plan, first=False)
    (asked,) = due_messages(before)
    assert (asked.kind, asked.due_at, asked.not_after) == ("follow_up_phq-9_48h_before", START - 48 * HOUR, START)
    assert due_messages(facts(reminders=(), follow_ups=plan, first=True)) == ()
    ended = {"status": "completed", "discharged_at": START, "follow_ups": plan}
    assert due_messages(facts(**ended, last=False)) == ()
    (at_the_end,) = due_messages(facts(**ended, last=True))
    assert (at_the_end.kind, at_the_end.due_at) == ("follow_up_peg_720h_series_end", START + 720 * HOUR)


def carried_out(events: list[Event]) -> dict[tuple[str, datetime], datetime]:
    """What a fast clock finds due, looked at whenever something happens or falls due; nothing is said twice."""
    said: dict[tuple[str, datetime], datetime] = {}
    told: datetime | None = None
    start = events[0].at
    plan = (Reminder(72, ("email",)), Reminder(0, ("email",), 1, time(10)), Reminder(2, ("email",)))
    for number, event in enumerate(events):
        until = events[number + 1].at if number + 1 < len(events) else datetime(2028, 2, 1, tzinfo=UTC)
        gone, start = event.what == "cancelled", event.start or start
        now = event.at
        while now < until:
            known = facts(
                status="cancelled" if gone else "booked",
                start=start,
                stands_since=event.at,
                ended_by=event.at if gone else None,
                moves=sum(each.what == "moved" for each in events[: number + 1]),
                told=told,
                reminders=plan,
                zone=CHICAGO,
                site=SitePlan(True, True, True, True, None, 0),
            )
            dues = due_messages(known)
            for due in dues:
                if due.due_at <= now < due.not_after and (due.kind, due.speaks_of) not in said:
                    said[due.kind, due.speaks_of] = now
                    told = due.speaks_of
            now = min((due.due_at for due in dues if due.due_at > now), default=until)
    return said


def test_a_month_over_the_change_of_clocks_is_said_as_the_rules_read() -> None:
    chance = random.Random(20271107)
    by_mail = Person(("email",), "en", CHICAGO, (time(20), time(9)), None, prepares=False)
    lives = [
        [event for event in lived(chance).events if not event.visit and event.what in ("booked", "moved", "cancelled")]
        for _ in range(2000)
    ]
    for events in lives:
        read = {(kind, start): said.at for said in Clerk(by_mail, events).said for _, kind, start in said.what}
        found = carried_out(events)
        # Some minutes later where the clerk says it along with what is due then.
        waits = {key: read.get(key, FAR) - at for key, at in found.items()}
        assert found.keys() == read.keys(), events
        assert all(timedelta(0) <= wait <= TOGETHER for wait in waits.values()), events
    assert sum(len(events) > 1 for events in lives) > 500
