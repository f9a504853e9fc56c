"""A plan may be booked as it was planned where nothing has moved since: then nobody needs to look for room again.

Why that is right (ADR 12): everything that `booking.find_room` judges by is known by the plan's numbers, by the clock,
or asked for here, under the door's locks.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from accounts.prepared import first_row
from sessions.door import check_constraints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from accounts.models import Patient, User
    from scheduler.day import Day
    from sessions.models import Plan

# Two numbers, the holds of others on those days, and the patient's other sessions, here or elsewhere.
STANDS = """
SELECT coalesce((SELECT version FROM scheduler_supplyversion WHERE site_id = a.id), 0) = %s
    AND NOT EXISTS (
        SELECT 1 FROM unnest(%s::date[], %s::bigint[]) AS known (date, booked)
        LEFT JOIN infusion_sessions_siteday d ON d.site_id = a.id AND d.date = known.date
        WHERE coalesce(d.booked, 0) <> known.booked)
    AND NOT EXISTS (
        SELECT 1 FROM infusion_sessions_plan p, jsonb_array_elements(p.sessions) held
        WHERE p.site_id = a.id AND p.held_until > %s AND p.booked_as_id IS NULL AND p.held_by_id IS DISTINCT FROM %s
          AND p.id <> %s AND ((held ->> 'start')::timestamptz AT TIME ZONE a.time_zone)::date = ANY(%s::date[]))
    AND NOT EXISTS (
        SELECT 1 FROM infusion_sessions_session s
        JOIN unnest(%s::timestamptz[], %s::timestamptz[]) AS own (since, until)
            ON s.start < own.until AND s."end" > own.since
        WHERE s.patient_id = %s AND s.status NOT IN ('cancelled', 'no_show'))
FROM accounts_site a WHERE a.id = %s
"""


def numbers_of(days: Mapping[date, Day], placed: Iterable[tuple[date, bool]]) -> list[int] | None:
    """What a plan remembers: the number of the supply, then of the day of each session, of which is given on which date
    it lies and whether nobody makes room for it. None where that would not say enough."""
    on = [(days[each].numbers, alone) for each, alone in placed]
    known = [numbers for numbers, alone in on if numbers is not None and alone]
    supplies = {supply for supply, _ in known}
    if len(known) < len(on) or len(supplies) != 1:
        return None
    return [*supplies, *(booked for _, booked in known)]


def stands(plan: Plan, dates: Sequence[date], patient: Patient, user: User, now: datetime) -> bool:
    """Whether each of the plan's sessions, on these dates, still has its place. Under the door's locks.

    False says only that somebody has to look.
    """
    starts = [datetime.fromisoformat(row["start"]) for row in plan.sessions]
    if plan.numbers is None or min(starts) < now or len(set(dates)) < len(dates):
        return False
    if connection.savepoint_ids:
        # What the caller's transaction wrote moves its numbers when the database has judged it.
        check_constraints()
    ends = [datetime.fromisoformat(row["end"]) for row in plan.sessions]
    supply, *booked = plan.numbers
    days = list(dates)
    holds = [now, user.pk, plan.pk, days]
    row = first_row(STANDS, [supply, days, booked, *holds, starts, ends, patient.pk, plan.site_id])
    return bool(row and row[0])
