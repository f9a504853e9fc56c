"""A plan booked as it was planned is one that a second look would book just so, whatever was written in between."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from psycopg import IsolationLevel

from accounts.refusals import Conflict
from scheduler.plans import Wishes
from scheduler.walltime import local_date
from sessions import booking, holds, planning
from sessions.as_planned import numbers_of, open_plan
from sessions.door import lock_for_booking
from sessions.facts import Known, site_days, zone_of
from sessions.models import Plan, Session, SessionEvent
from tests import factories
from tests.raw import MORNING, Ground, change, put
from tests.sessions.writers import Writers, begin, make_ground

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Patient, User
    from tests.raw import Connect

DAY = timedelta(days=1)
NOW = MORNING - 2 * DAY


@pytest.fixture
def ground(committed: None) -> Ground:
    """The clinic of the raw rows, committed, for one test."""
    return make_ground()


def planned(ground: Ground, now: datetime = NOW, days: int = 7) -> Plan:
    """A plan of two visits in the days on which the writers write."""
    site = ground.clinic.site
    site.refresh_from_db()
    protocol = factories.make_protocol(
        site.organization, ground.clinic.users["prescriber"], factories.phase(sessions=2)
    )
    first = max(local_date(MORNING, zone_of(site)) - DAY, local_date(now, zone_of(site)))
    request = planning.PlanRequest(site, protocol, None, Wishes(earliest=first, latest=first + days * DAY), limit=1)
    return planning.propose(request, ground.clinic.users["front_desk"], now).plans[0]


def stands_now(ground: Ground, plan: Plan, patient: Patient, now: datetime = NOW, who: str = "front_desk") -> bool:
    """Whether it may be booked without another look; where it may, that look must find just this."""
    plan = Plan.objects.select_related("site", "protocol").get(pk=plan.pk)
    user, dates = ground.clinic.users[who], booking.plan_dates(plan)
    with transaction.atomic():
        lock_for_booking(patient.pk, plan.site_id, dates)
        opened = open_plan(plan, dates, patient, user, now)
        assert look(plan, patient, user, now, opened.known) == look(plan, patient, user, now, None)
        if not opened.stands:
            return False
        room = booking.find_room(plan, patient, user, now)
    wishes = booking.wishes_of(plan)
    assert room.rows == [{**row, **wishes} for row in plan.sessions]
    assert not room.moved
    assert room.numbers == plan.numbers
    return True


def look(plan: Plan, patient: Patient, user: User, now: datetime, known: Known | None) -> Any:
    """What a look finds to whom so much is known already: rows, who moves and numbers, or which visit breaks what."""
    try:
        return booking._room(plan, patient, user, now, (), known)
    except Conflict as refused:
        return refused.code, refused.extra["session"]


@pytest.mark.parametrize("seed", range(3))
def test_where_it_stands_a_look_finds_just_that(ground: Ground, connect: Connect, seed: int) -> None:
    writers = begin(ground, connect(IsolationLevel.READ_COMMITTED), seed)
    luck, seen = Random(seed), Counter[bool]()
    patients = [each.patient for each in ground.series]
    for _ in range(25):
        try:
            plan = planned(ground)
        except (IndexError, Conflict):
            writers.step()
            continue
        for _ in range(2):
            later = NOW + luck.choice([0, 0, 0, 2, 3]) * DAY + timedelta(hours=luck.randrange(8))
            seen[stands_now(ground, plan, luck.choice(patients), later, luck.choice(["front_desk", "nurse"]))] += 1
            writers.step()
            connection.close_if_unusable_or_obsolete()
    assert seen[True] >= 3
    assert seen[False] >= 3


KINDS = (
    "change_hours",
    "close_site",
    "close_chair",
    "change_chair",
    "new_chair",
    "time_off",
    "change_provider",
    "new_nurse",
    "change_rules",
    "move_site",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_of_supply_is_noticed(ground: Ground, connect: Connect, kind: str) -> None:
    raw, patient = connect(IsolationLevel.READ_COMMITTED), ground.series[0].patient
    writers, plan = Writers(ground, raw, Random(1)), planned(ground)
    with transaction.atomic():
        getattr(writers, f"do_{kind}")()
        transaction.set_rollback(True)
    raw.rollback()
    assert stands_now(ground, plan, patient)
    getattr(writers, f"do_{kind}")()
    raw.commit()
    assert not stands_now(ground, plan, patient)


def on_its_day(ground: Ground, plan: Plan) -> dict[str, Any]:
    """A session of another patient on the plan's first day that is in nobody's way."""
    row = plan.sessions[0]
    start = datetime.fromisoformat(row["start"])
    minutes = int((start - MORNING).total_seconds()) // 60 + 240
    others = [each for each in ground.clinic.recliners if str(each.pk) != row["chair"]]
    nurses = [each for each in ground.clinic.nurses if str(each.pk) != row["nurse"]]
    return ground.row(3, minutes, chair_id=others[0].pk, nurse_id=nurses[0].pk)


def test_every_change_of_its_days_sessions_is_noticed(ground: Ground, connect: Connect) -> None:
    raw, patient = connect(IsolationLevel.READ_COMMITTED), ground.series[0].patient
    row = on_its_day(ground, planned(ground))

    def noticed(write: Callable[[], Any]) -> None:
        plan = planned(ground)
        write()
        raw.rollback()
        assert stands_now(ground, plan, patient)
        write()
        raw.commit()
        assert not stands_now(ground, plan, patient)

    noticed(lambda: put(raw, row))
    noticed(lambda: change(raw, row, chair_id=ground.clinic.bed.pk))
    noticed(lambda: change(raw, row, status="confirmed"))
    noticed(lambda: change(raw, row, status="arrived"))
    away = {name: at + 9 * DAY for name, at in row.items() if hasattr(at, "astimezone")}
    noticed(lambda: change(raw, row, **away))
    back = {name: row[name] for name in away}
    noticed(lambda: change(raw, row, **back))
    noticed(lambda: raw.execute("DELETE FROM infusion_sessions_session WHERE id = %s", [row["id"]]))


def test_holds_of_others_are_noticed_while_they_live(ground: Ground) -> None:
    patient, desk = ground.series[0].patient, ground.clinic.users["front_desk"]
    plan, other = planned(ground), planned(ground)
    assert plan.sessions[0]["start"] == other.sessions[0]["start"]
    held = holds.hold(other, ground.clinic.users["nurse"], NOW)
    assert held.numbers == plan.numbers
    assert not stands_now(ground, plan, patient)
    # What is planned beside a hold may count on others changing hands for it.
    assert planned(ground).numbers is None or planned(ground).sessions[0]["start"] != held.sessions[0]["start"]
    assert stands_now(ground, plan, patient, who="nurse")
    assert held.held_until is not None
    assert stands_now(ground, plan, patient, now=held.held_until)
    assert booking.find_room(held, patient, desk, held.held_until).numbers == plan.numbers


def test_the_clock_and_the_patients_other_visits_are_noticed(ground: Ground) -> None:
    patient, plan = ground.series[0].patient, planned(ground)
    start = datetime.fromisoformat(plan.sessions[0]["start"])
    assert stands_now(ground, plan, patient, now=start)
    assert not stands_now(ground, plan, patient, now=start + timedelta(seconds=1))
    # A visit at another site moves none of the plan's numbers.
    away = factories.make_clinic()
    visit = factories.make_series(away.patient, away.protocol)
    later, nurse = start + timedelta(minutes=30), away.nurses[0]
    factories.make_session(visit, later, chair=away.bed, nurse=nurse, prescriber=away.prescriber)
    assert stands_now(ground, plan, patient)
    assert not stands_now(ground, plan, away.patient)


def test_what_the_callers_own_transaction_wrote_is_noticed(ground: Ground) -> None:
    plan, patient = planned(ground), ground.series[0].patient
    row = on_its_day(ground, plan)
    with transaction.atomic():
        Session.objects.create(**{name: value for name, value in row.items() if name != "gates"})
        assert not stands_now(ground, plan, patient)
        transaction.set_rollback(True)
    assert stands_now(ground, plan, patient)


def test_what_needs_others_laid_anew_is_looked_at_again(ground: Ground) -> None:
    plan = planned(ground)
    days, dates = _days(ground, plan), booking.plan_dates(plan)
    assert numbers_of(days, [(date, True) for date in dates]) == plan.numbers
    assert numbers_of(days, [(dates[0], True), (dates[1], False)]) is None


def _days(ground: Ground, plan: Plan) -> dict[Any, Any]:
    found = site_days(plan.site, booking.plan_dates(plan), None, ground.clinic.users["front_desk"], NOW)
    return {day.date: day for day in found}


def test_both_ways_of_booking_write_the_same(ground: Ground) -> None:
    desk = ground.clinic.users["front_desk"]
    written = []
    for remembers in (True, False):
        plan = planned(ground)
        assert plan.numbers is not None
        Plan.objects.filter(pk=plan.pk).update(numbers=plan.numbers if remembers else None)
        series = booking.book_series(plan, ground.series[0].patient, plan.protocol, desk, NOW)
        rows = list(Session.objects.filter(series=series).order_by("sequence").values())
        events = list(SessionEvent.objects.filter(session__series=series).order_by("session__sequence").values("after"))
        written.append([{n: v for n, v in row.items() if n not in ("id", "series_id")} for row in rows] + events)
        for table in (SessionEvent, Session):
            with connection.cursor() as cursor:
                cursor.execute(f"SET session_replication_role = replica; DELETE FROM {table._meta.db_table}")
                cursor.execute("SET session_replication_role = DEFAULT")
    assert written[0] == written[1]
