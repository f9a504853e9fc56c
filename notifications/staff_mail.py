"""Mails to staff about how they sign in: an invitation, a link for a new password, that a second factor was taken off.

In English, the language of staff (`notifications/staff_texts.py`). Each goes to the person's own address, and says
who to ask where it was not expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts import letters
from accounts.models import Letter
from accounts.sign_in_links import new_token
from notifications import mailing
from notifications.channels import Text

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Invitation, User

NAME_LENGTH: Final = 60
WORDS: Final = {
    Letter.Kind.INVITATION: (
        "You are invited to work with {clinic}",
        "{clinic} invites you to sign in as one of its staff.\n\n"
        "Open this link and choose a password. It works once, for {hours} hours:\n{link}\n\n"
        "If you do not expect this, do nothing: without the link nobody is let in.\n",
    ),
    Letter.Kind.PASSWORD: (
        "A new password for {clinic}",
        "Somebody who manages {clinic} sent you this link to choose a new password. "
        "It works once, for {hours} hours:\n{link}\n\n"
        "Your present password works until then. If you did not ask for this, tell your manager.\n",
    ),
    Letter.Kind.FACTOR_RESET: (
        "Your second factor for {clinic} was taken off",
        "Somebody who manages {clinic} has taken off the codes and passkeys that you sign in with, and ended where you "
        "were signed in.\n\n"
        "Sign in with your password; where a second factor is demanded you set up another:\n{link}\n\n"
        "If you did not ask for this, tell your manager at once, and do not sign in before.\n",
    ),
}


def waiting(now: datetime) -> bool:
    """Whether a mail is to be sent."""
    return letters.due(now).exists()


def send_due(now: datetime) -> int:
    """Send what is due, one after another; how many mails went out."""
    return mailing.send_all(_claim, now)


def _claim(now: datetime) -> mailing.Ready | None:
    """The next row, tried again only after a while; one with a link has a new token whose hash it keeps."""
    with transaction.atomic():
        rows = letters.due(now).select_for_update(skip_locked=True, of=("self",))
        letter = rows.select_related("invitation__organization", "user__organization").order_by("try_at", "id").first()
        if letter is None:
            return None
        token = ""
        if letter.kind != Letter.Kind.FACTOR_RESET:
            token, letter.token_hash = new_token()
        letter.try_at = now + mailing.AGAIN_AFTER
        letter.save(update_fields=["token_hash", "try_at"])
    return mailing.Ready(letter, compose(letter, token), _whom(letter).email)


def _whom(letter: Letter) -> Invitation | User:
    whom = letter.invitation or letter.user
    assert whom is not None, "the database has one of them in each row"
    return whom


def compose(letter: Letter, token: str) -> Text:
    """What the mail says; nothing in it but the clinic's name and the link."""
    organization = _whom(letter).organization
    path = f"join/{token}/" if token else "sign-in/"
    said = {
        "clinic": organization.name[:NAME_LENGTH] if organization else settings.PUBLIC_URL,
        "hours": int(letters.lasts(letter.kind).total_seconds()) // 3600,
        "link": f"{settings.PUBLIC_URL}/{path}",
    }
    subject, body = WORDS[Letter.Kind(letter.kind)]
    return Text(" ".join(subject.format_map(said).split()), body.format_map(said))
