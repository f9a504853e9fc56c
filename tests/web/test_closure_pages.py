"""A closure to come on its page: other hours say whom they hit before they count; taken back, nobody is moved again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import AuditEntry
from scheduler.models import ChairClosure, SiteClosure
from sessions.models import Disruption, Session
from tests.factories import ZONE, noon
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic

AT = next(noon(days) for days in range(7, 14) if noon(days).weekday() < 5)


def closed(clinic: Clinic, hours: int = 1) -> ChairClosure:
    """The first recliner is closed from noon on."""
    during = DateTimeTZRange(AT, AT + timedelta(hours=hours))
    return ChairClosure.objects.create(chair=clinic.recliners[0], during=during, reason="Repair")


def said(start: Any = AT, hours: float = 1, **change: Any) -> dict[str, Any]:
    """The form of a closure from `start` on."""
    first, last = (at.astimezone(ZoneInfo(ZONE)) for at in (start, start + timedelta(hours=hours)))
    edges = {"first_day": f"{first:%Y-%m-%d}", "from_time": f"{first:%H:%M}", "last_day": f"{last:%Y-%m-%d}"}
    return edges | {"until_time": f"{last:%H:%M}", "reason": "Repair"} | change


def address(closure: ChairClosure | SiteClosure) -> str:
    kind = "chair" if isinstance(closure, ChairClosure) else "site"
    return f"/clinic/{kind}-closures/{closure.pk}/"


def test_a_manager_makes_a_closure_longer_sees_whom_it_hits_and_takes_it_back(clinic: Clinic, visitor: Visitor) -> None:
    closure, session = closed(clinic), clinic.session(AT + timedelta(hours=2), acuity=1)
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(f"{visitor.url}/clinic/supply/")
    page.get_by_role("region", name="Closures to come").get_by_role("link", name=clinic.recliners[0].name).click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Until", exact=True).fill("00:01")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("This is before it begins.").wait_for()
    page.get_by_label("Until", exact=True).fill(said(hours=3)["until_time"])
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    page.get_by_text(session.patient.family_name).wait_for()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    closure.refresh_from_db()
    assert (closure.during.upper, Disruption.objects.count()) == (AT + timedelta(hours=1), 0)
    page.get_by_role("button", name="Change the closure").click()
    page.get_by_text("Draft, nothing is changed yet.").wait_for()
    closure.refresh_from_db()
    assert (closure.during.upper, Disruption.objects.get().chair_closure) == (AT + timedelta(hours=3), closure)
    page.get_by_role("button", name="Apply").first.click()
    page.get_by_text("What patients are told follows").wait_for()
    session.refresh_from_db()
    # Which of two like chairs is chance: the lower id, and both are of one moment.
    went = session.chair
    assert went in clinic.recliners[1:]
    page.goto(visitor.url + address(closure))
    page.get_by_role("link", name="Take it back").click()
    page.get_by_text("One visit was moved or got another chair because of it, and stays so.").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Take it back").click()
    page.get_by_text("That time can be booked again.").wait_for()
    session.refresh_from_db()
    assert (session.chair, ChairClosure.objects.count()) == (went, 0)
    assert visitor.complaints == []
    page.close()


def test_other_hours_renew_the_draft_and_nobody_booked_meanwhile_is_stranded(clinic: Clinic, client: Client) -> None:
    session = clinic.session(AT + timedelta(hours=2), acuity=1)
    during = DateTimeTZRange(AT, AT + timedelta(hours=1))
    closure = SiteClosure.objects.create(site=clinic.site, during=during)
    client.force_login(clinic.users["manager"])
    seen = client.post(address(closure), said(hours=4))
    assert seen.status_code == 409
    assert [row.item.session for row in seen.context["rows"]] == [session]
    assert AuditEntry.objects.filter(action="read", patient_id=session.patient_id).exists()
    another = clinic.session(AT + timedelta(hours=2), chair=clinic.recliners[1], nurse=clinic.nurses[1])
    agreed = {"visit": [str(pk) for pk in seen.context["visits"]] + ["x"]}
    refused = client.post(address(closure), said(hours=4) | agreed)
    assert refused.status_code == 409
    assert "Somebody was booked into this time meanwhile" in refused.content.decode()
    assert SiteClosure.objects.get().during.upper == AT + timedelta(hours=1)
    agreed = {"visit": [str(session.pk), str(another.pk)]}
    first = client.post(address(closure), said(hours=4) | agreed)["Location"]
    assert set(Disruption.objects.get().items.values_list("session", flat=True)) == {session.pk, another.pk}
    second = client.post(address(closure), said(hours=3))["Location"]
    assert second != first, "shorter: a fresh draft, the old one being gone"
    assert Disruption.objects.get().during.upper == AT + timedelta(hours=3)
    assert client.post(address(closure), said(hours=3, reason="Flood"))["Location"].startswith("/clinic/supply/")
    assert f"/disruptions/{Disruption.objects.get().pk}/" == second, "another reason is no other draft"
    assert client.post(address(closure), said(hours=1))["Location"].startswith("/clinic/supply/")
    assert not Disruption.objects.exists(), "nobody is hit any more"
    assert set(Session.objects.values_list("start", flat=True)) == {AT + timedelta(hours=2)}


def test_taken_back_its_draft_goes_too(clinic: Clinic, client: Client) -> None:
    clinic.session(AT + timedelta(hours=2), acuity=1)
    closure = closed(clinic)
    client.force_login(clinic.users["manager"])
    visits = [str(pk) for pk in client.post(address(closure), said(hours=4)).context["visits"]]
    client.post(address(closure), said(hours=4, visit=visits))
    asked = client.get(f"{address(closure)}reopen/").content.decode()
    assert "The draft that was to mend it goes with it." in asked
    assert (ChairClosure.objects.count(), Disruption.objects.count()) == (1, 1)
    assert client.post(f"{address(closure)}reopen/").status_code == 302
    assert (ChairClosure.objects.count(), Disruption.objects.count()) == (0, 0)
    assert client.post(f"{address(closure)}reopen/").status_code == 404
    assert client.post(address(closure), said()).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("nurse", 403), ("auditor", 403), ("patient", 403), ("stranger", 404)])
def test_whose_closures_are_whose(clinic: Clinic, client: Client, who: str, status: int) -> None:
    assert clinic.other
    during = DateTimeTZRange(AT, AT + timedelta(hours=1))
    both = closed(clinic), SiteClosure.objects.create(site=clinic.site, during=during)
    client.force_login(clinic.other.users["admin"] if who == "stranger" else clinic.users[who])
    for closure in both:
        for path in (address(closure), f"{address(closure)}reopen/"):
            assert client.get(path).status_code == status
            assert client.post(path, said(hours=5)).status_code == status
    assert (ChairClosure.objects.get().during.upper, SiteClosure.objects.count()) == (AT + timedelta(hours=1), 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"until_time": "00:00"}, "until_time"), ({"first_day": "0001-01-01"}, "first_day"),
     ({"from_time": "x"}, "from_time"), ({"reason": "a" * 201}, "reason"), ({"last_day": ""}, "last_day")],
    ids=str,
)  # fmt: skip
def test_a_bad_value_is_marked(clinic: Clinic, client: Client, change: dict[str, Any], field: str) -> None:
    closure = closed(clinic)
    client.force_login(clinic.users["manager"])
    answer = client.post(address(closure), said(**change))
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    closure.refresh_from_db()
    assert closure.reason == "Repair"
