"""Putting somebody on the waitlist and taking them off: by the front desk, and by patients on a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client

from accounts import clock
from accounts.models import Role
from sessions.models import EntryStatus, WaitlistEntry
from tests.factories import Clinic, make_order
from tests.web.conftest import DESK, PHONE, Visitor

if TYPE_CHECKING:
    from sessions.models import Session

pytestmark = pytest.mark.django_db


def visit(clinic: Clinic) -> Session:
    return clinic.session(clock.now() + timedelta(days=20), series=clinic.series(clinic.patient))


def signed_in(clinic: Clinic, role: str) -> Client:
    client = Client()
    client.force_login(clinic.users[role])
    return client


def form(**change: str) -> dict[str, str]:
    today = clock.now().date()
    days = {"earliest": (today + timedelta(days=2)).isoformat(), "latest": (today + timedelta(days=30)).isoformat()}
    return {**days, "times": "any", **change}


def said(answer: Any) -> str:
    """The page that was answered with."""
    return str(answer.content.decode())


def test_the_desk_puts_a_patient_on_the_list_and_takes_them_off(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["front_desk"], DESK)
    page.goto(f"{visitor.url}/patients/{clinic.patient.pk}/")
    page.get_by_role("link", name="Put on the waitlist").click()
    page.get_by_label("Mornings").check()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Put on the waitlist").click()
    page.get_by_text("On the waitlist.").wait_for()
    entry = WaitlistEntry.objects.get()
    assert (entry.patient, entry.protocol, entry.time_windows) == (clinic.patient, clinic.protocol, [[0, 720]])
    assert entry.created_by == clinic.users["front_desk"]
    page.get_by_role("button", name="Take off the list").click()
    page.get_by_text("Off the waitlist.").wait_for()
    assert Axe().run(page).response["violations"] == []
    assert WaitlistEntry.objects.get().status == EntryStatus.WITHDRAWN
    page.close()


def test_a_patient_waits_for_another_time_on_a_phone_in_spanish(clinic: Clinic, visitor: Visitor) -> None:
    booked = visit(clinic)
    page = visitor.as_user(clinic.users["patient"], PHONE, locale="es-US")
    page.goto(f"{visitor.url}/sessions/{booked.pk}/move/")
    page.get_by_role("link", name="Esperar a que se libere otra hora").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Poner en la lista de espera").click()
    page.get_by_text("En la lista de espera.").wait_for()
    entry = WaitlistEntry.objects.get()
    assert (entry.session, entry.protocol, entry.time_windows) == (booked, None, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    booked.refresh_from_db()
    assert booked.version == 1
    page.close()


def test_a_patient_with_an_order_waits_for_a_whole_course(clinic: Clinic) -> None:
    patient, address = signed_in(clinic, Role.PATIENT), f"/patients/{clinic.patient.pk}/waitlist/"
    # Without an order there is nothing to wait for: the page that says so.
    assert patient.get(address)["Location"] == f"/patients/{clinic.patient.pk}/book/"
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"])
    assert patient.post(address, form(course=str(clinic.protocol.pk)))["Location"] == "/waitlist/"
    assert WaitlistEntry.objects.get().protocol == clinic.protocol


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"latest": "2020-01-01"}, "Choose a day after the first one."),
        ({"earliest": "2020-01-01", "latest": "2020-02-01"}, "These days have passed."),
        ({"latest": "2099-01-01"}, "at most a year and a half ahead"),
        ({"earliest": ""}, "This field is required."),
        ({"earliest": "\x00"}, "Enter a valid date."),
        ({"times": "night"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_waited_for_says_why_and_changes_nothing(
    clinic: Clinic, change: dict[str, str], word: str
) -> None:
    answer = signed_in(clinic, Role.FRONT_DESK).post(f"/sessions/{visit(clinic).pk}/waitlist/", form(**change))
    assert answer.status_code in {400, 409, 422}
    assert word in said(answer)
    assert not WaitlistEntry.objects.exists()


def test_nobody_waits_twice_for_one_visit_nor_is_taken_off_twice(clinic: Clinic) -> None:
    desk, address = signed_in(clinic, Role.FRONT_DESK), f"/sessions/{visit(clinic).pk}/waitlist/"
    assert desk.post(address, form()).status_code == 302
    again = desk.post(address, form())
    assert again.status_code == 409
    assert "on the waitlist already" in said(again)
    off = f"/waitlist/{WaitlistEntry.objects.get().pk}/withdraw/"
    assert desk.post(off).status_code == 302
    assert desk.post(off).status_code == 404
    assert desk.post(address, form()).status_code == 302


def test_others_see_and_change_nothing(clinic: Clinic) -> None:
    assert clinic.other is not None
    stranger, booked = signed_in(clinic.other, Role.FRONT_DESK), visit(clinic)
    signed_in(clinic, Role.FRONT_DESK).post(f"/sessions/{booked.pk}/waitlist/", form())
    entry = WaitlistEntry.objects.get()
    off = f"/waitlist/{entry.pk}/withdraw/"
    for address in (f"/sessions/{booked.pk}/waitlist/", f"/patients/{clinic.patient.pk}/waitlist/", off):
        assert stranger.post(address, form()).status_code == 404
    assert signed_in(clinic, Role.AUDITOR).post(off).status_code == 403
    assert WaitlistEntry.objects.get().status == EntryStatus.WAITING
