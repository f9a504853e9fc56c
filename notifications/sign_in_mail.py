"""Sends the links that patients sign in with. A token is made as its mail is written and is nowhere but in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts.models import Channel, Patient, SignInLink
from accounts.sign_in_links import new_token
from notifications import mailing, texts, wordings

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from notifications.channels import Text

KIND: Final = "sign_in"


def waiting(now: datetime) -> bool:
    """Whether a mail is to be sent."""
    return _due(now).exists()


def send_due(now: datetime) -> int:
    """Send what is due, one after another; how many mails went out."""
    return mailing.send_all(_claim, now)


def _due(now: datetime) -> QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        user__isnull=False, sent_at=None, used_at=None, try_at__lte=now, expires_at__gt=now
    )


def _claim(now: datetime) -> mailing.Ready | None:
    """The next row, tried again only after a while, with a new token whose hash it keeps."""
    with transaction.atomic():
        rows = _due(now).select_for_update(skip_locked=True, of=("self",)).select_related("user")
        link = rows.order_by("requested_at", "id").first()
        if link is None:
            return None
        token, link.token_hash = new_token()
        link.try_at = now + mailing.AGAIN_AFTER
        link.save(update_fields=["token_hash", "try_at"])
    return mailing.Ready(link, _text(link, token), link.user.email if link.user else "")


def _text(link: SignInLink, token: str) -> Text:
    """The mail, in the clinic's words and the patient's language."""
    patient = Patient.objects.select_related("site").filter(user=link.user_id).first()
    language = patient.language if patient else wordings.LANGUAGES[0]
    if patient is None:
        clinic = wordings.DATA["fallback_phone"][language]
        values, wording = dict.fromkeys(wordings.FIELDS, "") | {"clinic": clinic, "phone": clinic}, None
    else:
        values = texts.values_of(patient.site, language)
        wording = texts.wording_for(patient.site, KIND, Channel.EMAIL, language)
    values["link"] = f"{settings.PUBLIC_URL}/sign-in/link/{token}/"
    values["minutes"] = str(settings.SIGN_IN_LINK_SECONDS // 60)
    return texts.mail(wording or wordings.default(KIND, Channel.EMAIL, language), values, language)
