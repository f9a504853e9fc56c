"""Makes the message rows agree with the sessions as they stand now.

Every change of a session, a series or a patient moves its version; `Reconciled` holds the versions last compared. So a
reschedule or a cancellation needs no code here or there: the next tick finds what differs and mends its rows.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from notifications import alerts, together
from notifications.facts import SAID, History, facts_of, histories, last_sessions, told_start, why_not
from notifications.models import FollowUp, Message, MessageStatus
from notifications.reminders import Due, due_messages
from sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

BATCH = 200
Key = tuple[str, str, datetime]

STALE = """
SELECT s.id FROM infusion_sessions_session s
  JOIN accounts_patient p ON p.id = s.patient_id
  JOIN infusion_sessions_series c ON c.id = s.series_id
  LEFT JOIN notifications_reconciled r ON r.session_id = s.id
 WHERE s.start > %s
   AND (r.session_id IS NULL OR r.session_version <> s.version OR r.patient_version <> p.version
        OR r.series_version <> c.row_version)
 ORDER BY s.start LIMIT %s FOR NO KEY UPDATE OF s SKIP LOCKED
"""

EACH = """
SELECT s.id FROM infusion_sessions_session s
 WHERE s.start > %s AND s.id > %s ORDER BY s.id LIMIT %s FOR NO KEY UPDATE OF s SKIP LOCKED
"""

MARK = """
INSERT INTO notifications_reconciled AS r (session_id, session_version, patient_version, series_version)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[])
ON CONFLICT (session_id) DO UPDATE
   SET session_version = excluded.session_version, patient_version = excluded.patient_version,
       series_version = excluded.series_version
 WHERE (r.session_version, r.patient_version, r.series_version)
       IS DISTINCT FROM (excluded.session_version, excluded.patient_version, excluded.series_version)
"""

# A row that a worker took in the meantime is the worker's: it asks `why_not` again before it hands over.
REVISE = """
UPDATE notifications_message m
   SET status = n.status, reason = n.reason, due_at = n.due_at, not_after = n.not_after, try_at = n.try_at
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
              %s::text[], %s::int[]) AS n (id, status, reason, due_at, not_after, try_at, read_as, attempts)
 WHERE m.id = n.id AND m.status = n.read_as AND m.attempts = n.attempts
