"""No path leads past an open gate: whoever does whatever in whatever order, a start or a way home with something open
has an override in the history and in the audit trail. Of two who click at once, one wins and the other is told who."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import clock
from accounts.audit import acting
from accounts.models import AuditEntry
from accounts.refusals import Refusal
from accounts.rights import may
from sessions import adverse_events, discharge, gates, infusion, lifecycle
from sessions.discharge import Leaving
from sessions.models import Session, SessionStatus
from tests.at_once import together
from tests.factories import make_clinic, make_protocol, noon

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rest_framework.test import APIClient

    from accounts.models import User
    from tests.factories import Clinic

# A gate of each kind: nobody may pass it, a prescriber may, the patient answers it, it warns, it stands at the end.
GATES = ["order", "weight", "fasting", "medication_holds", {"gate": "port_closed", "at": ["discharge"]}]
NAMES = ["order", "weight", "fasting", "medication_holds", "port_closed"]
BLOCKING = {"start": {"order", "weight", "fasting"}, "discharge": {"port_closed"}}
NOBODY_PASSES = {"order", "port_closed"}
RULES = {"minimum_recovery_minutes": [60], "escort": True, "scores": [{"instrument": "aldrete", "minimum": 9}],
         "override_roles": ["prescriber"]}  # fmt: skip
PEOPLE = st.sampled_from(["nurse", "prescriber", "admin"])
OVERRIDES = st.sampled_from([None, {"reason": "because"}])


class Day(RuleBasedStateMachine):
    """One visit, lived in every order that its state allows (that others are refused, the pairs below show).

    What is open is kept beside, by a reading of its own.
    """

    clinic: Clinic
    days = 0

    @initialize(asked=st.sets(st.sampled_from(range(5)), min_size=1), arrived=st.booleans())
    def book(self, asked: set[int], arrived: bool) -> None:
        self.said: dict[str, tuple[str, str]] = {}
        self.infused: datetime | None = None
        self.passed: dict[str, set[str]] = {}
        type(self).days += 1
        self.asked = {NAMES[place] for place in asked}
        protocol = make_protocol(
            self.clinic.organization,
            self.clinic.users["prescriber"],
            gates=[GATES[place] for place in sorted(asked)],
            discharge=RULES,
        )
        self.session = self.clinic.session(noon(3 + self.days), series=self.clinic.series(protocol=protocol))
        self.now = self.session.start
        if arrived:
            self.arrive()

    def attempt(self, who: str, use_case: Callable[..., Any], *arguments: Any) -> bool:
        """Do it as somebody; whether it was done."""
        user: User = self.clinic.users[who]
        try:
            with transaction.atomic(), acting(user.pk):
                use_case(self.session, *arguments, actor=user, now=self.now)
        except Refusal:
            return False
        finally:
            self.session = Session.objects.select_related("site", "series__protocol", "patient").get(pk=self.session.pk)
        return True

    def open(self, moment: str) -> set[str]:
        """Blocking gates that nobody has answered well, by this test's own reading."""
        return {
            name
            for name in BLOCKING[moment] & self.asked
            if self.said.get(name, ("", ""))[0] not in ("met", "not_applicable")
        }

    @precondition(lambda self: self.session.status in ("recovering",))
    @rule(minutes=st.sampled_from([0, 30, 60]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.session.status in ("booked",))
    @rule()
    def arrive(self) -> None:
        self.attempt("front_desk", lifecycle.arrive)

    @rule(gate=st.sampled_from(NAMES), outcome=st.sampled_from(["met", "not_met", "not_applicable"]), who=PEOPLE)
    def answer(self, gate: str, outcome: str, who: str) -> None:
        if self.attempt(who, gates.meet_gate, gate, outcome, ""):
            self.said[gate] = (outcome, "staff")

    @precondition(lambda self: self.session.status == "booked")
    @rule(gate=st.sampled_from(NAMES), outcome=st.sampled_from(["met", "not_met"]))
    def prepare(self, gate: str, outcome: str) -> None:
        done = self.attempt("patient", gates.prepare, [{"gate": gate, "outcome": outcome, "note": ""}])
        assert not done or gate == "fasting", "the patient answers only what is theirs"
        if done and self.said.get(gate, ("", ""))[1] != "staff":
            self.said[gate] = (outcome, "patient")

    @precondition(lambda self: self.session.status in ("arrived",))
    @rule(who=PEOPLE, override=OVERRIDES)
    def start(self, who: str, override: dict[str, str] | None) -> None:
        missing, before = self.open("start"), self.session.status
        done = self.attempt(who, lambda s, actor, now: infusion.start(s, actor, now, override))
        if done:
            assert before == SessionStatus.ARRIVED
            assert not missing or (override and who != "nurse" and not missing & NOBODY_PASSES)
            assert "medication_holds" in {*self.said} | ({"medication_holds"} - self.asked), "a warning was seen"
            self.passed["started"] = missing
            self.said |= dict.fromkeys(missing, ("met", "staff"))

    @precondition(lambda self: self.session.status in ("infusing",))
    @rule(who=PEOPLE)
    def finish(self, who: str) -> None:
        if self.attempt(who, infusion.finish_infusion):
            self.infused = self.now

    @precondition(lambda self: self.session.status in ("recovering",))
    @rule(who=PEOPLE, override=OVERRIDES, escort=st.sampled_from(["", "Bo"]), score=st.sampled_from([None, 8, 9, 10]))
    def go_home(self, who: str, override: dict[str, str] | None, escort: str, score: int | None) -> None:
        missing = self.open("discharge")
        if self.infused is not None and self.now < self.infused + timedelta(minutes=60):
            missing.add("minimum_recovery")
        missing |= ({"escort_name"} if not escort else set()) | ({"score"} if (score or 0) < 9 else set())
        leaving = Leaving(escort, score)
        if self.attempt(who, lambda s, actor, now: discharge.discharge(s, leaving, actor, now, override)):
            assert not missing or (override and who != "nurse" and not missing & NOBODY_PASSES)
            self.passed["discharged"] = missing

    @precondition(lambda self: self.session.status in ("infusing", "recovering"))
    @rule(grade=st.integers(1, 5))
    def fall_ill(self, grade: int) -> None:
        told = adverse_events.Report(grade, "Nausea", self.now, "none", "resolved")
        self.attempt("nurse", lambda s, actor, now: adverse_events.report(s, told, actor, now))
        self.session.series.refresh_from_db()

    @invariant()
    def whatever_was_passed_over_is_told(self) -> None:
        for kind, missing in getattr(self, "passed", {}).items():
            event = self.session.events.get(kind=kind)
            assert set(event.after.get("overridden", ())) == missing
            assert not missing or event.reason == "because"
            by = AuditEntry.objects.filter(record_id=str(self.session.pk), actor=event.actor_id, action="update")
            assert by.exists()


def test_no_path_leads_past_an_open_gate(db: None) -> None:
    Day.clinic = make_clinic()
    run_state_machine_as_test(
        Day,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("role", ["patient", "front_desk", "nurse", "prescriber", "manager", "auditor", "admin"])
@pytest.mark.parametrize("status", SessionStatus.values)
def test_every_verb_of_every_role_in_every_state(
    clinic: Clinic, api: Callable[..., APIClient], status: str, role: str
) -> None:
    """Whoever may not is told so before the state is; whoever may is told of the state before the body is judged."""
    series = clinic.series(clinic.patient)
    session = clinic.session(noon(3), series=series, status=status)
    client = api(clinic.users[role])
    for verb, move in lifecycle.MOVES.items():
        answer = client.post(f"/api/v1/sessions/{session.pk}/{verb}/", {"colour": "red"})
        allowed = may(clinic.users[role], f"sessions.{verb}")
        expected = 403 if not allowed else 400 if session.status in move.sources else 409
        barred = allowed and (verb, status) in {("resume", "infusing"), ("no-show", "booked"), ("no-show", "confirmed")}
        assert answer.status_code == (409 if barred else expected), (verb, answer.content)
    session.refresh_from_db()
    assert (session.status, session.events.count()) == (status, 0)


def test_of_two_who_start_at_once_one_wins(committed: None, clinic: Clinic, api: Callable[..., APIClient]) -> None:
    session = clinic.session(noon(3), status="arrived")
    people = [clinic.users["nurse"], clinic.users["prescriber"]]
    clients = [api(user) for user in people]
    start = f"/api/v1/sessions/{session.pk}/start/"
    answers = together([partial(client.post, start) for client in clients])
    won, lost = sorted((0, 1), key=lambda place: answers[place].status_code)
    assert [answers[won].status_code, answers[lost].status_code] == [200, 409]
    told = answers[lost].json()
    assert (told["code"], told["by"]) == ("already_done", str(people[won].pk))
    assert told["at"] <= clock.now().isoformat()
    assert session.events.filter(kind="started").count() == 1
