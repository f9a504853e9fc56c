"""A site whose people ask, are booked, wish to come sooner, cancel and answer offers by chance, under a fast clock.

All of it by the service's use cases on its database. A tick looks at the world as it stands, so those before which
nothing has happened are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import exp
from typing import TYPE_CHECKING, Any

from accounts.models import Role
from accounts.refusals import Conflict
from scheduler.models import ProviderRole
from scheduler.planner import Wishes
from scheduler.walltime import DAY, instant, local_date
from sessions import lifecycle, offering, waitlist
from sessions.booking import book_series
from sessions.facts import zone_of
from sessions.models import TO_COME, Offer, Session
from sessions.planning import PlanRequest, propose
from tests import factories
from tests.lives import FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from uuid import UUID

    from accounts.models import Patient
    from sessions.models import Series
    from tests.fast_clock import FastClock

# Hospitals report that 8 to 11 % of offers are accepted. The rest is assumed: of others, half decline; of visits, so
# many are cancelled, three days ahead on average; of people who are to wait long, so many wish to come sooner.
ACCEPTED, DECLINED, CANCELLED, WISHED = 0.095, 0.5, 0.125, 0.25
CANCELLED_AHEAD = timedelta(days=3)
# Visits of three hours in two chairs: six a day. One request in four is for three visits a week apart.
CHAIRS, REQUESTS_A_DAY, COURSES = 2, 4.2, 0.25
WINDOW, LONG, WISH_DAYS = 21, 4, 10
MINUTE = timedelta(minutes=1)
GO_ON = {"rule": "continue", "source": "assumed"}


@dataclass
class Freed:
    """A place that came free, `since` when and `by` what; when it was taken, if it was, and `how`."""

    start: datetime
    end: datetime
    since: datetime
    by: str
    taken: datetime | None = None
    how: str = ""


class Year:
    """A site with its people, its agenda and what came free. Everything happens on whole minutes."""

    def __init__(self, luck: Random, fast: FastClock) -> None:
        self.luck, self.fast, self.numbers = luck, fast, count()
        organization = factories.make_organization()
        doctor = factories.make_user(organization, Role.PRESCRIBER)
        self.site = factories.make_site(organization, doctor)
        self.zone = zone_of(self.site)
        factories.make_opening_hours(self.site)
        self.desk = factories.make_user(organization, Role.FRONT_DESK, sites=(self.site,))
        for _ in range(CHAIRS):
            factories.make_chair(self.site)
        factories.make_provider(self.site)
        factories.make_provider(self.site, ProviderRole.PRESCRIBER, capacity=6)
        weekly = {"anchor": "previous", "min_days": 5, "target_days": 7, "max_days": 10}
        phases = [factories.phase(sessions=1), factories.phase(sessions=3, spacing=weekly, missed=GO_ON)]
        self.protocols = [factories.make_protocol(organization, doctor, phase) for phase in phases]
        self.agenda: list[tuple[datetime, int, Callable[[datetime], object]]] = []
        self.freed: list[Freed] = []
        self.refused: Counter[str] = Counter()
        self.ticks = 0

    def live(self, days: int, window: int) -> None:
        """So many days from the first one on, once the book is full for the `window` of days that people ask for."""
        self.window = window
        while any(self._ask(FIRST_DAY) for _ in range(3)):
            pass
        today = local_date(FIRST_DAY, self.zone)
        for number in range(1, days + 1):
            on = today + number * DAY
            self._at(instant(on, self.site.offers_rest_until, self.zone), self._look)
            for _ in range(self._poisson(REQUESTS_A_DAY) if on.weekday() < 6 else 0):
                wall = time(self.luck.randrange(8, 17), self.luck.randrange(60))
                self._at(instant(on, wall, self.zone), self._ask)
        until = instant(today + (days + 1) * DAY, time(0), self.zone)
        while self.agenda and (now := self.agenda[0][0]) < until:
            self.fast.set(now)
            while self.agenda and self.agenda[0][0] <= now:
                heappop(self.agenda)[2](now)
            offering.tick(now)
            self.ticks += 1
            self._offered(now)

    def _poisson(self, mean: float) -> int:
        number, chance = 0, self.luck.random()
        while chance > exp(-mean):
            number, chance = number + 1, chance * self.luck.random()
        return number

    def _at(self, at: datetime, act: Callable[[datetime], object]) -> None:
        heappush(self.agenda, (at, next(self.numbers), act))

    def _look(self, now: datetime) -> None:
        """Nothing happens but the tick that follows."""

    def _ask(self, now: datetime) -> bool:
        """Somebody asks for a visit or a course and is booked, or waits for one; whether there was a place."""
        protocol = self.protocols[self.luck.random() < COURSES]
        patient, today = factories.make_patient(self.site), local_date(now, self.zone)
        wishes = Wishes(today + DAY, today + self.window * DAY)
        plans = propose(PlanRequest(self.site, protocol, patient, wishes, limit=1), self.desk, now).plans
        if plans:
            self._booked(book_series(plans[0], patient, protocol, self.desk, now), now, "booking")
        else:
            self._wait(patient, now, protocol=protocol)
        return bool(plans)

    def _wait(self, patient: Patient, now: datetime, **what: Any) -> None:
        today = local_date(now, self.zone)
        waitlist.enter(patient, self.desk, now, earliest=today, latest=today + WISH_DAYS * DAY, **what)

    def _booked(self, series: Series, now: datetime, how: str) -> None:
        """What comes with a series: the places it takes, who will cancel, who would come sooner."""
        sessions = Session.objects.filter(series=series).select_related("site").order_by("sequence")
        for session in sessions:
            self._take(session.start, session.end, now, how)
            if self.luck.random() < CANCELLED:
                self._at(self._mind_changes(session.start, now), partial(self._cancel, session.pk))
        waits = sessions[0].start - now
        if how == "booking" and waits > LONG * DAY and self.luck.random() < WISHED:
            self._wait(series.patient, now, session=sessions[0])

    def _mind_changes(self, start: datetime, now: datetime) -> datetime:
        """When somebody cancels: in the day as a rule, and not before it is booked."""
        ahead = self.luck.expovariate(1 / CANCELLED_AHEAD.total_seconds())
        at = start - min(timedelta(seconds=ahead), (start - now) * self.luck.random())
        if offering.rests(self.site, at) and at + DAY / 2 < start:
            at += DAY / 2
        return at.replace(second=0, microsecond=0) + MINUTE

    def _cancel(self, session: UUID, now: datetime) -> None:
        row = Session.objects.select_related("site").get(pk=session)
        if row.status in TO_COME and row.start > now:
            lifecycle.cancel(row, "ill", self.desk, now)
            self.freed.append(Freed(row.start, row.end, now, "cancellation"))

    def _offered(self, now: datetime) -> None:
        """Whoever has just been offered a place will accept, decline or let the time go by."""
        for offer in Offer.objects.filter(created_at=now).order_by("id"):
            at = now + self.luck.randrange(1, (offer.expires_at - now) // MINUTE) * MINUTE
            if self.luck.random() < ACCEPTED:
                self._at(at, partial(self._accept, offer.pk))
            elif self.luck.random() < DECLINED:
                self._at(at, partial(self._decline, offer.pk))
            self._at(offer.expires_at, self._look)

    def _accept(self, pk: UUID, now: datetime) -> None:
        """Somebody says yes, and taps once more."""
        offer = Offer.objects.select_related("site", "session", "plan__site").get(pk=pk)
        old = (offer.session.start, offer.session.end) if offer.session else None
        for _ in range(2):
            try:
                waitlist.accept(offer, self.desk, now)
            except Conflict as refused:
                self.refused[refused.code] += 1
                continue
            self._moved(offer.pk, old, now)

    def _moved(self, pk: UUID, old: tuple[datetime, datetime] | None, now: datetime) -> None:
        """The place is taken; the old one is free, or a whole series is booked."""
        offer = Offer.objects.select_related("plan__booked_as__patient").get(pk=pk)
        if old is not None:
            self._take(offer.start, offer.end, now, "offer")
            self.freed.append(Freed(*old, now, "offer"))
        elif offer.plan is not None and offer.plan.booked_as is not None:
            self._booked(offer.plan.booked_as, now, "offer")

    def _decline(self, pk: UUID, now: datetime) -> None:
        try:
            waitlist.decline(Offer.objects.get(pk=pk), now)
        except Conflict as refused:
            self.refused[f"no, {refused.code}"] += 1

    def _take(self, start: datetime, end: datetime, now: datetime, how: str) -> None:
        """Whoever takes a place takes one of those that came free then, if any: the one that has lain so longest."""
        for freed in self.freed:
            if freed.taken is None and freed.start < end and start < freed.end:
                freed.taken, freed.how = now, how
                return
