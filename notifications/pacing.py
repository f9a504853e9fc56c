"""When a text may go: not in quiet hours, and no more to one number than its owner has agreed to.

Asked at the hand-over, however long the text has waited by then. E-mail goes when it is due; what tells a clinician of
an alert, and answers to a text, are not asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models.functions import Coalesce

from accounts.models import Channel
from notifications import wishes
from notifications.facts import SAID, quiet_hours
from notifications.models import Message

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Patient


def not_before(message: Message, now: datetime) -> tuple[datetime, str] | None:
    """The first instant at which a message may go, and why it must wait (`quiet_hours`, `too_many`); None: now.

    With its patient and its session's site loaded.
    """
    if message.channel != Channel.SMS or message.recipient_id is not None:
        return None
    patient, site = message.patient, message.session.site
    free = _after_caps(patient, ZoneInfo(patient.time_zone or site.time_zone), now)
    hours = quiet_hours(patient, site)
    at = wishes.after_quiet(free, hours) if hours else free
    return None if at <= now else (at, "too_many" if free > now else "quiet_hours")


def _after_caps(patient: Patient, zone: ZoneInfo, now: datetime) -> datetime:
    caps = settings.TEXTS_AT_MOST if patient.texting_consent else settings.TEXTS_WITHOUT_CONSENT
    if not caps["day"]:
        return now
    return wishes.after_caps(now, texts_to(patient.phone, now), zone, caps["day"], caps["week"])


def texts_to(number: str, now: datetime) -> list[datetime]:
    """When texts went to a number in the last seven days, or may have gone, whoever of those who have it was meant."""
    went = Message.objects.filter(patient__phone=number, channel=Channel.SMS, status__in=SAID, alert=None)
    at = Coalesce("handed_over_at", "sent_at")
    return list(went.annotate(at=at).filter(at__gt=now - wishes.WEEK).values_list("at", flat=True))
