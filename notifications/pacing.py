"""When a message may go: a text not in quiet hours, and no more of them to one number than its owner has agreed to.

And nothing is asked again sooner than a pause after it was asked, however long the first question had to wait. Asked at
the hand-over. Other e-mail goes when it is due; what tells a clinician of an alert, and answers to a text, are not
asked here.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce

from accounts.models import Channel
from notifications import wishes
from notifications.facts import SAID, quiet_hours
from notifications.models import Message, MessageStatus
from notifications.reminders import AGAIN, SitePlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from accounts.models import Patient


# Number -> when texts went to it in the last seven days.
Texted = dict[str, list["datetime"]]


def not_before(message: Message, now: datetime, texted: Texted) -> tuple[datetime, str] | None:
    """The first instant at which a message may go, and why it must wait; None: now. With its patient and site loaded.

    Reasons are `quiet_hours`, `too_many` (texts), `asked_lately`.
    """
    asked = _after_pause(message, now)
    if not _is_paced(message):
        return None if asked <= now else (asked, "asked_lately")
    patient, site = message.patient, message.site
    free = _after_caps(patient, ZoneInfo(patient.time_zone or site.time_zone), asked, texted)
    hours = quiet_hours(patient, site)
    at = wishes.after_quiet(free, hours) if hours else free
    reasons = (("too_many", free > asked), ("asked_lately", asked > now), ("quiet_hours", True))
    return None if at <= now else (at, next(reason for reason, holds in reasons if holds))


def _after_pause(message: Message, now: datetime) -> datetime:
    """When a question may be asked again: its site's pause after it was first asked, or at the soonest can be."""
    first = message.kind.removesuffix(AGAIN)
    if message.follow_up_id is None or first == message.kind or message.resend_of_id is not None:
        return now
    asked = Message.objects.filter(follow_up=message.follow_up_id, kind=first, speaks_of=message.speaks_of)
    rows = asked.filter(status__in=(MessageStatus.DUE, *SAID)).annotate(
        at=Coalesce("handed_over_at", "sent_at"), pause=F("session__site__message_plan__ask_again_hours")
    )
    times = [
        (at or max(now, try_at)) + timedelta(hours=SitePlan().ask_again_hours if pause is None else pause)
        for at, try_at, pause in rows.values_list("at", "try_at", "pause")
    ]
    return max([now, *times])


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
