"""Disruptions and the waitlist on pages: drafted, applied, undone, offered and taken, by desk and by phone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts import clock
from accounts.models import AuditEntry, Role
from notifications.models import Message
from scheduler.models import TimeOff
from scheduler.walltime import instant, local_date
from sessions.models import Disruption, Offer, Session
from sessions.tasks import tick
from sessions.waitlist import enter
from tests.factories import ZONE, Clinic, make_patient, make_session
from tests.web.conftest import DESK, PHONE

if TYPE_CHECKING:
    from tests.web.conftest import Visitor

pytestmark = pytest.mark.django_db
CHICAGO = ZoneInfo(ZONE)


def at(text: str, days: int = 0) -> datetime:
    today = local_date(clock.now(), CHICAGO)
    return instant(today + timedelta(days=14 - today.weekday() + days), time.fromisoformat(text), CHICAGO)


def visit(clinic: Clinic, wall: str, number: int = 0) -> Session:
    series = clinic.series(make_patient(clinic.site, given_name="Walter", family_name=f"Berg{number}"))
    people: dict[str, Any] = {"nurse": clinic.nurses[0], "prescriber": clinic.prescriber}
    return make_session(series, at(wall), chair=clinic.recliners[number], **people)


def signed_in(clinic: Clinic, role: str) -> Client:
    client = Client()
    client.force_login(clinic.users[role])
    return client


def form(clinic: Clinic, **change: str) -> dict[str, str]:
    day = at("07:00").astimezone(CHICAGO).date().isoformat()
    values = {"what": f"provider:{clinic.nurses[0].pk}", "first_day": day, "from_time": "07:00", "last_day": day}
    return {**values, "until_time": "19:00", "reason": "a broken arm", **change}


def test_a_draft_is_looked_at_applied_and_undone(clinic: Clinic) -> None:
    session = visit(clinic, "09:00")
    manager = signed_in(clinic, Role.MANAGER)
    made = manager.post("/disruptions/", form(clinic))
    assert made.status_code == 302
    page = manager.get(made["Location"]).content.decode()
    assert "Draft, nothing is changed yet" in page
    assert "Walter Berg0" in page
    assert "Walter" not in made["Location"]
    assert AuditEntry.objects.filter(action="read", patient_id=session.patient_id).exists()
    assert TimeOff.objects.count() == 0
    for what, status in (("apply", "applied"), ("undo", "undone")):
        answer = manager.post(f"{made['Location']}{what}/")
        assert answer.status_code == 302
        assert Disruption.objects.get().status == status
        again = manager.post(f"{made['Location']}{what}/")
        assert again.status_code == 409
        assert "Nothing was changed" in again.content.decode()


def test_a_visit_tells_who_moved_it_why_from_where_to_where_and_what_the_patient_was_told(clinic: Clinic) -> None:
    session, manager = visit(clinic, "09:00"), signed_in(clinic, Role.MANAGER)
    draft = manager.post("/disruptions/", form(clinic, what=f"site:{clinic.site.pk}"))["Location"]
    assert "one day later" in manager.get(draft).content.decode()
    manager.post(f"{draft}apply/")
    moved = Session.objects.get()
    spoken = {"speaks_of": moved.start, "not_after": moved.start, "due_at": clock.now(), "try_at": clock.now()}
    told = {"session": moved, "patient": moved.patient, "channel": "email", **spoken}
    Message.objects.create(kind="change_1", **told)
    page = manager.get(f"/sessions/{session.pk}/history/").content.decode()
    for words in ("rescheduled", "The clinic had to change its plan.", clinic.users[Role.MANAGER].name, "change_1"):
        assert words in page
    for start in (session.start, moved.start):
        assert start.isoformat()[:16] in page
    assert draft in page
    assert AuditEntry.objects.filter(action="read", patient_id=session.patient_id).exists()
    assert signed_in(clinic, Role.PATIENT).get(f"/sessions/{session.pk}/history/").status_code == 404
    assert clinic.other is not None
    assert signed_in(clinic.other, Role.MANAGER).get(f"/sessions/{session.pk}/history/").status_code == 404


def test_who_has_no_place_is_one_step_from_one(clinic: Clinic) -> None:
    session, manager = visit(clinic, "09:00"), signed_in(clinic, Role.MANAGER)
    Session.objects.filter(pk=session.pk).update(wished_provider=clinic.nurses[0])
    always = {"first_day": clock.now().date().isoformat(), "last_day": at("07:00", 60).date().isoformat()}
    page = manager.post("/disruptions/", form(clinic, **always), follow=True)
    assert "Not placed" in page.content.decode()
    assert f"/sessions/{session.pk}/move/" in page.content.decode()


def test_a_form_that_makes_no_sense_says_so(clinic: Clinic) -> None:
    manager = signed_in(clinic, Role.MANAGER)
    for change in ({"until_time": "06:00"}, {"what": "provider:x"}, {"first_day": ""}, {"first_day": "2020-01-01",
                    "last_day": "2020-01-02"}):  # fmt: skip
        answer = manager.post("/disruptions/", form(clinic, **change))
        assert answer.status_code == 400
    assert Disruption.objects.count() == 0


def test_what_has_moved_on_leads_to_the_fresh_draft(clinic: Clinic) -> None:
    session = visit(clinic, "09:00")
    manager = signed_in(clinic, Role.MANAGER)
    made = manager.post("/disruptions/", form(clinic))
    Session.objects.filter(pk=session.pk).update(status="confirmed")
    answer = manager.post(f"{made['Location']}apply/", follow=True)
    assert "The bookings have changed" in answer.content.decode()
    assert "Draft, nothing is changed yet" in answer.content.decode()
    assert Disruption.objects.filter(status="draft").count() == 1


def test_others_do_not_see_it(clinic: Clinic) -> None:
    visit(clinic, "09:00")
    made = signed_in(clinic, Role.MANAGER).post("/disruptions/", form(clinic))
    assert clinic.other is not None
    assert signed_in(clinic.other, Role.MANAGER).get(made["Location"]).status_code == 404
    assert signed_in(clinic, Role.PATIENT).get(made["Location"]).status_code == 403
    assert signed_in(clinic, Role.FRONT_DESK).post(f"{made['Location']}apply/").status_code == 403
    assert signed_in(clinic, Role.FRONT_DESK).get(made["Location"]).status_code == 200


def offered(clinic: Clinic) -> Offer:
    session = visit(clinic, "15:00")
    day = at("07:00").astimezone(CHICAGO).date()
    enter(session.patient, clinic.users[Role.FRONT_DESK], clock.now(), session=session, earliest=day, latest=day)
    clinic.site.offers_rest_from = clinic.site.offers_rest_until = time(3)
    clinic.site.save()
    tick()
    return Offer.objects.get()


def test_an_offer_is_taken_at_the_desk(clinic: Clinic) -> None:
    offer = offered(clinic)
    desk = signed_in(clinic, Role.FRONT_DESK)
    page = desk.get("/waitlist/").content.decode()
    assert "Walter Berg0" in page
    assert "another time for visit 1" in page
    answer = desk.post(f"/offers/{offer.pk}/accept/", follow=True)
    assert "The old place is free again" in answer.content.decode()
    assert Session.objects.get().start == offer.start
    answer = desk.post(f"/offers/{offer.pk}/decline/", follow=True)
    assert "accepted already" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_pages_fit_the_screen_and_break_no_policy(clinic: Clinic, visitor: Visitor) -> None:
    for number, wall in enumerate(("09:00", "09:00", "13:00")):
        visit_clear(clinic, wall, number)
    offered(clinic)
    page = visitor.as_user(clinic.users[Role.MANAGER], DESK)
    page.goto(f"{visitor.url}/disruptions/")
    day = at("07:00").astimezone(CHICAGO).date().isoformat()
    page.get_by_label("Who or what is missing").select_option(f"provider:{clinic.nurses[0].pk}")
    for label, value in (("First day", day), ("From", "07:00"), ("Last day", day), ("Until", "19:00")):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Draft it").click()
    page.get_by_role("heading", name="is away").wait_for()
    for address in (page.url, f"{visitor.url}/waitlist/", f"{visitor.url}/disruptions/"):
        page.goto(address)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, address
    assert visitor.complaints == []


def visit_clear(clinic: Clinic, wall: str, number: int) -> Session:
    """A visit whose nurse starts nobody else at that moment."""
    series = clinic.series(make_patient(clinic.site, given_name="Tess", family_name=f"Vance{number}"))
    people: dict[str, Any] = {"nurse": clinic.nurses[number % 2], "prescriber": clinic.prescriber}
    return make_session(series, at(wall), chair=clinic.recliners[number], **people)
