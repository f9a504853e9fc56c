"""One visit as it is lived: what the people at the chair want to see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessions import gates, observation
from sessions.discharge import ready_at
from sessions.expected import expected
from sessions.models import GONE

if TYPE_CHECKING:
    from datetime import datetime

    from sessions.models import Session


def day_of(session: Session, now: datetime) -> dict[str, Any]:
    """Gates, vital signs and what is due, adverse events, expected end; `session` with its series' protocol."""
    readings = list(session.vitals.order_by("taken_at", "id"))
    rules = session.series.protocol.observation
    due = observation.dues(rules, observation.marks_of(session), observation.readings_of(readings), now)
    return {
        "session": session.pk,
        "gates": gates.standings_of(session, now),
        "vitals": readings,
        "due": due,
        "adverse_events": session.adverse_events.order_by("onset", "id"),
        "expected_end": None if session.status in GONE else expected(session, now).end,
        "ready_at": ready_at(session),
        "rate_percent": session.rate_percent,
        "escort_name": session.escort_name,
        "discharge_score": session.discharge_score,
        "discharge_record": session.discharge_record,
    }
