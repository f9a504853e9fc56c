"""A month of a clinic under a fast clock: sessions are booked, moved and cancelled, and what was said is read by hand.

`read_by_hand` is the rules read once more, as a clerk would, and shares nothing with the service but what happened.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch
from zoneinfo import ZoneInfo

from django.db import connection

from accounts import clock
from accounts.models import Patient
from notifications import delivery, reconcile
from notifications.models import Message, MessagePlan
from scheduler.models import Chair, ChairKind, Provider, ProviderRole
from sessions.models import Series, Session
from tests.factories import blocks
from tests.notifications.visits import HOUR, change, move, protocol_with

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tests.catcher import Catcher
    from tests.factories import Clinic

CHICAGO = ZoneInfo("America/Chicago")
# The clocks go back on 7 November 2027.
DAY_OF_CHANGE = datetime(2027, 11, 7, 6, tzinfo=UTC)
FIRST_DAY, AFTER_ALL = datetime(2027, 10, 20, 14, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
REMINDERS = [{"hours_before": 72, "channels": ["email"]}, {"days_before": 1, "at": "10:00", "channels": ["email"]}]

# When, what happened (`booked`, `moved`, `cancelled`), and the start from then on.
Event = tuple[datetime, str, datetime]
# What was said, of which start, when.
Said = tuple[str, datetime, datetime]

FAST = """
CREATE SCHEMA IF NOT EXISTS fast;
CREATE OR REPLACE FUNCTION fast.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT current_setting('fast.now')::timestamptz $$;
CREATE OR REPLACE FUNCTION fast.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT current_setting('fast.now')::timestamptz $$;
SET search_path = fast, public, pg_catalog
"""


def lived(chance: random.Random) -> list[Event]:
    """What happens to one session, in order."""
    # One in four on the very day of the change.
    first = FIRST_DAY + chance.randrange(30 * 24 * 12) * STEP
    if chance.random() < 0.25:
        first = DAY_OF_CHANGE + chance.randrange(24 * 12) * STEP
    at = first - chance.randrange(1, 12 * 24 * 20) * STEP
    events, start = [(at, "booked", first)], first
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        at += chance.randrange(1, 12 * 24 * 3) * STEP
        if at >= start:
            break
        start = chance.choice((first, first + chance.randrange(-200, 2000) * STEP))
        if start > at and start != events[-1][2]:
            events.append((at, "moved", start))
        start = events[-1][2]
    if chance.random() < 0.2 and (ends := at + chance.randrange(1, 800) * STEP) < start:
        events.append((ends, "cancelled", start))
    return events


def read_by_hand(events: Sequence[Event]) -> set[Said]:
    """All that is to be said about one session, by the site's plan and REMINDERS."""
    said: dict[tuple[str, datetime], datetime] = {}
    told: datetime | None = None
    moves = 0
    for number, (since, what, start) in enumerate(events):
        until = events[number + 1][0] if number + 1 < len(events) else AFTER_ALL
        if what == "cancelled":
            if told is not None and min(since + 24 * HOUR, told) > since:
                said["cancellation", told] = since
            break
        moves += what == "moved"
        eve = datetime.combine(start.astimezone(CHICAGO).date() - timedelta(days=1), time(10), CHICAGO).astimezone(UTC)
        last = start - HOUR / 2
        times = sorted([("reminder_72h", start - 72 * HOUR), ("reminder_1d_1000", eve)], key=lambda each: each[1])
        calendar = [(at, name, end) for (name, at), end in zip(times, [times[1][1], last], strict=True)]
        news = "receipt" if told in (None, start) else f"change_{moves}"
        for at, name, end in sorted([(since, news, min(since + 24 * HOUR, start)), *calendar]):
            when = max(at, since)
            if when < end and when < until and (name, start) not in said:
                said[name, start] = when
                told = start
    return {(name, start, when) for (name, start), when in said.items()}


class FastClock:
    """What time it is, for this process and for its connection to the database."""

    now = FIRST_DAY

    def set(self, now: datetime) -> None:
        """It is `now`."""
        self.now = now
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('fast.now', %s, false)", [now.isoformat()])


@contextmanager
def fast_clock() -> Iterator[FastClock]:
    """A clock that stands until it is set; until the end of the block, the database reads it too."""
    fast = FastClock()
    fast.set(FIRST_DAY)
    with connection.cursor() as cursor:
        cursor.execute(FAST)
    try:
        with patch.object(clock, "now", lambda: fast.now):
            yield fast
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO DEFAULT; DROP SCHEMA fast CASCADE")


