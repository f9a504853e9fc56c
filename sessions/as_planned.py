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
from sessions.facts import Known
from sessions.models import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from accounts.models import Patient, User
    from scheduler.day import Day

# The plan itself, whether a series of the patient is on hold, and what tells whether the plan stands: the numbers of
# supply and days as they are now, the holds of others, here at all and on these days, and the patient's other sessions,
# here or elsewhere.
OPEN = f"""
SELECT {columns(Plan, "p")},
    EXISTS (SELECT 1 FROM infusion_sessions_series WHERE patient_id = %(patient)s AND status = 'on_hold'),
    coalesce((SELECT version FROM scheduler_supplyversion WHERE site_id = a.id), 0),
    ARRAY(
        SELECT coalesce(d.booked, 0) FROM unnest(%(days)s::date[]) WITH ORDINALITY AS asked (date, place)
        LEFT JOIN infusion_sessions_siteday d ON d.site_id = a.id AND d.date = asked.date ORDER BY asked.place),
    held.at_all, held.on_days,
    EXISTS (
        SELECT 1 FROM infusion_sessions_session s
        JOIN jsonb_to_recordset(p.sessions) AS own (start timestamptz, "end" timestamptz)
            ON s.start < own."end" AND s."end" > own.start
        WHERE s.patient_id = %(patient)s AND s.status NOT IN ('cancelled', 'no_show'))
FROM infusion_sessions_plan p JOIN accounts_site a ON a.id = p.site_id
CROSS JOIN LATERAL (
    SELECT count(*) > 0, coalesce(bool_or(
        ((each ->> 'start')::timestamptz AT TIME ZONE a.time_zone)::date = ANY(%(days)s::date[])), false)
    FROM infusion_sessions_plan o, jsonb_array_elements(o.sessions) each
    WHERE o.site_id = a.id AND o.held_until > %(now)s AND o.booked_as_id IS NULL
      AND o.held_by_id IS DISTINCT FROM %(user)s AND o.id <> p.id
) AS held (at_all, on_days)
WHERE p.id = %(plan)s FOR UPDATE OF p
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
    plan's sessions still has its place, where False says only that somebody has to look; what is known to who does."""

    plan: Plan
    patient_on_hold: bool
    stands: bool
    known: Known


def open_plan(plan: Plan, dates: Sequence[date], patient: Patient, user: User, now: datetime) -> Opened:
    """Read the plan anew for who books it, its sessions on these dates. Under the door's locks."""
    if connection.savepoint_ids:
        # What the caller's transaction wrote moves its numbers when the database has judged it.
        check_constraints()
    asked = {"plan": plan.pk, "patient": patient.pk, "user": user.pk, "now": now, "days": list(dates)}
    *row, on_hold, supply, booked, held_at_all, held_on_days, busy = first_row(OPEN, asked) or ()
    locked = take(Plan, row)
    assert locked is not None
    locked.site, locked.protocol = plan.site, plan.protocol
    to_come = all(datetime.fromisoformat(row["start"]) >= now for row in locked.sessions)
    stands = [supply, *booked] == locked.numbers and not held_on_days and not busy
    known = Known(supply, dict(zip(dates, booked, strict=True)), nobody_holds=not held_at_all, patient_free=not busy)
    return Opened(locked, on_hold, stands and to_come and len(set(dates)) == len(dates), known)
