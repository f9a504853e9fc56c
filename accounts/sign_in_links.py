"""Signing in by a link in the mail, for patients: asked for, opened, used once.

An address that nobody signs in with leaves a row like any other, so that neither the answer nor its time tells who is
known. Staff sign in with their password: a mailbox alone does not open a clinic.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts.models import SignInLink, User
from accounts.refusals import Gone
from accounts.rights import is_staff

if TYPE_CHECKING:
    from datetime import datetime

KEPT: Final = timedelta(days=1)
TOKEN_BYTES: Final = 32


def ask_for_link(email: str, now: datetime) -> None:
    """Note that somebody wants to sign in with `email`; a worker sends the link where there is whom to send it to."""
    user = User.objects.filter(email=email.lower(), is_active=True).first()
    SignInLink.objects.create(
        user=user if user is not None and not is_staff(user) else None,
        requested_at=now,
        try_at=now,
        expires_at=now + timedelta(seconds=settings.SIGN_IN_LINK_SECONDS),
    )


def new_token() -> tuple[str, str]:
    """A token of 256 random bits, and the hash of it that is kept."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, hash_of(token)


def hash_of(token: str) -> str:
    """What a token is found by; of that much chance a plain hash cannot be searched backwards."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def use(token: str, now: datetime) -> User:
    """The user whom the link lets in; it opens nothing from then on.

    Raises:
        Gone: `link_spent` for a link that was used, has expired, or never was; the three look alike.
    """
    with transaction.atomic():
        open_links = SignInLink.objects.select_for_update(of=("self",)).select_related("user")
        link = open_links.filter(token_hash=hash_of(token), used_at=None, expires_at__gt=now).first()
        if link is None or link.user is None or not link.user.is_active or is_staff(link.user):
            raise Gone("link_spent", "This link has been used, or its time is over.")
        link.used_at = now
        link.save(update_fields=["used_at"])
    return link.user


def forget(now: datetime) -> int:
    """Remove what nobody can use any more; how many rows."""
    return SignInLink.objects.filter(requested_at__lt=now - KEPT).delete()[0]
