"""The history of sessions: one row for each change, with what it was before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessions.models import Session, SessionEvent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from accounts.models import User

SHOWN = ("status", "start", "end", "chair_id", "nurse_id", "prescriber_id")


def standing(session: Session) -> dict[str, Any]:
    """How a session stands, as events tell it."""
    return {name.removesuffix("_id"): _plain(getattr(session, name)) for name in SHOWN}


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def record(
    session: Session,
    kind: str,
    actor: User | None,
    at: datetime,
    *,
    before: dict[str, Any],
    reason: str = "",
    also: dict[str, Any] | None = None,
    system: str = "",
) -> SessionEvent:
    """Write that `actor` (or the part of the `system`) changed the session; what differs is kept, and `also`."""
    after = standing(session)
    changed = [name for name in after if before.get(name) != after[name]]
    return SessionEvent.objects.create(
        session=session,
        kind=kind,
        actor=actor,
        system=system,
        at=at,
        reason=reason,
        before={name: before[name] for name in changed if name in before},
        after={name: after[name] for name in changed} | (also or {}),
    )


def record_many(sessions: Iterable[Session], kind: str, actor: User | None, at: datetime) -> None:
    """Write one event of this kind for each of several new sessions."""
    SessionEvent.objects.bulk_create(made(session, kind, actor, at) for session in sessions)


def made(session: Session, kind: str, actor: User | None, at: datetime) -> SessionEvent:
    """The event of this kind for a new session, not saved yet."""
    return SessionEvent(session=session, kind=kind, actor=actor, at=at, after=standing(session))
