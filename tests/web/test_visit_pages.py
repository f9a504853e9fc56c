"""A patient's visits: the path, saying that one comes, moving one and cancelling one after seeing what it does."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts import clock
from accounts.models import AuditEntry
from sessions.models import Plan, Series, Session
from tests.factories import Clinic, make_order, make_patient, make_protocol, make_user, noon, phase
from tests.web.conftest import PHONE, Visitor
from web.visits import gap_without

if TYPE_CHECKING:
    from django.test import Client


@pytest.fixture
def course(clinic: Clinic) -> Series:
    """Three visits of the patient, four days apart, none on a Sunday; the protocol allows two to five days."""
    monday = noon(7)
    while monday.weekday() != 0:
        monday += timedelta(days=1)
    protocol = make_protocol(clinic.organization, clinic.users["prescriber"], phase(sessions=3))
    series = clinic.series(clinic.patient, protocol)
    for days in (0, 4, 8):
        clinic.session(monday + timedelta(days=days, hours=3), series=series)
    return series


def test_the_path_tells_past_next_and_to_come(clinic: Clinic, course: Series, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    page = client.get("/visits/").content.decode()
    assert page.count('<li class="now">') == 1
    assert page.count('<li class="todo">') == 2
    assert "Next visit · 1 of 3" in page
    assert "Chicago time" in page
    first = course.sessions.get(sequence=1)
    assert AuditEntry.objects.filter(action="read", record_id=str(first.pk), actor=clinic.users["patient"].pk).exists()
    assert "You are expected" in client.post(f"/sessions/{first.pk}/confirm/", follow=True).content.decode()
    assert client.post(f"/sessions/{first.pk}/confirm/").status_code == 302
    first.refresh_from_db()
    assert first.status == "confirmed"


def test_a_visit_is_moved_where_the_rest_can_stay(clinic: Clinic, course: Series, visitor: Visitor) -> None:
    second = course.sessions.get(sequence=2)
    others = {each.pk: each.start for each in course.sessions.exclude(pk=second.pk)}
    page = visitor.as_user(clinic.users["patient"], PHONE)
    page.goto(visitor.url + "/visits/")
    page.get_by_role("link", name="Move or cancel").nth(1).click()
    assert page.get_by_text("nothing changes until you choose").first.is_visible()
    page.get_by_role("button", name="Show other times").click()
    page.get_by_role("heading", name="Other times for this visit").wait_for()
    assert page.get_by_text("days after the visit before").first.is_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Move here").first.click()
    page.get_by_text("Moved. The new time stands below.").wait_for()
    moved = Session.objects.get(pk=second.pk)
    assert moved.start != second.start
    assert {each.pk: each.start for each in course.sessions.exclude(pk=second.pk)} == others
    page.close()


def test_on_a_day_of_choice_others_move_along_after_that_was_said(
    clinic: Clinic, course: Series, visitor: Visitor
) -> None:
    stood = list(course.sessions.order_by("sequence").values_list("start", flat=True))
    second = course.sessions.get(sequence=2)
    page = visitor.as_user(clinic.users["patient"], PHONE, locale="es-US")
    page.goto(f"{visitor.url}/sessions/{second.pk}/move/")

    def look_at(days: int) -> None:
        page.get_by_label("Día", exact=True).fill(f"{second.start + timedelta(days=days):%Y-%m-%d}")
        page.get_by_role("button", name="Ver ese día").click()

    look_at(2)
    page.get_by_role("heading", name="Ese día no cabe nada").wait_for()
    assert Axe().run(page).response["violations"] == []
    look_at(3)
    page.get_by_role("heading", name="Lo que se puede ese día").wait_for()
    for number in (1, 3):
        assert page.get_by_text(f"La visita {number} se mueve también").first.is_visible(), "seven days are too many"
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert list(course.sessions.order_by("sequence").values_list("start", flat=True)) == stood, "nothing has changed"
    page.get_by_role("button", name="Mover todas").first.click()
    page.get_by_text("Cambiada.").wait_for()
    moved = list(course.sessions.order_by("sequence").values_list("start", flat=True))
    assert moved[1].date() == second.start.date() + timedelta(days=3)
    gaps = [(after.date() - before.date()).days for before, after in pairwise(moved)]
    assert all(2 <= gap <= 5 for gap in gaps)
    page.close()


def test_a_day_of_choice_where_the_rest_can_stay_and_days_that_are_none(
    clinic: Clinic, course: Series, client: Client
) -> None:
    second = course.sessions.get(sequence=2)
    others = course.sessions.exclude(pk=second.pk).values_list("pk", "start")
    stood = dict(others)
    client.force_login(clinic.users["patient"])
    address = f"/sessions/{second.pk}/move/"
    page = client.post(address, {"day": f"{second.start + timedelta(days=1):%Y-%m-%d}"}).content.decode()
    assert "The other visits stay as they are." in page
    taken = re.search(rf'action="({address}[0-9a-f-]{{36}}/)"', page)
    assert taken
    assert "Moved." in client.post(taken[1], follow=True).content.decode()
    assert Session.objects.get(pk=second.pk).start.date() == second.start.date() + timedelta(days=1)
    assert dict(others) == stood
    past, far = (f"{clock.now() + timedelta(days=days):%Y-%m-%d}" for days in (-2, 700))
    for day in ("", "x", "0001-01-01", "9999-12-31", past, far):
        assert client.post(address, {"day": day}).status_code == 400, day
    Plan.objects.filter(series=course).update(series=clinic.series(clinic.patient))
    assert client.post(taken[1]).status_code == 404, "a plan of another series"


def test_a_place_that_has_gone_changes_nothing(clinic: Clinic, course: Series, client: Client) -> None:
    second = course.sessions.get(sequence=2)
    client.force_login(clinic.users["patient"])
    client.post(f"/sessions/{second.pk}/move/")
    place = Plan.objects.filter(session=second).exclude(sessions__0__start__startswith=f"{second.start:%Y-%m-%d}")[0]
    Plan.objects.filter(pk=place.pk).update(expires_at=clock.now())
    page = client.post(f"/sessions/{second.pk}/move/{place.pk}/", follow=True).content.decode()
    assert "That place has just gone. Nothing was changed." in page
    first = course.sessions.get(sequence=1)
    assert client.post(f"/sessions/{first.pk}/move/{place.pk}/").status_code == 404, "a place of another visit"
    assert Session.objects.get(pk=second.pk).start == second.start


def test_cancelling_says_first_what_it_does(clinic: Clinic, course: Series, client: Client) -> None:
    second = course.sessions.get(sequence=2)
    gap = gap_without(second)
    assert gap
    assert (gap.before, gap.after, gap.days) == (1, 3, 8)
    client.force_login(clinic.users["patient"])
    page = client.get(f"/sessions/{second.pk}/cancel/").content.decode()
    assert "There are then 8 days between visits 1 and 3." in page
    assert "The other 2 visits to come stay as they are." in page
    assert Session.objects.get(pk=second.pk).status == "booked"
    done = client.post(f"/sessions/{second.pk}/cancel/", {"reason": "a\0 cold " + "x" * 600}, follow=True)
    assert "Cancelled." in done.content.decode()
    second.refresh_from_db()
    assert second.status == "cancelled"
    assert client.post(f"/sessions/{second.pk}/cancel/").status_code == 409


def test_what_is_too_near_is_for_the_telephone(clinic: Clinic, client: Client) -> None:
    clinic.site.phone = "+13125550142"
    clinic.site.save()
    series = clinic.series(clinic.patient)
    near = clinic.session(clock.now() + timedelta(hours=5), series=series)
    client.force_login(clinic.users["patient"])
    for address in ("move", "cancel"):
        for call in (client.get, client.post):
            page = call(f"/sessions/{near.pk}/{address}/")
            assert page.status_code == 409
            assert "(312) 555-0142" in page.content.decode()
    near.refresh_from_db()
    assert near.status == "booked"
    client.force_login(clinic.users["front_desk"])
    assert client.get(f"/sessions/{near.pk}/cancel/").status_code == 200


def test_nobody_touches_the_visits_of_another(clinic: Clinic, course: Series, client: Client) -> None:
    stranger = make_user(None, "patient")
    make_order(make_patient(clinic.site, user=stranger), clinic.protocol, clinic.users["prescriber"])
    assert clinic.other
    visit = course.sessions.get(sequence=1)
    for user in (stranger, clinic.other.users["admin"]):
        client.force_login(user)
        assert client.get(f"/series/{course.pk}/").status_code == 404
        for address in ("move", "cancel"):
            assert client.get(f"/sessions/{visit.pk}/{address}/").status_code == 404
            assert client.post(f"/sessions/{visit.pk}/{address}/").status_code == 404
        assert client.post(f"/sessions/{visit.pk}/confirm/").status_code == 404
    client.force_login(clinic.users["auditor"])
    assert client.get(f"/series/{course.pk}/").status_code == 200
    assert client.post(f"/sessions/{visit.pk}/cancel/").status_code == 403


def test_without_visits_the_page_invites_to_book(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["patient"])
    assert "No visits are booked" in client.get("/visits/").content.decode()
    client.force_login(clinic.users["nurse"])
    assert client.get("/visits/").status_code == 404
