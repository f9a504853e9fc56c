"""The waitlist: who would come sooner or at another time, and what they say to an offer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from accounts.refusals import Conflict, Invalid, RuleBroken, require_version, sql_state
from accounts.rights import is_staff
from scheduler.models import Protocol
from scheduler.walltime import local_date
from sessions import booking, moving
from sessions.door import lock_for_booking
from sessions.facts import zone_of
from sessions.lifecycle import check_move
from sessions.models import EntryStatus, Offer, OfferStatus, WaitlistEntry
from sessions.offering import drop_gone
from sessions.planning import HORIZON_DAYS, order_for, phases_of

if TYPE_CHECKING:
    from accounts.models import Patient, User
    from sessions.lifecycle import Versions
    from sessions.models import Session

# What the database keeps, whoever else enters the same at the same moment.
ALREADY_WAITING: Final = {
    "entry_once_a_session": "This visit is on the waitlist already.",
    "entry_once_a_protocol": "This patient waits for this treatment already.",
}


def enter(
    patient: Patient,
    actor: User,
    now: datetime,
    *,
    protocol: Protocol | None = None,
    session: Session | None = None,
    sessions: int | None = None,
    **wish: Any,
) -> WaitlistEntry:
    """Put somebody on the waitlist, for one booked `session` or for a new series under `protocol`.

    `wish` is `earliest`, `latest` and maybe `time_windows`, as in `WaitlistEntry`.

    Raises:
        Invalid: `another_patient`, `required` or `not_open_ended` for `sessions`. RuleBroken: `in_past`,
            `beyond_horizon`, `protocol_not_approved`. Conflict: `already_waiting`; the session can no longer be
            moved. Forbidden: a patient without an order.
    """
    site = patient.site if session is None else session.site
    today = local_date(now, zone_of(site))
    check_dates(wish["latest"], today)
    if session is not None:
        if session.patient_id != patient.pk:
            raise Invalid("/session", "another_patient", "This session is another patient's.")
        check_move(session, "reschedule", now)
    elif protocol is not None:
        _check_protocol(protocol, patient, sessions, actor, today)
    try:
        with transaction.atomic():
            return WaitlistEntry.objects.create(
                patient=patient, site=site, protocol=protocol, session=session, sessions=sessions, created_by=actor,
                created_at=now, **wish,
            )  # fmt: skip
    except IntegrityError as error:
        _, name = sql_state(error)
        if name not in ALREADY_WAITING:
            raise
        raise Conflict("already_waiting", ALREADY_WAITING[name]) from error


def check_dates(latest: date, today: date) -> None:
    """Refuse a wish for what has passed or lies too far ahead."""
    if latest < today:
        raise RuleBroken("in_past", "The latest date has passed.")
    if latest > today + timedelta(days=HORIZON_DAYS):
        raise RuleBroken("beyond_horizon", f"Sessions are booked at most {HORIZON_DAYS} days ahead.")


def _check_protocol(protocol: Protocol, patient: Patient, sessions: int | None, actor: User, today: date) -> None:
    if protocol.status != Protocol.Status.APPROVED:
        raise RuleBroken("protocol_not_approved", "Only an approved protocol can be planned and booked.")
    phases = phases_of(protocol)
    open_ended = phases[-1].sessions is None
    if open_ended != (sessions is not None):
        code = "required" if open_ended else "not_open_ended"
        raise Invalid("/sessions", code, "Say how many sessions, exactly where the protocol does not.")
    if not is_staff(actor):
        count = sum(phase.sessions or 0 for phase in phases) + (sessions or 0)
        order_for(actor, patient, protocol, count, today)


def change(entry: WaitlistEntry, wish: dict[str, Any], now: datetime, expected: Versions = None) -> WaitlistEntry:
    """Change the dates or times of a wish. What is on offer is withdrawn; the next tick offers what now fits.

    Raises:
        Conflict: `not_waiting`. RuleBroken: see `enter`. Invalid: `empty_range`. Stale: the version has moved on.
    """
    with transaction.atomic():
        entry = _locked(entry, expected)
        check_waits(entry)
        for name, value in wish.items():
            setattr(entry, name, value)
        if entry.latest < entry.earliest:
            raise Invalid("/latest", "empty_range", "The latest date lies before the earliest.")
        check_dates(entry.latest, local_date(now, zone_of(entry.site)))
        entry.save(update_fields=list(wish))
        entry.offers.filter(status=OfferStatus.OPEN).update(status=OfferStatus.GONE, answered_at=now)
    return entry


def withdraw(entry: WaitlistEntry, now: datetime, expected: Versions = None) -> None:
    """Take somebody off the waitlist; what is on offer to them is no longer.

    Raises:
        Conflict: `not_waiting`. Stale: the version has moved on.
    """
    with transaction.atomic():
        entry = _locked(entry, expected)
        check_waits(entry)
        entry.status = EntryStatus.WITHDRAWN
        entry.save(update_fields=["status"])
        entry.offers.filter(status=OfferStatus.OPEN).update(status=OfferStatus.GONE, answered_at=now)


def _locked(entry: WaitlistEntry, expected: Versions) -> WaitlistEntry:
    found = WaitlistEntry.objects.select_for_update(of=("self",)).select_related("site").get(pk=entry.pk)
    require_version(expected, found.version)
    return found


def check_waits(entry: WaitlistEntry) -> None:
    """Refuse to change a wish that is filled or over."""
    if entry.status != EntryStatus.WAITING:
        raise Conflict("not_waiting", "This wish is no longer waiting.")


def check_is_open(offer: Offer, now: datetime) -> None:
    """Refuse an answer to an offer that is no longer open.

    Raises:
        Conflict: `already_done` where it was accepted, `offer_declined`, `offer_expired`, `offer_gone`.
    """
    if offer.status == OfferStatus.ACCEPTED:
        raise Conflict("already_done", "This offer has been accepted already.")
    if offer.status == OfferStatus.OPEN and offer.expires_at <= now:
        raise Conflict("offer_expired", "The time to answer is over.")
    if offer.status != OfferStatus.OPEN:
        raise Conflict(f"offer_{offer.status}", "This offer is no longer open.")


def accept(offer: Offer, actor: User, now: datetime, expected: Versions = None) -> Offer:
    """Take the place: the session moves there, or the series is booked; the old place is free in the same moment.

    Raises:
        Conflict: see `check_is_open`; `offer_gone` where somebody was quicker. Stale: the version has moved on.
    """
    try:
        with transaction.atomic():
            return _accept(offer, actor, now, expected)
    except (RuleBroken, Conflict) as refused:
        if refused.code in ("already_done", "try_again") or refused.code.startswith("offer_"):
            raise
        lost = Offer.objects.filter(pk=offer.pk, status=OfferStatus.OPEN)
        lost.update(status=OfferStatus.GONE, answered_at=now)
        raise Conflict("offer_gone", "Somebody was quicker: this place has gone.") from refused


def _accept(offer: Offer, actor: User, now: datetime, expected: Versions) -> Offer:
    zone = zone_of(offer.site)
    days = [local_date(at, zone) for at in (offer.start, *([offer.session.start] if offer.session else []))]
    plan = offer.plan
    if plan is not None:
        days += booking.plan_dates(plan)
    lock_for_booking(offer.patient_id, offer.site_id, days, [offer.session_id] if offer.session_id else [])
    rows = Offer.objects.select_for_update(of=("self", "entry"))
    offer = rows.select_related("site", "entry", "session__site", "patient__site", "plan__protocol").get(pk=offer.pk)
    require_version(expected, offer.version)
    check_is_open(offer, now)
    check_waits(offer.entry)
    if offer.session is not None:
        moving.move_by_offer(offer.session, offer.start, actor, now)
    elif offer.plan is not None:
        booking.book_series(offer.plan, offer.patient, offer.plan.protocol, actor, now)
    offer.status, offer.answered_at = OfferStatus.ACCEPTED, now
    offer.save(update_fields=["status", "answered_at"])
    offer.entry.status = EntryStatus.FILLED
    offer.entry.save(update_fields=["status"])
    drop_gone(offer.site, now, days)
    return offer


def decline(offer: Offer, now: datetime, expected: Versions = None) -> Offer:
    """Leave the place to others; the wish goes on waiting.

    Raises:
        Conflict: see `check_is_open`. Stale: the version has moved on.
    """
    with transaction.atomic():
        offer = Offer.objects.select_for_update(of=("self",)).get(pk=offer.pk)
        require_version(expected, offer.version)
        check_is_open(offer, now)
        offer.status, offer.answered_at = OfferStatus.DECLINED, now
        offer.save(update_fields=["status", "answered_at"])
    return offer
