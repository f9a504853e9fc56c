"""The hours that a shift loses, against a reading minute by minute; and what taking them back means once it is gone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from accounts import clock
from accounts.models import Site
from accounts.refusals import Conflict
from scheduler.changes import keeping_bookings
from scheduler.models import AvailabilityRule, Provider, TimeOff
from scheduler.walltime import local_date
from sessions.applying import apply, undo
from sessions.models import Disruption, DisruptionStatus, Session
from sessions.shift_loss import lose, lost_spans
from sessions.supply_changes import stranded
from tests.factories import ZONE, noon

if TYPE_CHECKING:
    from tests.factories import Clinic

CHICAGO, DAY = ZoneInfo(ZONE), timedelta(days=1)
# Sundays on which clocks change in Chicago, with the days around each, and a week without a change.
MIDDLES = (date(2027, 3, 14), date(2027, 11, 7), date(2027, 6, 16))


@cache
def minutes_of(day: date) -> tuple[tuple[datetime, time], ...]:
    """Each minute of a local day in the order in which it passes: its instant, and what the clock shows."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    shown = [(each, each.astimezone(CHICAGO)) for each in (at + timedelta(minutes=n) for n in range(-60, 2 * 1440))]
    return tuple((each, local.time()) for each, local in shown if local.date() == day)


@cache
def first_showing(day: date, wall: time) -> datetime:
    """The first minute of the day whose clock shows this or, where it is skipped, more."""
    return next(each for each, shown in minutes_of(day) if shown >= wall)


@cache
def worked(weekday: int, start: time, end: time, since: date, until: date | None, day: date) -> frozenset[datetime]:
    """The minutes of the shift that begins on the day, none where it does not count then."""
    if day.weekday() != weekday or day < since or (until is not None and day > until):
        return frozenset()
    begins, ends = first_showing(day, start), first_showing(day if start < end else day + DAY, end)
    return frozenset(each for name in (day, day + DAY) for each, _ in minutes_of(name) if begins <= each < ends)


def minutes(rule: AvailabilityRule | None, day: date) -> frozenset[datetime]:
    if rule is None:
        return frozenset()
    return worked(rule.weekday, rule.start_time, rule.end_time, rule.effective_from, rule.effective_until, day)


def needed(
    rule: AvailabilityRule, after: AvailabilityRule | None, visits: list[Session], days: list[date]
) -> set[datetime]:
    """The lost minutes of each shift, run by run, where some minute of the run is one of a visit's."""
    kept = {each for day in days for each in minutes(after, day)}
    found: set[datetime] = set()
    for day in days:
        run: list[Any] = []
        passing: list[Any] = [*sorted(minutes(rule, day)), None]
        for each in passing:
            lost = each is not None and each not in kept
            if lost and (not run or each - run[-1] == timedelta(minutes=1)):
                run.append(each)
                continue
            if any(visit.start < run[-1] + timedelta(minutes=1) and run[0] < visit.end for visit in visits if run):
                found |= set(run)
            run = [each] if lost else []
    return found


def made(weekday: int, start: time, end: time, since: date, days: int | None, zone: str = ZONE) -> AvailabilityRule:
    until = None if days is None else since + days * DAY
    who = Provider(site=Site(time_zone=zone))
    return AvailabilityRule(provider=who, weekday=weekday, start_time=start, end_time=end, effective_from=since,
                            effective_until=until)  # fmt: skip


walls = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@st.composite
def losses(draw: st.DrawFn) -> tuple[AvailabilityRule, AvailabilityRule | None, list[Session], list[date]]:
    """A shift, what comes after it, visits near a day, and the days to look at."""
    middle = draw(st.sampled_from(MIDDLES))
    days = [middle + n * DAY for n in range(-3, 4)]

    def rule() -> AvailabilityRule:
        start, end = draw(st.lists(walls, min_size=2, max_size=2, unique=True))
        weekday = (middle + draw(st.sampled_from((0, 0, -1, 1))) * DAY).weekday()
        since = middle + draw(st.sampled_from((-30, -1, 0, 1))) * DAY
        return made(weekday, start, end, since, draw(st.sampled_from((None, None, 0, 40))))

    before, after = rule(), draw(st.none() | st.just(1))
    visits = []
    for quarter, length in draw(st.lists(st.tuples(st.integers(0, 192), st.integers(1, 24)), min_size=1, max_size=3)):
        start = minutes_of(middle - DAY)[0][0] + quarter * timedelta(minutes=15)
        visits.append(Session(start=start, end=start + length * timedelta(minutes=15)))
    return before, None if after is None else rule(), visits, days


