"""A session's life: one table of moves, and one use case for each. Every move writes one event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.refusals import Conflict, require_version
from scheduler.walltime import local_date
from sessions import events
from sessions.course import is_over, settle, without_hold
from sessions.door import check_constraints, lock_for_booking
from sessions.facts import zone_of
from sessions.models import TO_COME, Series, SeriesStatus, Session, SessionStatus
from sessions.policy import check_cut_off, is_late

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import User

# The versions that `If-Match` names, None where a change is unconditional.
Versions = frozenset[str] | None

BOOKED, CONFIRMED, ARRIVED = SessionStatus.BOOKED, SessionStatus.CONFIRMED, SessionStatus.ARRIVED
INFUSING, RECOVERING = SessionStatus.INFUSING, SessionStatus.RECOVERING
COMPLETED, STOPPED_EARLY = SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY
ENDED: Final = frozenset({COMPLETED, STOPPED_EARLY, SessionStatus.CANCELLED, SessionStatus.NO_SHOW})


@dataclass(frozen=True)
class Move:
    """One verb: the states it starts from, the states it may lead to, and the event that it leaves."""

    sources: frozenset[SessionStatus]
    targets: frozenset[SessionStatus]
    event: str


def _move(sources: set[SessionStatus], targets: set[SessionStatus], event: str) -> Move:
    return Move(frozenset(sources), frozenset(targets), event)


# The whole life. A verb that leads to a state it starts from changes something else (a time, a pause, a gate).
MOVES: Final[dict[str, Move]] = {
    "confirm": _move({BOOKED}, {CONFIRMED}, "confirmed"),
    "reschedule": _move({BOOKED, CONFIRMED}, {BOOKED}, "rescheduled"),
    # Another chair or nurse at the same time; at another time it is a `reschedule` to just that place.
    "reseat": _move({BOOKED, CONFIRMED}, set(), "reseated"),
    "cancel": _move({BOOKED, CONFIRMED, ARRIVED}, {SessionStatus.CANCELLED}, "cancelled"),
    "no-show": _move({BOOKED, CONFIRMED}, {SessionStatus.NO_SHOW}, "no_show"),
    "arrive": _move({BOOKED, CONFIRMED}, {ARRIVED}, "arrived"),
    "preparation": _move({BOOKED, CONFIRMED, ARRIVED}, set(), "prepared"),
    "gates": _move({BOOKED, CONFIRMED, ARRIVED, INFUSING, RECOVERING}, set(), "gate"),
    "start": _move({ARRIVED}, {INFUSING}, "started"),
    "vitals": _move({INFUSING, RECOVERING}, set(), "vitals"),
    "slow": _move({INFUSING}, set(), "slowed"),
    "pause": _move({INFUSING}, set(), "paused"),
    "resume": _move({INFUSING}, set(), "resumed"),
    "stop": _move({INFUSING}, {RECOVERING}, "stopped"),
    "finish-infusion": _move({INFUSING}, {RECOVERING}, "infusion_finished"),
    "adverse-events": _move({ARRIVED, INFUSING, RECOVERING, COMPLETED, STOPPED_EARLY}, set(), "adverse_event"),
    "discharge": _move({RECOVERING}, {COMPLETED, STOPPED_EARLY}, "discharged"),
}


def pairs() -> frozenset[tuple[str, str]]:
    """Every (from, to) that the table allows; the database keeps the same list."""
    return frozenset(
        (source.value, target.value)
        for move in MOVES.values()
        for source in move.sources
        for target in move.targets
        if source != target
    )


def allowed(session: Session, now: datetime) -> list[str]:
    """The verbs that the session's state allows now, in alphabetical order."""
    return sorted(
        verb for verb, move in MOVES.items() if session.status in move.sources and not _barred(session, verb, now)
    )


