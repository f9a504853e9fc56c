"""The board's page: what it tells, to whom, on a phone and by night; another browser's change appears at once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from scheduler.catalogue import entry
from scheduler.models import OpeningHours
from sessions import infusion, lifecycle, observation
from sessions.models import Session
from tests.factories import make_protocol
from tests.web.conftest import DESK, PHONE

if TYPE_CHECKING:
    from datetime import datetime

    from django.test import Client
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Clinic
    from tests.web.conftest import Visitor

MINUTE = timedelta(minutes=1)
# What the page's own forms do: a POST with the token against forgery.
POST = """async address => {
  const token = document.querySelector('[name=csrfmiddlewaretoken]').value;
  return (await fetch(address, {method: 'POST', headers: {'X-CSRFToken': token}})).status;
}"""


def full_day(clinic: Clinic, now: datetime) -> dict[str, Session]:
    """One visit in each state that can stand on today's board, relative to now."""
    OpeningHours.objects.filter(site=clinic.site).delete()
    values = entry("KET-TRD-3W")
    rules = {name: values[name] for name in ("observation", "discharge")}
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent", "escort"], **rules)
    staff = clinic.users["nurse"]

    def visit(minutes: int, place: int, nurse: int = 0, **fields: Any) -> Session:
        start = now + minutes * MINUTE
        series = clinic.series(protocol=protocol)
        seat = {"chair": clinic.chairs[place], "nurse": clinic.nurses[nurse]}
        row = clinic.session(start, series=series, acuity=1, **seat, **fields)
        met = {"outcome": "met", "at": start.isoformat(), "said_by": "staff"}
        Session.objects.filter(pk=row.pk).update(gates={"consent": met, "escort": met})
        row.refresh_from_db()
        return row

    day = {
        "infusing": visit(-60, 0),
        "late": visit(-25, 1, 1),
        "arrived": visit(-40, 2),
        "later": visit(115, 0),
        "recovering": visit(-130, 3, 1),
    }
    lifecycle.arrive(day["infusing"], staff, now - 55 * MINUTE)
    infusion.start(day["infusing"], staff, now - 25 * MINUTE)
    observation.record_vitals(day["infusing"], {"systolic": 168, "diastolic": 102}, staff, now - MINUTE)
    lifecycle.arrive(day["arrived"], staff, now - 38 * MINUTE)
    Session.objects.filter(pk=day["arrived"].pk).update(gates={})
    lifecycle.arrive(day["recovering"], staff, now - 130 * MINUTE)
    infusion.start(day["recovering"], staff, now - 100 * MINUTE)
    infusion.finish_infusion(day["recovering"], staff, now - 40 * MINUTE)
    return day


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.mark.parametrize("role", ["front_desk", "nurse", "prescriber", "manager", "auditor", "admin"])
def test_staff_see_the_board(clinic: Clinic, client: Client, role: str) -> None:
    full_day(clinic, clock.now())
    client.force_login(clinic.users[role])
    page = client.get("/board/")
    assert page.status_code == 200
    told = text(page.content.decode())
    for word in (
        "Vital signs out of limits: repeat.",
        "Not here, 25 min late.",
        "The start waits for consent, escort.",
        "Due next",
    ):
        assert word in told, word
    # Not a number in a name, such as "User 168".
    assert not re.search(r"(?<![A-Za-z] )\b168\b", told), "values are for the bedside"
    assert "Example" not in told, "family names are not for a screen that others may pass"
    part = client.get("/board/now/")
    assert client.get("/board/now/", headers={"If-None-Match": part["ETag"]}).status_code == 304
    assert " style=" not in page.content.decode()


@pytest.mark.parametrize("path", ["/board/", "/board/now/", "/day-sheet/", "/day-sheet.csv"])
def test_nobody_else_does(clinic: Clinic, client: Client, path: str) -> None:
    assert client.get(path).status_code == 302
    client.force_login(clinic.users["patient"])
    assert client.get(path).status_code == 403
    assert clinic.other is not None
    client.force_login(clinic.other.users["nurse"])
    assert client.get(f"{path}?site={clinic.site.pk}").status_code == 404
    for wrong in ("site=none", "date=tomorrow", "date=9999-12-31", "date=0001-01-01"):
        assert client.get(f"{path}?{wrong}").status_code == 404, wrong


