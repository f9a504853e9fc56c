"""Red flags for clinicians: raised with the answer that shows them, passed on until somebody owns them, closed by hand.

An alert and the message that tells of it are written in the transaction that stores its cause. While nobody
acknowledges it, it climbs the ladder (`on_call.told_at`): the clinician on call, then the site's creator as well, then
everybody who treats there, again and again. Nothing but a person ends it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from accounts import clock
from accounts.refusals import Conflict
from notifications import on_call, red_flags, wishes
from notifications.models import Alert, AlertLevel, AlertStatus, FlagRule, FollowUp, Message, ReplyKind
from sessions.models import TO_COME, AdverseEvent, Series, SeriesStatus, Session, VitalSigns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from accounts.models import User
    from notifications.models import Reply

BATCH = 100
# For so long something that nobody was told of, while no worker ran, is still told.
TOLD_FOR_HOURS = 24
# A task that may wait a day wakes nobody at night: it stands on the list, and is told only once it has waited too long.
TOLD_AT_ONCE = (AlertLevel.HIGH, AlertLevel.URGENT, AlertLevel.EMERGENCY)
URGENT = (AlertLevel.URGENT, AlertLevel.EMERGENCY)


def rules_in_force(organization_id: UUID) -> dict[str, red_flags.Rule]:
    """The rules by kind, as the organization has them."""
    found = dict(red_flags.rules())
    for own in FlagRule.objects.filter(organization=organization_id):
        if own.kind in found:
            values = (own.level, own.at_least, own.act_minutes, own.escalate_minutes)
            found[own.kind] = red_flags.changed(found[own.kind], *values)
    return found


def raise_for_answers(follow_up: FollowUp, now: datetime) -> list[Alert]:
    """Raise what the stored answers call for; `score` and `answers` are set. Call it where they are stored.

    So no answer is kept without its alerts, and no alert without the message that tells of it.
    """
    in_force = rules_in_force(follow_up.session.site.organization_id)
    met = red_flags.raised(answered(follow_up), list(in_force.values()))
    for rule in met:
        if rule.holds_series:
            _hold(follow_up.session.series_id)
    return _raise(met, follow_up.session, now, follow_up=follow_up)


def met_by_words(reply: Reply) -> list[red_flags.Rule]:
    """The rules that a text met which nobody understood; [] of a stranger."""
    if reply.patient is None or reply.kind != ReplyKind.OTHER:
        return []
    in_force = rules_in_force(reply.patient.site.organization_id)
    return list(red_flags.raised_by_words(wishes.folded(reply.text), list(in_force.values())))


def raise_for_text(reply: Reply, met: Sequence[red_flags.Rule], now: datetime) -> list[Alert]:
    """Raise what a stored text calls for, at the patient's last visit; without any, it waits for the desk alone."""
    visits = Session.objects.filter(patient=reply.patient_id).select_related("site").order_by("-start")
    session = (reply.session or visits.first()) if met else None
    if session is None:
        return []
    for rule in met:
        if rule.holds_series:
            _hold(session.series_id)
    return _raise(met, session, now, reply=reply)


def answered(follow_up: FollowUp) -> red_flags.Answered:
    """The stored answers, as rules judge them."""
    assert follow_up.answers is not None
    assert follow_up.score is not None
    return red_flags.Answered(
        follow_up.instrument, follow_up.answers, follow_up.score, follow_up.hours_after, _score_before(follow_up)
    )


def _score_before(follow_up: FollowUp) -> Decimal | None:
    """What the patient scored the time before by the same instrument."""
    earlier = FollowUp.objects.filter(
        patient=follow_up.patient_id, instrument=follow_up.instrument, answered_at__isnull=False
    )
    last = earlier.exclude(id=follow_up.id).order_by("-answered_at", "-id").first()
    return last.score if last else None


def raise_about(message: Message, kind: str, now: datetime | None = None) -> list[Alert]:
    """Raise the task for what became of a message, by the rule of that kind."""
    rule = rules_in_force(message.visit.site.organization_id)[kind]
    return _raise([rule], message.visit, now or clock.now(), message=message)


