"""Random histories of change on a small clinic, and an independent check after each step.

Book, move, cancel, block, apply, undo, replan, wait, accept, and time that passes: each step is a use case called with
choices that Hypothesis makes. What a step refuses must leave no trace; whatever it does, nothing may be wrong after.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from accounts import clock
from accounts.models import Role
from accounts.refusals import Refusal
from notifications.models import Message
from notifications.reconcile import reconcile
from scheduler.models import Provider
from scheduler.planner import Wishes
from scheduler.walltime import DAY, instant, local_date
from sessions import disruptions, lifecycle, moving, offering, replanning, rest, waitlist
from sessions.booking import book_series
from sessions.models import TO_COME, Disruption, Offer, Series, Session, WaitlistEntry
from sessions.planning import PlanRequest, propose
from tests import rules
from tests.factories import Clinic, make_clinic, make_patient, make_protocol, phase
from tests.sessions.change_races import not_told, unsound

if TYPE_CHECKING:
    from collections.abc import Callable


NUMBERS = st.integers(0, 10_000)


class Histories(RuleBasedStateMachine):
    """One history. `zone` and `first` are where and when it plays; `traveller` moves the clock."""

    zone = "America/Chicago"
    first = datetime(2026, 10, 26, 15).astimezone()
    traveller: Any

    @initialize()
    def open_the_clinic(self) -> None:
        """Two chairs and two nurses, a short course with and one without a window for lost sessions."""
        self.traveller.move_to(self.first)
        self.clinic: Clinic = make_clinic(time_zone=self.zone)
        for chair in self.clinic.chairs[2:]:
            chair.is_active = False
            chair.save()
        Provider.objects.filter(role="nurse").update(capacity=2)
        approved = (self.clinic.organization, self.clinic.users[Role.PRESCRIBER])
        replaced = {"missed": {"rule": "replace", "source": "OCR"}}
        self.protocols = [
            make_protocol(*approved, phase(sessions=3)),
            make_protocol(*approved, phase(sessions=3, **replaced)),
        ]
        self.user = self.clinic.users[Role.PRESCRIBER]
        self.manager = self.clinic.users[Role.ADMIN]

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def today(self) -> date:
        return local_date(self.now, ZoneInfo(self.zone))

    def attempt(self, step: Callable[[], Any]) -> Any:
        """Do it; a refusal is an answer, and must leave nothing behind."""
        try:
            with transaction.atomic():
                return step()
        except Refusal:
            return None

    def pick(self, model: Any, number: int, **wanted: Any) -> Any:
        """One of the rows, or None."""
        rows = list(model.objects.filter(**wanted).order_by("pk").select_related())
        return rows[number % len(rows)] if rows else None

    @rule(number=NUMBERS, ahead=st.integers(1, 10))
    def book(self, number: int, ahead: int) -> None:
        protocol = self.protocols[number % 2]
        patient = make_patient(self.clinic.site)
        wishes = Wishes(self.today + ahead * DAY, self.today + (ahead + 16) * DAY)
        found = self.attempt(
            lambda: propose(PlanRequest(self.clinic.site, protocol, patient, wishes, limit=1), self.user, self.now)
        )
        if found and found.plans:
            self.attempt(lambda: book_series(found.plans[0], patient, protocol, self.user, self.now))

    @rule(number=NUMBERS, days=st.integers(-3, 4), slot=st.integers(96, 180))
    def move(self, number: int, days: int, slot: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is None:
            return
        day = local_date(session.start, ZoneInfo(self.zone)) + days * DAY
        start = instant(day, time(slot // 12, slot % 12 * 5), ZoneInfo(self.zone))
        self.attempt(lambda: moving.reschedule(session, start, self.user, self.now))

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is not None:
            self.attempt(lambda: lifecycle.cancel(session, "ill", self.user, self.now))

    @rule(number=NUMBERS)
    def arrive(self, number: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is not None:
            self.attempt(lambda: lifecycle.arrive(session, self.user, self.now))

    @rule(number=NUMBERS, ahead=st.integers(0, 12), length=st.integers(1, 3))
    def block(self, number: int, ahead: int, length: int) -> None:
        start = self.now + timedelta(days=ahead)
        during = (start, start + timedelta(days=length))
        kinds = ("provider_absence", "chair_closure", "site_closure")
        subjects: list[dict[str, Any]] = [
            {"provider": self.clinic.nurses[number % 2]},
            {"chair": self.clinic.recliners[number % 2]},
            {},
        ]
        who = subjects[number % 3]
        args = (kinds[number % 3], self.clinic.site, during, "ill", self.manager, self.now)
        self.attempt(lambda: disruptions.draft(*args, **who))

    @rule(number=NUMBERS)
    def apply(self, number: int) -> None:
        draft = self.pick(Disruption, number, status="draft")
        if draft is not None:
            self.attempt(lambda: disruptions.apply(draft, self.manager, self.now))

    @rule(number=NUMBERS)
    def undo(self, number: int) -> None:
        applied = self.pick(Disruption, number, status="applied")
        if applied is not None:
            self.attempt(lambda: disruptions.undo(applied, self.manager, self.now))

    @rule(number=NUMBERS)
    def replan(self, number: int) -> None:
        series = self.pick(Series, number, status__in=("active", "needs_review"))
        if series is None:
            return
        wishes = Wishes(self.today, self.today + 30 * DAY)
        found = self.attempt(lambda: rest.propose_rest(series, wishes, None, 1, self.user, self.now))
        if found and found.plans:
            self.attempt(lambda: replanning.replan(series, found.plans[0], self.user, self.now))

    @rule(number=NUMBERS, ahead=st.integers(0, 6))
    def wait(self, number: int, ahead: int) -> None:
        session = self.pick(Session, number, status__in=TO_COME)
        if session is not None and not WaitlistEntry.objects.filter(session=session, status="waiting").exists():
            wish: dict[str, Any] = {"earliest": self.today, "latest": self.today + ahead * DAY}
            self.attempt(lambda: waitlist.enter(session.patient, self.user, self.now, session=session, **wish))

    @rule()
    def offer(self) -> None:
        offering.tick(self.now)

    @rule(number=NUMBERS)
    def accept(self, number: int) -> None:
        offer = self.pick(Offer, number, status="open")
        if offer is not None:
            self.attempt(lambda: waitlist.accept(offer, self.user, self.now))

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.traveller.shift(timedelta(hours=hours))

    @invariant()
    def nothing_is_wrong(self) -> None:
        """Nothing overlaps, spacing is kept or somebody asked, events tell all, what is due speaks of what stands."""
        if not hasattr(self, "manager"):
            return
        assert overlapping() == []
        assert unsound() == []
        assert not_told() == []
        reconcile(self.now)
        for message in Message.objects.filter(status="due", kind__contains="reminder").select_related("session"):
            assert message.visit.status in TO_COME
            assert message.speaks_of == message.visit.start
        assert Offer.objects.filter(status="accepted").count() == WaitlistEntry.objects.filter(status="filled").count()


def overlapping() -> list[str]:
    """What the independent reading of the rules finds wrong with all sessions together."""
    from sessions.api.serializers import SessionSerializer

    shown = [SessionSerializer(session).data for session in Session.objects.all()]
    limits = {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}
    return rules.broken(shown, limits)
