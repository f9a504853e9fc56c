"""When a patient may still cancel or move a session alone, and what counts as late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from accounts.refusals import Conflict
from accounts.rights import is_staff

if TYPE_CHECKING:
    from accounts.models import User
    from sessions.models import Session


def is_late(session: Session, now: datetime) -> bool:
    """Whether a cancellation now would be late: the site's `late_cancel_hours` before the start, or after it."""
    return now > session.start - timedelta(hours=session.site.late_cancel_hours)


def check_cut_off(session: Session, actor: User, now: datetime) -> None:
    """Refuse a patient's own change of a session that is too near; staff may, and a late cancellation is marked.

    Raises:
        Conflict: `too_late`, with the site's `phone`.
    """
    if is_staff(actor) or not is_late(session, now):
        return
    hours = session.site.late_cancel_hours
    raise Conflict("too_late", f"Less than {hours} hours before the visit, please call us.", phone=session.site.phone)