def span(first: date, start: str, length: int) -> Session:
    at = first_showing(first, time.fromisoformat(start))
    return Session(start=at, end=at + timedelta(minutes=length))


SPRING, AUTUMN, _SUMMER = MIDDLES
NIGHT = made(5, time(20), time(6), SPRING - 30 * DAY, None)
WEEK = [SPRING + n * DAY for n in range(-3, 4)]


@given(losses())
@example((made(6, time(1), time(9), SPRING - 30 * DAY, None), made(5, time(22), time(6), SPRING - 30 * DAY, None),
          [span(SPRING, "05:00", 120)], WEEK))  # fmt: skip
@example((NIGHT, None, [span(SPRING, "01:30", 120)], WEEK))
@example((NIGHT, made(5, time(2, 30), time(6), SPRING - 30 * DAY, None), [span(SPRING, "01:00", 120)], WEEK))
@example((made(6, time(1, 30), time(9), AUTUMN - 30 * DAY, None), None, [span(AUTUMN, "01:00", 60)],
          [AUTUMN + n * DAY for n in range(-3, 4)]))  # fmt: skip
def test_what_is_lost_minute_by_minute(
    case: tuple[AvailabilityRule, AvailabilityRule | None, list[Session], list[date]],
) -> None:
    rule, after, visits, days = case
    spans = lost_spans(rule, after, visits)
    assert all(start < end for start, end in spans)
    told = [each for day in days for each, _ in minutes_of(day) for start, end in spans if start <= each < end]
    assert len(told) == len(set(told)), "no hour is lost twice"
    assert set(told) == needed(rule, after, visits, days)


def removed(clinic: Clinic) -> tuple[Session, AvailabilityRule, TimeOff, Disruption]:
    """A visit whose nurse's shift has gone, and the draft that says what becomes of it."""
    days = next(days for days in range(7, 14) if noon(days).weekday() < 5)
    session = clinic.session(noon(days) + timedelta(hours=4), acuity=1)
    rule = clinic.nurses[0].availability_rules.get(weekday=local_date(session.start, CHICAGO).weekday())
    gone = AvailabilityRule.objects.filter(pk=rule.pk)
    lose(rule, None, [session.pk], gone.delete, clinic.users["manager"], clock.now())
    return session, rule, TimeOff.objects.get(), Disruption.objects.get()


def test_the_lost_hours_are_not_taken_back_while_a_visit_needs_their_draft(clinic: Clinic) -> None:
    """The shift being gone, nothing would be left that says what becomes of the visit."""
    session, rule, away, draft = removed(clinic)
    before = (away.pk, draft.pk)
    with pytest.raises(Conflict) as refused, transaction.atomic(), keeping_bookings(clinic.site.pk):
        away.delete()
    assert (refused.value.code, refused.value.extra["sessions"]) == ("bookings_affected", [str(session.pk)])
    assert (TimeOff.objects.get().pk, Disruption.objects.get().pk) == before
    rule.save(force_insert=True)
    with transaction.atomic(), keeping_bookings(clinic.site.pk):
        TimeOff.objects.get().delete()
    assert (Disruption.objects.count(), stranded(clinic.site)) == (0, set())


def test_an_applied_loss_is_undone_once_there_is_a_shift_again(clinic: Clinic) -> None:
    session, rule, _away, draft = removed(clinic)
    apply(draft, clinic.users["manager"], clock.now())
    session.refresh_from_db()
    assert session.nurse == clinic.nurses[1]
    draft.refresh_from_db()
    with pytest.raises(Conflict) as refused:
        undo(draft, clinic.users["manager"], clock.now())
    assert refused.value.extra["in_the_way"] == [{"session": str(session.pk), "code": "supply_changed"}]
    rule.save(force_insert=True)
    undo(Disruption.objects.get(), clinic.users["manager"], clock.now())
    session.refresh_from_db()
    assert (session.nurse, TimeOff.objects.count()) == (clinic.nurses[0], 0)
    assert Disruption.objects.get().status == DisruptionStatus.UNDONE
