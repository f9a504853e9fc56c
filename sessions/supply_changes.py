"""Which booked sessions a site's supply does not carry; the room below asks around each change of supply."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts import clock
from scheduler.models import Protocol
from scheduler.supply import supply_on
from scheduler.treatment import ChairNeed, every_visit, parse_phases
from scheduler.walltime import bits, local_date
from sessions.models import TO_COME, DisruptionItem, DisruptionStatus, Session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Site
    from scheduler.day import ChairFacts, Day

# Of an absence that is recorded: the draft of one that is not says nothing of the supply as it stands.
RECORDED = (
    Q(disruption__time_off__isnull=False)
    | Q(disruption__chair_closure__isnull=False)
    | Q(disruption__site_closure__isnull=False)
)
Needs = dict[tuple["UUID", int], ChairNeed]


def stranded(site: Site) -> set[UUID]:
    """Ids of the sessions to come at the site whose chair, nurse, prescriber or opening hours no longer hold.

    Supply is read as it stands in this transaction. Begun sessions are not looked at: they go on where they are.
    """
    rows = Session.objects.filter(site=site, status__in=TO_COME, turnover_end__gt=clock.now())
    sessions = list(rows.select_related("series"))
    zone = ZoneInfo(site.time_zone)
    dates = {local_date(at, zone) for session in sessions for at in (session.start, session.turnover_end)}
    days = supply_on(site, dates)
    needs = _needs(sessions)
    return {session.pk for session in sessions if not all(_carries(day, session, needs) for day in days)}


def left_silently(site: Site) -> set[UUID]:
    """Those of `stranded` that stand in no open draft: what becomes of the others is said already."""
    ids = stranded(site)
    if not ids:
        return ids
    told = DisruptionItem.objects.filter(RECORDED, disruption__status=DisruptionStatus.DRAFT, session__in=ids)
    return ids - set(told.values_list("session", flat=True))


def _needs(sessions: Iterable[Session]) -> Needs:
    """What the protocols ask of a chair, by protocol and sequence, as far as these sessions go."""
    last: dict[UUID, int] = {}
    for session in sessions:
        protocol = session.series.protocol_id
        last[protocol] = max(session.sequence, last.get(protocol, 0))
    return {
        (protocol.pk, visit.sequence): visit.chair
        for protocol in Protocol.objects.filter(pk__in=last)
        for visit in islice(every_visit(parse_phases(protocol.phases)), last[protocol.pk])
    }


def _carries(day: Day, session: Session, needs: Needs) -> bool:
    """Whether the day's supply holds for the part of the session that lies on it; true where none does."""
    whole = _during(day, session.start, session.turnover_end)
    if not whole:
        return True
    need = needs.get((session.series.protocol_id, session.sequence), ChairNeed())
    chairs = (chair.free for chair in day.chairs if chair.id == str(session.chair_id) and _fits(chair, need))
    nurses = (person.on_duty for person in day.nurses if person.id == str(session.nurse_id))
    prescribers = (person.on_duty for person in day.prescribers if person.id == str(session.prescriber_id))
    lacking = whole & ~day.open
    lacking |= whole & ~next(chairs, 0)
    lacking |= _during(day, session.start, session.end) & ~next(nurses, 0)
    lacking |= _during(day, session.infuse_start, session.end) & ~next(prescribers, 0)
    return not lacking


def _during(day: Day, start: datetime, end: datetime) -> int:
    return bits(day.first_instant, day.slots, start, end, inward=False)


def _fits(chair: ChairFacts, need: ChairNeed) -> bool:
    return need.features <= chair.features and (not need.kinds or chair.kind in need.kinds)