"""


@dataclass(slots=True)
class Changes:
    """What is to be written for one batch of sessions or offers; `revised` rows with the status they were read in."""

    follow_ups: list[FollowUp] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    revised: list[tuple[Message, str]] = field(default_factory=list)

    def compare(self, dues: Sequence[Due], rows: Sequence[Message], now: datetime) -> list[Due]:
        """Bring the rows of one session or offer in line with what is due of it; what has no row yet."""
        wanted = {(due.kind, due.channel, due.speaks_of): due for due in dues}
        known = {_key(row) for row in rows}
        said = {(row.kind, row.speaks_of) for row in rows if row.status in SAID}
        for row in rows:
            read_as = row.status
            if _revise(row, wanted.get(_key(row)), (row.kind, row.speaks_of) in said, now):
                self.revised.append((row, read_as))
        # What was said by one channel is not said again by another that the patient chose since.
        missing = (due for key, due in wanted.items() if key not in known and (due.kind, due.speaks_of) not in said)
        return [due for due in missing if due.not_after > now]

    def write(self) -> None:
        """Write it; what somebody else wrote or took meanwhile is left alone."""
        FollowUp.objects.bulk_create(self.follow_ups)
        Message.objects.bulk_create(self.messages, ignore_conflicts=True)
        if self.revised:
            together.part([row.id for row, _ in self.revised])
            columns = zip(*(_revision(row, read_as) for row, read_as in self.revised), strict=True)
            with connection.cursor() as cursor:
                cursor.execute(REVISE, [list(column) for column in columns])
        if touched := {row.patient_id for row in (*self.messages, *(row for row, _ in self.revised))}:
            together.join(touched)


def reconcile(now: datetime, limit: int = BATCH) -> int:
    """Mend the messages of up to `limit` sessions that changed since they were last compared; how many there were.

    The session's row is locked while its messages are mended, as it is by everything that changes the session, so
    neither overtakes the other. A session that somebody is changing just now is left for the next tick.
    """
    with transaction.atomic():
        ids = _locked(STALE, [now - timedelta(days=settings.MESSAGE_HORIZON_DAYS), limit])
        _mend(ids, now)
    return len(ids)


def sweep(now: datetime, limit: int = BATCH) -> int:
    """Compare every session that can still be spoken of, whatever was compared before; how many there were.

    Heals what no version shows: rows lost to a restored backup, a site's changed setting.
    """
    since = now - timedelta(days=settings.FOLLOW_UP_LIFE_DAYS)
    last, count = UUID(int=0), 0
    while True:
        with transaction.atomic():
            ids = _locked(EACH, [since, last, limit])
            _mend(ids, now)
        count += len(ids)
        if len(ids) < limit:
            return count
        last = ids[-1]


def _locked(query: str, values: list[datetime | UUID | int]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [row[0] for row in cursor.fetchall()]


def _mend(ids: Sequence[UUID], now: datetime) -> None:
    if not ids:
        return
    sessions = list(
        Session.objects.filter(id__in=ids).select_related("patient", "site__message_plan", "series__protocol")
    )
    lived, lasts = histories(ids), last_sessions(sessions)
    messages: dict[UUID | None, list[Message]] = defaultdict(list)
    about = Message.objects.filter(session__in=ids, resend_of__isnull=True, alert__isnull=True)
    for message in about.select_related("follow_up"):
        messages[message.session_id].append(message)
    asked = {(f.session_id, f.instrument, f.anchor, f.hours_after): f for f in FollowUp.objects.filter(session__in=ids)}
    changes = Changes()
    for session in sessions:
        history = lived.get(session.id, History(session.series.created_at))
        try:
            facts = facts_of(session, history, told_start(messages[session.id]), last=session.id in lasts)
            dues = due_messages(facts)
        except (KeyError, TypeError, ValueError) as error:
            # One protocol that cannot be read must not stop everybody's messages.
            logger.error("session %s: what is due cannot be told (%s)", session.id, type(error).__name__)
            continue
        _compare(session, dues, messages[session.id], asked, changes, now)
    changes.write()
    alerts.raise_for_visits(sessions, now)
    marks = [(s.id, s.version, s.patient.version, s.series.row_version) for s in sessions]
    with connection.cursor() as cursor:
        cursor.execute(MARK, [list(column) for column in zip(*marks, strict=True)])


def _compare(
    session: Session,
    dues: Sequence[Due],
    rows: Sequence[Message],
    follow_ups: dict[tuple[UUID, str, str, int], FollowUp],
    changes: Changes,
    now: datetime,
) -> None:
    for row in rows:
        row.session = session
    for due in changes.compare(dues, rows, now):
        follow_up = _asked(session, due, follow_ups, changes) if due.instrument is not None else None
        about = {"session": session, "patient": session.patient, "follow_up": follow_up}
        changes.messages.append(new_message(due, **about))


def _revise(row: Message, due: Due | None, said: bool, now: datetime) -> bool:
    """Bring one row that is not said yet in line with what is due; whether it changed."""
    reason = why_not(row) or (due.hindrance if due else "no_longer_wanted")
    # A window that has closed may be open again: the visit was moved away and is back, and nobody has looked meanwhile.
    if row.status == MessageStatus.DUE and (row.not_after > now or (due is not None and due.not_after > now)):
        return _skip(row, reason) if reason or due is None else _reschedule(row, due)
    if row.status != MessageStatus.SKIPPED or reason or due is None or due.not_after <= now or said:
        return False
    # `attempts` goes on counting: a worker that still holds an old attempt must not be taken for the new one.
    row.status, row.reason, row.try_at = MessageStatus.DUE, "", due.due_at
    row.due_at, row.not_after = due.due_at, due.not_after
    return True


def _reschedule(row: Message, due: Due) -> bool:
    if (row.due_at, row.not_after) == (due.due_at, due.not_after):
        return False
    row.due_at, row.not_after = due.due_at, due.not_after
    row.try_at = due.due_at if row.attempts == 0 else row.try_at
    return True


def _skip(row: Message, reason: str) -> bool:
    row.status, row.reason = MessageStatus.SKIPPED, reason
    return True


def _asked(
    session: Session, due: Due, follow_ups: dict[tuple[UUID, str, str, int], FollowUp], changes: Changes
) -> FollowUp:
    assert due.instrument is not None
    key = (session.id, due.instrument, due.anchor, due.hours_after)
    if key not in follow_ups:
        follow_ups[key] = FollowUp(
            session=session,
            patient=session.patient,
            instrument=due.instrument,
            anchor=due.anchor,
            hours_after=due.hours_after,
            due_at=due.due_at,
            expires_at=due.not_after,
        )
        changes.follow_ups.append(follow_ups[key])
    return follow_ups[key]


def new_message(due: Due, **about: Any) -> Message:
    """The row of what is due; `about` are the records that it speaks of."""
    return Message(
        **about,
        kind=due.kind,
        rule=due.rule,
        channel=due.channel,
        speaks_of=due.speaks_of,
        due_at=due.due_at,
        not_after=due.not_after,
        try_at=due.due_at,
        status=MessageStatus.SKIPPED if due.hindrance else MessageStatus.DUE,
        reason=due.hindrance,
    )


def _revision(row: Message, read_as: str) -> tuple[UUID | str | int | datetime, ...]:
    return (row.id, str(row.status), row.reason, row.due_at, row.not_after, row.try_at, read_as, row.attempts)


def _key(row: Message) -> Key:
    return (row.kind, row.channel, row.speaks_of)
