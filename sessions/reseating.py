"""Putting a session just there: another chair, another nurse, another time, as somebody at the board says it.

Unlike `moving`, which finds whoever can have the session, what is named here is given or refused, and nobody else makes
room. What a person chose is then left alone by whoever lays the day anew (`Session.placed_by_hand`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, OperationalError, transaction

from accounts.refusals import Conflict, require_version
from scheduler import day as days
from scheduler.walltime import local_date
from sessions import events, moving
from sessions.course import visit_at
from sessions.door import as_conflict, check_constraints, lock_for_booking
from sessions.facts import zone_of
from sessions.lifecycle import MOVES, check_move
from sessions.models import Session

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User
    from sessions.lifecycle import Versions


@dataclass(frozen=True)
class Wanted:
    """Where a session is to go; None leaves it as it is. `chair` and `nurse` are ids, `start` is aware."""

    start: datetime | None = None
    chair: UUID | None = None
    nurse: UUID | None = None


def reseat(session: Session, wanted: Wanted, actor: User, now: datetime, expected: Versions = None) -> Session:
    """Put a session where it is wanted, or say which rule forbids it. At the same start nobody is told.

    A nurse who is not named stays where that is possible; else whoever is free takes over.

    Raises:
        RuleBroken, Conflict: as `moving.reschedule`, without `plans`; `already_done` where it stands just there.
        Stale: the version moved on.
    """
    if wanted.start is not None and wanted.start != session.start:
        moving.check_instant(session, wanted.start, now)
    try:
        with transaction.atomic():
            return _reseat(session, wanted, actor, now, expected)
    except (IntegrityError, OperationalError) as error:
        raise as_conflict(error) from error


def _reseat(session: Session, wanted: Wanted, actor: User, now: datetime, expected: Versions) -> Session:
    zone = zone_of(session.site)
    start = wanted.start or session.start
    both = [local_date(session.start, zone), local_date(start, zone)]
    lock_for_booking(session.patient_id, session.site_id, both, [session.pk])
    session = Session.objects.select_related("site", "series__protocol", "patient").get(pk=session.pk)
    require_version(expected, session.version)
    check_move(session, "reseat", now)
    start = wanted.start or session.start
    if local_date(start, zone) not in both:
        raise Conflict("try_again", "The session has just been moved to another day. Please look again.")
    moved = start != session.start
    if moved:
        moving.check_spacing(session, start)
    elif wanted.chair in (None, session.chair_id) and wanted.nurse in (None, session.nurse_id):
        raise Conflict("already_done", "The session is there already.")
    before, visit = events.standing(session), visit_at(session.series, session.sequence)
    moving.take(session, visit, start, _placed(moving.asked_of_day(session, visit, start, actor, now), session, wanted))
    session.placed_by_hand = True
    session.save()
    events.record(session, MOVES["reschedule" if moved else "reseat"].event, actor, now, before=before)
    check_constraints()
    session.refresh_from_db()
    return session


def _placed(asked: tuple[days.Day, days.Need, int], session: Session, wanted: Wanted) -> days.Placement:
    """The place with everybody who is named in it, all others of the day left as they are."""
    stands = moving.standing_place(session)
    chair, nurse = (None if one is None else str(one) for one in (wanted.chair, wanted.nurse))
    found = days.place(*asked, days.Place(chair or stands.chair, nurse or stands.nurse, stands.prescriber))
    if isinstance(found, days.Refusal):
        raise moving.as_refusal(found)
    if not found.moved and chair in (None, found.chair) and nurse in (None, found.nurse):
        return found
    named = (chair or found.chair, nurse or found.nurse, found.prescriber)
    refusal = days.can_keep(*asked, *named)
    raise moving.as_refusal(refusal or days.Refusal("chair_taken", "others would have to make room"))
