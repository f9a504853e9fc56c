"""Filters of the lists in this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.http.fields import StrictChoice
from accounts.http.filters import (
    ChoicesFilter,
    InstantFilter,
    ReferenceFilter,
    StrictFilter,
    StrictFilterSet,
    TextFilter,
)
from accounts.models import Channel, User
from accounts.queries import visible_patients
from notifications.instruments import INSTRUMENTS
from notifications.models import AlertLevel, AlertStatus, MessageStatus
from notifications.queries import visible_alerts
from sessions.queries import visible_series, visible_sessions

if TYPE_CHECKING:
    from django.db.models import QuerySet

CODES = [(code, code) for code in INSTRUMENTS]


def colleagues(user: User) -> QuerySet[User]:
    """People of the person's organization."""
    return User.objects.filter(organization__isnull=False, organization=user.organization_id)


class MessageFilters(StrictFilterSet):
    """`kind` finds every kind that contains it: `reminder` finds them all."""

    patient = ReferenceFilter(visible_patients)
    session = ReferenceFilter(visible_sessions)
    series = ReferenceFilter(visible_series, "session__series")
    kind = TextFilter(lookup_expr="contains")
    rule = TextFilter(lookup_expr="contains")
    alert = ReferenceFilter(visible_alerts)
    channel = ChoicesFilter(Channel.choices)
    status = ChoicesFilter(MessageStatus.choices)
    from_ = InstantFilter("due_at", lookup_expr="gte")
    until = InstantFilter("due_at", lookup_expr="lt")


class FollowUpFilters(StrictFilterSet):
    """Follow-ups by whom and about what."""

    patient = ReferenceFilter(visible_patients)
    session = ReferenceFilter(visible_sessions)
    series = ReferenceFilter(visible_series, "session__series")
    instrument = ChoicesFilter(CODES)


class TrendFilters(StrictFilterSet):
    """Whose answers to what, and in which series."""

    patient = ReferenceFilter(visible_patients)
    series = ReferenceFilter(visible_series)
    instrument = StrictFilter(StrictChoice(choices=CODES))


class AlertFilters(StrictFilterSet):
    """Alerts by whom, how urgent and whose."""

    patient = ReferenceFilter(visible_patients)
    session = ReferenceFilter(visible_sessions)
    level = ChoicesFilter(AlertLevel.choices)
    status = ChoicesFilter(AlertStatus.choices)
    owner = ReferenceFilter(colleagues)
