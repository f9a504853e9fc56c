"""How a patient is reached: said by the patient or taken down by the front desk, and kept as the API keeps it."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts import clock, contacts
from accounts.models import AuditEntry, Patient
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

SAID: dict[str, Any] = {"preferred_channels": ["sms"], "language": "es", "time_zone": ""}


def test_a_patient_says_how_they_are_reached(clinic: Clinic, visitor: Visitor) -> None:
    clinic.site.phone = "+13125550100"
    clinic.site.save()
    page = visitor.as_user(clinic.users["patient"], PHONE)
    page.goto(visitor.url + "/visits/")
    page.get_by_role("link", name="How you reach me").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("By text message").check()
    page.get_by_label("Mobile number").fill("(312) 555-01")
    page.get_by_role("group", name="May we text").get_by_label("Yes").check()
    page.get_by_label("No texts from").fill("21:00")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("This is not a phone number.").wait_for()
    assert page.get_by_text("Give both times").is_hidden(), "one after the other"
    page.get_by_label("Mobile number").fill("(312) 555-0177")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Give both times").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("No texts until").fill("08:30")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert page.get_by_label("Mobile number").input_value() == "+13125550177"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()
    patient = Patient.objects.get(pk=clinic.patient.pk)
    assert set(patient.preferred_channels) == {"email", "sms"}
    assert (patient.quiet_from, patient.quiet_until) == (time(21), time(8, 30))
    assert (patient.texting_consent, patient.texting_consent_by) == (True, clinic.users["patient"])
    assert AuditEntry.objects.filter(record_id=str(patient.pk), action="update", actor=patient.user_id).exists()


def test_what_is_not_changed_is_not_sent(clinic: Clinic, client: Client) -> None:
    """An address that is sent counts as entered anew: a dead one would be tried again with every wish."""
    contacts.mark_dead("email", clinic.patient.email, clock.now(), "bounced")
    client.force_login(clinic.users["patient"])
    form = {**SAID, "email": clinic.patient.email, "phone": clinic.patient.phone}
    assert client.post("/messages/", form).status_code == 302
    patient = Patient.objects.get(pk=clinic.patient.pk)
    assert (patient.language, patient.dead_channels) == ("es", ["email"])
    assert patient.texting_consent is None, "nobody was asked"
    assert client.post("/messages/", {**form, "email": "new@example.org"}).status_code == 302
    patient.refresh_from_db()
    assert (patient.email, patient.dead_channels) == ("new@example.org", [])


def test_mails_that_were_ended_begin_again_by_their_reader_only(clinic: Clinic, client: Client) -> None:
    contacts.stop("email", clinic.patient.email, clock.now())
    client.force_login(clinic.users["front_desk"])
    assert "Send me mails again" not in client.get(f"/patients/{clinic.patient.pk}/messages/").content.decode()
    assert client.post("/messages/mails-again/").status_code == 404
    client.force_login(clinic.users["patient"])
    assert client.get("/messages/mails-again/").status_code == 405
    assert "Send me mails again" in client.get("/messages/").content.decode()
    client.post("/messages/mails-again/")
    assert Patient.objects.get(pk=clinic.patient.pk).stopped_channels == []


@pytest.mark.parametrize(
    ("who", "status", "addresses"),
    [("front_desk", 200, True), ("nurse", 200, False), ("auditor", 403, False), ("patient", 200, True)],
)
def test_who_may_take_it_down(clinic: Clinic, client: Client, who: str, status: int, addresses: bool) -> None:
    client.force_login(clinic.users[who])
    address = f"/patients/{clinic.patient.pk}/messages/"
    page = client.get(address)
    assert page.status_code == status
    assert (clinic.patient.email in page.content.decode()) == addresses
    form = {**SAID, "email": "other@example.org", "phone": ""}
    assert client.post(address, form).status_code == (302 if status == 200 else status)
    patient = Patient.objects.get(pk=clinic.patient.pk)
    assert (patient.email == "other@example.org") == addresses, "a nurse's form has no address, whatever is sent"
    assert (patient.language == "es") == (status == 200)


def test_a_stranger_finds_nobody(clinic: Clinic, client: Client) -> None:
    assert clinic.other
    client.force_login(clinic.other.users["front_desk"])
    assert client.get(f"/patients/{clinic.patient.pk}/messages/").status_code == 404
    assert client.get("/messages/").status_code == 404


@pytest.mark.parametrize(
    "form",
    [{"language": "xx"}, {"preferred_channels": ["fax"]}, {"time_zone": "Mars/Here"}, {"email": "a\0b@example.org"},
     {"email": "x"}, {"phone": "9" * 31}, {"phone": "+1900"}, {"quiet_from": "25:00"}, {"texting_consent": "maybe"},
     {"quiet_from": "09:00", "quiet_until": "09:00"}],
    ids=str,
)  # fmt: skip
def test_strange_input_is_refused(clinic: Clinic, client: Client, form: dict[str, Any]) -> None:
    client.force_login(clinic.users["patient"])
    before = Patient.objects.get(pk=clinic.patient.pk).version
    assert client.post("/messages/", {**SAID, "email": clinic.patient.email, **form}).status_code == 400
    assert Patient.objects.get(pk=clinic.patient.pk).version == before
