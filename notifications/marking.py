"""The mark `handed_over_at`: from its commit on, a message may have been said.

It takes the session's lock, which everything that changes the session takes too, and finds the row only if nothing has
changed since it was read. Either the change came first, and the row is read and judged again, or it comes after the
mark and can see that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from accounts import clock, prepared
from notifications import delivery_sql as sql
from notifications import pacing, telling
from notifications.channels import Permanent, Temporary
from notifications.models import Message, MessageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from notifications.channels import Text


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker holds for one attempt."""

    id: UUID
    attempt: int
    channel: str
    not_after: datetime
    urgent: bool = False

    def named(self, **more: str | int | None) -> dict[str, str | int | None]:
        """This attempt as a statement is given it in a list, with what more there is to say."""
        return {"id": str(self.id), "attempt": self.attempt, **more}


def mark_all(rows: Sequence[Claimed], keyed: bool, batch: telling.Batch) -> dict[UUID, tuple[Text, str]]:
    """Text and address of those rows that are as they were read and plainly to be said now, marked in one statement.

    Whatever else there is to a row, it is left out here, and judged alone by `hand_over`.
    """
    texts = {row.id: _plainly_said(row.id, batch) for row in rows}
    said = {key: text for key, text in texts.items() if text is not None}
    found = [row for row in rows if row.id in said]
    if not found:
        return {}
    wanted = []
    for row in found:
        seen = batch.tellings[row.id].seen
        # An offer speaks of no visit that stands: it is left to `hand_over`, as whatever does not join is.
        session, version = seen["session"] and str(seen["session"]), seen["version"]
        wanted.append(row.named(session_id=session, version=version, patient_version=seen["patient_version"]))
    values = {"rows": json.dumps(wanted), "lease": settings.LEASE_SECONDS, "keyed": keyed}
    return {key: said[key] for (key,) in prepared.all_rows(sql.MARK_WINDOW, values)}


def _plainly_said(key: UUID, batch: telling.Batch) -> tuple[Text, str] | None:
    now, message = clock.now(), batch.tellings.get(key)
    try:
        if message is None or message.along or message.why_not() or not message.address:
            return None
        if pacing.not_before(message.message, now, batch.texted):
            return None
        text = message.text()
    except Exception:  # told where it is handed over alone
        return None
    return text, message.address


def hand_over(row: Claimed, keyed: bool = False, known: telling.Telling | None = None) -> tuple[Text, str] | None:
    """Text and address of a claimed row, its mark committed. None: there is nothing to say now, and it is settled.

    `known` is the row as it was read with its batch; what has changed since is found and read again.
    """
    for found in (known, None, None):
        message = found or telling.load([row.id]).tellings[row.id]
        reason = message.why_not()
        if not reason and not message.address:
            raise Permanent("no_address")
        if not reason and _postponed(row, message):
            return None
        text = message.text() if not reason else None
        if text and _mark(row, message, keyed):
            return text, message.address
        if reason and prepared.change(sql.SETTLE, [MessageStatus.SKIPPED, reason, row.id, row.attempt]):
            return None
        if prepared.change(sql.TOO_LATE, [row.id, row.attempt]) or not _held(row):
            return None
    raise Temporary("it changed again and again")


def _postponed(row: Claimed, message: telling.Telling) -> bool:
    now = clock.now()
    later = pacing.not_before(message.message, now, pacing.texted([message.message], now))
    if later is None:
        return False
    prepared.change(sql.POSTPONE, {"at": later[0], "reason": later[1], "id": row.id, "attempt": row.attempt})
    return True


def _mark(row: Claimed, message: telling.Telling, keyed: bool) -> bool:
    values = message.seen | {"lease": settings.LEASE_SECONDS, "keyed": keyed, "id": row.id, "attempt": row.attempt}
    return prepared.change(sql.MARK_TOGETHER if message.along else sql.MARK, values) == 1


def _held(row: Claimed) -> bool:
    return Message.objects.filter(id=row.id, attempts=row.attempt, status=MessageStatus.SENDING).exists()