def _barred(session: Session, verb: str, now: datetime) -> str | None:
    """Why a verb is not possible although the status would allow it, as a code."""
    if verb == "no-show" and now < session.start:
        return "not_yet"
    if verb == "pause" and session.paused_at is not None:
        return "already_done"
    if verb == "resume" and session.paused_at is None:
        return "not_paused"
    return None


def check_move(session: Session, verb: str, now: datetime) -> None:
    """Refuse a verb that the session's state does not allow.

    Raises:
        Conflict: `already_done` with `by` and `at` of the move that was made; else `not_yet`, `not_paused` or
            `not_allowed`; always with the moves `allowed`.
    """
    move = MOVES[verb]
    code = _barred(session, verb, now) if session.status in move.sources else "not_allowed"
    if code is None:
        return
    if code == "already_done" or (session.status not in move.sources and _was_made(session, verb)):
        raise _already_done(session, verb, now)
    raise Conflict(
        code,
        f"A session that is {session.get_status_display().lower()} cannot {verb.replace('-', ' ')} now.",
        allowed=allowed(session, now),
    )


def _was_made(session: Session, verb: str) -> bool:
    """Whether the move lies behind the session: its target is where it stands, or an event tells of it."""
    if verb == "confirm":
        return session.status == CONFIRMED
    return session.events.filter(kind=MOVES[verb].event).exists()


def _already_done(session: Session, verb: str, now: datetime) -> Conflict:
    event = session.events.filter(kind=MOVES[verb].event).order_by("-id").first()
    return Conflict(
        "already_done",
        "This has been done already.",
        allowed=allowed(session, now),
        by=str(event.actor_id) if event is not None and event.actor_id else None,
        at=event.at.isoformat() if event is not None else None,
    )


def make_move(
    session: Session,
    verb: str,
    actor: User | None,
    now: datetime,
    *,
    change: Callable[[Session], None] = lambda session: None,
    reason: str = "",
    also: dict[str, Any] | None = None,
    expected: Versions = None,
    target: SessionStatus | None = None,
    system: str = "",
) -> Session:
    """Make one move under the session's lock: check again, change, write the event, let the database judge.

    `change` sets what the verb brings with it on the locked row; `expected` are the versions that the caller has seen.
    Without an `actor`, `system` names the part of the system that speaks for the patient.

    Raises:
        Conflict: see `check_move`. Stale: the version has moved on.
    """
    with transaction.atomic():
        session = lock_session(session)
        require_version(expected, session.version)
        check_move(session, verb, now)
        before = events.standing(session)
        change(session)
        targets = MOVES[verb].targets
        if targets:
            session.status = target or next(iter(targets))
        session.save()
        events.record(session, MOVES[verb].event, actor, now, before=before, reason=reason, also=also, system=system)
        check_constraints()
        settle(session, now)
        session.refresh_from_db()
    return session


def lock_session(session: Session) -> Session:
    """Lock a session and its day as the door demands, and return it as it stands.

    Raises:
        Conflict: `try_again` where it has just been moved to another day, whose lock would come too late.
    """
    zone = zone_of(session.site)
    day = local_date(session.start, zone)
    lock_for_booking(session.patient_id, session.site_id, [day], [session.pk])
    locked = Session.objects.select_related("site", "series__protocol", "patient").get(pk=session.pk)
    if local_date(locked.start, zone) != day:
        raise Conflict("try_again", "The session has just been moved to another day. Please look again.")
    return locked


def confirm(
    session: Session, actor: User | None, now: datetime, expected: Versions = None, *, system: str = ""
) -> Session:
    """The patient says that they will come; by themselves or by a text, where `system` says so."""
    return make_move(session, "confirm", actor, now, expected=expected, system=system)


