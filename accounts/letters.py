"""Mails to people about how they sign in: asked for here, sent by a worker, their links used once.

The newest is the one that opens: asking again ends those that were sent before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings

from accounts.models import Letter
from accounts.refusals import Gone
from accounts.sign_in_links import hash_of

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from accounts.models import Invitation, User

Kind = Letter.Kind
# Those that hold a link; the others only tell.
OPENING: Final = (Kind.INVITATION, Kind.PASSWORD)


def lasts(kind: str) -> timedelta:
    """How long a mail of this kind may be sent, and its link used."""
    return timedelta(seconds=settings.STAFF_LINK_SECONDS[kind])


def write(kind: str, to: Invitation | User, now: datetime) -> Letter:
    """Have a mail sent; links of the same kind that were sent before open nothing from now on."""
    whom = {"invitation" if kind == Kind.INVITATION else "user": to}
    end(kind, to, now)
    return Letter.objects.create(kind=kind, requested_at=now, try_at=now, expires_at=now + lasts(kind), **whom)


def end(kind: str, to: Invitation | User, now: datetime) -> None:
    """Close every link of this kind that is open, and send none that waits."""
    whom = {"invitation" if kind == Kind.INVITATION else "user": to}
    Letter.objects.filter(kind=kind, expires_at__gt=now, **whom).update(expires_at=now)


def due(now: datetime) -> QuerySet[Letter]:
    """Mails to be sent now."""
    return Letter.objects.filter(sent_at=None, used_at=None, try_at__lte=now, expires_at__gt=now)


def opened(token: str, now: datetime, *, to_use: bool = False) -> Letter:
    """The letter whose link this is; its row is locked where it is `to_use`, inside a transaction.

    Raises:
        Gone: `link_spent` for a link that was used, has expired, was replaced, or never was; they look alike.
    """
    letters = Letter.objects.select_related("invitation__organization", "invitation__invited_by", "user__organization")
    if to_use:
        letters = letters.select_for_update(of=("self",))
    letter = letters.filter(token_hash=hash_of(token), used_at=None, expires_at__gt=now).first()
    if letter is None:
        raise Gone("link_spent", "This link has been used, or its time is over.")
    return letter
