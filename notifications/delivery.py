"""Carries due messages to their channels: each at most once, and none is lost when a worker dies.

A row is claimed under a lease (`due` to `sending`, `attempts` + 1), handed over, and finished by whoever holds that
attempt. The mark `handed_over_at` is committed before the channel is called, and the channel is called outside any
transaction. So a worker that dies leaves either no mark, and the row is due again once its lease has run out, or a
mark, and the row is `unknown`: perhaps said, never said again by itself. All times are the database's.
"""

from __future__ import annotations

import logging
import random
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction

from notifications import texts
from notifications.channels import Channel, NotSent, Permanent, Temporary, Text, Unclear, open_channel
from notifications.models import Message, MessageStatus
from notifications.reconcile import address, why_not
from sessions.models import Session

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger(__name__)

# Small, so that a server that answers nobody holds up a worker for a minute at most.
BATCH = 10
FIRST_PAUSE_SECONDS = 10
PAUSE_GROWS = 4
LONGEST_PAUSE_SECONDS = 3600

CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'due' AND try_at <= now() AND not_after > now()
     ORDER BY not_after, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m
   SET status = 'sending', attempts = attempts + 1, lease_until = now() + %s * interval '1 second',
       handed_over_at = NULL
  FROM picked WHERE m.id = picked.id RETURNING m.id, m.attempts, m.channel, m.not_after
"""

# The lease begins anew here, so that the last of a slow batch has as long for its call as the first.
MARK = """
UPDATE notifications_message SET handed_over_at = now(), lease_until = now() + %s * interval '1 second'
 WHERE id = %s AND attempts = %s AND status = 'sending' AND not_after > now()
"""

# `unknown` may still become `sent`: only the worker that handed the row over can say so, however late it is.
SENT = """
UPDATE notifications_message
   SET status = 'sent', sent_at = now(), reference = %s, reason = '', lease_until = NULL
 WHERE id = %s AND attempts = %s AND status IN ('sending', 'unknown')
"""

SETTLE = """
UPDATE notifications_message SET status = %s, reason = %s, lease_until = NULL
 WHERE id = %s AND attempts = %s AND status = 'sending'
"""

# However long the pause, half of what is left of the window at most: the last try is not one that comes too late.
AGAIN = """
UPDATE notifications_message
   SET status = 'due', reason = %s, lease_until = NULL, handed_over_at = NULL,
       try_at = now() + least(%s * interval '1 second', greatest(not_after - now(), interval '0') / 2)
 WHERE id = %s AND attempts = %s AND status = 'sending'
"""

EXPIRE = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'due' AND not_after <= now()
     FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m SET status = 'skipped', reason = 'expired' FROM picked WHERE m.id = picked.id
"""

REAP = """
WITH picked AS MATERIALIZED (
    SELECT id FROM notifications_message WHERE status = 'sending' AND lease_until < now()
     FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications_message m
   SET lease_until = NULL, try_at = now(),
       status = CASE WHEN handed_over_at IS NOT NULL THEN 'unknown' WHEN attempts >= %s THEN 'failed' ELSE 'due' END,
       reason = CASE WHEN handed_over_at IS NOT NULL THEN 'handed over when the worker died'
                     ELSE 'the worker died before it was handed over' END
  FROM picked WHERE m.id = picked.id
"""

WAITING = """
SELECT count(*) FROM (
    SELECT 1 FROM notifications_message WHERE status = 'due' AND try_at <= now() AND not_after > now() LIMIT %s
) AS listed
"""

OLDEST = """
SELECT extract(epoch FROM now() - min(try_at)) FROM notifications_message WHERE status = 'due' AND not_after > now()
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker holds for one attempt."""

    id: UUID
    attempt: int
    channel: str
    not_after: datetime


