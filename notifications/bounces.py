"""What a refusal teaches about an address: that nobody is reached there, or that who has it wants nothing of us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts import clock, contacts
from notifications.channels import DeadAddress, OptedOut
from notifications.models import Message

if TYPE_CHECKING:
    from uuid import UUID

    from notifications.channels import NotSent


def learn(message_id: UUID, error: NotSent) -> None:
    """Note what the refusal of a message says about the patient's address; most say nothing.

    The patient's record moves on with it, so that the next tick says by another channel what can be said there.
    """
    if not isinstance(error, DeadAddress | OptedOut):
        return
    message = Message.objects.select_related("patient").get(id=message_id)
    if message.recipient_id is not None:
        return
    address = getattr(message.patient, contacts.FIELDS[message.channel])
    if not address:
        return
    if isinstance(error, DeadAddress):
        contacts.mark_dead(message.channel, address, clock.now(), error.reason)
    else:
        contacts.stop(message.channel, address, clock.now(), error.reason)
