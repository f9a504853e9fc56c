"""The one door to bookings and supply: which rows a change locks, always in one order, so that none waits in a circle.

The order: the patient, the site (shared for bookings, alone for a change of supply), its days by date, sessions by id.
A change of supply takes the site's row in `scheduler.changes.lock_site`.
Each function must run inside a transaction; the locks last until it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, OperationalError, connection
from django.db.models import Q

from accounts.prepared import first_row
from accounts.refusals import Conflict, sql_state
from scheduler.walltime import DAY, first_instant
from sessions.models import TO_COME, Session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from django.db.utils import DatabaseError

# What a broken constraint of the database means to a person; the names are those in the migrations.
CLASHES = {
    "chair_taken": "The chair has been taken meanwhile.",
    "patient_busy": "The patient has another session at that time.",
    "nurse_hands_on": "The nurse starts another patient at that time.",
    "nurse_capacity": "The nurse would have more patients than allowed.",
    "prescriber_capacity": "The prescriber would have more patients than allowed.",
    "series_on_hold": "A prescriber has to release this series first.",
    "patient_on_hold": "A prescriber has to release this patient's series first.",
}


def lock_for_booking(patient: UUID | None, site: UUID, dates: Iterable[date], sessions: Iterable[UUID] = ()) -> None:
    """Lock what a change of bookings at `site` on these site-local dates touches, in that order; one question."""
    first_row("SELECT sessions_lock(%s, %s, %s, %s)", [patient, site, list(dates), list(sessions)])


def lock_days(site: UUID, dates: Iterable[date]) -> None:
    """Lock the rows of these days, making those that are not there yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sessions_lock_days(%s, %s)", [site, list(dates)])


def lock_sessions_of(site: UUID, dates: Iterable[date], zone: ZoneInfo) -> None:
    """Lock the sessions to come that start on these days, by id. The days are locked already."""
    spans = Q()
    for day in set(dates):
        spans |= Q(start__gte=first_instant(day, zone), start__lt=first_instant(day + DAY, zone))
    rows = Session.objects.select_for_update(no_key=True).filter(spans, site=site, status__in=TO_COME)
    list(rows.order_by("pk").values_list("pk"))


def lock_sessions(sessions: Iterable[UUID]) -> None:
    """Lock these sessions by id."""
    wanted = sorted(sessions)
    if wanted:
        list(Session.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk").values_list("pk"))


def check_constraints() -> None:
    """Let the database judge what was written so far, now and not at commit.

    Raises:
        Conflict: with the code of the rule that is broken; the transaction must then be rolled back.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    except (IntegrityError, OperationalError) as error:
        raise as_conflict(error) from error


def as_conflict(error: DatabaseError) -> Conflict:
    """Put a refusal of the database into words; one that no rule explains is a race, and worth another try."""
    _, name = sql_state(error)
    if name in CLASHES:
        return Conflict(name, CLASHES[name])
    return Conflict("try_again", "Somebody else changed the same day at the same moment. Please try again.")