def claim(limit: int = BATCH) -> list[Claimed]:
    """Take up to `limit` due rows, those whose window closes first, for LEASE_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [limit, settings.LEASE_SECONDS])
        return sorted((Claimed(*row) for row in cursor.fetchall()), key=lambda row: (row.not_after, row.id))


def send_batch(limit: int = BATCH) -> int:
    """Claim a batch and bring every row of it to an end; how many rows it had."""
    claimed = claim(limit)
    for name in {row.channel for row in claimed}:
        with closing(open_channel(name)) as channel:
            for row in claimed:
                if row.channel == name:
                    deliver(row, channel)
    return len(claimed)


def deliver(row: Claimed, channel: Channel) -> None:
    """Hand over one claimed row and write what became of it; whatever goes wrong, other rows are not touched."""
    said = None
    try:
        channel.prepare()
        said = hand_over(row)
        reference = channel.send(*said, row.id) if said else ""
    except NotSent as error:
        _not_sent(row, error)
    except Exception as error:
        # The text of an error may hold an address or what was written to it, so its kind alone is kept.
        logger.error("message %s: %s", row.id, type(error).__name__)
        reason = f"a fault of ours ({type(error).__name__})"
        _not_sent(row, Unclear(reason) if said else Temporary(reason))
    else:
        if said:
            _run(SENT, reference[:200], row.id, row.attempt)


def hand_over(row: Claimed) -> tuple[Text, str] | None:
    """Text and address of a claimed row, its mark committed: from here on it may have been said. None: nothing to say.

    Asked under the session's lock, which everything that changes the session takes too: either the change came first
    and is seen here, or it comes after the mark and can see that.
    """
    with transaction.atomic():
        session = (
            Session.objects.select_for_update(of=("self",), no_key=True)
            .select_related("site", "patient")
            .get(messages=row.id)
        )
        message = Message.objects.select_related("follow_up").get(id=row.id)
        message.session = session
        reason = why_not(session, message)
        to = address(session.patient, message.channel)
        if not reason and not to:
            raise Permanent("no_address")
        text = texts.compose(message)
        if not reason and _run(MARK, settings.LEASE_SECONDS, row.id, row.attempt):
            return text, to
        # Where the mark found nothing: its time is over, or the lease was, and then this finds nothing either.
        _run(SETTLE, MessageStatus.SKIPPED, reason or "expired", row.id, row.attempt)
        return None


def expire() -> int:
    """Skip what is due and came too late; how many rows."""
    return _run(EXPIRE)


def reap() -> int:
    """Make rows whose worker is gone (its lease ran out) `due` again, or `unknown` where they were handed over."""
    return _run(REAP, settings.SEND_ATTEMPTS_AT_MOST)


def waiting(at_most: int) -> int:
    """How many rows are due by now, counted up to `at_most`."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [at_most])
        return int(cursor.fetchone()[0])


def oldest_waiting_seconds() -> float:
    """For how long the longest waiting row has been due; 0 where none is. The one figure that shows a stall."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        return max(0.0, float(cursor.fetchone()[0] or 0))


def pause_seconds(attempt: int) -> float:
    """How long to wait after so many tries: 10 s, 40 s, 160 s and so on, an hour at most, each up to a fifth longer."""
    pause = min(FIRST_PAUSE_SECONDS * PAUSE_GROWS ** (attempt - 1), LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(1, 1.2)


def _not_sent(row: Claimed, error: NotSent) -> None:
    reason = error.reason[:200]
    logger.info("message %s: %s", row.id, reason)
    if isinstance(error, Unclear):
        _run(SETTLE, MessageStatus.UNKNOWN, reason, row.id, row.attempt)
    elif isinstance(error, Permanent) or row.attempt >= settings.SEND_ATTEMPTS_AT_MOST:
        _run(SETTLE, MessageStatus.FAILED, reason, row.id, row.attempt)
    else:
        _run(AGAIN, reason, pause_seconds(row.attempt), row.id, row.attempt)


def _run(statement: str, *values: str | int | float | UUID) -> int:
    """Run one statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount
