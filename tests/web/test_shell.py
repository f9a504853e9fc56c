"""What all pages share: the header by role, refusals as pages, the way back after signing in, forms in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template import Context, Template, loader
from django.test import Client
from django.urls import reverse
from django.utils import translation

import web
from tests.factories import PASSWORD, Clinic
from tests.web.conftest import DESK, PHONE
from web.navigation import first_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer


def sign_in(page: Page, live_server: LiveServer, email: str) -> None:
    """Sign in as staff do, in the browser."""
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("Email address", exact=True).fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_person_signs_in_and_out_in_a_browser(live_server: LiveServer, clinic: Clinic, browser: Browser) -> None:
    page = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    nurse = clinic.users["nurse"]
    sign_in(page, live_server, nurse.email)
    page.get_by_role("banner").get_by_text(nurse.name).wait_for()
    assert page.get_by_role("button", name="Sign out").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Send me a link").wait_for()
    page.close()


def test_an_address_that_leads_nowhere_says_so_to_everybody(
    live_server: LiveServer, clinic: Clinic, browser: Browser
) -> None:
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    answer = page.goto(f"{live_server.url}/nowhere/")
    assert answer
    assert answer.status == 404
    assert page.get_by_role("heading", name="There is no such page").is_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("link", name="To the first page").click()
    assert page.url == f"{live_server.url}/"
    page.close()


@pytest.mark.parametrize(
    "wanted", ["https://example.org/", "//example.org", "\\\\example.org", "javascript:alert(1)", "x"]
)
def test_nobody_is_led_elsewhere_after_signing_in(clinic: Clinic, client: Client, wanted: str) -> None:
    form = {"email": clinic.users["nurse"].email, "password": PASSWORD, "next": wanted}
    assert client.post("/sign-in/", form)["Location"] == reverse(first_page(clinic.users["nurse"]))


def test_the_way_goes_on_after_signing_in(clinic: Clinic, client: Client) -> None:
    assert 'name="next" value="/api/v1/docs/"' in client.get("/sign-in/?next=/api/v1/docs/").content.decode()
    form = {"email": clinic.users["nurse"].email, "password": PASSWORD, "next": "/api/v1/docs/"}
    assert client.post("/sign-in/", form)["Location"] == "/api/v1/docs/"


def test_an_old_form_is_refused_in_plain_words(clinic: Clinic) -> None:
    page = Client(enforce_csrf_checks=True).post("/sign-in/", {"email": "a@example.org", "password": "x"})
    assert page.status_code == 403
    assert "This page has grown old" in page.content.decode()


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_pages_of_faults_need_no_request(name: str) -> None:
    assert "To the first page" in loader.get_template(name).render()


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "Thu, Feb 18 · 9:05 am · 12:00 pm"), ("es", "jue 18 feb · 9:05 a. m. · 12:00 p. m.")],
)
def test_times_are_said_as_people_say_them(language: str, shown: str) -> None:
    text = "{% load parts %}{% day at zone %} · {% clock at zone %} · {% clock noon zone %}"
    at, noon = datetime(2027, 2, 18, 15, 5, tzinfo=UTC), datetime(2027, 2, 18, 18, tzinfo=UTC)
    with translation.override(language):
        page = Template(text).render(Context({"at": at, "noon": noon, "zone": "America/Chicago"}))
    assert re.sub(r"<[^>]*>", "", page).replace("\xa0", " ").casefold() == shown.casefold()


def test_every_page_of_times_names_their_zone() -> None:
    """Where a template tells times of day, it says whose; parts are told by the pages that they stand on."""
    pages = Path(web.__file__).parent / "templates" / "web"
    told = {page.name: page.read_text() for page in pages.glob("*.html")}
    timed = {name for name, text in told.items() if re.search(r"{% (clock|clock_alone|hours) ", text)}
    assert len(timed) > 15
    assert {name for name in timed if not re.search(r"{% (zone_name|zone_note|zones_note) ", told[name])} == set()


def test_a_traveller_sees_their_own_time_beside_the_clinics(
    live_server: LiveServer, clinic: Clinic, browser: Browser
) -> None:
    page = browser.new_page(timezone_id="America/New_York", locale="en-US")
    page.goto(live_server.url)
    time = '<p><time datetime="2027-02-18T15:05:00+00:00" data-zone="America/Chicago">9:05 am</time></p>'
    page.evaluate("html => { document.querySelector('main').innerHTML = html }", time)
    page.add_script_tag(url=f"{live_server.url}/static/web/pages.js")
    assert page.locator("main").inner_text() == "9:05 am (10:05 am your time)"
    page.close()
