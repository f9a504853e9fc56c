"""Sessions to come change chair, nurse or prescriber, so that one more has room. No time changes, so nobody is told."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from accounts.refusals import Conflict
from sessions import events
from sessions.models import TO_COME, Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scheduler.day import Place


def lay_anew(moved: Mapping[str, Place], now: datetime) -> None:
    """Write who has these sessions from now on, by their ids; held ones among them have no row and are passed over.

    Runs under the door's locks, rows of the sessions included. The database judges when all is written: its constraints
    are deferred, so that two sessions can swap chairs.

    Raises:
        Conflict: `try_again` where one of them has begun.
    """
    ids = [UUID(name) for name in moved if not is_held(name)]
    for session in Session.objects.filter(pk__in=ids).order_by("pk"):
        if session.status not in TO_COME or session.start < now:
            raise Conflict("try_again", "A session of that day has just begun. Please try again.")
        before, place = events.standing(session), moved[str(session.pk)]
        session.chair_id, session.nurse_id, session.prescriber_id = map(UUID, place)
        session.save(update_fields=["chair", "nurse", "prescriber"])
        # By the system: whoever books may not be known to those who see this patient's record.
        events.record(session, "laid_anew", None, now, before=before, system="planner", reason="made room for another")


def held_name(plan: UUID, sequence: int) -> str:
    """The name of a held session on a day, where booked ones have their id."""
    return f"{plan}/{sequence}"


def is_held(name: str) -> bool:
    """Whether a day's session is only held."""
    return "/" in name