def arrive(session: Session, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The patient is here; on an earlier day too, which the event says."""
    zone = zone_of(session.site)
    early = local_date(now, zone) < local_date(session.start, zone)

    def change(row: Session) -> None:
        row.arrived_at = now

    return make_move(session, "arrive", actor, now, change=change, also={"early": early}, expected=expected)


def mark_no_show(session: Session, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The patient did not come; possible once the start has passed."""
    return make_move(session, "no-show", actor, now, expected=expected)


def cancel(session: Session, reason: str, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The session will not take place; its chair and people are free again. Marked where it is late.

    Raises:
        Conflict: `too_late` for a patient within the site's cut-off.
    """
    late = is_late(session, now)

    def change(row: Session) -> None:
        check_cut_off(row, actor, now)
        row.cancelled_late = late

    also = {"late": True} if late else None
    return make_move(session, "cancel", actor, now, change=change, also=also, reason=reason, expected=expected)


def cancel_series(series: Series, reason: str, actor: User, now: datetime, expected: Versions = None) -> Series:
    """Cancel what is still to come of a series, all of it or nothing.

    Raises:
        Conflict: `already_done`, or `session_running` where a session has begun and not ended.
    """
    with transaction.atomic():
        zone = zone_of(series.site)
        starts = series.sessions.values_list("start", flat=True)
        days = {local_date(at, zone) for at in starts}
        lock_for_booking(series.patient_id, series.site_id, days, series.sessions.values_list("pk", flat=True))
        series = lock_series(series, expected)
        check_can_be_cancelled(series)
        for session in series.sessions.filter(status__in=TO_COME).select_related("site").order_by("pk"):
            check_cut_off(session, actor, now)
            before = events.standing(session)
            session.status, session.cancelled_late = SessionStatus.CANCELLED, is_late(session, now)
            session.save(update_fields=["status", "cancelled_late"])
            also = {"late": True} if session.cancelled_late else None
            events.record(session, "cancelled", actor, now, before=before, reason=reason, also=also)
        # A held series stays held: only a prescriber ends that.
        held = series.status == SeriesStatus.ON_HOLD
        series.status, series.replace_by = SeriesStatus.ON_HOLD if held else SeriesStatus.CANCELLED, None
        series.save(update_fields=["status", "replace_by"])
        check_constraints()
    return series


def check_can_be_cancelled(series: Series) -> None:
    """Refuse to cancel a series that has ended, or of which a session is under way; see `cancel_series`."""
    held = series.status == SeriesStatus.ON_HOLD
    if series.status in (SeriesStatus.CANCELLED, SeriesStatus.COMPLETED) or (held and is_over(series)):
        raise Conflict("already_done", "This series has ended already.")
    if series.sessions.exclude(status__in=[*ENDED, *TO_COME]).exists():
        raise Conflict("session_running", "A session of this series is under way; it has to end first.")


def check_waits_for_release(series: Series) -> None:
    """Refuse to release a series that nothing keeps from going on."""
    if series.status not in (SeriesStatus.NEEDS_REVIEW, SeriesStatus.ON_HOLD):
        raise Conflict("not_held", "Nothing keeps this series from going on.")


def lock_series(series: Series, expected: Versions) -> Series:
    """Lock a series that was read with its `version`; that number counts its sessions' versions too."""
    rows = Series.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "site", "protocol", "patient__site"
    )
    locked = rows.get(pk=series.pk)
    require_version(expected, locked.row_version + sum(locked.sessions.values_list("version", flat=True)))
    return locked


def release_series(series: Series, actor: User, now: datetime, reason: str = "", expected: Versions = None) -> Series:
    """A prescriber has looked at a series that needed it; it goes on, or is over. The last session begun tells of it.

    Raises:
        Conflict: `not_held` where nothing waits for a release.
    """
    with transaction.atomic():
        series = lock_series(series, expected)
        check_waits_for_release(series)
        series.status = without_hold(series)
        series.save(update_fields=["status"])
        told = series.sessions.exclude(status__in=TO_COME).order_by("sequence").last() or series.sessions.first()
        if told is not None:
            events.record(told, "series_released", actor, now, before=events.standing(told), reason=reason)
    return series
