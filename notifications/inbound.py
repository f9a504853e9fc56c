"""What patients text back: understood, acted upon, answered, and kept for the front desk where a person must look.

Each text is taken once, by the carrier's id of it. What it does to the visit goes through the use case that staff use
too. A text whose meaning is not certain changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts import contacts
from accounts.models import Channel, Patient, User
from accounts.refusals import Conflict
from notifications import alerts, texts, wishes
from notifications.facts import SAID
from notifications.models import Message, Reply, ReplyKind, ReplyStatus
from sessions import lifecycle
from sessions.models import TO_COME, OfferStatus, Session, SessionStatus

if TYPE_CHECKING:
    from datetime import datetime

TEXT_LENGTH = 1600
# A text that nobody understands is answered once in this time, so that two machines do not talk for ever.
HELP_AGAIN = timedelta(days=1)


def receive(sid: str, number: str, text: str, now: datetime, *, answered: bool = False) -> str:
    """Take one text; what is answered to it, "" for nothing. The same `sid` again does and answers nothing.

    `answered`: the carrier has answered already, as it does to STOP, START and HELP where it was told to.
    """
    if Reply.objects.filter(sid=sid).exists():
        return ""
    try:
        with transaction.atomic():
            reply = _take(sid, number[:20], text[:TEXT_LENGTH], now)
            grave = alerts.met_by_words(reply)
            reply.answer = "" if answered else _answer(reply, now, grave=bool(grave))
            reply.save(force_insert=True)
            alerts.raise_for_text(reply, grave, now)
    except IntegrityError:
        if Reply.objects.filter(sid=sid).exists():
            return ""
        raise
    return reply.answer


def _take(sid: str, number: str, text: str, now: datetime) -> Reply:
    kind = wishes.meaning(text)
    reply = Reply(sid=sid, number=number, text=text, kind=kind, received_at=now)
    if kind == ReplyKind.STOP:
        contacts.stop(Channel.SMS, number, now, "texted")
    elif kind == ReplyKind.START:
        contacts.start(Channel.SMS, number)
    reply.patient = _who(number)
    if kind in (ReplyKind.CONFIRM, ReplyKind.OTHER_TIME):
        reply.session = _visit_of(number, now)
        reply.patient = reply.session.patient if reply.session else reply.patient
    if kind == ReplyKind.CONFIRM and _on_offer(number, now):
        # "1" may be meant for the place on offer: it must not confirm the visit that the patient would leave for it.
        reply.kind = ReplyKind.OTHER
    elif kind == ReplyKind.CONFIRM:
        _confirm(reply, now)
    if reply.kind in (ReplyKind.OTHER_TIME, ReplyKind.OTHER):
        reply.status = ReplyStatus.OPEN
    return reply


def _who(number: str) -> Patient | None:
    """Who has this number; of several the one to whom a text was sent last."""
    told = Message.objects.filter(patient__phone=number, channel=Channel.SMS, sent_at__isnull=False)
    last = told.order_by("-sent_at").select_related("patient__site").first()
    return last.patient if last else Patient.objects.filter(phone=number).select_related("site").order_by("id").first()


def _visit_of(number: str, now: datetime) -> Session | None:
    """The next visit of whom this number is; None where it is several people's who all have one."""
    coming = Session.objects.filter(patient__phone=number, status__in=TO_COME, start__gt=now)
    coming = coming.select_related("patient__site", "site").order_by("start")
    return coming.first() if coming.values("patient").distinct().order_by().count() == 1 else None


def _on_offer(number: str, now: datetime) -> bool:
    """Whether a text to this number told of a place that can still be taken."""
    told = Message.objects.filter(offer__patient__phone=number, channel=Channel.SMS, status__in=SAID)
    return told.filter(offer__status=OfferStatus.OPEN, offer__expires_at__gt=now).exists()


def _confirm(reply: Reply, now: datetime) -> None:
    """Confirm the next visit; what cannot be confirmed is for the front desk."""
    if reply.session is None:
        reply.kind = ReplyKind.OTHER
        return
    if reply.session.status == SessionStatus.CONFIRMED:
        return
    try:
        lifecycle.confirm(reply.session, None, now, system="text message")
    except Conflict:
        reply.kind = ReplyKind.OTHER


def _answer(reply: Reply, now: datetime, *, grave: bool) -> str:
    """The words in which it is answered; a stranger is answered nothing, for we know nothing to say to them."""
    if reply.patient is None:
        return ""
    name = {
        ReplyKind.CONFIRM: "reply_confirmed",
        ReplyKind.OTHER: "reply_help",
    }.get(ReplyKind(reply.kind), f"reply_{reply.kind}")
    if grave:
        name = "reply_grave"
    elif reply.kind == ReplyKind.OTHER and _helped_lately(reply.number, now):
        return ""
    site = reply.session.site if reply.session else reply.patient.site
    values = texts.values_of(site, reply.patient.language, reply.session.start if reply.session else None)
    return texts.short(texts.wording_for(site, name, Channel.SMS, reply.patient.language).body, values)


def _helped_lately(number: str, now: datetime) -> bool:
    since = now - HELP_AGAIN
    return Reply.objects.filter(number=number, received_at__gt=since, kind=ReplyKind.OTHER).exclude(answer="").exists()


def refuse_if_closed(reply: Reply) -> None:
    """Conflict `already_done` with `by` and `at` where nobody has to look at it any more."""
    if reply.status == ReplyStatus.CLOSED:
        by, at = reply.closed_by_id, reply.closed_at
        raise Conflict(
            "already_done",
            "Nobody has to look at this any more.",
            by=str(by) if by else None,
            at=at.isoformat() if at else None,
        )


@transaction.atomic
def close(reply: Reply, user: User, now: datetime) -> Reply:
    """Somebody has looked at it and done what was to be done. Conflict `already_done` where that was so before."""
    held = Reply.objects.select_for_update(no_key=True).get(id=reply.id)
    refuse_if_closed(held)
    held.status, held.closed_by, held.closed_at = ReplyStatus.CLOSED, user, now
    held.save(update_fields=["status", "closed_by", "closed_at"])
    return held
