"""A follow-up check-in: opened by its link, answered once, scored, and its red flags raised with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.models import Site
from accounts.refusals import Conflict, Gone, Invalid, NotFound
from notifications import alerts, follow_links, instruments
from notifications.models import FollowUp
from sessions.models import SessionStatus

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

ASKED_AFTER = (SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY)


def link(follow_up: FollowUp) -> str:
    """The address at which the patient answers, signed with the newest key."""
    return f"{settings.PUBLIC_URL}/check-in/{follow_links.token_for(follow_up.id, settings.SECRET_KEY.encode())}/"


def open_follow_up(token: str, now: datetime) -> FollowUp:
    """The follow-up behind a link, still to be answered; changes nothing.

    NotFound for a token that is false or of no follow-up; Gone `already_answered` or `expired`; Conflict `not_asked`
    where the session has not ended in a way that is asked about. `session.site` is loaded with it.
    """
    follow_up = _find(token, FollowUp.objects.all())
    if follow_up.answered_at is not None:
        raise _answered()
    _refuse_unless_open(follow_up, now)
    return follow_up


@transaction.atomic
def answer_follow_up(token: str, answers: object, now: datetime) -> FollowUp:
    """Store the answers `{item id: whole number}`, their score, and an alert for each red flag, all in one transaction.

    The same answers once more give the same follow-up again, others Gone `already_answered`. Otherwise refused as
    `open_follow_up` refuses, and with Invalid (a fault for each item, pointers below `/answers`) for faulty answers.
    """
    follow_up = _find(token, FollowUp.objects.select_for_update(of=("self",), no_key=True))
    if follow_up.answered_at is not None:
        return _replayed(follow_up, answers)
    _refuse_unless_open(follow_up, now)
    taken = _read(follow_up.instrument, answers)
    scored = instruments.score(follow_up.instrument, taken)
    follow_up.answers, follow_up.answered_at = taken, now
    follow_up.score, follow_up.band = scored.score, scored.band
    follow_up.save(update_fields=["answers", "answered_at", "score", "band"])
    alerts.raise_alerts(follow_up, instruments.flags(follow_up.instrument, taken))
    return follow_up


def site_behind(token: str) -> Site | None:
    """The site that asks by a link, whether it is still open or not; None for a token that is false or of nothing."""
    follow_up_id = _id_in(token)
    return Site.objects.filter(sessions__follow_ups=follow_up_id).first() if follow_up_id else None


def _id_in(token: str) -> UUID | None:
    keys = [key.encode() for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return follow_links.read_token(token, keys)


def _find(token: str, among: QuerySet[FollowUp]) -> FollowUp:
    follow_up_id = _id_in(token)
    found = follow_up_id and among.select_related("session__site").filter(id=follow_up_id).first()
    if not found:
        raise NotFound()
    return found


def _refuse_unless_open(follow_up: FollowUp, now: datetime) -> None:
    if now >= follow_up.expires_at:
        raise Gone("expired", "The time to answer this is over.")
    if follow_up.session.status not in ASKED_AFTER:
        raise Conflict("not_asked", "There is nothing to answer about this visit.")


def _read(instrument: str, answers: object) -> dict[str, int]:
    try:
        return instruments.read_answers(instrument, answers)
    except instruments.InstrumentError as error:
        raise Invalid.many(error.problems) from None


def _replayed(follow_up: FollowUp, answers: object) -> FollowUp:
    try:
        same = _read(follow_up.instrument, answers) == follow_up.answers
    except Invalid:
        same = False
    if not same:
        raise _answered()
    return follow_up


def _answered() -> Gone:
    return Gone("already_answered", "This has been answered already.")
