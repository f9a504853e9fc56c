"""Says a message once more, because a person asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts import clock
from accounts.refusals import Conflict, RuleBroken, TooMany
from notifications import pacing
from notifications.facts import ENDS_TOLD, address, hindrance, why_not
from notifications.models import AlertStatus, Message, MessageStatus
from notifications.reminders import NEWS

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

UNDER_WAY = (MessageStatus.DUE, MessageStatus.SENDING)


def check(message: Message, now: datetime) -> None:
    """Refuse, by a Conflict, what cannot or need not be said again.

    `under_way` while it or a repeat of it is still to be sent, `no_address`, `too_late` once the visit has begun or the
    questionnaire has expired; else why the session leaves nothing to say (`cancelled`, `moved`, `answered`, ...).
    RuleBroken `opted_out` and TooMany `too_many_texts` for what the patient's wishes forbid.
    """
    if message.status in UNDER_WAY or message.resends.filter(status__in=UNDER_WAY).exists():
        raise Conflict("under_way", "This message is still to be sent.")
    reason = _why_not(message)
    if reason:
        raise Conflict(reason, "There is nothing to say any more.")
    if _last_moment(message) <= now:
        raise Conflict("too_late", "It is too late to say this.")
    if message.alert is None:
        _check_wishes(message, now)


def _check_wishes(message: Message, now: datetime) -> None:
    if hindrance(message.patient, message.channel) == "stopped":
        raise RuleBroken("opted_out", "Who has this address wants no more messages there.")
    if not address(message.patient, message.channel):
        raise Conflict("no_address", "There is no address for this channel.")
    later = pacing.not_before(message, now, pacing.texted([message], now))
    if later is not None and later[1] == "too_many":
        seconds = int((later[0] - now).total_seconds()) + 1
        raise TooMany("too_many_texts", "This number has had as many texts as it may.", retry_after=seconds)


@transaction.atomic
def resend(message_id: UUID, now: datetime) -> Message:
    """Write a message like this one, due now, that names it in `resend_of`; refused as `check` refuses."""
    message = Message.objects.select_for_update(no_key=True).get(id=message_id)
    check(message, now)
    return Message.objects.create(
        alert_id=message.alert_id,
        recipient_id=message.recipient_id,
        urgent=message.urgent,
        rule=message.rule,
        session_id=message.session_id,
        offer_id=message.offer_id,
        patient_id=message.patient_id,
        follow_up_id=message.follow_up_id,
        kind=message.kind,
        channel=message.channel,
        speaks_of=message.speaks_of,
        due_at=now,
        not_after=_last_moment(message),
        try_at=now,
        resend_of=message,
    )


def _why_not(message: Message) -> str:
    if message.alert is None:
        return why_not(message)
    return "" if message.alert.status == AlertStatus.OPEN else message.alert.status


def _last_moment(message: Message) -> datetime:
    """Until when it may be said: while questionnaire or offer are open, the visit lies ahead, or an end is news."""
    if message.alert_id is not None or message.kind in ENDS_TOLD:
        return clock.now() + NEWS
    if message.offer is not None:
        return message.offer.expires_at
    return message.follow_up.expires_at if message.follow_up else message.visit.start
