"""The facts that decide what is said about a session, as the records have them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from accounts import contacts
from accounts.models import Channel, Patient, Site
from notifications import wishes
from notifications.models import Message, MessagePlan, MessageStatus
from notifications.reminders import ENDED, CheckIn, OfferFacts, Reminder, SessionFacts, SitePlan
from sessions.models import TO_COME, Offer, OfferStatus, SeriesStatus, Session, SessionEvent, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

# Whatever gives a session another start leaves an event that says so.
NEW_START = Q(kind__in=["booked", "rescheduled"]) | Q(after__has_key="start")
ENDS = ("cancelled", "no_show")
# Messages about an end, and the state in which they are true.
ENDS_TOLD = {"cancellation": SessionStatus.CANCELLED, "no_show": SessionStatus.NO_SHOW}

# After one of these, the patient has been told, or nobody can say that they have not.
SAID = (MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.UNKNOWN)


@dataclass(slots=True)
class History:
    """What the events of one session say that its row does not."""

    stands_since: datetime
    starts: int = 1
    ended_by: datetime | None = None


def histories(ids: Sequence[UUID]) -> dict[UUID, History]:
    """The histories of these sessions; one without events has none."""
    events = SessionEvent.objects.filter(NEW_START | Q(kind__in=ENDS), session__in=ids)
    found: dict[UUID, History] = {}
    for session_id, kind, at in events.order_by("at", "id").values_list("session", "kind", "at"):
        history = found.get(session_id)
        if kind in ENDS:
            found.setdefault(session_id, History(at)).ended_by = at
        elif history is None:
            found[session_id] = History(at)
        else:
            history.stands_since, history.starts = at, history.starts + 1
    return found


def last_sessions(sessions: Sequence[Session]) -> set[UUID]:
    """Of the series that are over, the last session that took place."""
    over = {s.series_id for s in sessions if s.series.status == SeriesStatus.COMPLETED}
    if not over:
        return set()
    ended = Session.objects.filter(series__in=over, status__in=ENDED).order_by("series", "-start")
    return set(ended.distinct("series").values_list("id", flat=True))


def told_start(rows: Iterable[Message]) -> datetime | None:
    """The start of which the patient was told last, perhaps; None where nothing was said."""
    told = [row for row in rows if row.follow_up_id is None and row.kind not in ENDS_TOLD and _may_have_been_said(row)]
    latest = max(told, key=lambda row: (row.handed_over_at or row.sent_at or row.created_at, row.id), default=None)
    return latest.speaks_of if latest else None


def _may_have_been_said(row: Message) -> bool:
    return row.status in SAID and (row.status != MessageStatus.SENDING or row.handed_over_at is not None)


def facts_of(session: Session, history: History, told: datetime | None, *, last: bool) -> SessionFacts:
    """The facts that decide what is said about a session (with its patient, site, series and protocol loaded)."""
    protocol, patient, site = session.series.protocol, session.patient, session.site
    plan = getattr(site, "message_plan", None) or MessagePlan(site=site)
    return SessionFacts(
        status=session.status,
        start=session.start,
        discharged_at=session.ended_at,
        stands_since=history.stands_since,
        moves=history.starts - 1,
        ended_by=history.ended_by,
        told=told,
        reminders=tuple(_reminder(entry) for entry in protocol.reminders),
        follow_ups=tuple(
            CheckIn(f["instrument"], f["hours_after"], f.get("anchor", "discharge")) for f in protocol.follow_ups
        ),
        wished=tuple(patient.preferred_channels),
        reachable=reachable(patient),
        last_reminder=timedelta(minutes=site.last_reminder_minutes),
        follow_up_life=timedelta(days=settings.FOLLOW_UP_LIFE_DAYS),
        zone=ZoneInfo(site.time_zone),
        quiet=quiet_hours(patient, site),
        first=session.sequence == 1,
        last=last,
        site=SitePlan(
            plan.receipts,
            plan.changes,
            plan.cancellations,
            plan.no_shows,
            plan.preparation_hours,
            plan.ask_again_hours,
        ),
    )


def facts_of_offer(offer: Offer) -> OfferFacts:
    """The facts that decide what is said about an offer (with its patient and site loaded)."""
    patient = offer.patient
    return OfferFacts(
        start=offer.start,
        made_at=offer.created_at,
        until=offer.expires_at,
        wished=tuple(patient.preferred_channels),
        reachable=reachable(patient),
        quiet=quiet_hours(patient, offer.site),
    )


def reachable(patient: Patient) -> frozenset[str]:
    """The channels by which the patient is reached."""
    return frozenset(channel for channel in Channel.values if address(patient, channel))


def _reminder(entry: Mapping[str, Any]) -> Reminder:
    channels = tuple(entry["channels"])
    if "at" in entry:
        return Reminder(0, channels, int(entry["days_before"]), time.fromisoformat(entry["at"]))
    return Reminder(entry["hours_before"], channels)


def address(patient: Patient, channel: str) -> str:
    """Where a channel reaches the patient; "" where it does not, or the patient wants nothing there."""
    return "" if hindrance(patient, channel) else getattr(patient, contacts.FIELDS[channel])


def quiet_hours(patient: Patient, site: Site) -> wishes.Hours | None:
    """When the patient is not texted, by the patient's clock; None where such hours are switched off."""
    begin, end = (time.fromisoformat(each) for each in settings.QUIET_HOURS)
    if patient.quiet_from is not None and patient.quiet_until is not None:
        begin, end = patient.quiet_from, patient.quiet_until
    zone = ZoneInfo(patient.time_zone or site.time_zone)
    return wishes.Hours(begin, end, zone) if begin != end else None


def hindrance(patient: Patient, channel: str) -> str:
    """Why a channel does not reach the patient, as `wishes.hindrance` has it; "" where it does."""
    addressed = frozenset(name for name, field in contacts.FIELDS.items() if getattr(patient, field))
    stopped, dead = frozenset(patient.stopped_channels), frozenset(patient.dead_channels)
    return wishes.hindrance(channel, wishes.Reach(addressed, stopped, dead, patient.texting_consent))


def why_not(message: Message) -> str:
    """Why its session or offer as it stands leaves nothing to say by this message; "" where it is still to be said.

    The one answer to that question: asked here, and again under that row's lock before a message is handed over.
    """
    session, offer = message.session, message.offer
    if session is None:
        assert offer is not None
        return "" if offer.status == OfferStatus.OPEN else f"offer_{offer.status}"
    if message.kind in ENDS_TOLD:
        return "" if session.status == ENDS_TOLD[message.kind] else "no_longer_wanted"
    if session.status in (SessionStatus.CANCELLED, SessionStatus.NO_SHOW):
        return session.status
    if session.start != message.speaks_of:
        return "moved"
    asked = message.follow_up
    if asked is not None and asked.answered_at:
        return "answered"
    before = asked is None or asked.anchor == "before_session"
    return "no_longer_wanted" if before and session.status not in TO_COME else ""
