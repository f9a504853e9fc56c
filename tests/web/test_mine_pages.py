"""What is the patient's own: the calendar's address, and what is said before a visit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts.models import AuditEntry
from notifications.models import CalendarFeed
from sessions.models import Session
from tests.factories import Clinic, make_patient, make_protocol, make_user, noon
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client


@pytest.fixture
def visit(clinic: Clinic) -> Session:
    """The patient's next visit, whose gates are the clinic's and the patient's."""
    gates = ["consent", "escort", "fasting", "no_driving"]
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=gates)
    return clinic.session(noon(5), series=clinic.series(clinic.patient, protocol))


def test_a_calendar_is_given_and_taken_back(clinic: Clinic, visit: Session, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    assert "Add to my calendar" in client.get("/visits/").content.decode()
    page = client.post("/calendar/")
    found = re.search(r'value="http[^"]*?(/api/v1/calendar/[\w-]+\.ics)"', page.content.decode())
    assert found
    assert re.search(rf'href="webcal://[^/"]+{re.escape(found[1])}"', page.content.decode())
    assert "no-store" in page["Cache-Control"]
    assert found[1] not in client.get("/calendar/").content.decode(), "told once"
    assert "BEGIN:VEVENT" in client.get(found[1]).content.decode()
    feed = CalendarFeed.objects.get()
    seen = AuditEntry.objects.filter(action="read", record_id=str(feed.pk), actor=clinic.users["patient"].pk)
    assert seen.exists()
    assert "Taken back." in client.post(f"/calendar/{feed.pk}/take-back/", follow=True).content.decode()
    assert client.get(found[1]).status_code == 404
    assert client.post(f"/calendar/{feed.pk}/take-back/").status_code == 404


def test_a_calendar_is_nobody_elses(clinic: Clinic, client: Client) -> None:
    feed = CalendarFeed.objects.create(patient=clinic.patient, token_hash="x" * 64, created_by=clinic.users["patient"])
    stranger = make_user(None, "patient")
    make_patient(clinic.site, user=stranger)
    assert clinic.other
    for user, status in ((stranger, 404), (clinic.other.users["admin"], 404), (clinic.users["auditor"], 403)):
        client.force_login(user)
        assert client.post(f"/calendar/{feed.pk}/take-back/").status_code == status
    client.force_login(clinic.users["nurse"])
    assert client.post(f"/calendar/{feed.pk}/take-back/").status_code == 403, "as by the API"
    assert client.get("/calendar/").status_code == 404, "a nurse has no visits"
    assert CalendarFeed.objects.exists()


def test_a_patient_prepares_without_scripts_and_in_spanish(clinic: Clinic, visit: Session, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["patient"], PHONE, java_script_enabled=False, locale="es-US")
    page.goto(visitor.url + "/visits/")
    page.get_by_role("link", name="Responder 3 preguntas").click()
    page.get_by_role("button", name="Enviar").click()
    assert page.get_by_text("Responda al menos una pregunta.").is_visible()
    page.get_by_role("group", name="¿Hay un adulto que le lleve a casa?").get_by_label("Sí").check()
    page.get_by_role("button", name="Enviar").click()
    assert page.get_by_text("Diga el nombre de quien le lleva a casa.").is_visible()
    page.get_by_label("¿Quién le lleva a casa?").fill("Bo Example")
    page.get_by_role("button", name="Enviar").click()
    assert page.get_by_text("Gracias. La clínica ve sus respuestas.").is_visible()
    assert page.get_by_role("link", name="Responder 2 preguntas").is_visible()
    visit.refresh_from_db()
    answer = visit.gates["escort"]
    assert (answer["outcome"], answer["note"], answer["said_by"]) == ("met", "Bo Example", "patient")
    assert set(visit.gates) == {"escort"}
    page.close()


def test_a_no_asks_for_a_call_and_what_the_nurse_says_stays(clinic: Clinic, visit: Session, client: Client) -> None:
    address = f"/sessions/{visit.pk}/prepare/"
    client.force_login(clinic.users["patient"])
    said = client.post(address, {"fasting": "not_met", "no_driving": "met", "consent": "met"}, follow=True)
    assert "Please call the clinic" in said.content.decode()
    visit.refresh_from_db()
    assert "consent" not in visit.gates, "consent is the clinic's to take"
    assert client.post(address, {"fasting": "not_applicable"}).status_code == 400
    assert client.post(address, {"escort": "met", "escort-name": "a\0b"}).status_code == 400
    by_nurse = {"outcome": "met", "note": "", "said_by": "staff"}
    Session.objects.filter(pk=visit.pk).update(gates=visit.gates | {"fasting": by_nurse})
    assert 'name="fasting"' not in client.get(address).content.decode()
    assert client.post(address, {"fasting": "not_met"}).status_code == 400
    assert "You sign the consent form at the clinic" in client.get(address).content.decode()
    Session.objects.filter(pk=visit.pk).update(gates=visit.gates | {"consent": by_nurse})
    assert "Your consent form is signed." in client.get(address).content.decode()
    assert AuditEntry.objects.filter(action="read", record_id=str(visit.pk)).exists()


def test_the_pages_read_well(clinic: Clinic, visit: Session, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["patient"], PHONE)
    for address in ("/calendar/", f"/sessions/{visit.pk}/prepare/"):
        page.goto(visitor.url + address)
        assert Axe().run(page).response["violations"] == []
    page.goto(visitor.url + "/calendar/")
    page.get_by_role("button", name="Make an address").click()
    assert page.get_by_label("For other calendars").is_visible()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert visitor.complaints == []
    page.close()
