"""Going home: only when the protocol's rules are kept or somebody who may has said why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.models import Moment
from scheduler.phases import by_ordinal
from sessions import gates, scores
from sessions.lifecycle import Versions, make_move
from sessions.models import Session, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User


@dataclass(frozen=True)
class Leaving:
    """How a patient leaves: with whom, with what score by which instrument and items, and what they are given."""

    escort_name: str = ""
    score: int | None = None
    instrument: str | None = None
    items: Mapping[str, int] | None = None
    take_home: Sequence[str] = field(default=())


def ready_at(session: Session) -> datetime | None:
    """When the least recovery will have passed; None where none is asked for or the infusion has not ended."""
    least = session.series.protocol.discharge.get("minimum_recovery_minutes")
    if not least or session.infusion_ended_at is None:
        return None
    return session.infusion_ended_at + timedelta(minutes=by_ordinal(least, session.ordinal))


def lacking(session: Session, leaving: Leaving, score: int | None, now: datetime) -> list[str]:
    """Which of the protocol's rules of discharge are not kept, beside its gates."""
    rules = session.series.protocol.discharge
    ready = ready_at(session)
    wanted = rules.get("scores") or []
    least = next((each for each in wanted if each["instrument"] == leaving.instrument), wanted[0] if wanted else None)
    within = rules.get("vitals_within_minutes")
    found = {
        "minimum_recovery": ready is not None and now < ready,
        "score": least is not None and (score is None or score < least["minimum"]),
        "escort_name": rules.get("escort", False) and not leaving.escort_name,
        "vitals": within is not None
        and not session.vitals.filter(taken_at__gte=now - timedelta(minutes=within)).exists(),
    }
    return [name for name, open_ in found.items() if open_]


def discharge(
    session: Session,
    leaving: Leaving,
    actor: User,
    now: datetime,
    override: Mapping[str, str] | None = None,
    expected: Versions = None,
) -> Session:
    """The patient goes home.

    Raises:
        Conflict: `gates_open` with what is `missing` and, where it is time, `ready_at`; `gates_unseen`.
        Forbidden: `may_not_override`. RuleBroken: `score_items`, `score_sum`.
    """
    target = SessionStatus.STOPPED_EARLY if session.stop_reason else SessionStatus.COMPLETED
    score = scores.total(leaving.instrument, leaving.items, leaving.score)
    reason = override["reason"] if override else ""
    also: dict[str, Any] = {}

    def change(row: Session) -> None:
        roles = frozenset(row.series.protocol.discharge.get("override_roles", ()))
        open_gates, warnings = gates.open_at(gates.standings_of(row, now), Moment.DISCHARGE)
        ready = ready_at(row)
        told = {"ready_at": ready.isoformat()} if ready is not None and now < ready else {}
        missing = dict.fromkeys(lacking(row, leaving, score, now), roles) | open_gates
        over = gates.let_pass(missing, warnings, actor, override, **told)
        if over:
            also["overridden"] = over
            gates.passed(row, [name for name in over if name in open_gates], actor, reason, now)
        row.ended_at, row.escort_name, row.discharge_score = now, leaving.escort_name, score
        row.discharge_record = {
            "instrument": leaving.instrument,
            "items": dict(leaving.items) if leaving.items else None,
            "take_home": list(leaving.take_home),
        }

    return make_move(
        session, "discharge", actor, now, change=change, reason=reason, also=also, expected=expected, target=target
    )
