"""The carrier's word about a text that we handed over: it moves a message forward, and shows which numbers are dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from notifications import bounces, delivery
from notifications.channels import twilio
from notifications.models import MessageStatus

if TYPE_CHECKING:
    from uuid import UUID

# Twilio's status -> ours. What is queued or sending is no news.
MEANS: Final = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.DELIVERED,
    "undelivered": MessageStatus.FAILED,
    "failed": MessageStatus.FAILED,
}
UNDELIVERED: Final = "the carrier could not deliver it"


def take(message_id: UUID, said: str, code: int | None) -> bool:
    """Take the carrier's word about one message; whether it changed anything. `code` is the number of an error."""
    status = MEANS.get(said)
    if status is None:
        return False
    failed = status == MessageStatus.FAILED
    meant = twilio.meaning(code, UNDELIVERED)
    changed = delivery.reconcile_outcome(str(message_id), status, meant.reason if failed else "")
    if changed and failed:
        bounces.learn(message_id, meant)
    return changed
