"""Moving one session to another start. It stays the same session: identity, history and place in the series remain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from accounts.refusals import Conflict, RuleBroken, require_version
from scheduler import day as days
from scheduler import treatment
from scheduler.phases import SLOT_MINUTES
from scheduler.walltime import local_date
from sessions import booking, events, replanning
from sessions.course import visit_at
from sessions.door import as_conflict, check_constraints, lock_for_booking, lock_sessions_of
from sessions.facts import SLOT, instants, site_days, zone_of
from sessions.laying import lay_anew
from sessions.lifecycle import MOVES, check_move
from sessions.models import Session, SessionStatus
from sessions.planning import HORIZON_DAYS
from sessions.policy import check_cut_off
from sessions.rest import new_problems, smallest_replan

if TYPE_CHECKING:
    from accounts.models import User
    from sessions.lifecycle import Versions
    from sessions.models import Plan

# Rules between the sessions of a series; where one is broken, the rest may be moved instead.
SPACING = frozenset({"gap_too_short", "gap_too_long", "span", "window"})
# What stands in the way may be gone in a minute (409) or is a rule of the house (422).
TAKEN = frozenset({"chair_taken", "ratio_exceeded", "patient_busy"})


def reschedule(session: Session, start: datetime, actor: User, now: datetime, expected: Versions = None) -> Session:
    """Move a session to `start` (aware), to whichever chair, nurse and prescriber can have it then.

    Raises:
        RuleBroken: `offset_mismatch`, `off_grid`, `in_past`, `beyond_horizon`, or the code of the day's rule that
            forbids it; `gap_too_short`, `gap_too_long`, `span`, `window` with `plans`: the smallest change of the rest
            of the series that has this session at `start`, [] where there is none. Conflict: the state forbids it, the
            same start (`already_done`), `too_late` for a patient, or what is taken then. Stale: the version moved on.
    """
    check_instant(session, start, now)
    try:
        with transaction.atomic():
            return _reschedule(session, start, actor, now, expected)
    except RuleBroken as broken:
        if broken.code in SPACING:
            broken.extra["plans"] = smallest_replan(session, start, actor, now)
        raise
    except (IntegrityError, OperationalError) as error:
        raise as_conflict(error) from error


def move_by_offer(session: Session, start: datetime, actor: User, now: datetime) -> Session:
    """Move a session to a place that the clinic itself has offered: no cut-off holds. In the caller's transaction.

    Raises:
        RuleBroken, Conflict: see `reschedule`.
    """
    check_instant(session, start, now)
    return _reschedule(session, start, actor, now, None, offered=True)


def take_place(session: Session, plan: Plan, actor: User, now: datetime, expected: Versions = None) -> Session:
    """Move a session to the place that a plan offers it, or its series to the plan in which it has another place.

    Raises:
        RuleBroken: `plan_mismatch` for a plan of something else. Conflict: see `reschedule` and `replanning.replan`.
    """
    if plan.session_id == session.pk:
        booking.check_plan_is_open(plan, actor, now)
        return reschedule(session, datetime.fromisoformat(plan.sessions[0]["start"]), actor, now, expected)
    if plan.series_id != session.series_id or plan.session_id is not None:
        raise RuleBroken("plan_mismatch", "This plan was not made for this session.")
    replanning.replan(session.series, plan, actor, now, seen=(session.pk, expected))
    session.refresh_from_db()
    return session


def check_instant(session: Session, start: datetime, now: datetime) -> None:
    """Refuse a start that no session of the site can have, whatever the day holds. Raises RuleBroken."""
    zone = zone_of(session.site)
    if start.utcoffset() not in (timedelta(0), start.astimezone(zone).utcoffset()):
        raise RuleBroken("offset_mismatch", "At that instant the site's clock has another offset; UTC always does.")
    if start <= now:
        raise RuleBroken("in_past", "This start lies in the past.")
    if local_date(start, zone) > local_date(now, zone) + timedelta(days=HORIZON_DAYS):
        raise RuleBroken("beyond_horizon", f"Sessions are booked at most {HORIZON_DAYS} days ahead.")
    wall = start.astimezone(zone)
    if wall.minute % SLOT_MINUTES or wall.second or wall.microsecond:
        raise RuleBroken("off_grid", f"Starts lie on marks of {SLOT_MINUTES} minutes.")


def _reschedule(
    session: Session, start: datetime, actor: User, now: datetime, expected: Versions, *, offered: bool = False
) -> Session:
    zone = zone_of(session.site)
    both = [local_date(session.start, zone), local_date(start, zone)]
    lock_for_booking(session.patient_id, session.site_id, both, [session.pk])
    session = Session.objects.select_related("site", "series__protocol", "patient").get(pk=session.pk)
    require_version(expected, session.version)
    check_move(session, "reschedule", now)
    if not offered:
        check_cut_off(session, actor, now)
    if session.start == start:
        raise Conflict("already_done", "The session is at that time already.")
    check_spacing(session, start)
    before = events.standing(session)
    visit = visit_at(session.series, session.sequence)
    placed = _place(session, visit, start, actor, now)
    session.placed_by_hand = False
    take(session, visit, start, placed)
    session.save()
    events.record(session, MOVES["reschedule"].event, actor, now, before=before)
    check_constraints()
    session.refresh_from_db()
    return session


def take(session: Session, visit: treatment.Visit, start: datetime, placed: days.Placement) -> None:
    """Put the unsaved session at a start, with whom it was given there."""
    if session.start != start:
        # A confirmation was of the time that was; the new one has to be confirmed anew.
        session.status = SessionStatus.BOOKED
    for name, at in instants(visit, start).items():
        setattr(session, name, at)
    session.chair_id, session.nurse_id, session.prescriber_id = map(
        UUID, (placed.chair, placed.nurse, placed.prescriber)
    )


def check_spacing(session: Session, start: datetime) -> None:
    """Refuse a date that breaks the series' spacing where it was kept before; lost sessions stand where they stood."""
    problems = new_problems(session.series, session.sequence, local_date(start, zone_of(session.site)))
    if problems:
        raise RuleBroken(problems[0].code, problems[0].detail, session=problems[0].sequence)


