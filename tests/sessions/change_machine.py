"""Random histories of change in a small organization of two sites, and an independent check after each step.

Book, move, cancel, miss, treat, block, apply, undo, replan, adjust, wait, accept, send, and time that passes: each step
is a use case called with choices that Hypothesis makes. What a step refuses must leave no trace; whatever it does,
nothing may be wrong after. What is wrong is read by `on_record` and `tests.rules`, none of it by our code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts import clock
from accounts.models import Role, Site
from accounts.refusals import Refusal
from notifications import delivery, offers, reconcile
from notifications.models import MessagePlan
from scheduler import changes
from scheduler.models import Chair, ChairClosure, Provider, ProviderRole, TimeOff
from scheduler.planner import Wishes
from scheduler.walltime import DAY, instant, local_date
from sessions import (
    applying,
    course,
    disruptions,
    infusion,
    lifecycle,
    moving,
    offering,
    replanning,
    reseating,
    rest,
    waitlist,
)
from sessions.booking import book_series
from sessions.discharge import Leaving, discharge
from sessions.models import TO_COME, Disruption, Offer, Series, Session, WaitlistEntry
from sessions.planning import PlanRequest, propose
from tests import factories, rules
from tests.fast_clock import FAST
from tests.sessions import on_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Patient, User
    from scheduler.models import Protocol

NUMBERS = st.integers(0, 10_000)
UNDER_WAY = ("arrived", "infusing", "recovering")
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Place:
    """A site with two chairs and two nurses."""

    site: Site
    chairs: list[Chair]
    nurses: list[Provider]

    @property
    def zone(self) -> ZoneInfo:
        """Where its clocks show what."""
        return ZoneInfo(self.site.time_zone)


class Histories(RuleBasedStateMachine):
    """One history. `zones` and `first` are where and when it plays; `traveller` moves the clock."""

    zones = ("America/Chicago", "America/Phoenix")
    first = datetime(2026, 10, 26, 15).astimezone()
    traveller: Any

    @initialize()
    def open_the_clinic(self) -> None:
        """Two sites, a short course with and one without a window for lost sessions."""
        self.traveller.move_to(self.first, tick=False)
        with connection.cursor() as cursor:
            cursor.execute(FAST)
        self._tell_the_database()
        organization = factories.make_organization()
        self.user: User = factories.make_user(organization, Role.PRESCRIBER)
        self.places = [self._site(factories.make_site(organization, self.user, time_zone=each)) for each in self.zones]
        sites = tuple(place.site for place in self.places)
        self.user.sites.set(sites)
        self.manager = factories.make_user(organization, Role.ADMIN, sites=sites)
        spacing = {"anchor": "previous", "min_days": on_record.GAP[0], "target_days": 3, "max_days": on_record.GAP[1]}
        replaced = {"missed": {"rule": "replace", "source": "OCR"}}
        said: dict[str, Any] = {"reminders": on_record.REMINDERS, "follow_ups": on_record.FOLLOW_UPS}
        self.protocols: list[Protocol] = [
            factories.make_protocol(
                organization, self.user, factories.phase(sessions=3, spacing=spacing, **more), **said
            )
            for more in ({}, replaced)
        ]
        self.patients: list[Patient] = []
        for number in range(3):
            self._book(number, 3 + number)

    def _site(self, site: Site) -> Place:
        factories.make_opening_hours(site)
        MessagePlan.objects.filter(site=site).update(**on_record.PLAN)
        factories.make_provider(site, ProviderRole.PRESCRIBER, capacity=6)
        nurses = [factories.make_provider(site, capacity=2, max_acuity=8) for _ in range(2)]
        return Place(site, [factories.make_chair(site) for _ in range(2)], nurses)

    def _tell_the_database(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('fast.now', %s, true)", [self.now.isoformat()])

    @property
    def now(self) -> datetime:
        return clock.now()

    def today(self, site: Site) -> date:
        return local_date(self.now, ZoneInfo(site.time_zone))

    def attempt(self, step: Callable[[], Any]) -> Any:
        """Do it; a refusal is an answer, and must leave nothing behind."""
        try:
            with transaction.atomic():
                return step()
        except Refusal:
            return None

    def pick(self, model: Any, number: int, **wanted: Any) -> Any:
        """One of the rows, or None."""
        found = list(model.objects.filter(**wanted).order_by("pk").values_list("pk", flat=True))
        return model.objects.get(pk=found[number % len(found)]) if found else None

    def patient(self, number: int) -> Patient:
        """Somebody new, or once in three times somebody who is known, perhaps at the other site."""
        if self.patients and number % 3 == 0:
            return self.patients[number % len(self.patients)]
        texted = {"preferred_channels": ["sms", "email"], "phone": f"+1312555{number:04}"}
        site = self.places[number % 2].site
        wishes = texted if number % 5 == 0 else {"preferred_channels": ["email"]}
        self.patients.append(factories.make_patient(site, **wishes))
        return self.patients[-1]

    @rule(number=NUMBERS, ahead=st.integers(1, 10))
    def book(self, number: int, ahead: int) -> None:
        self._book(number, ahead)

    def _book(self, number: int, ahead: int) -> None:
        protocol, patient, site = self.protocols[number % 2], self.patient(number), self.places[number // 2 % 2].site
        wishes = Wishes(self.today(site) + ahead * DAY, self.today(site) + (ahead + 16) * DAY)
        found = self.attempt(
            lambda: propose(PlanRequest(site, protocol, patient, wishes, limit=1), self.user, self.now)
        )
        if found and found.plans:
            self.attempt(lambda: book_series(found.plans[0], patient, protocol, self.user, self.now))

    @rule(number=NUMBERS, days=st.integers(-3, 4), slot=st.integers(96, 180))
    def move(self, number: int, days: int, slot: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is None:
            return
        zone = ZoneInfo(session.site.time_zone)
        start = instant(local_date(session.start, zone) + days * DAY, time(slot // 12, slot % 12 * 5), zone)
        self.attempt(lambda: moving.reschedule(session, start, self.user, self.now))

    @rule(number=NUMBERS)
    def reseat(self, number: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is not None:
            place = next(each for each in self.places if each.site == session.site)
            wanted = reseating.Wanted(chair=place.chairs[number % 2].pk, nurse=place.nurses[number // 2 % 2].pk)
            self.attempt(lambda: reseating.reseat(session, wanted, self.user, self.now))

    @rule(number=NUMBERS, how=st.sampled_from([lifecycle.arrive, lifecycle.confirm, lifecycle.mark_no_show]))
    def say(self, number: int, how: Callable[..., Any]) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is not None:
            self.attempt(lambda: how(session, self.user, self.now))

    @rule(number=NUMBERS, whole=st.booleans())
    def cancel(self, number: int, whole: bool) -> None:
        session = self.pick(Session, number, status__in=(*TO_COME, "arrived"))
        if session is None:
            return
        if whole and number % 3 == 0:
            self.attempt(lambda: lifecycle.cancel_series(session.series, "better", self.user, self.now))
        else:
            self.attempt(lambda: lifecycle.cancel(session, "ill", self.user, self.now))

    @precondition(lambda self: Session.objects.filter(status__in=UNDER_WAY).exists())
    @rule(number=NUMBERS)
    def treat(self, number: int) -> None:
        """On with a visit that has begun: the infusion, its end, home."""
        session = self.pick(Session, number, status__in=UNDER_WAY)
        steps: dict[str, Callable[[], Any]] = {
            "arrived": lambda: infusion.start(session, self.user, self.now),
            "infusing": lambda: infusion.finish_infusion(session, self.user, self.now),
            "recovering": lambda: discharge(session, Leaving("Bo", 10), self.user, self.now),
        }
        self.attempt(steps[session.status])

    @rule(number=NUMBERS, ahead=st.integers(0, 12), length=st.integers(1, 3))
    def block(self, number: int, ahead: int, length: int) -> None:
        start, place = self.now + timedelta(days=ahead), self.places[number // 3 % 2]
        during = (start, start + timedelta(days=length))
        kinds = ("provider_absence", "chair_closure", "site_closure")
        subjects: list[dict[str, Any]] = [
            {"provider": place.nurses[number % 2]},
            {"chair": place.chairs[number % 2]},
            {},
        ]
        args = (kinds[number % 3], place.site, during, "ill", self.manager, self.now)
        self.attempt(lambda: disruptions.draft(*args, **subjects[number % 3]))

    @rule(number=NUMBERS, ahead=st.integers(0, 12), length=st.integers(1, 3))
    def stay_away(self, number: int, ahead: int, length: int) -> None:
        """An absence that is recorded first: it counts at once and opens the draft that mends it."""
        place, start = self.places[number % 2], self.now + timedelta(days=ahead)
        subject: dict[str, Any] = {"provider": place.nurses[number // 2 % 2]}
        model: Any = TimeOff
        if number % 3 == 0:
            model, subject = ChairClosure, {"chair": place.chairs[number // 2 % 2]}
        during = (start, start + timedelta(days=length))
        if model.objects.filter(**subject, during__overlap=during).exists():
            return

        def record() -> None:
            changes.lock_site(place.site.pk)
            made = model.objects.create(**subject, during=during, reason="ill")
            changes.open_drafts(model.objects.get(pk=made.pk), self.manager)

        self.attempt(record)

    @precondition(lambda self: TimeOff.objects.exists())
    @rule(number=NUMBERS)
    def come_back(self, number: int) -> None:
        """Time off is taken back: the shifts count again."""
        found = self.pick(TimeOff, number)
        if found is not None:

            def take_back() -> None:
                with changes.keeping_bookings(found.provider.site_id):
                    found.delete()

            self.attempt(take_back)

    @precondition(lambda self: Disruption.objects.filter(status="draft").exists())
    @rule(number=NUMBERS)
    def apply(self, number: int) -> None:
        draft = self.pick(Disruption, number, status="draft")
        if draft is not None:
            self.attempt(lambda: applying.apply(draft, self.manager, self.now))

    @precondition(lambda self: Disruption.objects.filter(status="applied").exists())
    @rule(number=NUMBERS)
    def undo(self, number: int) -> None:
        applied = self.pick(Disruption, number, status="applied")
        if applied is not None:
            self.attempt(lambda: applying.undo(applied, self.manager, self.now))

    @rule(number=NUMBERS)
    def replan(self, number: int) -> None:
        series = self.pick(Series, number, status__in=("active", "needs_review"))
        if series is None:
            return
        today = self.today(series.site)
        found = self.attempt(
            lambda: rest.propose_rest(series, Wishes(today, today + 30 * DAY), None, 1, self.user, self.now)
        )
        if found and found.plans:
            self.attempt(lambda: replanning.replan(series, found.plans[0], self.user, self.now))

    @rule(number=NUMBERS, low=st.integers(1, 3), more=st.integers(0, 4))
    def adjust(self, number: int, low: int, more: int) -> None:
        series = self.pick(Series, number, status__in=("active", "needs_review"))
        if series is None:
            return
        spacing = {"anchor": "previous", "min_days": low, "target_days": low, "max_days": low + more}
        wanted = {"phase": "induction", "spacing": spacing}
        self.attempt(lambda: replanning.adjust(series, wanted, "slower", self.user, self.now))

    @rule(number=NUMBERS, ahead=st.integers(0, 6), whole=st.booleans())
    def wait(self, number: int, ahead: int, whole: bool) -> None:
        """For another time of a visit, or for a whole course."""
        session = self.pick(Session, number, status__in=TO_COME)
        patient = self.patient(number) if session is None or whole else session.patient
        what = {"protocol": self.protocols[number % 2]} if session is None or whole else {"session": session}
        site = patient.site if "protocol" in what else session.site
        wish: dict[str, Any] = {"earliest": self.today(site), "latest": self.today(site) + ahead * DAY}
        if not WaitlistEntry.objects.filter(patient=patient, status="waiting", **what).exists():
            self.attempt(lambda: waitlist.enter(patient, self.user, self.now, **what, **wish))

    @precondition(lambda self: WaitlistEntry.objects.filter(status="waiting").exists())
    @rule()
    def offer(self) -> None:
        course.close_windows(self.now)
        offering.tick(self.now)

    @precondition(lambda self: Offer.objects.filter(status="open").exists())
    @rule(number=NUMBERS, yes=st.booleans())
    def answer(self, number: int, yes: bool) -> None:
        offer = self.pick(Offer, number, status="open")
        if yes:
            self.attempt(lambda: waitlist.accept(offer, self.user, self.now))
        else:
            self.attempt(lambda: waitlist.decline(offer, self.now))

    @rule()
    def send(self) -> None:
        """What is due is told, by the service's own delivery."""
        delivery.expire()
        while delivery.send_batch():
            pass

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.traveller.shift(timedelta(hours=hours))
        self._tell_the_database()

    @invariant()
    def nothing_is_wrong(self) -> None:
        """Nothing overlaps, spacing is kept or somebody asked, events tell all, what is due is what should be."""
        if not hasattr(self, "patients"):
            return
        reconcile.reconcile(self.now)
        if Offer.objects.exists():
            offers.reconcile(self.now)
        wrong = [*overlapping(), *on_record.wrong(self.now)]
        assert not wrong, "\n".join(wrong)
        assert Offer.objects.filter(status="accepted").count() == WaitlistEntry.objects.filter(status="filled").count()
        # Of two things that happen, one is always first.
        self.traveller.shift(MINUTE)
        self._tell_the_database()


def overlapping() -> list[str]:
    """What the independent reading of the rules finds wrong with all sessions together."""
    from sessions.api.serializers import SessionSerializer

    shown = [SessionSerializer(session).data for session in Session.objects.all()]
    limits = {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}
    return rules.broken(shown, limits)