def test_the_day_sheet_is_a_page_and_a_table(clinic: Clinic, client: Client) -> None:
    day = full_day(clinic, clock.now())
    patient = day["later"].patient
    patient.given_name = "=HYPERLINK(1)"
    patient.save()
    client.force_login(clinic.users["front_desk"])
    here = f"?date={day['later'].start.astimezone().date()}"
    for address in ("/board/", "/day-sheet/"):
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            sheet = client.get(address)
        assert len(asked) <= 12
    assert sheet.status_code == 200
    assert text(sheet.content.decode()).count("Ada E.") >= 3
    table = client.get("/day-sheet.csv")
    lines = table.content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("start,end,chair,patient")
    assert "attachment" in table["Content-Disposition"]
    if client.get(f"/day-sheet.csv{here}").content == table.content:
        assert any(",'=HYPERLINK(1) E.," in line for line in lines)


@pytest.mark.parametrize(
    ("language", "open_"), [("en", "oxygen (%) and pulse (per minute)"), ("es", "oxígeno (%) y pulso (por minuto)")]
)
def test_the_day_sheet_says_what_is_open_in_plain_words(
    clinic: Clinic, client: Client, language: str, open_: str
) -> None:
    gates = ["spo2_heart_rate", "our_own_form"]
    asking = make_protocol(clinic.organization, clinic.users["prescriber"], gates=gates)
    clinic.session(clock.now() + timedelta(minutes=5), series=clinic.series(protocol=asking))
    client.force_login(clinic.users["nurse"])
    day = clock.now() + timedelta(minutes=5)
    here = f"?date={day.astimezone(ZoneInfo(clinic.site.time_zone)).date()}"
    sheet = text(client.get(f"/day-sheet/{here}", HTTP_ACCEPT_LANGUAGE=language).content.decode())
    assert f"{open_}, our own form" in sheet
    assert ("reservada" if language == "es" else "booked") in sheet
    table = client.get(f"/day-sheet.csv{here}", HTTP_ACCEPT_LANGUAGE=language).content.decode("utf-8-sig")
    assert 'booked,"oxygen (%) and pulse (per minute), our own form"' in table


def test_a_change_in_one_browser_appears_in_the_other(
    live_server: LiveServer, clinic: Clinic, visitor: Visitor
) -> None:
    day = full_day(clinic, clock.now())
    one, two = (visitor.as_user(clinic.users[role], DESK) for role in ("nurse", "front_desk"))
    for page in (one, two):
        page.goto(f"{live_server.url}/board/")
    late = two.locator(f"#v-{day['late'].pk}")
    assert "is-overdue" in (late.get_attribute("class") or "")
    answers: list[int] = []
    two.on("response", lambda answer: answers.append(answer.status) if "/board/now/" in answer.url else None)
    two.wait_for_event("response", lambda answer: "/board/now/" in answer.url and answer.status == 304)
    late.focus()
    address = f"/api/v1/sessions/{day['late'].pk}/arrive/"
    asked = two.evaluate("performance.now()")
    assert one.evaluate(POST, address) == 200
    two.locator(f"#v-{day['late'].pk}.is-arrived, #v-{day['late'].pk}:not(.is-overdue)").wait_for()
    waited = two.evaluate("performance.now()") - asked
    polls = len(answers)
    assert polls <= 3 + waited / 1500, "no storm of questions"
    assert two.evaluate("document.activeElement.id") == f"v-{day['late'].pk}", "the focus stays where it was"
    assert visitor.complaints == []


def test_the_board_shuts_nobody_out(clinic: Clinic, visitor: Visitor) -> None:
    """The board and the day sheet at both sizes, by night and on paper."""
    full_day(clinic, clock.now())
    page = visitor.as_user(clinic.users["nurse"], DESK)
    for path in ("/board/", "/day-sheet/"):
        page.goto(visitor.url + path)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert Axe().run(page).response["violations"] == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        page.emulate_media(color_scheme="dark")
        assert Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"] == [], f"{path} by night"
        page.emulate_media(media="print", color_scheme="dark")
        assert not page.locator(".mast:visible, .button:visible").count(), "what cannot be pressed on paper"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(39, 32, 44)", "paper is light"
        page.emulate_media(media="screen", color_scheme="light")
    assert visitor.complaints == []
    page.close()


def test_places_in_time_are_one_rule() -> None:
    from django.contrib.staticfiles import finders

    with open(str(finders.find("web/steps.css"))) as file:
        told = file.read()
    for step in (0, 1, 132, 288):
        assert f'[data-at="{step}"]{{--at:{step}}}[data-len="{step}"]{{--len:{step}}}' in told
    assert '[data-hours="24"]{--cols:288}' in told
