"""Which free places are offered to whom. Nothing is told to this module: each tick looks at the days as they stand.

So a place that was freed by a cancellation, a move, a visit missed or more supply is found alike, and an offer whose
place has gone is taken back. An offer holds nothing. It goes to the best matches first: whose course it brings no
farther from its wanted gaps, then who waits longest; to so many at once as the site says, so often a person and day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts.models import Site
from scheduler import planner
from scheduler.day import Day, Need, Refusal, place, starts
from scheduler.search import permitted
from scheduler.slots import bits, runs
from scheduler.treatment import visits
from scheduler.walltime import DAY, first_instant, local_date
from scheduler.windows import Course
from sessions.course import phases_of_series, standing_dates
from sessions.drafting import Appointment, appointments, free_slots, need_of
from sessions.facts import SLOT, site_days, zone_of
from sessions.models import (
    TO_COME,
    EntryStatus,
    Offer,
    OfferStatus,
    Plan,
    SeriesStatus,
    Session,
    WaitlistEntry,
)
from sessions.planning import as_row, phases_of, weights_of, wishes_as_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from scheduler.models import Protocol
    from scheduler.plans import WholePlan

# A start may be taken by somebody between looking and offering; so many are tried for one wish.
TRIES = 12
OF_A_SERIES = ("protocol", "site", "order")


@dataclass(frozen=True)
class Match:
    """A place that would do for a wish. `farther` are the days by which it brings the course off its wanted gaps."""

    entry: WaitlistEntry
    start: datetime
    end: datetime
    farther: int
    plan: WholePlan | None = None


def tick(now: datetime) -> int:
    """End what is over, take back what has gone, offer what is free; how many offers were made."""
    Offer.objects.filter(status=OfferStatus.OPEN, expires_at__lte=now).update(status=OfferStatus.EXPIRED)
    _close_entries(now)
    made = 0
    for site in Site.objects.filter(waitlist_entries__status=EntryStatus.WAITING).distinct():
        drop_gone(site, now)
        made += offer_places(site, now)
    return made


def _close_entries(now: datetime) -> None:
    """End wishes whose time has passed, or whose session has."""
    waiting = WaitlistEntry.objects.filter(status=EntryStatus.WAITING).select_related("site", "session")
    for entry in waiting:
        over = entry.latest < local_date(now, zone_of(entry.site))
        if over or (entry.session is not None and not _can_move(entry.session, now)):
            with transaction.atomic():
                Offer.objects.filter(entry=entry, status=OfferStatus.OPEN).update(status=OfferStatus.GONE)
                still = WaitlistEntry.objects.filter(pk=entry.pk, status=EntryStatus.WAITING)
                still.update(status=EntryStatus.EXPIRED)


def _can_move(session: Session, now: datetime) -> bool:
    return session.status in TO_COME and session.start > now


def rests(site: Site, now: datetime) -> bool:
    """Whether the site makes no offers at this time of day."""
    wall = now.astimezone(zone_of(site)).time()
    since, until = site.offers_rest_from, site.offers_rest_until
    return since <= wall < until if since <= until else wall >= since or wall < until


def offer_places(site: Site, now: datetime) -> int:
    """Offer free places at the site to those who wait; how many offers were made."""
    if rests(site, now):
        return 0
    entries = list(_waiting(site, now))
    if not entries:
        return 0
    days = _days(site, entries, now)
    busy = appointments({entry.patient_id for entry in entries}, list(days.values()))
    matches = [
        found for entry in entries if (found := _match(entry, days, busy.get(entry.patient_id, ()), now)) is not None
    ]
    matches.sort(key=lambda each: (each.farther > 0, each.entry.created_at, each.entry.pk))
    open_offers = list(Offer.objects.filter(site=site, status=OfferStatus.OPEN).values_list("start", "end"))
    made = 0
    for match in matches:
        beside = sum(start < match.end and match.start < end for start, end in open_offers)
        if beside < site.offers_at_once and _offer(match, now):
            open_offers.append((match.start, match.end))
            made += 1
    return made


def _waiting(site: Site, now: datetime) -> Iterator[WaitlistEntry]:
    """Those who may be offered something now: no offer open, not too many today, their course not waiting itself."""
    zone = zone_of(site)
    today = first_instant(local_date(now, zone), zone)
    offers = Offer.objects.filter(site=site, created_at__gte=today, created_at__lt=today + 2 * DAY)
    had = Counter(patient for patient, at in offers.values_list("patient", "created_at") if at >= today)
    asked = set(Offer.objects.filter(site=site, status=OfferStatus.OPEN).values_list("entry", flat=True))
    rows = WaitlistEntry.objects.filter(site=site, status=EntryStatus.WAITING).order_by("created_at", "id")
    names = ("patient__site", "protocol", "site", "created_by")
    rows = rows.select_related(*names, "session__site", *(f"session__series__{each}" for each in OF_A_SERIES))
    for entry in rows.prefetch_related("offers", "session__series__sessions"):
        series = entry.session.series if entry.session else None
        if had[entry.patient_id] >= site.offers_a_day or entry.pk in asked:
            continue
        if series is None or series.status == SeriesStatus.ACTIVE:
            yield entry


def _days(site: Site, entries: Sequence[WaitlistEntry], now: datetime) -> dict[date, Day]:
    """The days that the wishes speak of, a series' whole length included; without any patient's eyes."""
    zone = zone_of(site)
    today = local_date(now, zone)
    wanted: set[date] = set()
    for entry in entries:
        first, last = max(entry.earliest, today), entry.latest + _length(entry) * DAY
        wanted |= {first + n * DAY for n in range((last - first).days + 1)}
    return {day.date: day for day in site_days(site, sorted(wanted), None, None, now)}


def _length(entry: WaitlistEntry) -> int:
    """Days from the first session of a series to the last, at most; 0 for a single session."""
    if entry.protocol is None:
        return 0
    reach: dict[int, int] = {}
    for visit in visits(phases_of(entry.protocol), entry.sessions):
        before = reach.get(visit.sequence - 1, 0)
        reach[visit.sequence] = max(before + 1, reach.get(visit.gap.after, 0) + visit.gap.max_days if visit.gap else 0)
    return max(reach.values()) - 1


def _match(entry: WaitlistEntry, days: dict[date, Day], busy: Sequence[Appointment], now: datetime) -> Match | None:
    earliest = now + timedelta(hours=entry.site.offer_lead_hours)
    said = {offer.start for offer in entry.offers.all()}
    if entry.session is not None:
        return _place_for(entry, entry.session, days, busy, earliest, said)
    return _series_for(entry, days, busy, now, earliest, said)


def _place_for(
    entry: WaitlistEntry,
    session: Session,
    days: dict[date, Day],
    busy: Sequence[Appointment],
    earliest: datetime,
    said: set[datetime],
) -> Match | None:
    """The soonest start for a session that its series, its wish, the days and what was offered before allow."""
    zone, need, series = zone_of(entry.site), need_of(session), session.series
    course = Course(phases_of_series(series), standing_dates(series))
    low, high = course.window(session.sequence)
    valid = series.order.valid_until if series.order else date.max
    wishes = planner.Wishes(entry.earliest, entry.latest, time_windows=_windows(entry))
    own = local_date(session.start, zone)
    for name in sorted(day for day in days if max(low, entry.earliest) <= day <= min(high, entry.latest, valid)):
        day = days[name]
        if name == own:
            day = replace(day, taken=tuple(item for item in day.taken if item.id != str(session.pk)))
        free = starts(day, need) & permitted(day, need, wishes)
        if not free:
            continue
        free &= runs(free_slots(day, busy, session.pk), need.stay)
        found = ((day.first_instant + slot * SLOT, slot) for slot in bits(free))
        would_do = (
            (start, slot)
            for start, slot in found
            if start >= earliest and start not in said and _wanted(entry, session, start)
        )
        for start, slot in islice(would_do, TRIES):
            if not isinstance(place(day, need, slot, None, str(session.pk)), Refusal):
                farther = _off(course, {**course.dates, session.sequence: name}) - _off(course, course.dates)
                return Match(entry, start, start + need.stay * SLOT, farther)
    return None


def _wanted(entry: WaitlistEntry, session: Session, start: datetime) -> bool:
    """Whether a start is better than the present one: where that is within the wish itself, only a sooner one is."""
    zone = zone_of(entry.site)
    wall = session.start.astimezone(zone)
    ends = session.end.astimezone(zone)
    minutes = (wall.hour * 60 + wall.minute, ends.hour * 60 + ends.minute)
    windows = _windows(entry)
    fits = not windows or any(since <= minutes[0] and minutes[1] <= until for since, until in windows)
    inside = entry.earliest <= wall.date() <= entry.latest and fits
    return start < session.start if inside else start != session.start


def _off(course: Course, dates: dict[int, date]) -> int:
    """Days off the wanted gaps, over the whole course."""
    return sum(
        abs((dates[number] - dates[visit.gap.after]).days - visit.gap.target_days)
        for number, visit in course.visits.items()
        if visit.gap is not None and number in dates and visit.gap.after in dates
    )


def _windows(entry: WaitlistEntry) -> tuple[tuple[int, int], ...]:
    return tuple((since, until) for since, until in entry.time_windows)


def _series_for(
    entry: WaitlistEntry,
    days: dict[date, Day],
    busy: Sequence[Appointment],
    now: datetime,
    earliest: datetime,
    said: set[datetime],
) -> Match | None:
    """The best whole series that begins within the wish."""
    if entry.protocol is None:
        return None
    zone = zone_of(entry.site)
    first = max(entry.earliest, local_date(now, zone))
    wishes = planner.Wishes(first, entry.latest + _length(entry) * DAY, time_windows=_windows(entry))
    seen = [
        day.seen_by(
            day.patient_free & free_slots(day, busy),
            max(day.from_slot, min(day.slots, -((day.first_instant - earliest) // SLOT))),
        )
        for day in days.values()
    ]
    asked = visits(phases_of(entry.protocol), entry.sessions)
    for plan in planner.plan(asked, seen, wishes, weights_of(entry.site), limit=5):
        start = plan.sessions[0].instant
        if plan.sessions[0].date <= entry.latest and start not in said:
            visit = plan.sessions[0].visit
            stay = visit.prepare + visit.infuse + visit.recover
            return Match(entry, start, start + stay * SLOT, 0, plan)
    return None


def _offer(match: Match, now: datetime) -> bool:
    """Write an offer; whether there was none of this wish meanwhile."""
    entry, site = match.entry, match.entry.site
    expires = min(now + timedelta(minutes=site.offer_minutes), match.start)
    try:
        with transaction.atomic():
            whole, protocol = match.plan, entry.protocol
            plan = _plan(entry, protocol, whole, expires, now) if whole is not None and protocol is not None else None
            Offer.objects.create(
                entry=entry, patient_id=entry.patient_id, site=site, session=entry.session, plan=plan,
                start=match.start, end=match.end, created_at=now, expires_at=expires,
            )  # fmt: skip
    except IntegrityError:
        return False
    return True


def _plan(entry: WaitlistEntry, protocol: Protocol, found: WholePlan, expires: datetime, now: datetime) -> Plan:
    first = found.sessions[0].date
    wishes = planner.Wishes(first, found.sessions[-1].date, time_windows=_windows(entry))
    return Plan.objects.create(
        site=entry.site, protocol=protocol, patient_id=entry.patient_id, created_by=entry.created_by,
        created_at=now, expires_at=expires, score=found.score, sessions=[as_row(each) for each in found.sessions],
        request={**wishes_as_json(wishes), "sessions": entry.sessions, "limit": 1},
    )  # fmt: skip


def drop_gone(site: Site, now: datetime, dates: Collection[date] = ()) -> int:
    """Take back open offers (with `dates` only those that begin then) whose place no longer fits; how many."""
    zone = zone_of(site)
    names = ("plan__protocol", "session__series__protocol", "session__series__site", "entry", "site")
    offers = Offer.objects.filter(site=site, status=OfferStatus.OPEN).select_related(*names)
    offers = offers.prefetch_related("session__series__sessions")
    open_offers = [offer for offer in offers if not dates or local_date(offer.start, zone) in dates]
    if not open_offers:
        return 0
    wanted = {local_date(at, zone) for offer in open_offers for at in _starts(offer)}
    days = {day.date: day for day in site_days(site, sorted(wanted), None, None, now)}
    gone = [offer.pk for offer in open_offers if not _still_fits(offer, days)]
    rows = Offer.objects.filter(pk__in=gone, status=OfferStatus.OPEN)
    return rows.update(status=OfferStatus.GONE, answered_at=now)


def _starts(offer: Offer) -> list[datetime]:
    return [offer.start] if offer.plan is None else [datetime.fromisoformat(r["start"]) for r in offer.plan.sessions]


def _still_fits(offer: Offer, days: dict[date, Day]) -> bool:
    zone = zone_of(offer.site)
    if offer.session is not None:
        session = offer.session
        course = Course(phases_of_series(session.series), standing_dates(session.series))
        low, high = course.window(session.sequence)
        day = days[local_date(offer.start, zone)]
        others = tuple(item for item in day.taken if item.id != str(session.pk))
        return (
            session.status in TO_COME
            and low <= day.date <= high
            and _free(replace(day, taken=others), need_of(session), offer.start)
        )
    assert offer.plan is not None
    asked = {visit.sequence: visit for visit in visits(phases_of(offer.plan.protocol), offer.entry.sessions)}
    return all(
        _free(days[local_date(start, zone)], Need.of(asked[row["sequence"]]), start)
        for row, start in zip(offer.plan.sessions, _starts(offer), strict=True)
    )


def _free(day: Day, need: Need, start: datetime) -> bool:
    return not isinstance(place(day, need, (start - day.first_instant) // SLOT, None, "offer"), Refusal)
