"""From something that falls away to what becomes of each session: who is affected, and the least disturbing repair."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Q

from scheduler.day import Day, Need, Place
from scheduler.repair import Case, Repair, Spot, repair
from scheduler.shifting import MOST_DAYS_AWAY
from scheduler.slots import mask
from scheduler.walltime import DAY, bits, local_date
from scheduler.windows import Course
from sessions.course import phases_of_series, standing_dates
from sessions.facts import SLOT, site_days, zone_of
from sessions.models import GONE, TO_COME, DisruptionItem, DisruptionKind, Outcome, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import Site
    from sessions.models import Disruption


@dataclass(frozen=True)
class Missing:
    """What falls away from `start` to `end`: a provider, a chair, or, where both are None, the whole site."""

    site: Site
    kind: str
    provider: UUID | None
    chair: UUID | None
    start: datetime
    end: datetime

    @classmethod
    def of(cls, disruption: Disruption) -> Missing:
        """What a disruption says falls away."""
        during = disruption.during
        who = (disruption.provider_id, disruption.chair_id)
        return cls(disruption.site, disruption.kind, *who, during.lower, during.upper)

    def affected(self) -> list[Session]:
        """The live sessions that need it then, by start; those begun too."""
        rows = Session.objects.filter(site=self.site, start__lt=self.end, turnover_end__gt=self.start)
        if self.kind == DisruptionKind.PROVIDER_ABSENCE:
            nursed = Q(nurse=self.provider, end__gt=self.start)
            rows = rows.filter(nursed | Q(prescriber=self.provider, infuse_start__lt=self.end, end__gt=self.start))
        elif self.kind == DisruptionKind.CHAIR_CLOSURE:
            rows = rows.filter(chair=self.chair)
        live = rows.exclude(status__in=(*GONE, "completed", "stopped_early"))
        return list(live.select_related("series__protocol", "series__site", "patient").order_by("start", "id"))

    def without(self, day: Day) -> Day:
        """The day as it is without it."""
        gone = bits(day.first_instant, day.slots, self.start, self.end, inward=False)
        if not gone:
            return day
        if self.kind == DisruptionKind.SITE_CLOSURE:
            return replace(day, open=day.open & ~gone)
        if self.kind == DisruptionKind.CHAIR_CLOSURE:
            chairs = (replace(c, free=c.free & ~gone) if c.id == str(self.chair) else c for c in day.chairs)
            return replace(day, chairs=tuple(chairs))
        name = str(self.provider)
        staff = [
            tuple(replace(p, on_duty=p.on_duty & ~gone) if p.id == name else p for p in pool)
            for pool in (day.nurses, day.prescribers)
        ]
        return replace(day, nurses=staff[0], prescribers=staff[1])


def draft_items(missing: Missing, now: datetime) -> list[DisruptionItem]:
    """What becomes of each session, unsaved: of those affected, and of those that change for their sake."""
    affected = missing.affected()
    begun = [session for session in affected if session.status not in TO_COME or session.start <= now]
    to_come = [session for session in affected if session not in begun]
    items = [_unresolved(session, "begun", "The visit has begun: somebody has to take over.") for session in begun]
    if not to_come:
        return items
    courses = _courses(to_come)
    cases = [_case(session) for session in to_come]
    days = _days(missing, to_come, courses, now)
    busy = _busy(to_come, days)
    cases = [replace(case, free=busy.get(case.person, {})) for case in cases]
    found = repair(cases, courses, days)
    by_id = {str(session.pk): session for session in to_come}
    items += [_item(by_id[case.id], found.spots[case.id], found) for case in cases]
    return items + _relaid(found, days, by_id)


def _courses(sessions: Iterable[Session]) -> dict[str, Course]:
    series = {session.series_id: session.series for session in sessions}
    return {str(pk): Course(phases_of_series(row), standing_dates(row)) for pk, row in series.items()}


def _case(session: Session) -> Case:
    zone = zone_of(session.series.site)
    return Case(
        id=str(session.pk),
        person=str(session.patient_id),
        series=str(session.series_id),
        sequence=session.sequence,
        need=need_of(session),
        start=session.start,
        day=local_date(session.start, zone),
        present=Place(str(session.chair_id), str(session.nurse_id), str(session.prescriber_id)),
        free={},
    )


def need_of(session: Session) -> Need:
    """What a booked session asks of a day: its own lengths, the chair that its treatment asks for, stated wishes."""
    marks = (session.start, session.infuse_start, session.recover_start, session.end, session.turnover_end)
    prepare, infuse, recover, turnover = (-(-(b - a) // SLOT) for a, b in pairwise(marks))
    hands_on = -(-(session.hands_on_until - session.start) // SLOT)
    seat = (frozenset(session.chair_kinds), frozenset(session.chair_features), session.wished_chair_kind or None)
    wished = None if session.wished_provider_id is None else str(session.wished_provider_id)
    return Need(prepare, infuse, recover, turnover, hands_on, session.acuity, *seat, wished)


def _days(
    missing: Missing, sessions: Sequence[Session], courses: Mapping[str, Course], now: datetime
) -> dict[date, Day]:
    """The site's days that the cases' series may reach, without what falls away and without the cases."""
    zone, wanted = zone_of(missing.site), set[date]()
    today = local_date(now, zone)
    for session in sessions:
        day = local_date(session.start, zone)
        low, high = courses[str(session.series_id)].window(session.sequence)
        low, high = max(low, today, day - MOST_DAYS_AWAY * DAY), min(high, day + MOST_DAYS_AWAY * DAY)
        wanted |= {day} | {low + n * DAY for n in range((high - low).days + 1)}
    own = [session.pk for session in sessions]
    days = site_days(missing.site, sorted(wanted), None, None, now, leaving_out=own)
    return {day.date: missing.without(day) for day in days}


def _busy(sessions: Iterable[Session], days: Mapping[date, Day]) -> dict[str, dict[date, int]]:
    """By patient and date the slots in which the patient has no other session."""
    patients = {session.patient_id for session in sessions}
    own = [session.pk for session in sessions]
    since, until = min(days), max(days)
    rows = Session.objects.filter(
        patient__in=patients, start__lt=days[until].first_instant + DAY, end__gt=days[since].first_instant
    ).exclude(Q(pk__in=own) | Q(status__in=GONE))
    free: dict[str, dict[date, int]] = defaultdict(dict)
    for patient, start, end in rows.values_list("patient", "start", "end"):
        for name, day in days.items():
            taken = bits(day.first_instant, day.slots, start, end, inward=False)
            if taken:
                every = mask(0, day.slots, day.slots)
                free[str(patient)][name] = free[str(patient)].get(name, every) & ~taken
    return free


class Appointment(NamedTuple):
    """When a patient is somewhere for a session of theirs."""

    session: UUID
    start: datetime
    end: datetime


def appointments(patients: Collection[UUID], days: Sequence[Day]) -> dict[UUID, list[Appointment]]:
    """By patient all that they have on these days, at whichever site; one question for all of them."""
    since, until = min(day.first_instant for day in days), max(day.first_instant + day.slots * SLOT for day in days)
    rows = Session.objects.filter(patient__in=patients, start__lt=until, end__gt=since).exclude(status__in=GONE)
    found: dict[UUID, list[Appointment]] = defaultdict(list)
    for patient, session, start, end in rows.values_list("patient", "pk", "start", "end"):
        found[patient].append(Appointment(session, start, end))
    return found


def free_slots(day: Day, busy: Sequence[Appointment], own: UUID | None = None) -> int:
    """The slots of a day in which whoever has these appointments is free; their `own` session does not count."""
    free = mask(0, day.slots, day.slots)
    for each in busy:
        if each.session != own:
            free &= ~bits(day.first_instant, day.slots, each.start, each.end, inward=False)
    return free


def place_of(session: Session) -> dict[str, Any]:
    """Where a session is and who has it, as items and events say it."""
    who = {name: str(getattr(session, f"{name}_id")) for name in ("chair", "nurse", "prescriber")}
    return {"start": session.start.isoformat(), "end": session.end.isoformat(), **who}


def times_at(session: Session, start: datetime) -> dict[str, datetime]:
    """The six instants of a session as long as this one that starts at `start`."""
    names = ("start", "hands_on_until", "infuse_start", "recover_start", "end", "turnover_end")
    return {name: getattr(session, name) + (start - session.start) for name in names}


def _unresolved(session: Session, code: str, why: str) -> DisruptionItem:
    return _made(session, Outcome.UNRESOLVED, None, code, why)


def _made(session: Session, outcome: str, after: dict[str, Any] | None, code: str, why: str) -> DisruptionItem:
    return DisruptionItem(
        session=session,
        patient_id=session.patient_id,
        outcome=outcome,
        before=place_of(session),
        after=after,
        session_version=session.version,
        status_before=session.status,
        code=code,
        why=why,
    )


def _item(session: Session, spot: Spot | None, found: Repair) -> DisruptionItem:
    if spot is None:
        refusal = found.why[str(session.pk)]
        return _unresolved(session, refusal.code, refusal.detail[:1].upper() + refusal.detail[1:] + ".")
    start = found.days[spot.day].first_instant + spot.slot * SLOT
    after = _after(session, start, spot.place)
    if not spot.minutes:
        return _made(session, Outcome.KEPT, after, "", "")
    return _made(session, Outcome.MOVED, after, "", "")


def _after(session: Session, start: datetime, who: Place) -> dict[str, Any]:
    end = start + (session.end - session.start)
    return {"start": start.isoformat(), "end": end.isoformat(), **who._asdict()}


def _relaid(found: Repair, before: Mapping[date, Day], cases: Mapping[str, Session]) -> list[DisruptionItem]:
    """Items of sessions that are not affected and change hands so that others can stay."""
    stood = {item.id: (item.chair, item.nurse, item.prescriber) for day in before.values() for item in day.taken}
    changed = {
        item.id: Place(item.chair or "", item.nurse or "", item.prescriber or "")
        for day in found.days.values()
        for item in day.taken
        if item.id not in cases and stood[item.id] != (item.chair, item.nurse, item.prescriber)
    }
    rows = Session.objects.filter(pk__in=[name for name in changed if "/" not in name]).order_by("start", "id")
    return [_made(row, Outcome.KEPT, _after(row, row.start, changed[str(row.pk)]), "", "") for row in rows]
