"""What is known of addresses: who has one wants nothing of us there (STOP), or nobody is reached there (it bounced).

It belongs to the address and not to a patient: a number that a family shares is stopped for all of them, and a record
that is made later begins with what is known. The database keeps every patient's `stopped_channels` and `dead_channels`
in step with it, however a record is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import Channel, Contact

if TYPE_CHECKING:
    from datetime import datetime

FIELDS: dict[str, str] = {Channel.EMAIL: "email", Channel.SMS: "phone"}


def stop(channel: str, address: str, now: datetime, reason: str = "") -> None:
    """Who has this address wants nothing more of us there."""
    _know(channel, address, stopped_at=now, reason=reason)


def start(channel: str, address: str) -> None:
    """Who has this address wants to hear of us there again."""
    _know(channel, address, stopped_at=None, dead_at=None, reason="")


def mark_dead(channel: str, address: str, now: datetime, reason: str) -> None:
    """Nobody is reached at this address, as a carrier or a mail server said."""
    _know(channel, address, dead_at=now, reason=reason)


def revive(channel: str, address: str) -> None:
    """Somebody has entered this address anew: it is tried again. What was stopped stays so."""
    if Contact.objects.filter(channel=channel, address=address, dead_at__isnull=False).exists():
        _know(channel, address, dead_at=None)


def _know(channel: str, address: str, **values: object) -> None:
    Contact.objects.update_or_create(channel=channel, address=address, defaults=values)
