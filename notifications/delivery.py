"""Carries due messages to their channels: each at most once, and none is lost when a worker dies.

A row is claimed under a lease (`due` to `sending`, `attempts` + 1), handed over, and finished by whoever holds that
attempt. The mark `handed_over_at` is committed before the channel is called, and the channel is called outside any
transaction. So a worker that dies leaves either no mark, and the row is due again once its lease has run out, or a
mark. Then a provider that keeps keys is asked again and drops a repeat; elsewhere the row is `unknown`: perhaps said,
never said again by itself, unless it is `urgent` (an alert), which is said twice rather than not at all. All times are
the database's. The statements are in `delivery_sql.py`.
"""

from __future__ import annotations

import logging
import random
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts import clock
from notifications import bounces, failures, pacing, telling
from notifications import delivery_sql as sql
from notifications.channels import Channel, NotSent, Permanent, Temporary, Text, Unclear, open_channel
from notifications.models import Message, MessageStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

logger = logging.getLogger(__name__)

BATCH = 50
# So many are marked at once, where the provider keeps keys.
WINDOW = 10
# After so much of the lease the rest of a slow batch is given back, so that no row is taken for a dead worker's, and
# the worker looks for what is urgent.
SHARE_OF_LEASE = 1 / 3
FIRST_PAUSE_SECONDS = 10
PAUSE_GROWS = 4
LONGEST_PAUSE_SECONDS = 3600
# A call to a person in need waits for nobody's back-off.
URGENT_PAUSE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker holds for one attempt."""

    id: UUID
    attempt: int
    channel: str
    not_after: datetime
    urgent: bool = False


def claim(limit: int = BATCH, *, urgent: bool = False) -> list[Claimed]:
    """Take up to `limit` due rows for LEASE_SECONDS, those whose window closes first; with `urgent` only such."""
    with connection.cursor() as cursor:
        cursor.execute(sql.CLAIM_URGENT if urgent else sql.CLAIM, [limit, settings.LEASE_SECONDS])
        return sorted((Claimed(*row) for row in cursor.fetchall()), key=lambda row: (row.not_after, row.id))


def send_batch(limit: int = BATCH) -> int:
    """Claim a batch, of urgent rows if there are any, and bring every row of it to an end; how many rows it had."""
    return send_urgent(limit) or _send(claim(limit))


def send_urgent(limit: int = BATCH) -> int:
    """The same for urgent rows alone."""
    return _send(claim(limit, urgent=True))


def _send(claimed: Sequence[Claimed]) -> int:
    if not claimed:
        return 0
    until = time.monotonic() + max(1.0, settings.LEASE_SECONDS * SHARE_OF_LEASE)
    known = telling.load([row.id for row in claimed])
    for name in {row.channel for row in claimed}:
        rows = [row for row in claimed if row.channel == name]
        with closing(open_channel(name)) as channel:
            for begin in range(0, len(rows), WINDOW):
                _send_window(rows[begin : begin + WINDOW], channel, known, until)
    return len(claimed)


def _send_window(
    rows: Sequence[Claimed], channel: Channel, known: Mapping[UUID, telling.Telling], until: float
) -> None:
    ready = _ready(rows, channel, known) if time.monotonic() < until else {}
    for number, row in enumerate(rows):
        if time.monotonic() >= until:
            left = rows[number:]
            _run(sql.RELEASE, [each.id for each in left], [each.attempt for each in left])
            return
        deliver(row, channel, known.get(row.id), ready.get(row.id))


def deliver(
    row: Claimed, channel: Channel, known: telling.Telling | None = None, said: tuple[Text, str] | None = None
) -> None:
    """Hand over one claimed row and write what became of it; whatever goes wrong, other rows are not touched.

    `known` is the row as it was read with its batch; what has changed since is found and read again. `said` is its text
    and address where its mark is committed already.
    """
    try:
        channel.prepare()
        said = said or hand_over(row, channel.keeps_keys, known)
        reference = channel.send(*said, row.id) if said else ""
    except NotSent as error:
        _not_sent(row, error, channel.keeps_keys)
    except Exception as error:
        # The text of an error may hold an address or what was written to it, so its kind alone is kept.
        logger.error("message %s: %s", row.id, type(error).__name__)
        reason = f"a fault of ours ({type(error).__name__})"
        _not_sent(row, Unclear(reason) if said else Temporary(reason), channel.keeps_keys)
    else:
        if said:
            _run(sql.SENT, reference[:200], row.id, row.attempt)


def _ready(
    rows: Sequence[Claimed], channel: Channel, known: Mapping[UUID, telling.Telling]
) -> dict[UUID, tuple[Text, str]]:
    """Text and address of those of a window that are as they were read, marked in one statement.

    Only where the provider keeps keys: a worker that dies leaves all of the window marked, and without keys nobody
    could tell which were said. Whatever is not plain is left out here, and handed over alone.
    """
    if not channel.keeps_keys or len(rows) == 1:
        return {}
    messages = [known[row.id] for row in rows if row.id in known]
    texted = pacing.texted([each.message for each in messages], clock.now())
    said = {each.message.id: text for each in messages if (text := _plainly_said(each, texted)) is not None}
    found = [row for row in rows if row.id in said]
    if not found:
        return {}
    seen = [known[row.id].seen for row in found]
    values = {
        "ids": [row.id for row in found],
        "attempts": [row.attempt for row in found],
        "sessions": [each["session"] for each in seen],
        "versions": [each["version"] for each in seen],
        "patient_versions": [each["patient_version"] for each in seen],
        "lease": settings.LEASE_SECONDS,
        "keyed": True,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK_WINDOW, values)
        marked = {each[0] for each in cursor.fetchall()}
    return {key: text for key, text in said.items() if key in marked}


def _plainly_said(message: telling.Telling, texted: pacing.Texted) -> tuple[Text, str] | None:
    """Text and address of what is to be said now as it was read; None where it is not, or that takes another look."""
    now = clock.now()
    try:
        if message.why_not() or not message.address or pacing.not_before(message.message, now, texted):
            return None
        text = message.text()
    except Exception:  # told where it is handed over alone
        return None
    pacing.count(message.message, now, texted)
    return text, message.address


def hand_over(row: Claimed, keeps_keys: bool = False, known: telling.Telling | None = None) -> tuple[Text, str] | None:
    """Text and address of a claimed row, its mark committed: from here on it may have been said. None: nothing to say.

    The mark takes the session's lock, which everything that changes the session takes too, and finds the row only if
    nothing has changed since it was read: either the change came first, and the row is read and judged again, or it
    comes after the mark and can see that.
    """
    for found in (known, None, None):
        message = found or telling.load([row.id])[row.id]
        reason = message.why_not()
        if not reason and not message.address:
            raise Permanent("no_address")
        if not reason and _postponed(row, message):
            return None
        text = message.text() if not reason else None
        if text and _mark(row, message, keeps_keys):
            return text, message.address
        if reason and _run(sql.SETTLE, MessageStatus.SKIPPED, reason, row.id, row.attempt):
            return None
        if _run(sql.TOO_LATE, row.id, row.attempt) or not _held(row):
            return None
    raise Temporary("it changed again and again")


def _postponed(row: Claimed, message: telling.Telling) -> bool:
    now = clock.now()
    later = pacing.not_before(message.message, now, pacing.texted([message.message], now))
    if later is None:
        return False
    values: dict[str, Any] = {"at": later[0], "reason": later[1], "id": row.id, "attempt": row.attempt}
    with connection.cursor() as cursor:
        cursor.execute(sql.POSTPONE, values)
    return True


def expire() -> int:
    """Skip what is due and came too late; how many rows."""
    return _run(sql.EXPIRE)


def reap() -> int:
    """Free rows whose worker is gone (its lease ran out): `due` again, or `unknown` where nobody can tell; how many."""
    with connection.cursor() as cursor:
        cursor.execute(sql.REAP, [settings.SEND_ATTEMPTS_AT_MOST])
        ended = cursor.fetchall()
    for message_id, status in ended:
        if status == MessageStatus.FAILED:
            failures.given_up(message_id)
    return len(ended)


def reconcile_outcome(reference: str, outcome: str, reason: str = "") -> bool:
    """Take a provider's word about a message, by the provider's id or our own; whether anything changed.

    `outcome` is `sent`, `delivered` or `failed`. A status only moves forward (unknown, sent, then delivered or failed),
    so that words that come twice, late or out of order change nothing, nor do words about what we do not know.
    """
    values = {"reference": reference, "id": _as_id(reference), "status": outcome, "reason": reason[:200]}
    with connection.cursor() as cursor:
        cursor.execute(sql.OUTCOME, values | {"before": sql.BEFORE[outcome]})
        changed = [row[0] for row in cursor.fetchall()]
    for message_id in changed:
        if outcome == MessageStatus.FAILED:
            failures.given_up(message_id)
    return bool(changed)


def _as_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def waiting(at_most: int) -> int:
    """How many rows are due by now, counted up to `at_most`."""
    with connection.cursor() as cursor:
        cursor.execute(sql.WAITING, [at_most])
        return int(cursor.fetchone()[0])


def oldest_waiting_seconds(*, urgent: bool = False) -> float:
    """For how long the longest waiting row has been due; 0 where none is. The one figure that shows a stall."""
    with connection.cursor() as cursor:
        cursor.execute(sql.OLDEST_URGENT if urgent else sql.OLDEST)
        return max(0.0, float(cursor.fetchone()[0] or 0))


def pause_seconds(attempt: int) -> float:
    """How long to wait after so many tries: 10 s, 40 s, 160 s and so on, an hour at most, each up to a fifth longer."""
    pause = min(FIRST_PAUSE_SECONDS * PAUSE_GROWS ** (attempt - 1), LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(1, 1.2)


def _not_sent(row: Claimed, error: NotSent, keeps_keys: bool) -> None:
    reason = error.reason[:200]
    logger.info("message %s: %s", row.id, reason)
    bounces.learn(row.id, error)
    if isinstance(error, Unclear) and not keeps_keys and not row.urgent:
        _run(sql.SETTLE, MessageStatus.UNKNOWN, reason, row.id, row.attempt)
    elif isinstance(error, Permanent) or row.attempt >= settings.SEND_ATTEMPTS_AT_MOST:
        if _run(sql.SETTLE, MessageStatus.FAILED, reason, row.id, row.attempt):
            failures.given_up(row.id)
    else:
        _run(sql.AGAIN, reason, _pause(row, error), row.id, row.attempt)


def _pause(row: Claimed, error: NotSent) -> float:
    """Until the next try: what the provider asked for if it did, in seconds; never less than our own."""
    own = min(pause_seconds(row.attempt), URGENT_PAUSE_SECONDS) if row.urgent else pause_seconds(row.attempt)
    asked = error.retry_after if isinstance(error, Temporary) else None
    return max(own, asked or 0.0)


def _mark(row: Claimed, message: telling.Telling, keeps_keys: bool) -> bool:
    values = message.seen | {"lease": settings.LEASE_SECONDS, "keyed": keeps_keys, "id": row.id, "attempt": row.attempt}
    with connection.cursor() as cursor:
        cursor.execute(sql.MARK, values)
        return cursor.rowcount == 1


def _held(row: Claimed) -> bool:
    return Message.objects.filter(id=row.id, attempts=row.attempt, status=MessageStatus.SENDING).exists()


def _run(statement: str, *values: Any) -> int:
    """Run one statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount
