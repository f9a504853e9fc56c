"""What went ill, by CTCAE grade; a grave one holds the series until a prescriber has looked at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accounts.refusals import Conflict, RuleBroken
from sessions.lifecycle import Versions, make_move
from sessions.models import AdverseEvent, Series, SeriesStatus, Session
from sessions.queries import visible_sessions

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User

RUNNING = (SeriesStatus.ACTIVE, SeriesStatus.NEEDS_REVIEW)
ACTIONS = ("none", "slowed", "paused", "stopped", "treated")
OUTCOMES = ("ongoing", "resolved", "resolved_with_sequelae", "hospital", "death", "unknown")


@dataclass(frozen=True)
class Report:
    """One report; the fields are those of `AdverseEvent`."""

    grade: int
    term: str
    onset: datetime
    action: str
    outcome: str
    symptoms: str = ""
    drugs_given: str = ""
    rechallenge_plan: str = ""
    amends: AdverseEvent | None = None


def report(
    session: Session, told: Report, actor: User, now: datetime, expected: Versions = None
) -> tuple[Session, AdverseEvent]:
    """Write an adverse event. From the grade on that the site says, the series is held.

    Raises:
        RuleBroken: `in_future`; `before_arrival` for an onset before the patient came; `other_session` where it amends
            an event of another session.
    """
    if told.onset > now:
        raise RuleBroken("in_future", "What has not happened yet is not reported.")
    if told.amends is not None and told.amends.session_id != session.pk:
        raise RuleBroken("other_session", "This event belongs to another session.")
    kept: list[AdverseEvent] = []
    also: dict[str, Any] = {"grade": told.grade}

    def change(row: Session) -> None:
        if row.arrived_at is not None and told.onset < row.arrived_at:
            raise RuleBroken("before_arrival", "This began before the patient arrived.")
        who = {"patient_id": row.patient_id, "reported_by": actor, "reported_at": now}
        rate = row.rate_percent if row.infusion_started_at is not None else None
        kept.append(AdverseEvent.objects.create(session=row, rate_percent=rate, **who, **vars(told)))
        also["adverse_event"] = str(kept[0].pk)
        if told.grade >= row.site.hold_series_from_grade:
            also["series"] = _hold(row.series_id)

    session = make_move(session, "adverse-events", actor, now, change=change, also=also, expected=expected)
    return session, kept[0]


def _hold(series: UUID) -> str:
    """Hold the series; where it is cancelled, the patient's others that run: the next infusion waits all the same."""
    ill = Series.objects.select_for_update(no_key=True).get(pk=series)
    if ill.status != SeriesStatus.CANCELLED:
        ill.status = SeriesStatus.ON_HOLD
        ill.save(update_fields=["status"])
        return ill.status
    running = Series.objects.filter(patient=ill.patient_id, status__in=RUNNING)
    for other in running.select_for_update(no_key=True).order_by("pk"):
        other.status = SeriesStatus.ON_HOLD
        other.save(update_fields=["status"])
    return ill.status


def visible_adverse_events(user: User) -> QuerySet[AdverseEvent]:
    """Adverse events at sessions that the person may see."""
    return AdverseEvent.objects.filter(session__in=visible_sessions(user))


def refuse_held(patient: UUID) -> None:
    """Refuse a booking for a patient one of whose series waits for a prescriber.

    Raises:
        Conflict: `patient_on_hold`.
    """
    if Series.objects.filter(patient=patient, status=SeriesStatus.ON_HOLD).exists():
        raise on_hold()


def on_hold() -> Conflict:
    """The refusal of a booking for a patient one of whose series waits for a prescriber."""
    return Conflict("patient_on_hold", "A prescriber has to release this patient's series first.")
