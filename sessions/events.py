"""The history of sessions: one row for each change, with what it was before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessions.models import Session, SessionEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User


@dataclass(frozen=True)
class Told:
    """One thing that a patient was to be told of a visit, `since` when; `sent_at` where it was said, else None."""

    kind: str
    channel: str
    status: str
    since: datetime
    sent_at: datetime | None


_tellers: list[Callable[[Session], list[Told]]] = []
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


def tell_with(told: Callable[[Session], list[Told]]) -> None:
    """Have `told(session)`, oldest first, asked for what the patient is told; who tells patients is a room above."""
    _tellers.append(told)


def told_after_each(session: Session) -> dict[UUID, list[Told]]:
    """By id of each event of a session, what the patient was told of it: all that was to be said until the next one."""
    events = list(session.events.order_by("id").values_list("pk", "at"))
    found: dict[UUID, list[Told]] = {pk: [] for pk, _ in events}
    for one in (one for told in _tellers for one in told(session)):
        before = [pk for pk, at in events if at <= one.since]
        if before:
            found[before[-1]].append(one)
    return found
