"""Booking: a plan becomes a series, all sessions or none."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import IntegrityError, OperationalError, connection, transaction

from accounts.audit import read_of
from accounts.prepared import insert
from accounts.refusals import Conflict, Forbidden, RuleBroken
from accounts.rights import is_staff
from scheduler import day as days
from scheduler import treatment
from scheduler.models import Protocol
from scheduler.walltime import local_date
from sessions import events
from sessions.adverse_events import on_hold
from sessions.as_planned import numbers_of, open_plan
from sessions.course import phases_of_series
from sessions.door import as_conflict, check_constraints, lock_for_booking, lock_sessions_of
from sessions.facts import INSTANTS, SLOT, site_days, zone_of
from sessions.laying import lay_anew
from sessions.models import Plan, Series, Session
from sessions.planning import fresh_plans, order_for, phases_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from accounts.models import Patient, User
    from sessions.facts import Known


def book_series(
    plan: Plan, patient: Patient, protocol: Protocol, user: User, now: datetime, shown: bool = False
) -> Series:
    """Book a plan for a patient: one transaction, all sessions or none.

    `shown`: it will be shown to the user, which is written down with it (`noted`).

    Raises:
        Conflict: `plan_booked`, `plan_expired`, `plan_held`, `plan_of_another_patient`, `patient_on_hold`, or the code
            of what was taken meanwhile; each with fresh `plans`.
        RuleBroken: `protocol_mismatch`, `protocol_not_approved`. Forbidden: a patient without a fitting order.
    """
    try:
        with transaction.atomic():
            return _book(plan, patient, protocol, user, now, shown)
    except Conflict as lost:
        lost.extra["plans"] = fresh_plans(plan, patient, user, now)
        raise
    except (IntegrityError, OperationalError) as error:
        clash = as_conflict(error)
        clash.extra["plans"] = fresh_plans(plan, patient, user, now)
        raise clash from error


def _book(plan: Plan, patient: Patient, protocol: Protocol, user: User, now: datetime, shown: bool) -> Series:
    dates = plan_dates(plan)
    lock_for_booking(patient.pk, plan.site_id, dates)
    plan, patient_on_hold, stands, known = open_plan(plan, dates, patient, user, now)
    check_plan_is_open(plan, user, now)
    if plan.series_id is not None:
        raise RuleBroken("plan_mismatch", "This plan is for the rest of a series that is booked already.")
    if plan.patient_id not in (None, patient.pk):
        raise Conflict("plan_of_another_patient", "This plan was made for another patient.")
    if plan.protocol_id != protocol.pk:
        raise RuleBroken("protocol_mismatch", "This plan was made for another protocol.")
    if protocol.status != Protocol.Status.APPROVED:
        raise RuleBroken("protocol_not_approved", "Only an approved protocol can be planned and booked.")
    if plan.site.organization_id != patient.site.organization_id:
        raise Forbidden()
    order = None
    if not is_staff(user):
        order = order_for(user, patient, protocol, len(plan.sessions), max(dates))
    if patient_on_hold:
        raise on_hold()
    if stands:
        rows = [{**row, **wishes_of(plan)} for row in plan.sessions]
    else:
        rows = take_room(plan, patient, user, now, known=known)
    series = Series(patient=patient, protocol=protocol, site=plan.site, order=order, created_by=user, created_at=now)
    return _write(plan, series, [session_of(series, row) for row in rows], user, now, shown)


BOOKED = "UPDATE infusion_sessions_plan SET booked_as_id = %s, held_by_id = NULL, held_until = NULL WHERE id = %s"


def _write(plan: Plan, series: Series, sessions: list[Session], user: User, now: datetime, shown: bool) -> Series:
    """Write the series, its sessions and their history, whom it is shown to, and that the plan is booked."""
    history = [events.made(session, "booked", user, now) for session in sessions]
    reads = [read_of(user.pk, series, now)] if shown else []
    insert([[series], sessions, history, reads], BOOKED, [series.pk, plan.pk])
    series.noted = shown  # type: ignore[attr-defined]
    if connection.savepoint_ids:
        # Whoever began the transaction learns only here what the database forbids; else its commit tells.
        check_constraints()
    return _whole(series, sessions)


def _whole(series: Series, sessions: list[Session]) -> Series:
    """The series as a fresh look would find it: with its sessions, and the version that moves with all of them."""
    series._prefetched_objects_cache = {"sessions": sessions}  # type: ignore[attr-defined]
    series.version = series.row_version + sum(session.version for session in sessions)  # type: ignore[attr-defined]
    return series


def check_plan_is_open(plan: Plan, user: User, now: datetime) -> None:
    """Raise Conflict where the plan has been booked, has expired, or is held by somebody else."""
    if plan.booked_as_id is not None:
        raise Conflict("plan_booked", "This plan has been booked already.")
    if plan.expires_at <= now:
        raise Conflict("plan_expired", "This plan is too old to be booked.")
    if plan.held_by_id not in (None, user.pk) and plan.held_until is not None and plan.held_until > now:
        raise Conflict("plan_held", "Somebody else is holding this plan just now.")


def plan_dates(plan: Plan) -> list[date]:
    """The site-local dates of a plan's sessions, in order."""
    zone = zone_of(plan.site)
    return [local_date(datetime.fromisoformat(row["start"]), zone) for row in plan.sessions]


