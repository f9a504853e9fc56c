"""The infusion itself: start, pause, resume, another rate, the end; and how much of it has run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.refusals import Conflict
from scheduler.models import Moment
from sessions import gates
from sessions.lifecycle import Versions, make_move
from sessions.models import SeriesStatus, Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from accounts.models import User


def start(
    session: Session,
    actor: User,
    now: datetime,
    override: Mapping[str, str] | None = None,
    expected: Versions = None,
) -> Session:
    """The infusion begins. `override` is a reason for which its open gates are passed over.

    Raises:
        Conflict: `gates_open` with the `missing` gates, `gates_unseen`, or `series_on_hold`.
        Forbidden: `may_not_override`.
    """
    reason = override["reason"] if override else ""
    also: dict[str, Any] = {}

    def change(row: Session) -> None:
        if row.series.status == SeriesStatus.ON_HOLD:
            raise Conflict("series_on_hold", "A prescriber has to release this series first.")
        missing, warnings = gates.open_at(gates.standings_of(row, now), Moment.START)
        over = gates.let_pass(missing, warnings, actor, override)
        if over:
            also["overridden"] = over
            gates.passed(row, over, actor, reason, now)
        row.infusion_started_at = row.rate_since = now

    return make_move(session, "start", actor, now, change=change, reason=reason, also=also, expected=expected)


def run_until(row: Session, now: datetime) -> int:
    """Seconds of the planned infusion, at full rate, that have run by `now`."""
    if row.rate_since is None or row.paused_at is not None:
        return row.infused_seconds
    return row.infused_seconds + int((now - row.rate_since).total_seconds()) * row.rate_percent // 100


def _mark(row: Session, now: datetime) -> None:
    row.infused_seconds, row.rate_since = run_until(row, now), now


def pause(session: Session, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The infusion is held for a while."""

    def change(row: Session) -> None:
        _mark(row, now)
        row.paused_at = now

    return make_move(session, "pause", actor, now, change=change, expected=expected)


def resume(session: Session, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The infusion goes on."""

    def change(row: Session) -> None:
        _mark(row, now)
        row.paused_at = None

    return make_move(session, "resume", actor, now, change=change, expected=expected)


def slow(
    session: Session, rate_percent: int, reason: str, actor: User, now: datetime, expected: Versions = None
) -> Session:
    """The infusion runs at another rate from here on, in percent of the planned one."""

    def change(row: Session) -> None:
        _mark(row, now)
        row.rate_percent = rate_percent

    also = {"rate_percent": rate_percent}
    return make_move(session, "slow", actor, now, change=change, reason=reason, also=also, expected=expected)


def finish_infusion(session: Session, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The infusion is complete; the patient recovers."""

    def change(row: Session) -> None:
        _mark(row, now)
        row.infusion_ended_at, row.paused_at = now, None

    return make_move(session, "finish-infusion", actor, now, change=change, expected=expected)


def stop(session: Session, reason: str, actor: User, now: datetime, expected: Versions = None) -> Session:
    """The infusion is broken off; the patient recovers, and discharge will end the session as stopped early."""

    def change(row: Session) -> None:
        _mark(row, now)
        row.infusion_ended_at, row.paused_at, row.stop_reason = now, None, reason

    return make_move(session, "stop", actor, now, change=change, reason=reason, expected=expected)