def play(clinic: Clinic, months: Sequence[Sequence[Event]], catcher: Catcher) -> list[set[Said]]:
    """Let all this happen, look at every instant at which something happens or falls due; what the mails were.

    The messages come by way of the database, the service's own delivery and a mail server.
    """
    MessagePlan.objects.filter(site=clinic.site).update(receipts=True, changes=True, cancellations=True)
    diary = _Diary(clinic, len(months))
    agenda = sorted((at, number, what, start) for number, events in enumerate(months) for at, what, start in events)
    came: dict[str, datetime] = {}
    with fast_clock() as fast:
        while (now := _next(agenda)) is not None:
            fast.set(now)
            while agenda and agenda[0][0] <= now:
                diary.enter(*agenda.pop(0))
            while reconcile.reconcile(now):
                pass
            delivery.expire()
            while delivery.send_batch():
                pass
            for mail in catcher.mails:
                key = str(mail.message["Message-ID"])
                assert key not in came, "a mail came twice"
                came[key] = now
            catcher.mails.clear()
    return _told(came, [session.pk for session in diary.sessions])


def _next(agenda: list[tuple[datetime, int, str, datetime]]) -> datetime | None:
    """When something happens or falls due next."""
    due = Message.objects.filter(status="due").order_by("try_at").values_list("try_at", flat=True).first()
    return min([*([agenda[0][0]] if agenda else []), *([due] if due else [])], default=None)


def _told(came: dict[str, datetime], sessions: list[object]) -> list[set[Said]]:
    numbers = {key: number for number, key in enumerate(sessions)}
    found: list[set[Said]] = [set() for _ in sessions]
    left = dict(came)
    for row in Message.objects.order_by("told_with"):
        name = f"<{row.told_with_id or row.id}@localhost.localdomain>"
        left.pop(name, None)
        at = came.get(name) if row.status == "sent" else None
        assert at is not None or row.status == "skipped", (row, row.status, row.reason)
        if at is not None:
            found[numbers[row.session_id]].add((row.kind, row.speaks_of, at))
    assert not left, "mails of nobody"
    return found


class _Diary:
    """The sessions of the month, each with people, a chair and a patient of its own."""

    def __init__(self, clinic: Clinic, count: int) -> None:
        self._clinic, site = clinic, clinic.site
        names = [f"month {number}" for number in range(count)]
        self._chairs = Chair.objects.bulk_create(Chair(site=site, kind=ChairKind.RECLINER, name=name) for name in names)
        self._nurses, self._prescribers = (
            Provider.objects.bulk_create(Provider(site=site, name=name, role=role, capacity=3) for name in names)
            for role in (ProviderRole.NURSE, ProviderRole.PRESCRIBER)
        )
        who = {"given_name": "Ada", "birth_date": date(1980, 2, 29), "preferred_channels": ["email"]}
        patients = Patient.objects.bulk_create(
            Patient(site=site, family_name=name, email=f"{name.replace(' ', '-')}@example.org", **who) for name in names
        )
        protocol = protocol_with(clinic, REMINDERS, [])
        self._series = Series.objects.bulk_create(
            Series(patient=patient, protocol=protocol, site=site) for patient in patients
        )
        self.sessions: list[Session] = [Session() for _ in names]

    def enter(self, at: datetime, number: int, what: str, start: datetime) -> None:
        """Let it happen."""
        if what == "booked":
            self._book(at, number, start)
        elif what == "moved":
            move(self._clinic, self.sessions[number], start, at)
        else:
            change(self.sessions[number], status="cancelled")
            self._note(number, "cancelled", at)

    def _book(self, at: datetime, number: int, start: datetime) -> None:
        series = self._series[number]
        people = {"nurse": self._nurses[number], "prescriber": self._prescribers[number], "chair": self._chairs[number]}
        self.sessions[number] = Session.objects.create(
            series=series,
            patient=series.patient,
            site=self._clinic.site,
            phase="induction",
            ordinal=1,
            sequence=1,
            **people,
            **blocks(start),
        )
        self._note(number, "booked", at)

    def _note(self, number: int, kind: str, at: datetime) -> None:
        self.sessions[number].events.create(kind=kind, actor=self._clinic.users["front_desk"], at=at)
