"""What nobody has noticed: visits that nobody arrived for, visits that nobody has ended. Found, told, never closed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import DateTimeField, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, Value

from sessions import events
from sessions.models import TO_COME, Session, SessionEvent, SessionStatus

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models.expressions import Combinable

NOT_HERE: Final = "found_not_here"
FORGOTTEN: Final = "found_forgotten"
BATCH: Final = 200
UNDER_WAY: Final = (SessionStatus.ARRIVED, SessionStatus.INFUSING, SessionStatus.RECOVERING)


def sweep(now: datetime) -> int:
    """Write one event for each session found, once; how many there were. A person decides what it was.

    Any number may run at once: the row's lock lets one of them write.
    """
    late, over = _before(now, "site__overdue_after_minutes"), _before(now, "site__forgotten_after_minutes")
    return _find(Q(status__in=TO_COME, start__lte=now) & Q(start__lte=late), NOT_HERE, now) + _find(
        Q(status__in=UNDER_WAY, end__lte=now) & Q(end__lte=over), FORGOTTEN, now
    )


def _before(now: datetime, minutes: str) -> Combinable:
    """The instant so many minutes ago, as the site says how many."""
    ago = ExpressionWrapper(F(minutes) * Value(timedelta(minutes=1)), output_field=DurationField())
    return ExpressionWrapper(Value(now) - ago, output_field=DateTimeField())


def _find(wanted: Q, kind: str, now: datetime) -> int:
    told = SessionEvent.objects.filter(session=OuterRef("pk"), kind=kind)
    with transaction.atomic():
        found = (
            Session.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            .filter(wanted)
            .exclude(Exists(told))
        )
        rows = list(found.order_by("pk")[:BATCH])
        # Once more under the lock: another sweep may have written since the rows were chosen.
        known = set(SessionEvent.objects.filter(session__in=rows, kind=kind).values_list("session_id", flat=True))
        new = [row for row in rows if row.pk not in known]
        for row in new:
            events.record(row, kind, None, now, before=events.standing(row), system="sweep")
    return len(new)
