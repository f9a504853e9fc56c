"""At the chair: from arrival to the way home on one page, and what is not let through says why."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts import clock
from scheduler.catalogue import entry
from scheduler.models import OpeningHours
from sessions.models import Session, SessionStatus
from tests.factories import make_protocol
from tests.web.conftest import DESK, PHONE

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Clinic
    from tests.web.conftest import Visitor

MINUTE = timedelta(minutes=1)


def visit(clinic: Clinic, **fields: object) -> Session:
    """A visit that began ten minutes ago, with an escort and a consent to ask for, and ketamine's rules of the day."""
    OpeningHours.objects.filter(site=clinic.site).delete()
    values = entry("KET-TRD-3W")
    rules = {name: values[name] for name in ("observation", "discharge")}
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], gates=["consent", "escort"], **rules)
    series = clinic.series(protocol=protocol)
    return clinic.session(clock.now() - 10 * MINUTE, series=series, **fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "status"), [("nurse", 200), ("prescriber", 200), ("front_desk", 403), ("auditor", 403), ("patient", 403)]
)
def test_it_is_for_those_who_give_care(clinic: Clinic, client: Client, role: str, status: int) -> None:
    session = visit(clinic)
    client.force_login(clinic.users[role])
    assert client.get(f"/board/visits/{session.pk}/").status_code == status
    assert client.post(f"/board/visits/{session.pk}/gates/", {"gate": "consent", "outcome": "met"}).status_code in (
        {302} if status == 200 else {403}
    )


@pytest.mark.django_db
def test_what_is_wrong_is_named_and_changes_nothing(clinic: Clinic, client: Client) -> None:
    session = visit(clinic)
    client.force_login(clinic.users["nurse"])
    address = f"/board/visits/{session.pk}/"
    assert clinic.other is not None
    assert client.get(f"/board/visits/{clinic.other.session(clock.now()).pk}/").status_code == 404
    assert client.post(f"{address}fly/").status_code == 404
    early = client.post(f"{address}start/")
    assert early.status_code == 409
    client.post(f"{address}arrive/", {"version": session.version})
    stale = client.post(f"{address}start/", {"version": session.version})
    assert stale.status_code == 412
    missing = client.post(f"{address}start/")
    assert missing.status_code == 409
    assert "Consent" in missing.content.decode()
    for gate in ("consent", "escort"):
        client.post(f"{address}gates/", {"gate": gate, "outcome": "met"})
    assert client.post(f"{address}start/").status_code == 302
    for fields, word in (
        ({"systolic": "abc"}, "Upper pressure"),
        ({"systolic": "900"}, "Upper pressure"),
        ({}, "at least one"),
    ):
        refused = client.post(f"{address}vitals/", fields)
        assert refused.status_code == 400
        assert word in refused.content.decode()
    assert not session.vitals.exists()
    late = client.post(
        f"{address}adverse-events/",
        {"term": "Rash", "grade": "2", "onset": "25:99", "action": "none", "outcome": "ongoing"},
    )
    assert late.status_code == 400
    assert "Rash" in late.content.decode()
    session.refresh_from_db()
    assert session.status == SessionStatus.INFUSING


def serious(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in ("serious", "critical")]


def test_from_arrival_to_the_way_home(
    clinic: Clinic, visitor: Visitor, live_server: LiveServer, tmp_path: Path
) -> None:
    session = visit(clinic)
    page = visitor.as_user(clinic.users["nurse"], DESK)
    clicks = visitor.count_clicks(page)
    page.goto(f"{live_server.url}/board/")
    page.locator(f"#v-{session.pk}").click()
    page.get_by_role("button", name="The patient is here").click()
    for rule in ("Is so",) * 2:
        page.get_by_role("button", name=rule).first.click()
    page.get_by_role("button", name="Start the infusion").click()
    page.get_by_label("Upper pressure").fill("182")
    page.get_by_label("Lower pressure").fill("95")
    page.get_by_role("button", name="Write them down").click()
    page.get_by_text("stop, and call the prescriber").wait_for()
    assert len(clicks()) == 6, "to the chair, arrival, each gate, the start, vital signs: as docs/pages.md counts"
    page.screenshot(path=str(tmp_path / "infusing.png"), full_page=True)
    assert serious(page) == []
    page.get_by_role("button", name="It is complete").click()
    page.get_by_label("Who takes them home").fill("Ana")
    page.get_by_role("button", name="Goes home").click()
    assert len(clicks()) == 8, "the end and the way home: one each"
    page.get_by_text("The recovery score is missing").wait_for()
    assert page.get_by_label("Who takes them home").input_value() == "Ana"
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.screenshot(path=str(tmp_path / "home.png"), full_page=True)
    assert serious(page) == []
    assert visitor.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    session.refresh_from_db()
    assert session.status == SessionStatus.RECOVERING
    assert session.vitals.count() == 1
