"""Red flags for clinicians: raised with the answer that shows them, owned by whoever is on call, acknowledged once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts import clock
from accounts.refusals import Conflict
from notifications.models import Alert, AlertStatus, FollowUp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from accounts.models import User
    from notifications.instruments import Flag


def raise_alerts(follow_up: FollowUp, flags: Iterable[Flag]) -> list[Alert]:
    """Write one open alert for each kind of flag, owned by the site's clinician on call; one that is there stays.

    Call it in the transaction that stores the answers, so that no answer is kept without its alert.
    """
    owner = follow_up.session.site.on_call_id
    alerts = [
        Alert(
            patient_id=follow_up.patient_id,
            session_id=follow_up.session_id,
            follow_up=follow_up,
            kind=flag.kind,
            level=flag.level,
            owner_id=owner,
        )
        for flag in flags
    ]
    return Alert.objects.bulk_create(alerts, ignore_conflicts=True)


@transaction.atomic
def acknowledge(alert_id: UUID, user: User) -> Alert:
    """Make `user` the owner of an open alert. Conflict `already_done` with `by` and `at` where somebody was first."""
    alert = Alert.objects.select_for_update(no_key=True).get(id=alert_id)
    refuse_if_acknowledged(alert)
    alert.status, alert.owner, alert.acknowledged_at = AlertStatus.ACKNOWLEDGED, user, clock.now()
    alert.save(update_fields=["status", "owner", "acknowledged_at"])
    return alert


def refuse_if_acknowledged(alert: Alert) -> None:
    """Conflict `already_done` with `by` and `at` where somebody has acknowledged the alert."""
    if alert.status == AlertStatus.ACKNOWLEDGED:
        raise Conflict(
            "already_done",
            "This alert is acknowledged already.",
            by=str(alert.owner_id),
            at=alert.acknowledged_at.isoformat() if alert.acknowledged_at else None,
        )
