"""The rest of a series anew: its sessions to come move to a plan's places, all or none; and what a prescriber changes.

Sessions that stay put are not touched. Each that moves stays the same session, with its identity and history.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, OperationalError, transaction

from accounts.models import Role
from accounts.refusals import Conflict, Fault, Invalid, RuleBroken, require_version
from accounts.rights import holds
from scheduler import planner
from scheduler.treatment import TreatmentError, parse_phases
from scheduler.walltime import local_date
from sessions import booking, events
from sessions.course import ENDED, adjusted, phases_of_series, standing_dates
from sessions.door import as_conflict, check_constraints, lock_for_booking
from sessions.facts import INSTANTS, zone_of
from sessions.lifecycle import lock_series
from sessions.models import GONE, TO_COME, Plan, Series, SeriesStatus, Session, SessionStatus
from sessions.policy import check_cut_off
from sessions.rest import Rest, check_fits, check_is_open, check_order, fresh_rest, in_order, rest_of

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import User
    from sessions.lifecycle import Versions

    Seen = tuple[UUID, Versions]

WAITING = (SeriesStatus.NEEDS_REVIEW, SeriesStatus.ON_HOLD)


def replan(
    series: Series, plan: Plan, actor: User, now: datetime, expected: Versions = None, seen: Seen | None = None
) -> Series:
    """Move the rest of a series to a plan, all or nothing. A series that waited for a clinician then goes on.

    `seen` is one of its sessions with the versions in which it was seen, where it is that session that is moved.

    Raises:
        Conflict: the series has ended; `needs_review` for whoever is no prescriber; the plan is no longer open or no
            longer fits (`plan_stale`), or the code of what was taken meanwhile, with fresh `plans`.
        RuleBroken: `plan_mismatch`. Forbidden: a patient without a fitting order. Stale: the version has moved on.
    """
    try:
        with transaction.atomic():
            return _replan(series, plan, actor, now, expected, seen)
    except Conflict as lost:
        lost.extra["plans"] = fresh_rest(series, plan, actor, now)
        raise
    except (IntegrityError, OperationalError) as error:
        clash = as_conflict(error)
        clash.extra["plans"] = fresh_rest(series, plan, actor, now)
        raise clash from error


def check_can_be_replanned(series: Series, actor: User) -> None:
    """Refuse the rest of a series that has ended, or that waits for a clinician where the actor is none."""
    check_is_open(series)
    if series.status in WAITING and not holds(actor, Role.PRESCRIBER):
        raise Conflict("needs_review", "This series waits for a prescriber, who may plan the rest of it.")


def _replan(series: Series, plan: Plan, actor: User, now: datetime, expected: Versions, seen: Seen | None) -> Series:
    rows = list(series.sessions.exclude(status__in=ENDED))
    zone = zone_of(series.site)
    dates = [local_date(row.start, zone) for row in rows] + booking.plan_dates(plan)
    lock_for_booking(series.patient_id, series.site_id, dates, [row.pk for row in rows])
    plan = Plan.objects.select_for_update(of=("self",)).select_related("site", "protocol").get(pk=plan.pk)
    series = lock_series(series, expected)
    if seen is not None:
        require_version(seen[1], series.sessions.get(pk=seen[0]).version)
    check_can_be_replanned(series, actor)
    booking.check_plan_is_open(plan, actor, now)
    rest = rest_of(series, now, plan.request["sessions"])
    if {row.pk for row in rest.live.values()} - {row.pk for row in rows}:
        raise Conflict("try_again", "The series was just changed. Please look again.")
    check_fits(rest, plan)
    check_order(rest, actor, now)
    _write(rest, booking.take_room(plan, series.patient, actor, now, rest.own), actor, now)
    plan.booked_as, plan.held_by, plan.held_until = series, None, None
    plan.save(update_fields=["booked_as", "held_by", "held_until"])
    series.status, series.replace_by = SeriesStatus.ACTIVE, None
    if _out_of_step(series, now):
        series.status = SeriesStatus.NEEDS_REVIEW
    series.save(update_fields=["status", "replace_by"])
    check_constraints()
    return series


def _write(rest: Rest, rows: list[dict[str, Any]], actor: User, now: datetime) -> None:
    new = [booking.session_of(rest.series, row) for row in rows if row["sequence"] not in rest.live]
    for row in rows:
        if row["sequence"] in rest.live:
            move_to(rest.live[row["sequence"]], row, actor, now, reason="the rest of the series was planned anew")
    made = Session.objects.bulk_create(new)
    events.record_many(made, "booked", actor, now)
    for session in rest.beyond:
        before = events.standing(session)
        session.status = SessionStatus.CANCELLED
        session.save(update_fields=["status"])
        events.record(session, "cancelled", actor, now, before=before, reason="the treatment ends before")


def move_to(
    session: Session, row: dict[str, Any], actor: User | None, now: datetime, *, reason: str = "", system: str = ""
) -> bool:
    """Write another place on a locked session; whether anything of it changed.

    `row` is one of `Plan.sessions`. The same start with another chair or other people is no move: nobody is told.
    """
    before = events.standing(session)
    start = session.start
    for name in ("phase", "ordinal", "acuity"):
        setattr(session, name, row.get(name, getattr(session, name)))
    for name in INSTANTS:
        setattr(session, name, datetime.fromisoformat(row[name]))
    session.chair_id, session.nurse_id, session.prescriber_id = row["chair"], row["nurse"], row["prescriber"]
    if "chair_kind" in row:
        for name, asked in booking.asked_of(row).items():
            setattr(session, name, asked)
    moved = session.start != start
    session.placed_by_hand = False
    if moved:
        session.status = SessionStatus.BOOKED
    if events.standing(session) == before:
        return False
    check_cut_off(session, actor, now) if moved and actor is not None else None
    session.save()
    kind = "rescheduled" if moved else "laid_anew"
    events.record(session, kind, actor, now, before=before, reason=reason, system=system)
    return True


def adjust(
    series: Series, change: dict[str, Any], reason: str, actor: User, now: datetime, expected: Versions = None
) -> Series:
    """A prescriber gives one phase of this course another spacing or another number of sessions.

    `change` is `{phase, spacing?, sessions?}`. Where what is booked no longer fits, the series needs a review until
    the rest is planned anew.

    Raises:
        Conflict: the series has ended. Invalid: what is wrong with the phase. RuleBroken: `phase_shorter_than_given`.
    """
    with transaction.atomic():
        series = lock_series(series, expected)
        check_is_open(series)
        entry = {**change, "reason": reason, "by": str(actor.pk), "at": now.isoformat()}
        series.adjustments = [*series.adjustments, entry]
        _check_adjusted(series, change["phase"])
        if series.status == SeriesStatus.ACTIVE and not _fits(series, now):
            series.status = SeriesStatus.NEEDS_REVIEW
        series.save(update_fields=["adjustments", "status"])
    return series


def _check_adjusted(series: Series, name: str) -> None:
    phases = adjusted(series.protocol.phases, series.adjustments)
    place = next((place for place, phase in enumerate(phases) if phase["name"] == name), None)
    if place is None:
        raise Invalid("/phase", "unknown_phase", "The protocol has no phase of this name.")
    try:
        parsed = parse_phases(phases)
    except TreatmentError as error:
        faults = [
            Fault(pointer=p.pointer.removeprefix(f"/{place}"), code=p.code, detail=p.detail) for p in error.problems
        ]
        raise Invalid.many(faults) from None
    given = series.sessions.filter(phase=name).exclude(status__in=(*GONE, "booked", "confirmed")).count()
    wanted = parsed[place].sessions
    if wanted is not None and wanted < given:
        raise RuleBroken("phase_shorter_than_given", f"{given} sessions of this phase have been given already.")


def _fits(series: Series, now: datetime) -> bool:
    """Whether what is booked is what the treatment, as adjusted, wants."""
    rest = rest_of(series, now)
    complete = len(rest.live) == len(rest.visits) and not rest.beyond
    phases = {row.sequence: row.phase for row in rest.live.values()}
    named = all(phases.get(visit.sequence) == visit.phase for visit in rest.visits)
    return complete and named and not _out_of_step(series, now)


def _out_of_step(series: Series, now: datetime) -> bool:
    """Whether a session to come breaks the spacing: one before a visit that came early counts too, though it stays."""
    rows = series.sessions.filter(status__in=TO_COME, start__gt=now)
    to_come = set(rows.values_list("sequence", flat=True))
    problems = planner.check_spacing(phases_of_series(series), in_order(standing_dates(series)))
    return any(each.sequence in to_come for each in problems)