def wishes_of(plan: Plan) -> dict[str, Any]:
    """What the request behind a plan wishes for, as each of its sessions keeps it."""
    return {"chair_kind": plan.request["chair_kind"], "provider": plan.request["provider"]}


def take_room(
    plan: Plan,
    patient: Patient | None,
    user: User,
    now: datetime,
    leaving_out: Collection[UUID] = (),
    known: Known | None = None,
) -> list[dict[str, Any]]:
    """`find_room` for who books now: other sessions that have to make room are laid anew. Under the door's locks.

    What is `known` of the days is not asked again.

    Raises:
        Conflict: as `find_room` does.
    """
    room = _room(plan, patient, user, now, leaving_out, known)
    if room.moved:
        lock_sessions_of(plan.site_id, plan_dates(plan), zone_of(plan.site))
        # Some of them may have begun before their rows were locked.
        room = _room(plan, patient, user, now, leaving_out, known)
        lay_anew(room.moved, now)
    return room.rows


class Room(NamedTuple):
    """A plan's sessions with their places, who moves for them, and what the plan is to remember (`Plan.numbers`)."""

    rows: list[dict[str, Any]]
    moved: dict[str, days.Place]
    numbers: list[int] | None


def find_room(plan: Plan, patient: Patient | None, user: User, now: datetime) -> Room:
    """The plan's sessions as they can be had now: at their planned starts, with other people where the planned ones
    have gone; where others would have to make room, as if they had.

    Raises:
        Conflict: with the code of the rule that a session would break, and its `session` number.
    """
    return _room(plan, patient, user, now, ())


def _room(
    plan: Plan,
    patient: Patient | None,
    user: User,
    now: datetime,
    leaving_out: Collection[UUID],
    known: Known | None = None,
) -> Room:
    """`find_room` without the sessions `leaving_out`: the plan moves them itself."""
    phases = phases_of(plan.protocol) if plan.series is None else phases_of_series(plan.series)
    last = max(row["sequence"] for row in plan.sessions)
    visits = {visit.sequence: visit for visit in islice(treatment.every_visit(phases), last)}
    dates, wishes = plan_dates(plan), wishes_of(plan)
    site = site_days(plan.site, dates, patient, user, now, [plan.pk, *leaving_out], known)
    by_date = {day.date: day for day in site}
    rows, moved, alone = [], {}, []
    for row, on in zip(plan.sessions, dates, strict=True):
        need = days.Need.of(visits[row["sequence"]], **wishes)
        place, others = _room_for(row, by_date[on], need)
        rows.append({**row, **place._asdict(), **wishes})
        moved.update(others)
        alone.append((on, not others))
    return Room(rows, moved, numbers_of(by_date, alone))


def _room_for(row: dict[str, Any], day: days.Day, need: days.Need) -> tuple[days.Place, dict[str, days.Place]]:
    """Where one planned session can be: where it was planned, if that is free; and who moves for it."""
    slot = (datetime.fromisoformat(row["start"]) - day.first_instant) // SLOT
    planned = days.Place(row["chair"], row["nurse"], row["prescriber"])
    found = days.seated(day, need, slot, planned)
    if isinstance(found, days.Refusal):
        raise Conflict(found.code, found.detail, session=row["sequence"])
    return found.pop(""), found


def session_of(series: Series, row: dict[str, Any]) -> Session:
    """An unsaved session of the series at a plan's place."""
    return Session(
        series=series,
        patient_id=series.patient_id,
        site_id=series.site_id,
        sequence=row["sequence"],
        phase=row["phase"],
        ordinal=row["ordinal"],
        acuity=row["acuity"],
        **asked_of(row),
        chair_id=row["chair"],
        nurse_id=row["nurse"],
        prescriber_id=row["prescriber"],
        **{name: datetime.fromisoformat(row[name]) for name in INSTANTS},
    )


def asked_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a plan's session asks of chairs and people, as a session keeps it."""
    return {
        "chair_kinds": row.get("kinds", []),
        "chair_features": row.get("features", []),
        "wished_chair_kind": row.get("chair_kind") or "",
        "wished_provider_id": row.get("provider"),
    }
