"""Sends the links that patients sign in with. A token is made as its mail is written and is nowhere but in it.

A worker that dies between the two leaves the row to be tried again with another token: the newest mail is the one that
opens.
"""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from accounts.models import Channel, Patient, SignInLink
from accounts.sign_in_links import new_token
from notifications import texts, wordings
from notifications.channels import NotSent, Text, open_channel

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = timedelta(seconds=30)
KIND: Final = "sign_in"


def waiting(now: datetime) -> bool:
    """Whether a mail is to be sent."""
    return _due(now).exists()


def send_due(now: datetime) -> int:
    """Send what is due, one after another; how many mails went out."""
    sent = 0
    with closing(open_channel(Channel.EMAIL)) as channel:
        while claimed := _claim(now):
            link, token = claimed
            try:
                channel.prepare()
                channel.send(_text(link, token), link.user.email if link.user else "", link.pk)
            except NotSent as error:
                log.info("sign-in link %s: %s", link.pk, error.reason)
                continue
            SignInLink.objects.filter(pk=link.pk).update(sent_at=now)
            sent += 1
    return sent


def _due(now: datetime) -> QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        user__isnull=False, sent_at=None, used_at=None, try_at__lte=now, expires_at__gt=now
    )


def _claim(now: datetime) -> tuple[SignInLink, str] | None:
    """The next row, tried again only after a while, with a new token whose hash it keeps."""
    with transaction.atomic():
        rows = _due(now).select_for_update(skip_locked=True, of=("self",)).select_related("user")
        link = rows.order_by("requested_at", "id").first()
        if link is None:
            return None
        token, link.token_hash = new_token()
        link.try_at = now + AGAIN_AFTER
        link.save(update_fields=["token_hash", "try_at"])
    return link, token


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
