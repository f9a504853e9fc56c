"""Carries due messages to their channels: each at most once, and none is lost when a worker dies.

Rows are claimed under a lease (`due` to `sending`, `attempts` + 1), handed over, and finished by whoever holds that
attempt. The mark `handed_over_at` is committed before the channel is called (`marking.py`), and the channel is called
outside any transaction, a few at a time (`lines.py`). So a worker that dies leaves either no mark, and the row is due
again once its lease has run out, or a mark. Then a provider that keeps keys is asked again and drops a repeat;
elsewhere the row is `unknown`: perhaps said, never said again by itself, unless it is `urgent` (an alert), which is
said twice rather than not at all. All times are the database's. The statements are in `delivery_sql.py`.
"""

from __future__ import annotations

import json
import logging
import random
import time
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts import prepared
from notifications import bounces, failures, marking, telling
from notifications import delivery_sql as sql
from notifications.channels import NotSent, Permanent, Temporary, Unclear
from notifications.lines import Call, Lines, fault
from notifications.marking import Claimed
from notifications.models import MessageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notifications.channels import Text
    from notifications.lines import Outcome

logger = logging.getLogger(__name__)

BATCH = 100
# For each call at a time so many rows are marked, called for and finished together where the provider keeps keys (it
# drops what a worker that dies has it brought again); one where it does not.
WINDOW_WITH_KEYS = 4
# What was in hand at so many deaths of a worker may be what killed it: from then on it is in hand by itself, so that it
# takes nothing with it.
DEATHS_TOGETHER = 2
# After so much of the lease the rest of a slow batch is given back, so that no row is taken for a dead worker's, and
# the worker looks for what is urgent.
SHARE_OF_LEASE = 1 / 3
FIRST_PAUSE_SECONDS = 10
PAUSE_GROWS = 4
LONGEST_PAUSE_SECONDS = 3600
# A call to a person in need waits for nobody's back-off.
URGENT_PAUSE_SECONDS = 15


def claim(limit: int = BATCH, *, urgent: bool = False, alone: bool = False) -> list[Claimed]:
    """Take up to `limit` due rows for LEASE_SECONDS, those whose window closes first.

    With `urgent` only such; with `alone` those of which each is to be in hand by itself, and no others without.
    """
    statement = sql.CLAIM_ALONE if alone else sql.CLAIM_URGENT if urgent else sql.CLAIM
    rows = prepared.all_rows(statement, [limit, settings.LEASE_SECONDS])
    return sorted((Claimed(*row) for row in rows), key=lambda row: (row.not_after, row.id))


def send_batch(limit: int = BATCH) -> int:
    """Claim a batch, of urgent rows if there are any, and bring every row of it to an end; how many rows it had."""
    return send_urgent(limit) or carry(claim(limit))


def send_urgent(limit: int = BATCH) -> int:
    """The same for urgent rows; where there are none, for one that is to be in hand by itself."""
    return carry(claim(limit, urgent=True)) or carry(claim(1, alone=True))


def carry(claimed: Sequence[Claimed]) -> int:
    if not claimed:
        return 0
    until = time.monotonic() + max(1.0, settings.LEASE_SECONDS * SHARE_OF_LEASE)
    batch = telling.load([row.id for row in claimed])
    for name in {row.channel for row in claimed}:
        with closing(Lines(name)) as lines:
            _send_over(lines, [row for row in claimed if row.channel == name], batch, until)
    return len(claimed)


def _send_over(lines: Lines, rows: Sequence[Claimed], batch: telling.Batch, until: float) -> None:
    while rows:
        if time.monotonic() >= until:
            _give_back(rows)
            return
        try:
            window = lines.prepare(len(rows)) * (WINDOW_WITH_KEYS if lines.keeps_keys else 1)
        except NotSent as error:
            for row in rows:
                _not_sent(row, error, lines.keeps_keys)
            return
        _send_window(rows[:window], lines, batch, until)
        rows = rows[window:]


def _send_window(rows: Sequence[Claimed], lines: Lines, batch: telling.Batch, until: float) -> None:
    """Mark, call for, and write what became of as many rows as a worker that dies may leave in doubt.

    Whatever goes wrong with one, the others are not touched.
    """
    said = marking.mark_all(rows, lines.keeps_keys, batch) if len(rows) > 1 else {}
    for row in rows:
        if row.id not in said and (text := _said_alone(row, lines.keeps_keys, batch)) is not None:
            said[row.id] = text
    called = [row for row in rows if row.id in said]
    outcomes = lines.make([Call(row.id, *said[row.id]) for row in called], until)
    _finish(called, outcomes, lines.keeps_keys)


def _said_alone(row: Claimed, keeps_keys: bool, batch: telling.Batch) -> tuple[Text, str] | None:
    try:
        return marking.hand_over(row, keeps_keys, batch.tellings.get(row.id))
    except NotSent as error:
        _not_sent(row, error, keeps_keys)
    except Exception as error:
        _not_sent(row, Temporary(fault(row.id, error)), keeps_keys)
    return None


def _finish(rows: Sequence[Claimed], outcomes: Sequence[Outcome], keeps_keys: bool) -> None:
    became = list(zip(rows, outcomes, strict=True))
    sent = [row.named(reference=outcome[:200]) for row, outcome in became if isinstance(outcome, str)]
    if sent:
        prepared.change(sql.SENT, [json.dumps(sent)])
    for row, outcome in became:
        if isinstance(outcome, NotSent):
            _not_sent(row, outcome, keeps_keys)
    _give_back([row for row, outcome in became if outcome is None])


def _give_back(rows: Sequence[Claimed]) -> None:
    if rows:
        prepared.change(sql.RELEASE, [json.dumps([row.named() for row in rows])])


def expire() -> int:
    """Skip what is due and came too late; how many rows."""
    return prepared.change(sql.EXPIRE, [])


def reap() -> int:
    """Free rows whose worker is gone (its lease ran out): `due` again, or `unknown` where nobody can tell; how many."""
    with connection.cursor() as cursor:
        cursor.execute(sql.REAP, {"at_most": settings.SEND_ATTEMPTS_AT_MOST, "alone": DEATHS_TOGETHER})
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
        prepared.change(sql.SETTLE, [MessageStatus.UNKNOWN, reason, row.id, row.attempt])
    elif isinstance(error, Permanent) or row.attempt >= settings.SEND_ATTEMPTS_AT_MOST:
        if prepared.change(sql.SETTLE, [MessageStatus.FAILED, reason, row.id, row.attempt]):
            failures.given_up(row.id)
    else:
        prepared.change(sql.AGAIN, [reason, _pause(row, error), row.id, row.attempt])


def _pause(row: Claimed, error: NotSent) -> float:
    """Until the next try: what the provider asked for if it did, in seconds; never less than our own."""
    own = min(pause_seconds(row.attempt), URGENT_PAUSE_SECONDS) if row.urgent else pause_seconds(row.attempt)
    asked = error.retry_after if isinstance(error, Temporary) else None
    return max(own, asked or 0.0)
