"""Chairs, people and hours on pages: added and changed as by the API, and never so that a booked visit is stranded."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Site
from scheduler.models import Chair, ChairClosure, Provider
from tests.factories import noon
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

CHAIR = {"name": "Window", "kind": "bed", "features": "telemetry\r\nquiet\r\n", "is_active": "on"}
NURSE = {"name": "Eli Ford, RN", "role": "nurse", "capacity": "2", "max_acuity": "8", "is_active": "on"}


def test_a_manager_adds_a_chair_and_changes_the_hours(clinic: Clinic, visitor: Visitor) -> None:
    at = noon()
    ChairClosure.objects.create(chair=clinic.bed, during=DateTimeTZRange(at, at + timedelta(hours=2)), reason="Repair")
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(visitor.url + "/clinic/")
    page.get_by_role("link", name="Chairs, people, hours").click()
    page.get_by_text("Repair").wait_for()
    page.get_by_role("link", name="Add a chair").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Name").fill(clinic.bed.name)
    page.get_by_label("Kind").select_option(label="Bed")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The site has a chair of this name.").wait_for()
    page.get_by_label("Name").fill("Window")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Window").wait_for()
    page.get_by_role("link", name="Change the clinic").click()
    assert Axe().run(page).response["violations"] == []
    sunday = page.get_by_role("group", name="Sunday")
    sunday.get_by_label("opens").first.fill("09:00")
    sunday.get_by_label("closes").first.fill("08:00")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("A site closes after it opens.").wait_for()
    page.get_by_role("group", name="Sunday").get_by_label("closes").first.fill("12:00")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("9:00 am – 12:00 pm").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()
    assert Chair.objects.get(name="Window").site == clinic.site
    assert clinic.site.opening_hours.filter(weekday=6).values_list("opens", "closes")[0] == (time(9), time(12))
    assert clinic.site.opening_hours.count() == 7
    assert visitor.complaints == []


SITE = {"name": "Lakeside", "time_zone": "America/Denver", "phone": "+1 303 555 0142", "crisis_line": "988",
        "emergency_number": "911", "hours.0.0.opens": "09:00", "hours.0.0.closes": "17:00"}  # fmt: skip


def test_a_manager_adds_a_site_and_its_first_chair(clinic: Clinic, visitor: Visitor) -> None:
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(visitor.url + "/clinic/supply/")
    page.get_by_role("link", name="Add a clinic").click()
    page.get_by_label("Name").fill(clinic.site.name)
    page.get_by_label("Its clock").select_option(label="Denver")
    page.get_by_label("Phone").fill("+1 303 555 0142")
    page.get_by_role("group", name="Monday").get_by_label("opens").first.fill("09:00")
    page.get_by_role("group", name="Monday").get_by_label("closes").first.fill("17:00")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The organization has a site of this name.").wait_for()
    assert page.locator(".field.wrong label").all_inner_texts() == ["Name"]
    page.get_by_label("Name").fill("Lakeside")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Next come its chairs and its people").wait_for()
    page.get_by_role("link", name="Add a chair").click()
    page.get_by_label("Name").fill("Window")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Window").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()
    made = Site.objects.get(name="Lakeside")
    assert (made.organization, made.time_zone, made.phone) == (clinic.organization, "America/Denver", "+13035550142")
    assert (made.on_call, list(made.staff.all())) == (clinic.users["manager"], [clinic.users["manager"]])
    assert made.opening_hours.values_list("weekday", "opens", "closes")[0] == (0, time(9), time(17))
    assert made.chairs.get().name == "Window"
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("change", "field"),
    [({"time_zone": "Mars/Base"}, "time_zone"), ({"time_zone": ""}, "time_zone"), ({"name": ""}, "name"),
     ({"phone": "12"}, "phone"), ({"crisis_line": ""}, "crisis_line"),
     ({"hours.0.1.opens": "16:00", "hours.0.1.closes": "18:00"}, "__all__"),
     ({"hours.2.0.opens": "16:00"}, "hours.2.0.closes"), ({"hours.0.0.closes": "08:00"}, "hours.0.0.closes")],
    ids=str,
)  # fmt: skip
def test_a_site_with_a_fault_is_not_made(clinic: Clinic, client: Client, change: dict[str, str], field: str) -> None:
    client.force_login(clinic.users["manager"])
    answer = client.post("/clinic/sites/", SITE | change)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert not Site.objects.filter(name="Lakeside").exists()


def test_whoever_works_nowhere_begins_with_a_site(clinic: Clinic, client: Client) -> None:
    """A manager of a new organization, which has no site yet."""
    manager = clinic.users["manager"]
    manager.sites.clear()
    client.force_login(manager)
    assert client.get("/clinic/supply/")["Location"] == "/clinic/sites/"
    assert client.get("/clinic/sites/").context["form"].initial["crisis_line"] == "988"
    assert client.post("/clinic/sites/", SITE).status_code == 302
    assert "Lakeside" in client.get("/clinic/supply/").content.decode()
    client.force_login(clinic.users["nurse"])
    assert client.post("/clinic/sites/", SITE | {"name": "Another"}).status_code == 403
    assert not Site.objects.filter(name="Another").exists()


def test_people_and_chairs_are_changed_and_kept(clinic: Clinic, client: Client) -> None:
    client.force_login(clinic.users["manager"])
    assert client.post(f"/clinic/supply/{clinic.site.pk}/people/", NURSE).status_code == 302
    made = Provider.objects.get(name=NURSE["name"])
    assert (made.site, made.capacity, made.max_acuity, made.is_active) == (clinic.site, 2, 8, True)
    gone = {name: value for name, value in NURSE.items() if name not in ("is_active", "max_acuity")}
    client.post(f"/clinic/people/{made.pk}/", gone | {"capacity": "3"})
    made.refresh_from_db()
    assert (made.capacity, made.max_acuity, made.is_active) == (3, None, False)
    client.post(f"/clinic/chairs/{clinic.bed.pk}/", CHAIR)
    assert Chair.objects.get(pk=clinic.bed.pk).features == ["telemetry", "quiet"]


def test_a_change_that_strands_a_visit_is_refused(clinic: Clinic, client: Client) -> None:
    clinic.session(noon() + timedelta(hours=4))
    client.force_login(clinic.users["manager"])
    chair = clinic.recliners[0]
    refused = client.post(f"/clinic/chairs/{chair.pk}/", {"name": chair.name, "kind": chair.kind})
    assert refused.status_code == 400
    assert "Booked visits would be left without what they need: 1." in refused.content.decode()
    hours = {"name": clinic.site.name, "crisis_line": "988", "emergency_number": "911"}
    refused = client.post(f"/clinic/sites/{clinic.site.pk}/", hours)
    assert refused.status_code == 400
    assert Chair.objects.get(pk=chair.pk).is_active
    assert clinic.site.opening_hours.count() == 6


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [("people", NURSE | {"capacity": "0"}, "capacity"), ("people", NURSE | {"capacity": "2, 3"}, "capacity"),
     ("people", NURSE | {"role": "cook"}, "role"), ("people", NURSE | {"max_acuity": "999999"}, "max_acuity"),
     ("chairs", CHAIR | {"name": ""}, "name"), ("chairs", CHAIR | {"name": "a\x07b"}, "name"),
     ("chairs", CHAIR | {"features": "a\na"}, "features")],
    ids=str,
)  # fmt: skip
def test_a_bad_value_is_marked(clinic: Clinic, client: Client, path: str, form: dict[str, Any], field: str) -> None:
    client.force_login(clinic.users["manager"])
    before = Chair.objects.count() + Provider.objects.count()
    answer = client.post(f"/clinic/supply/{clinic.site.pk}/{path}/", form)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert Chair.objects.count() + Provider.objects.count() == before


@pytest.mark.parametrize(("who", "sees"), [("nurse", 200), ("auditor", 200), ("patient", 403)])
def test_who_sees_and_who_changes(clinic: Clinic, client: Client, who: str, sees: int) -> None:
    assert clinic.other
    client.force_login(clinic.users[who])
    page = client.get("/clinic/supply/")
    assert page.status_code == sees
    assert "Add a chair" not in page.content.decode()
    mine = [f"supply/{clinic.site.pk}/chairs/", f"chairs/{clinic.bed.pk}/", f"people/{clinic.nurses[0].pk}/",
            f"sites/{clinic.site.pk}/"]  # fmt: skip
    for path in mine:
        assert client.post(f"/clinic/{path}", CHAIR).status_code == 403
    client.force_login(clinic.other.users["admin"])
    for path in mine:
        assert client.get(f"/clinic/{path}").status_code == 404
        assert client.post(f"/clinic/{path}", CHAIR | NURSE).status_code == 404
    assert Site.objects.get(pk=clinic.site.pk).name == clinic.site.name
