"""Booking a series in a real browser: by the patient on a phone, without scripts, by keyboard, and by the desk."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts import clock
from accounts.models import AuditEntry
from sessions.models import Plan, Series, Session
from tests.factories import PASSWORD, Clinic, make_order, make_patient
from tests.web.conftest import DESK, PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client


@pytest.fixture
def ordered(clinic: Clinic) -> Clinic:
    """A clinic whose patient has an order for six visits."""
    make_order(clinic.patient, clinic.protocol, clinic.users["prescriber"])
    return clinic


def test_a_patient_books_a_series_in_few_clicks(ordered: Clinic, visitor: Visitor) -> None:
    """At a desk; on a phone a new patient does (test_sign_in_link)."""
    page = visitor.as_user(ordered.users["patient"], DESK)
    clicks = visitor.count_clicks(page)
    page.goto(visitor.url + "/visits/")
    page.get_by_role("link", name="Book visits").last.click()
    page.get_by_role("button", name="Find plans").click()
    page.get_by_role("heading", name=re.compile("ways? to fit all 6 visits")).wait_for()
    assert page.get_by_text("Nothing is booked until you say so").is_visible()
    assert not Series.objects.exists()
    page.get_by_role("button", name="Hold this plan").first.click()
    page.get_by_text("Kept for you until").wait_for()
    assert page.get_by_text("10 min left").is_visible()
    page.get_by_role("button", name="Book these 6 visits").click()
    page.get_by_text("Booked. Every visit below is yours.").wait_for()
    assert page.locator(".path > li").count() == 6
    assert Session.objects.filter(series__patient=ordered.patient, status="booked").count() == 6
    assert Series.objects.get().order is not None
    assert len(clicks()) < 8
    page.close()


def test_it_is_booked_without_scripts_and_by_keyboard(ordered: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(ordered.users["patient"], DESK, java_script_enabled=False)
    page.goto(visitor.url + "/book/")
    for name in ("Find plans", "Hold this plan", "Book these 6 visits"):
        visitor.tab_to(page, name)
        page.keyboard.press("Enter")
    page.get_by_text("Booked. Every visit below is yours.").wait_for()
    assert Series.objects.get().patient == ordered.patient
    page.close()


def test_no_plan_says_why_and_one_tap_tries_again(ordered: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(ordered.users["patient"], PHONE)
    page.goto(visitor.url + "/book/")
    page.get_by_label("Sunday").check()
    page.get_by_role("button", name="Find plans").click()
    page.get_by_role("heading", name="No plan fits these wishes").wait_for()
    assert page.get_by_text("On the weekdays that you chose there is no room").is_visible()
    assert page.get_by_label("Sunday").is_checked()
    page.locator("section[aria-labelledby=retry] button").first.click()
    page.get_by_role("heading", name=re.compile("to fit all 6 visits")).wait_for()
    page.close()


def test_a_place_that_has_gone_leads_to_fresh_plans(ordered: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(ordered.users["patient"], DESK)
    page.goto(visitor.url + "/book/")
    page.get_by_role("button", name="Find plans").click()
    page.get_by_role("button", name="Hold this plan").first.wait_for()
    Plan.objects.update(expires_at=clock.now())
    page.get_by_role("button", name="Hold this plan").first.click()
    page.get_by_text("That place has just gone. Nothing was booked.").wait_for()
    assert page.get_by_role("button", name="Hold this plan").first.is_visible()
    assert not Series.objects.exists()
    page.close()


def test_the_desk_books_for_a_patient_on_the_same_pages(clinic: Clinic, client: Client) -> None:
    patient = make_patient(clinic.site, given_name="Wilhelmina", family_name="Quartermaine")
    client.post("/sign-in/", {"email": clinic.users["front_desk"].email, "password": PASSWORD})
    asked = client.get(f"/patients/{patient.pk}/book/").content.decode()
    assert "When can Wilhelmina Quartermaine come?" in asked
    form = {"course": clinic.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    plans = client.post(f"/patients/{patient.pk}/book/", form)
    assert plans.status_code == 302
    plan = Plan.objects.order_by("score").first()
    assert plan is not None
    assert client.post(f"/plans/{plan.pk}/hold/")["Location"] == f"/plans/{plan.pk}/"
    assert client.post(f"/plans/{plan.pk}/").status_code == 302
    series = Series.objects.get(patient=patient)
    assert series.created_by == clinic.users["front_desk"]
    assert AuditEntry.objects.filter(action="read", patient_id=patient.pk, actor=series.created_by_id).count() >= 2
    assert client.get(f"/plans/{plan.pk}/")["Location"] == f"/series/{series.pk}/"


@pytest.mark.parametrize(
    "wrong",
    [
        {"earliest": "2020-01-01"},
        {"earliest": "9999-12-31"},
        {"earliest": "x"},
        {"earliest": ""},
        {"latest": "2020-01-01"},
        {"latest": "9999-12-31"},
        {"weekdays": ["7"]},
        {"weekdays": ["0", "a\0"]},
        {"times": "midnight"},
        {"course": "01a211d0-139b-7aec-b593-87fc01120300"},
        {"course": "\0"},
    ],
)
def test_wishes_that_cannot_be_are_marked_and_nothing_is_planned(
    ordered: Clinic, client: Client, wrong: dict[str, Any]
) -> None:
    client.force_login(ordered.users["patient"])
    form = {"course": ordered.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    page = client.post(f"/patients/{ordered.patient.pk}/book/", form | wrong)
    assert page.status_code == 400
    assert "Please look at it once more" in page.content.decode()
    assert not Plan.objects.exists()


def test_how_to_prepare_comes_from_the_protocols_gates(ordered: Clinic, client: Client) -> None:
    ordered.protocol.gates = ["consent", {"gate": "escort", "severity": "warn"}, "weight"]
    ordered.protocol.save()
    client.force_login(ordered.users["patient"])
    form = {"course": ordered.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    client.post(f"/patients/{ordered.patient.pk}/book/", form)
    page = client.get(f"/plans/{Plan.objects.order_by('score')[0].pk}/").content.decode()
    assert "Bring an adult who takes you home" in page
    assert "You sign the consent form once" in page


def test_without_an_order_there_is_nothing_to_book(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    page = client.get(f"/patients/{clinic.patient.pk}/book/").content.decode()
    assert "Your clinic has to order a course for you first" in page
    form = {"course": clinic.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    assert client.post(f"/patients/{clinic.patient.pk}/book/", form).status_code == 400


def test_what_is_out_of_sight_is_not_there(ordered: Clinic, client: Client) -> None:
    """Another patient, somebody of another clinic: neither the patient, nor the plans, nor the series."""
    client.force_login(ordered.users["patient"])
    form = {"course": ordered.protocol.pk, "earliest": clock.now().date() + timedelta(days=2), "times": "any"}
    assert client.post(f"/patients/{ordered.patient.pk}/book/", form).status_code == 302
    plan = Plan.objects.order_by("score")[0]
    assert ordered.other
    for other in (ordered.other.users["admin"], ordered.other.users["patient"]):
        client.force_login(other)
        for address in ("", "choices/", "hold/"):
            method = client.post if address == "hold/" else client.get
            assert method(f"/plans/{plan.pk}/{address}").status_code == 404
        assert client.post(f"/plans/{plan.pk}/").status_code == 404
        assert client.get(f"/patients/{ordered.patient.pk}/book/").status_code == 404
    client.force_login(ordered.users["auditor"])
    assert client.get(f"/plans/{plan.pk}/choices/").status_code == 200
    assert client.post(f"/plans/{plan.pk}/hold/").status_code == 403
    client.logout()
    assert client.get(f"/plans/{plan.pk}/")["Location"] == f"/sign-in/?next=%2Fplans%2F{plan.pk}%2F"


def test_nobody_is_shut_out_on_the_way(ordered: Clinic, visitor: Visitor) -> None:
    """Each page on a phone and at a desk, in light and in the dark."""
    page = visitor.as_user(ordered.users["patient"], PHONE)

    def look(name: str) -> None:
        for size, scheme in ((PHONE, "dark"), (DESK, "light")):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert Axe().run(page).response["violations"] == [], f"{name}, {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name

    page.goto(visitor.url + "/book/")
    for name in ("Find plans", "Hold this plan", "Book these 6 visits"):
        page.get_by_role("button", name=name).first.wait_for()
        look(name)
        page.get_by_role("button", name=name).first.click()
    page.locator(".path").wait_for()
    look("booked")
    page.goto(visitor.url + f"/sessions/{Session.objects.order_by('-start')[0].pk}/cancel/")
    page.get_by_role("button", name="Cancel this visit").wait_for()
    assert Axe().run(page).response["violations"] == []
    assert visitor.complaints == []
    page.close()
