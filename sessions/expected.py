"""When a session will really be over: derived from what has happened so far and from the planned lengths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sessions.infusion import run_until
from sessions.models import SessionStatus

if TYPE_CHECKING:
    from sessions.models import Session


@dataclass(frozen=True)
class Expected:
    """The instants of a session as they will be, or were: start of prepare, infuse, recover, end, end of turnover."""

    start: datetime
    infuse_start: datetime
    recover_start: datetime
    end: datetime
    turnover_end: datetime


def expected(session: Session, now: datetime) -> Expected:
    """Where the session stands, carried on by the planned lengths; nothing that is still to come lies before `now`."""
    start = _start(session, now)
    infuse = session.infusion_started_at or _infusion_start(session, start, now)
    recover = session.infusion_ended_at or _infusion_end(session, infuse, now)
    recovery = session.end - session.recover_start
    end = session.ended_at or max(recover + recovery, now if _begun(session) else recover)
    return Expected(start, infuse, recover, end, end + (session.turnover_end - session.end))


def _begun(session: Session) -> bool:
    return session.status not in (SessionStatus.BOOKED, SessionStatus.CONFIRMED)


def _start(session: Session, now: datetime) -> datetime:
    if session.arrived_at is not None:
        return max(session.start, session.arrived_at)
    return session.start if _begun(session) else max(session.start, now)


def _infusion_start(session: Session, start: datetime, now: datetime) -> datetime:
    planned = start + (session.infuse_start - session.start)
    return max(planned, now) if session.status == SessionStatus.ARRIVED else planned


def _infusion_end(session: Session, begun: datetime, now: datetime) -> datetime:
    planned = session.recover_start - session.infuse_start
    if session.status != SessionStatus.INFUSING:
        return begun + planned
    left = max(0.0, planned.total_seconds() - run_until(session, now)) * 100 / session.rate_percent
    return now + timedelta(seconds=left)


def minutes_late(session: Session, expected_end: datetime) -> int:
    """Whole minutes by which the end lies behind the plan; 0 where it does not."""
    return max(0, int((expected_end - session.end).total_seconds()) // 60)
