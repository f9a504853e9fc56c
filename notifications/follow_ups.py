"""A follow-up check-in: opened by its link, answered once, scored, and its red flags raised with the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.refusals import Conflict, Gone, Invalid, NotFound
from notifications import alerts, follow_links, instruments, red_flags, together
from notifications.models import FollowUp, FollowUpDraft, FollowUpLink
from sessions.models import TO_COME, SessionStatus

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

ASKED_AFTER = (SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY)


def new_link(follow_up: FollowUp) -> str:
    """A new address at which the patient answers. Earlier ones stay open: the mail with them may have arrived."""
    token = follow_links.new_token()
    FollowUpLink.objects.create(follow_up=follow_up, token_hash=follow_links.hash_of(token))
    return f"{settings.PUBLIC_URL}/check-in/{token}/"


def next_path(token: str, following: FollowUp) -> str:
    """The path at which the patient answers what is asked next; the same for the same answered link."""
    made = follow_links.next_token(token)
    FollowUpLink.objects.get_or_create(token_hash=follow_links.hash_of(made), defaults={"follow_up": following})
    return f"/check-in/{made}/"


def revoke_links(follow_up: FollowUp, now: datetime) -> int:
    """Close every link to a questionnaire; how many were open. A message sent later brings a new one."""
    return FollowUpLink.objects.filter(follow_up=follow_up, revoked_at=None).update(revoked_at=now)


def open_follow_up(token: str, now: datetime) -> FollowUp:
    """The follow-up behind a link, still to be answered; changes nothing.

    NotFound for a token that is false or of no follow-up; Gone `revoked`, `already_answered` or `expired`; Conflict
    `not_asked` where the session has not ended in a way that is asked about. `session.site` and `patient` are loaded.
    """
    follow_up = _find(token, FollowUp.objects.select_related("draft"))
    if follow_up.answered_at is not None:
        raise _answered()
    _refuse_unless_open(follow_up, now)
    return follow_up


@transaction.atomic
def answer_follow_up(token: str, answers: object, now: datetime, version: str | None = None) -> FollowUp:
    """Store the answers `{item id: whole number}`, their score, and an alert for each red flag, all in one transaction.

    The same answers once more give the same follow-up again, others Gone `already_answered`. Otherwise refused as
    `open_follow_up` refuses, with Conflict `form_changed` where `version` names another form than the present one, and
    with Invalid (a fault for each item, pointers below `/answers`) for faulty answers.
    """
    follow_up = _find(token, FollowUp.objects.select_for_update(of=("self",), no_key=True))
    if follow_up.answered_at is not None:
        return _replayed(follow_up, answers)
    _refuse_unless_open(follow_up, now)
    form = instruments.INSTRUMENTS[follow_up.instrument]
    if version not in {None, form.version}:
        raise Conflict("form_changed", "The questions have changed since this form was opened. Please open it again.")
    taken = _read(follow_up.instrument, answers)
    scored = instruments.score(follow_up.instrument, taken)
    follow_up.answers, follow_up.answered_at, follow_up.form_version = taken, now, form.version
    follow_up.score, follow_up.band = scored.score, scored.band
    follow_up.save(update_fields=["answers", "answered_at", "score", "band", "form_version"])
    FollowUpDraft.objects.filter(follow_up=follow_up).delete()
    together.fall_away(follow_up.id, follow_up.patient_id)
    alerts.raise_for_answers(follow_up, now)
    ask_next(follow_up, now)
    return follow_up


def ask_next(follow_up: FollowUp, now: datetime) -> FollowUp | None:
    """The questionnaire that stored answers call for next by the house's rules, made once; None where there is none."""
    met = red_flags.raised(alerts.answered(follow_up), list(red_flags.rules().values()))
    rule = next((rule for rule in met if rule.asks_next), None)
    if rule is None:
        return None
    # It is open for as long as somebody has to act.
    values = {
        "patient_id": follow_up.patient_id,
        "due_at": now,
        "expires_at": now + timedelta(minutes=rule.act_minutes),
    }
    key = {"instrument": rule.asks_next, "anchor": follow_up.anchor, "hours_after": follow_up.hours_after}
    return FollowUp.objects.get_or_create(session_id=follow_up.session_id, **key, defaults=values)[0]


@transaction.atomic
def save_draft(token: str, answers: object, now: datetime) -> FollowUp:
    """Keep what is filled in so far, in place of what was kept before; refused as `open_follow_up` refuses.

    Nothing of it is scored or shown to the clinic: it is not sent. Invalid for a value that the form does not offer.
    """
    follow_up = _find(token, FollowUp.objects.select_for_update(of=("self",), no_key=True))
    if follow_up.answered_at is not None:
        raise _answered()
    _refuse_unless_open(follow_up, now)
    taken = _read(follow_up.instrument, answers, whole=False)
    FollowUpDraft.objects.update_or_create(follow_up=follow_up, defaults={"answers": taken, "saved_at": now})
    return follow_up


def forget_drafts(now: datetime) -> int:
    """Remove drafts of questionnaires whose time is over; how many."""
    return FollowUpDraft.objects.filter(follow_up__expires_at__lte=now).delete()[0]


def drafted(follow_up: FollowUp) -> dict[str, int]:
    """What was filled in and not sent; empty where nothing was."""
    draft: FollowUpDraft | None = getattr(follow_up, "draft", None)
    return dict(draft.answers) if draft else {}


def behind(token: str) -> FollowUp | None:
    """What a link was for, whether it is still open or not; None for a token that is false or of nothing."""
    found = FollowUp.objects.filter(links__token_hash=follow_links.hash_of(token))
    return found.select_related("session__site", "patient").first()


def _find(token: str, among: QuerySet[FollowUp]) -> FollowUp:
    link = FollowUpLink.objects.filter(token_hash=follow_links.hash_of(token)).first()
    if link is None:
        raise NotFound()
    follow_up = among.select_related("session__site", "patient").get(id=link.follow_up_id)
    if link.revoked_at is not None and follow_up.answered_at is None:
        raise Gone("revoked", "This link was closed by the clinic.")
    return follow_up


def _refuse_unless_open(follow_up: FollowUp, now: datetime) -> None:
    if now >= follow_up.expires_at:
        raise Gone("expired", "The time to answer this is over.")
    before = follow_up.anchor == "before_session"
    if follow_up.session.status not in (TO_COME if before else ASKED_AFTER):
        raise Conflict("not_asked", "There is nothing to answer about this visit.")


def _read(instrument: str, answers: object, *, whole: bool = True) -> dict[str, int]:
    try:
        return instruments.read_answers(instrument, answers, whole=whole)
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
