"""Sessions for the tests of messages: booked, moved, cancelled and discharged in one step each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sessions.models import Session, SessionStatus
from tests.factories import blocks, make_patient, make_protocol

if TYPE_CHECKING:
    from accounts.models import Patient
    from scheduler.models import Protocol
    from tests.factories import Clinic

HOUR = timedelta(hours=1)
REMINDERS = [{"hours_before": 72, "channels": ["email"]}, {"hours_before": 24, "channels": ["email", "sms"]}]
FOLLOW_UPS = [{"instrument": "PHQ-9", "hours_after": 24}, {"instrument": "side-effects", "hours_after": 0}]


def protocol_with(clinic: Clinic, reminders: list[Any] = REMINDERS, follow_ups: list[Any] = FOLLOW_UPS) -> Protocol:
    """An approved protocol that says these things."""
    return make_protocol(clinic.organization, clinic.users["prescriber"], reminders=reminders, follow_ups=follow_ups)


def book(
    clinic: Clinic, start: datetime, at: datetime, protocol: Protocol | None = None, patient: Patient | None = None
) -> Session:
    """A session that was booked at `at`, in a chair and with people of no importance."""
    patient = patient or make_patient(clinic.site)
    session = clinic.session(start, series=clinic.series(patient, protocol or protocol_with(clinic)))
    _event(clinic, session, "booked", at)
    return session


def move(clinic: Clinic, session: Session, start: datetime, at: datetime) -> Session:
    """The session, moved at `at` to `start`."""
    change(session, status=SessionStatus.BOOKED, **blocks(start))
    _event(clinic, session, "rescheduled", at)
    return session


def discharge(session: Session, at: datetime, last: str = SessionStatus.COMPLETED) -> Session:
    """The session, lived through and ended at `at`."""
    for status in (SessionStatus.ARRIVED, SessionStatus.INFUSING, SessionStatus.RECOVERING):
        change(session, status=status)
    return change(session, status=last, ended_at=at)


def change(session: Session, **values: Any) -> Session:
    """The session with these values; the database moves its version on."""
    Session.objects.filter(id=session.id).update(**values)
    session.refresh_from_db()
    return session


def _event(clinic: Clinic, session: Session, kind: str, at: datetime) -> None:
    session.events.create(kind=kind, actor=clinic.users["front_desk"], at=at)
