"""What nobody has noticed: visits that nobody arrived for, visits that nobody has ended. Found, told, never closed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from sessions import events
from sessions.models import TO_COME, Session, SessionEvent, SessionStatus

if TYPE_CHECKING:
    from datetime import datetime

NOT_HERE: Final = "found_not_here"
FORGOTTEN: Final = "found_forgotten"
BATCH: Final = 200
UNDER_WAY: Final = (SessionStatus.ARRIVED, SessionStatus.INFUSING, SessionStatus.RECOVERING)


def sweep(now: datetime) -> int:
    """Write one event for each session found, once; how many there were. A person decides what it was.

    Any number may run at once: the row's lock lets one of them write.
    """
    late = now - timedelta(minutes=settings.OVERDUE_AFTER_MINUTES)
    over = now - timedelta(minutes=settings.FORGOTTEN_AFTER_MINUTES)
    return _find(Q(status__in=TO_COME, start__lte=late), NOT_HERE, now) + _find(
        Q(status__in=UNDER_WAY, end__lte=over), FORGOTTEN, now
    )


def _find(wanted: Q, kind: str, now: datetime) -> int:
    told = SessionEvent.objects.filter(session=OuterRef("pk"), kind=kind)
    with transaction.atomic():
        found = Session.objects.select_for_update(no_key=True, skip_locked=True).filter(wanted).exclude(Exists(told))
        rows = list(found.order_by("pk")[:BATCH])
        # Once more under the lock: another sweep may have written since the rows were chosen.
        known = set(SessionEvent.objects.filter(session__in=rows, kind=kind).values_list("session_id", flat=True))
        new = [row for row in rows if row.pk not in known]
        for row in new:
            events.record(row, kind, None, now, before=events.standing(row), system="sweep")
    return len(new)