def raise_for_visits(sessions: Sequence[Session], now: datetime) -> list[Alert]:
    """Raise what was read and what went ill at these sessions calls for, with their rows locked.

    The database has each of them looked at by the next tick. While an alert of the
    same kind is open or owned, its owner knows, and no second one is raised; what is a day old is told no more.
    """
    begun = {session.id: session for session in sessions if session.status not in TO_COME}
    rules, made = _Rules(), []
    for cause, row, at in _at_visits(begun, now - timedelta(hours=TOLD_FOR_HOURS)) if begun else ():
        session = begun[row.session_id]
        met = _unknown(rules.met(session, row), session, at)
        made += _raise(met, session, now, **{cause: row}) if met else []
    return made


def _at_visits(ids: Collection[UUID], since: datetime) -> Iterator[tuple[str, VitalSigns | AdverseEvent, datetime]]:
    """What was read and what went ill at these sessions since then, each as the cause of an alert, oldest first."""
    for reading in VitalSigns.objects.filter(session__in=ids, recorded_at__gt=since).order_by("recorded_at", "id"):
        yield "reading", reading, reading.recorded_at
    for event in AdverseEvent.objects.filter(session__in=ids, reported_at__gt=since).order_by("reported_at", "id"):
        yield "adverse_event", event, event.reported_at


class _Rules:
    """The rules in force, read once for each organization."""

    def __init__(self) -> None:
        self._read: dict[UUID, list[red_flags.Rule]] = {}

    def met(self, session: Session, row: VitalSigns | AdverseEvent) -> tuple[red_flags.Rule, ...]:
        """Those that a reading or an adverse event at the session meets."""
        organization = session.site.organization_id
        if organization not in self._read:
            self._read[organization] = list(rules_in_force(organization).values())
        in_force = self._read[organization]
        if isinstance(row, AdverseEvent):
            return red_flags.raised_by_grade(row.grade, in_force)
        return red_flags.raised_by_reading(vars(row), in_force)


def _unknown(met: Collection[red_flags.Rule], session: Session, at: datetime) -> list[red_flags.Rule]:
    """Those of the rules met by something written down at `at` of which no alert tells yet."""
    if not met:
        return []
    told = Alert.objects.filter(session=session, kind__in=[rule.kind for rule in met])
    known = set(told.filter(Q(closed_at=None) | Q(closed_at__gte=at)).values_list("kind", flat=True))
    return [rule for rule in met if rule.kind not in known]


def _raise(rules: Iterable[red_flags.Rule], session: Session, now: datetime, **cause: Any) -> list[Alert]:
    """Write one open alert for each rule, with whoever is on call as its owner, and what tells of it."""
    owner = on_call.on_call(session.site, now)
    made = []
    for rule in rules:
        values = {
            "patient_id": session.patient_id,
            "session_id": session.id,
            "level": rule.level,
            "owner": owner,
            "created_at": now,
            "act_by": now + timedelta(minutes=rule.act_minutes),
            "escalate_at": now + timedelta(minutes=rule.escalate_minutes),
        }
        alert, new = Alert.objects.get_or_create(**cause, kind=rule.kind, defaults=values)
        if new:
            made.append(alert)
            if alert.level in TOLD_AT_ONCE:
                _tell(alert, now, now + timedelta(minutes=rule.escalate_minutes))
    return made


def _tell(alert: Alert, now: datetime, until: datetime) -> None:
    """Write what tells of the alert, to everybody of its present step by each of their channels."""
    urgent = alert.level in URGENT
    Message.objects.bulk_create(
        [
            Message(
                session_id=alert.session_id,
                patient_id=alert.patient_id,
                alert=alert,
                recipient=person,
                kind=f"alert_{alert.step}",
                rule=f"red_flags: {alert.kind}",
                channel=channel,
                speaks_of=alert.created_at,
                due_at=now,
                try_at=now,
                # A later word about the same alert does not make this one stale: it may be the one that is read.
                not_after=max(until, now + timedelta(hours=1)),
                urgent=urgent,
            )
            for person in on_call.told_at(alert.step, alert.session.site, now)
            for channel in on_call.channels_of(person)
        ],
        ignore_conflicts=True,
    )