def _place(session: Session, visit: treatment.Visit, start: datetime, actor: User, now: datetime) -> days.Placement:
    """Where the session can be at `start`; its present chair, nurse and prescriber are kept where they are free.

    Where others have to make room they are laid anew.
    """
    placed = _placement(session, visit, start, actor, now)
    if placed.moved:
        zone = zone_of(session.site)
        lock_sessions_of(session.site_id, [local_date(start, zone)], zone)
        placed = _placement(session, visit, start, actor, now)
        lay_anew(placed.moved, now)
    return placed


def _placement(session: Session, visit: treatment.Visit, start: datetime, actor: User, now: datetime) -> days.Placement:
    day, need, slot = asked_of_day(session, visit, start, actor, now)
    placed = days.place(day, need, slot, standing_place(session))
    if isinstance(placed, days.Refusal):
        raise as_refusal(placed)
    return placed


def standing_place(session: Session) -> days.Place:
    """Who has the session as it stands."""
    return days.Place(str(session.chair_id), str(session.nurse_id), str(session.prescriber_id))


def asked_of_day(
    session: Session, visit: treatment.Visit, start: datetime, actor: User, now: datetime
) -> tuple[days.Day, days.Need, int]:
    """The day of a start without the session itself, what the session asks of it, and the start's slot."""
    date = local_date(start, zone_of(session.site))
    day = site_days(session.site, [date], session.patient, actor, now, leaving_out=[session.pk])[0]
    wished = session.wished_provider_id
    need = days.Need.of(visit, session.wished_chair_kind or None, None if wished is None else str(wished))
    return day, need, (start - day.first_instant) // SLOT


def as_refusal(refusal: days.Refusal) -> Conflict | RuleBroken:
    """A day's refusal as the API says it."""
    kind = Conflict if refusal.code in TAKEN else RuleBroken
    return kind(refusal.code, refusal.detail)
