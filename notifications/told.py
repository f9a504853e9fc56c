"""What a patient was told of a visit, for whoever shows what happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifications.models import Message
from sessions.events import Told

if TYPE_CHECKING:
    from sessions.models import Session


def of_session(session: Session) -> list[Told]:
    """The messages of a visit to its patient, oldest first; those to clinicians are not among them."""
    rows = Message.objects.filter(session=session, patient=session.patient_id, alert__isnull=True)
    rows = rows.order_by("created_at", "id")
    return [Told(row.kind, row.channel, row.status, row.created_at, row.sent_at) for row in rows]