def escalate(now: datetime) -> int:
    """Pass on every open alert whose time has come, one step further; how many."""
    count = 0
    while True:
        with transaction.atomic():
            late = list(
                Alert.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
                .filter(status=AlertStatus.OPEN, escalate_at__lte=now)
                .select_related("session__site")
                .order_by("escalate_at")[:BATCH]
            )
            rules = {alert.session.site.organization_id: None for alert in late}
            in_force = {organization: rules_in_force(organization) for organization in rules}
            for alert in late:
                _pass_on(alert, in_force[alert.session.site.organization_id].get(alert.kind), now)
        count += len(late)
        if len(late) < BATCH:
            return count


def _pass_on(alert: Alert, rule: red_flags.Rule | None, now: datetime) -> None:
    minutes = rule.escalate_minutes if rule else red_flags.rules()["no_answer"].escalate_minutes
    alert.step += 1
    alert.owner = on_call.on_call(alert.session.site, now)
    alert.escalate_at = now + timedelta(minutes=minutes)
    alert.save(update_fields=["step", "owner", "escalate_at"])
    _tell(alert, now, alert.escalate_at)


def _hold(series_id: UUID) -> None:
    """Nothing more of the series is given before a prescriber has released it."""
    Series.objects.filter(id=series_id, status__in=[SeriesStatus.ACTIVE, SeriesStatus.NEEDS_REVIEW]).update(
        status=SeriesStatus.ON_HOLD
    )


@transaction.atomic
def acknowledge(alert_id: UUID, user: User, now: datetime | None = None) -> Alert:
    """Make `user` the owner of an open alert. Conflict `already_done` with `by` and `at` where somebody was first."""
    alert = Alert.objects.select_for_update(no_key=True).get(id=alert_id)
    refuse_if_acknowledged(alert)
    _own(alert, user, now or clock.now())
    alert.save(update_fields=["status", "owner", "acknowledged_at", "escalate_at"])
    return alert


def _own(alert: Alert, user: User, now: datetime) -> None:
    alert.status, alert.owner, alert.acknowledged_at = AlertStatus.ACKNOWLEDGED, user, now
    alert.escalate_at = None


@transaction.atomic
def close(alert_id: UUID, user: User, outcome: str, now: datetime | None = None) -> Alert:
    """End an alert with what was done (`outcome`, not empty); one that nobody owned is `user`'s first.

    Conflict `already_done` with `by` and `at` where it is closed.
    """
    alert = Alert.objects.select_for_update(no_key=True).get(id=alert_id)
    refuse_if_closed(alert)
    at = now or clock.now()
    if alert.status == AlertStatus.OPEN:
        _own(alert, user, at)
    alert.status, alert.closed_by, alert.closed_at, alert.outcome = AlertStatus.CLOSED, user, at, outcome
    alert.save()
    return alert


def refuse_if_acknowledged(alert: Alert) -> None:
    """Conflict `already_done` with `by` and `at` where somebody has acknowledged the alert."""
    if alert.status != AlertStatus.OPEN:
        raise Conflict(
            "already_done",
            "This alert is acknowledged already.",
            by=str(alert.owner_id),
            at=alert.acknowledged_at.isoformat() if alert.acknowledged_at else None,
        )


def refuse_if_closed(alert: Alert) -> None:
    """Conflict `already_done` with `by` and `at` where somebody has closed the alert."""
    if alert.status == AlertStatus.CLOSED:
        raise Conflict(
            "already_done",
            "This alert is closed already.",
            by=str(alert.closed_by_id),
            at=alert.closed_at.isoformat() if alert.closed_at else None,
        )
