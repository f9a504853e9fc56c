"""Reads of messages, follow-ups and alerts; each starts from the patients whom the person may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.queries import seen_patients
from notifications.models import Alert, FollowUp, Message

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Patient, User


def visible_messages(user: User) -> QuerySet[Message]:
    """Messages to patients whom the person may see."""
    return Message.objects.filter(seen_patients(user, "patient__"))


def visible_follow_ups(user: User) -> QuerySet[FollowUp]:
    """Follow-ups of patients whom the person may see, answered or not."""
    return FollowUp.objects.filter(seen_patients(user, "patient__"))


def visible_alerts(user: User) -> QuerySet[Alert]:
    """Alerts about patients whom the person may see."""
    return Alert.objects.filter(seen_patients(user, "patient__"))


def trend(user: User, patient: Patient, instrument: str) -> QuerySet[FollowUp]:
    """The patient's answers to one instrument, oldest first."""
    answered = visible_follow_ups(user).filter(patient=patient, instrument=instrument, answered_at__isnull=False)
    return answered.order_by("answered_at", "id")
