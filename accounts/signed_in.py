"""How long a page's session lasts, and what it was let in by. Pure but for the session itself.

A session ends 12 hours after signing in whatever happens (`SESSION_COOKIE_AGE`), that of staff also when nobody has
asked for anything for `STAFF_IDLE_MINUTES`, and when their organization demands a second factor that it lacks.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from accounts import second_factor
from accounts.models import User
from accounts.rights import is_staff

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.sessions.backends.base import SessionBase

SINCE, SEEN, BY_TWO = "signed_in_at", "seen_at", "second_factor"
# So exact is the last sign of life: a row is not written at every look.
SEEN_TO: Final = timedelta(minutes=1)
FRESH: Final = timedelta(minutes=15)


class Backend(ModelBackend):
    """Django's own, that reads the organization with the person: each request of staff asks what it demands."""

    def get_user(self, user_id: UUID) -> User | None:
        """The active person of a session."""
        user = User.objects.select_related("organization").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


def begin(session: SessionBase, now: datetime, by_two: bool = False) -> None:
    """Note when somebody was let in, and whether they showed a second factor."""
    session[SINCE] = session[SEEN] = now.isoformat()
    session[BY_TWO] = by_two


def is_fresh(session: SessionBase, now: datetime) -> bool:
    """Whether the person signed in a moment ago: what changes how people sign in asks for that."""
    return now < _read(session, SINCE, now - FRESH) + FRESH


def may_change_ways(user: User, session: SessionBase, now: datetime) -> bool:
    """Whether the session may add or remove a way in: signed in a moment ago, staff by all that they have set up."""
    by_all = bool(session.get(BY_TWO)) or not is_staff(user) or not second_factor.has_one(user)
    return by_all and is_fresh(session, now)


def proved_lately(session: SessionBase, token: Any, now: datetime) -> bool:
    """Whether who asks has shown who they are a moment ago, by a token or else on a page."""
    return is_fresh(session, now) if token is None else now < token.created + FRESH


def why_over(user: User, session: SessionBase, now: datetime) -> str:
    """Why the session is over: `age`, `idle`, `second_factor`; "" where it goes on."""
    since, seen = _read(session, SINCE, now), _read(session, SEEN, now)
    if now >= since + timedelta(seconds=settings.SESSION_COOKIE_AGE):
        return "age"
    if not is_staff(user):
        return ""
    if settings.STAFF_IDLE_MINUTES and now >= seen + timedelta(minutes=settings.STAFF_IDLE_MINUTES):
        return "idle"
    return "second_factor" if second_factor.is_demanded(user) and not session.get(BY_TWO) else ""


def go_on(session: SessionBase, now: datetime, by_a_person: bool) -> None:
    """Note when the session began, and when somebody last asked for something: a script by itself is nobody."""
    if SINCE not in session:
        session[SINCE] = session[SEEN] = now.isoformat()
    elif by_a_person and now >= _read(session, SEEN, now) + SEEN_TO:
        session[SEEN] = now.isoformat()


def _read(session: SessionBase, name: str, now: datetime) -> datetime:
    """An instant from the session; now where it has none yet."""
    return datetime.fromisoformat(session[name]) if name in session else now
