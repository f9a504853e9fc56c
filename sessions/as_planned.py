"""A plan may be booked as it was planned where nothing has moved since: then nobody needs to look for room again.

Why that is right (ADR 12): everything that `booking.find_room` judges by is known by the plan's numbers, by the clock,
or asked for here, under the door's locks.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection

from accounts.prepared import columns, first_row, take
from sessions.door import check_constraints
from sessions.models import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from accounts.models import Patient, User
    from scheduler.day import Day

# The plan itself, whether a series of the patient is on hold, and whether the plan stands: its numbers, the holds of
# others on its days, and the patient's other sessions, here or elsewhere.
OPEN = f"""
SELECT {columns(Plan, "p")},
    EXISTS (SELECT 1 FROM infusion_sessions_series WHERE patient_id = %(patient)s AND status = 'on_hold'),
    coalesce((SELECT version FROM scheduler_supplyversion WHERE site_id = a.id), 0) = p.numbers[1]
    AND NOT EXISTS (
        SELECT 1 FROM unnest(%(days)s::date[], p.numbers[2:]) AS known (date, booked)
        LEFT JOIN infusion_sessions_siteday d ON d.site_id = a.id AND d.date = known.date
        WHERE coalesce(d.booked, 0) IS DISTINCT FROM known.booked)
    AND NOT EXISTS (
        SELECT 1 FROM infusion_sessions_plan o, jsonb_array_elements(o.sessions) held
        WHERE o.site_id = a.id AND o.held_until > %(now)s AND o.booked_as_id IS NULL
          AND o.held_by_id IS DISTINCT FROM %(user)s AND o.id <> p.id
          AND ((held ->> 'start')::timestamptz AT TIME ZONE a.time_zone)::date = ANY(%(days)s::date[]))
    AND NOT EXISTS (
        SELECT 1 FROM infusion_sessions_session s
        JOIN jsonb_to_recordset(p.sessions) AS own (start timestamptz, "end" timestamptz)
            ON s.start < own."end" AND s."end" > own.start
        WHERE s.patient_id = %(patient)s AND s.status NOT IN ('cancelled', 'no_show'))
FROM infusion_sessions_plan p JOIN accounts_site a ON a.id = p.site_id WHERE p.id = %(plan)s FOR UPDATE OF p
"""  # noqa: S608  (names of ours)


def numbers_of(days: Mapping[date, Day], placed: Iterable[tuple[date, bool]]) -> list[int] | None:
    """What a plan remembers: the number of the supply, then of the day of each session, of which is given on which date
    it lies and whether nobody makes room for it. None where that would not say enough."""
    on = [(days[each].numbers, alone) for each, alone in placed]
    known = [numbers for numbers, alone in on if numbers is not None and alone]
    supplies = {supply for supply, _ in known}
    if len(known) < len(on) or len(supplies) != 1:
        return None
    return [*supplies, *(booked for _, booked in known)]


class Opened(NamedTuple):
    """A plan as it is now, its row locked; whether a series of the patient waits for a prescriber; whether each of the
    plan's sessions still has its place, where False says only that somebody has to look."""

    plan: Plan
    patient_on_hold: bool
    stands: bool


def open_plan(plan: Plan, dates: Sequence[date], patient: Patient, user: User, now: datetime) -> Opened:
    """Read the plan anew for who books it, its sessions on these dates. Under the door's locks."""
    if connection.savepoint_ids:
        # What the caller's transaction wrote moves its numbers when the database has judged it.
        check_constraints()
    asked = {"plan": plan.pk, "patient": patient.pk, "user": user.pk, "now": now, "days": list(dates)}
    *row, on_hold, as_it_was = first_row(OPEN, asked) or ()
    locked = take(Plan, row)
    assert locked is not None
    locked.site, locked.protocol = plan.site, plan.protocol
    to_come = all(datetime.fromisoformat(row["start"]) >= now for row in locked.sessions)
    return Opened(locked, on_hold, bool(as_it_was) and to_come and len(set(dates)) == len(dates))
