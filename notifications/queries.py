"""Reads of messages, follow-ups and alerts; each starts from the patients whom the person may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import Role
from accounts.queries import seen_patients
from accounts.rights import holds
from notifications.instruments import changes
from notifications.models import Alert, FollowUp, Message

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Patient, User
    from sessions.models import Series


def visible_messages(user: User) -> QuerySet[Message]:
    """Messages to patients whom the person may see; to clinicians about them only for those who may read answers."""
    seen = Message.objects.filter(seen_patients(user, "patient__"))
    return seen if holds(user, Role.NURSE, Role.PRESCRIBER) else seen.filter(alert__isnull=True)


def visible_follow_ups(user: User) -> QuerySet[FollowUp]:
    """Follow-ups of patients whom the person may see, answered or not."""
    return FollowUp.objects.filter(seen_patients(user, "patient__"))


def visible_alerts(user: User) -> QuerySet[Alert]:
    """Alerts about patients whom the person may see."""
    return Alert.objects.filter(seen_patients(user, "patient__"))


def trend(user: User, patient: Patient, instrument: str, series: Series | None = None) -> list[FollowUp]:
    """The patient's answers to one instrument, oldest first, of one series where that is given.

    Each has beside its score the `difference` from the first one's and the `changes` that this means.
    """
    answered = visible_follow_ups(user).filter(patient=patient, instrument=instrument, answered_at__isnull=False)
    if series is not None:
        answered = answered.filter(session__series=series)
    points = list(answered.order_by("answered_at", "id"))
    for point in points:
        first, now = points[0].score, point.score
        assert first is not None
        assert now is not None
        point.difference = now - first  # type: ignore[attr-defined]
        point.changes = changes(instrument, first, now) if point is not points[0] else ()  # type: ignore[attr-defined]
    return points
