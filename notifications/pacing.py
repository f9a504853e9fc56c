"""When a text may go: not in quiet hours, and no more to one number than its owner has agreed to.

Asked at the hand-over, however long the text has waited by then. E-mail goes when it is due; what tells a clinician of
an alert, and answers to a text, are not asked here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models.functions import Coalesce

from accounts.models import Channel
from notifications import wishes
from notifications.facts import SAID, quiet_hours
from notifications.models import Message

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from accounts.models import Patient


# Number -> when texts went to it in the last seven days.
Texted = dict[str, list["datetime"]]


def not_before(message: Message, now: datetime, texted: Texted) -> tuple[datetime, str] | None:
    """The first instant at which a message may go, and why it must wait (`quiet_hours`, `too_many`); None: now.

    With its patient and its site loaded.
    """
    if not _is_paced(message):
        return None
    patient, site = message.patient, message.site
    free = _after_caps(patient, ZoneInfo(patient.time_zone or site.time_zone), now, texted)
    hours = quiet_hours(patient, site)
    at = wishes.after_quiet(free, hours) if hours else free
    return None if at <= now else (at, "too_many" if free > now else "quiet_hours")


def _is_paced(message: Message) -> bool:
    return message.channel == Channel.SMS and message.recipient_id is None


def _after_caps(patient: Patient, zone: ZoneInfo, now: datetime, texted: Texted) -> datetime:
    caps = settings.TEXTS_AT_MOST if patient.texting_consent else settings.TEXTS_WITHOUT_CONSENT
    if not caps["day"]:
        return now
    return wishes.after_caps(now, texted.get(patient.phone, []), zone, caps["day"], caps["week"])


def texted(messages: Iterable[Message], now: datetime) -> Texted:
    """When texts went to the numbers of these messages, or may have gone, whoever of those who have it was meant."""
    numbers = {message.patient.phone for message in messages if _is_paced(message)}
    found: Texted = defaultdict(list)
    if not numbers:
        return found
    went = Message.objects.filter(
        patient__phone__in=numbers, channel=Channel.SMS, status__in=SAID, alert=None, told_with=None
    )
    rows = went.annotate(at=Coalesce("handed_over_at", "sent_at")).filter(at__gt=now - wishes.WEEK)
    for number, at in rows.values_list("patient__phone", "at"):
        found[number].append(at)
    return found


def count(message: Message, now: datetime, texted: Texted) -> None:
    """Count a text that is about to go among those that went."""
    if _is_paced(message):
        texted[message.patient.phone].append(now)
