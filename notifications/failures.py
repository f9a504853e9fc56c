"""What could not be said becomes a task for a person: a message that was given up raises an alert of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from notifications import alerts
from notifications.models import Message

if TYPE_CHECKING:
    from uuid import UUID

KIND = "message_failed"


@transaction.atomic
def given_up(message_id: UUID) -> None:
    """Raise the task for a message that failed for good.

    One about an alert raises none: that is passed on anyway. Nor does one about an offer: unanswered, its
    place goes to others.
    """
    message = Message.objects.select_related("session__site").get(id=message_id)
    if message.alert_id is None and message.offer_id is None:
        alerts.raise_about(message, KIND)
