"""What happened to one visit: who changed what, why, from where to where, and what the patient was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from accounts.audit import record_reads
from accounts.models import Channel
from accounts.refusals import NotFound
from accounts.rights import is_staff
from notifications.models import MessageStatus
from scheduler.models import Chair, Provider
from sessions.events import told_after_each
from sessions.models import SessionEvent
from web.pages import page, page_for
from web.visits import visit_seen_by

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User
    from sessions.events import Told
    from sessions.models import Session


@dataclass(frozen=True)
class Change:
    """One event: what it was, by whom, what was so before and after, in words; `messages` are kind, channel, status."""

    event: SessionEvent
    what: str
    before: Side
    after: Side
    disruption: str | None
    messages: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Side:
    """A start, where that changed, and names of who had the visit."""

    start: datetime | None
    names: str


@page_for("sessions.events")
def history(request: HttpRequest, session: str) -> HttpResponse:
    """The visit's events, oldest first, each with what was said to the patient from it to the next one."""
    user, visit = cast("User", request.user), visit_seen_by(request, session)
    # Names of the staff and their reasons are the clinic's own; a patient sees the visits and the messages themselves.
    if not is_staff(user):
        raise NotFound
    record_reads(user.pk, SessionEvent._meta.db_table, [(visit.pk, visit.patient_id)])
    return page(request, "history", site=visit.site, session=visit, changes=_changes(visit))


def _changes(visit: Session) -> list[Change]:
    names = {str(pk): name for pk, name in Chair.objects.filter(site=visit.site).values_list("pk", "name")}
    names |= {str(pk): name for pk, name in Provider.objects.filter(site=visit.site).values_list("pk", "name")}
    events = list(visit.events.select_related("actor").order_by("id"))
    said = told_after_each(visit)
    return [
        Change(
            event=event,
            what=event.kind.replace("_", " "),
            before=_side(event.before, names),
            after=_side(event.after, names),
            disruption=event.after.get("disruption"),
            messages=[_words(one) for one in said[event.pk]],
        )
        for event in events
    ]


def _side(told: dict[str, Any], names: dict[str, str]) -> Side:
    people = [names.get(told[name], "") for name in ("chair", "nurse", "prescriber") if name in told]
    return Side(datetime.fromisoformat(told["start"]) if "start" in told else None, ", ".join(filter(None, people)))


def _words(one: Told) -> tuple[str, str, str]:
    return one.kind, str(Channel(one.channel).label), str(MessageStatus(one.status).label)
