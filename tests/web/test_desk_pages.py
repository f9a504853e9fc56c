"""What staff do on pages: arrivals, calls, finding patients, alerts; and that each role sees only what is its own."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe

from accounts import clock
from accounts.models import AuditEntry, Role
from notifications.models import Alert, FollowUp
from sessions.models import AdverseEvent, Series
from tests.factories import Clinic, make_patient
from tests.web.conftest import DESK, PHONE, Visitor
from web.charts import chart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from sessions.models import Session

NOON = datetime(2027, 3, 3, 18, tzinfo=UTC)  # a Wednesday, 12:00 in Chicago


@pytest.fixture
def noon() -> Iterator[datetime]:
    """The clinic's clock stands at noon."""
    with time_machine.travel(NOON, tick=False):
        yield NOON


def visit(clinic: Clinic, start: datetime, name: str, **fields: Any) -> Session:
    """A session of a patient of this family name."""
    patient = make_patient(clinic.site, given_name="Ada", family_name=name, phone="+13125550199")
    return clinic.session(start, series=clinic.series(patient), **fields)


def answered(session: Session, score: int, days: int = 0, instrument: str = "NRS") -> FollowUp:
    """An answered follow-up of the session's patient."""
    at = session.end + timedelta(days=days)
    times = {"due_at": at, "expires_at": at + timedelta(days=7), "answered_at": at}
    values = {"instrument": instrument, "hours_after": 24 * days, "answers": {"nrs": score}, "score": Decimal(score)}
    return FollowUp.objects.create(session=session, patient=session.patient, **times, **values)


def alert(clinic: Clinic, session: Session, **fields: Any) -> Alert:
    """An open, urgent alert on the session's patient."""
    values = {"kind": "suicide_item", "level": "urgent", "owner": clinic.users["prescriber"]} | fields
    follow_up = answered(session, 5, days=1)
    return Alert.objects.create(patient=session.patient, session=session, follow_up=follow_up, **values)


def test_the_desk_sees_who_comes_and_whom_to_call(clinic: Clinic, client: Client, noon: datetime) -> None:
    late = visit(clinic, noon - timedelta(minutes=25), "Late")
    visit(clinic, noon + timedelta(hours=24), "Unsure", chair=clinic.recliners[1])
    visit(clinic, noon + timedelta(hours=27), "Certain", chair=clinic.recliners[2], status="confirmed")
    client.force_login(clinic.users["front_desk"])
    page = client.get("/desk/").content.decode()
    assert "25 min late" in page
    called = page.partition("To call")[2]
    assert "Unsure" in called
    assert 'href="tel:+13125550199"' in called
    assert "Certain" not in page
    assert client.post(f"/desk/{late.pk}/arrive/")["Location"] == "/desk/"
    assert client.post(f"/desk/{late.pk}/arrive/").status_code == 302, "two people press at the same moment"
    late.refresh_from_db()
    assert late.status == "arrived"
    assert AuditEntry.objects.filter(action="read", patient_id=late.patient_id, actor=clinic.users["front_desk"].pk)


def test_the_desk_goes_through_its_day_in_spanish(clinic: Clinic, visitor: Visitor, noon: datetime) -> None:
    """Who has come and who was called; then a patient found by birth date is booked."""
    visit(clinic, noon + timedelta(minutes=5), "Hoy")
    unsure = visit(clinic, noon + timedelta(hours=24), "Manana", chair=clinic.recliners[1], nurse=clinic.nurses[1])
    make_patient(clinic.site, given_name="Rosa", family_name="Nacida", birth_date=date(1961, 7, 4))
    page = visitor.as_user(clinic.users["front_desk"], DESK, locale="es-US")
    page.goto(visitor.url + "/desk/")
    page.get_by_role("button", name=re.compile("Ha llegado.*Ada Hoy")).click()
    page.get_by_text("Ada Hoy ha llegado.").wait_for()
    page.get_by_role("button", name=re.compile("Vendrá.*Ada Manana")).click()
    page.get_by_text("Todos los que vienen mañana lo han dicho.").wait_for()
    page.get_by_role("link", name="Buscar un paciente").click()
    page.get_by_label("Nombre o fecha de nacimiento").fill("7/4/1961")
    page.get_by_role("button", name="Buscar").click()
    page.get_by_role("link", name="Nacida, Rosa").click()
    page.get_by_role("link", name="Reservar visitas").click()
    page.get_by_role("button", name="Buscar planes").click()
    page.get_by_role("button", name="Guardar este plan").first.click()
    page.get_by_role("button", name="Reservar estas 6 visitas").click()
    page.get_by_text("Reservado.").wait_for()
    assert Series.objects.filter(patient__family_name="Nacida").count() == 1
    unsure.refresh_from_db()
    assert unsure.status == "confirmed"
    assert visitor.complaints == []
    page.close()


def test_an_alert_is_closed_with_what_was_done(clinic: Clinic, visitor: Visitor) -> None:
    session = visit(clinic, clock.now() - timedelta(days=2), "Grave")
    found = alert(clinic, session)
    event = {"grade": 3, "term": "Chest tightness", "onset": session.start, "action": "stopped", "outcome": "resolved"}
    AdverseEvent.objects.create(session=session, patient=session.patient, reported_by=clinic.users["nurse"], **event)
    page = visitor.as_user(clinic.users["prescriber"], PHONE)
    page.goto(visitor.url + "/alerts/")
    page.get_by_role("button", name="I’ll take it").click()
    page.get_by_text("It is yours now.").wait_for()
    page.get_by_text("It is done…").click()
    page.get_by_label("What was done").fill("Called at 18:10; safe.")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Close it").click()
    page.get_by_text("Closed, with what was done.").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("region", name="Closed lately").get_by_role("link", name="Ada Grave").click()
    page.get_by_role("region", name="What went ill").get_by_text("Chest tightness · grade 3, severe").wait_for()
    assert Axe().run(page).response["violations"] == []
    page.close()
    found.refresh_from_db()
    assert (found.status, found.outcome) == ("closed", "Called at 18:10; safe.")
    assert found.closed_by == clinic.users["prescriber"]


def test_nothing_is_closed_without_words_twice_or_by_others(clinic: Clinic, client: Client) -> None:
    assert clinic.other
    found = alert(clinic, visit(clinic, clock.now() - timedelta(days=2), "Grave"))
    address = f"/alerts/{found.pk}/close/"
    for who, status in (
        (clinic.users["front_desk"], 403),
        (clinic.users["patient"], 403),
        (clinic.other.users["admin"], 404),
    ):
        client.force_login(who)
        assert client.post(address, {"outcome": "x"}).status_code == status
    client.force_login(clinic.users["nurse"])
    for said in ("", "   ", "a\x07b", "x" * 1001):
        client.post(address, {"outcome": said})
        assert Alert.objects.get(pk=found.pk).status == "open", said
    client.post(address, {"outcome": "Spoken to."})
    client.post(address, {"outcome": "Something else."})
    assert "Somebody else has closed it already." in client.get("/alerts/").content.decode()
    assert Alert.objects.get(pk=found.pk).outcome == "Spoken to."


@pytest.mark.parametrize(("who", "sees"), [("nurse", True), ("auditor", True), ("front_desk", False)])
def test_what_went_ill_is_for_those_who_may_see_the_day(clinic: Clinic, client: Client, who: str, sees: bool) -> None:
    session = visit(clinic, clock.now() - timedelta(days=2), "Ill")
    of_it = {
        "session": session,
        "patient": session.patient,
        "reported_by": clinic.users["nurse"],
        "onset": session.start,
    }
    values = of_it | {"action": "none", "outcome": "ongoing"}
    first = AdverseEvent.objects.create(grade=1, term="Rash", **values)
    AdverseEvent.objects.create(grade=2, term="Hives", amends=first, **values)
    client.force_login(clinic.users[who])
    page = client.get(f"/patients/{session.patient_id}/").content.decode()
    assert ("Hives" in page, "Rash" in page) == (sees, False), "what was corrected is gone"
    read = AuditEntry.objects.filter(
        action="read", record_type=AdverseEvent._meta.db_table, patient_id=session.patient_id
    )
    assert read.exists() == sees


def test_a_nurse_sees_numbers_masked(clinic: Clinic, client: Client, noon: datetime) -> None:
    session = visit(clinic, noon + timedelta(hours=24), "Unsure")
    client.force_login(clinic.users["nurse"])
    for address in ("/desk/", f"/patients/{session.patient_id}/"):
        page = client.get(address).content.decode()
        assert "Unsure" in page
        assert "5550199" not in page
        assert "555-0199" not in page


@pytest.mark.parametrize("asked", ["ada quart", "QUARTERMAINE", "1980-02-29", "2/29/1980"])
def test_a_patient_is_found_by_name_or_birth_date(clinic: Clinic, client: Client, asked: str) -> None:
    make_patient(clinic.site, given_name="Ada", family_name="Quartermaine", birth_date=date(1980, 2, 29))
    make_patient(clinic.site, given_name="Bo", family_name="Other", birth_date=date(1999, 1, 1))
    assert clinic.other
    make_patient(clinic.other.site, given_name="Ada", family_name="Quartermaine-Foreign")
    client.force_login(clinic.users["front_desk"])
    page = client.post("/patients/", {"who": asked}).content.decode()
    assert "Quartermaine, Ada" in page
    assert "Other, Bo" not in page
    assert "Foreign" not in page


@pytest.mark.parametrize("asked", ["zzz", "\0", "%", "a " * 200, "9999-99-99", "'; --"])
def test_nothing_found_says_so_and_nothing_breaks(clinic: Clinic, client: Client, asked: str) -> None:
    client.force_login(clinic.users["front_desk"])
    assert client.post("/patients/", {"who": asked}).status_code == 200


@pytest.mark.parametrize("role", [Role.NURSE, Role.FRONT_DESK, Role.MANAGER, Role.AUDITOR])
def test_scores_and_alerts_are_for_those_who_treat(clinic: Clinic, client: Client, role: str) -> None:
    session = visit(clinic, clock.now() - timedelta(days=9), "Seen", status="completed")
    answered(session, 7)
    alert(clinic, session)
    client.force_login(clinic.users[role])
    page = client.get(f"/patients/{session.patient_id}/").content.decode()
    treats = role == Role.NURSE
    assert ('<svg class="chart"' in page) is treats
    assert ("needs a call today" in page) is treats
    assert client.get("/alerts/").status_code == (200 if treats else 403)
    assert ("Alerts" in client.get("/patients/").content.decode()) is treats


def test_an_alert_is_taken_once(clinic: Clinic, client: Client) -> None:
    found = alert(clinic, visit(clinic, clock.now() - timedelta(days=3), "Seen", status="completed"))
    client.force_login(clinic.users["nurse"])
    assert "Nobody has taken it yet" in client.get("/alerts/").content.decode()
    assert "It is yours now." in client.post(f"/alerts/{found.pk}/take/", follow=True).content.decode()
    client.force_login(clinic.users["prescriber"])
    page = client.post(f"/alerts/{found.pk}/take/", follow=True).content.decode()
    assert "Somebody else has taken it already." in page
    found.refresh_from_db()
    assert found.owner == clinic.users["nurse"]
    assert clinic.other
    client.force_login(clinic.other.users["nurse"])
    assert client.post(f"/alerts/{found.pk}/take/").status_code == 404
    assert "needs a call today" not in client.get("/alerts/").content.decode()


def test_a_chart_shows_first_last_and_worst(clinic: Clinic) -> None:
    session = visit(clinic, clock.now() - timedelta(days=9), "Seen", status="completed")
    answers = [answered(session, score, days) for score, days in ((8, 0), (5, 2), (2, 4))]
    drawn = chart("NRS", answers, [(1, session.start), (2, session.start + timedelta(days=3))])
    assert drawn
    assert (drawn.first.score, drawn.last.score, drawn.top) == ("8", "2", 10)
    heights = [dot.y for dot in drawn.dots]
    assert heights == sorted(heights), "a lower score is drawn lower"
    assert [mark.number for mark in drawn.marks] == [2], "the first visit lies before the first answer"
    assert chart("NRS", answers[:1], []) is None


def test_the_pages_of_staff_shut_nobody_out(clinic: Clinic, visitor: Visitor) -> None:
    session = visit(clinic, clock.now() - timedelta(days=9), "Seen", status="completed")
    answered(session, 7)
    alert(clinic, session)
    visit(clinic, clock.now() + timedelta(hours=1), "Today", nurse=clinic.nurses[1])
    page = visitor.as_user(clinic.users["nurse"], PHONE)
    for address in ("/desk/", "/alerts/", "/patients/", f"/patients/{session.patient_id}/"):
        page.goto(visitor.url + address)
        for size, scheme in ((PHONE, "light"), (DESK, "dark")):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert Axe().run(page).response["violations"] == [], f"{address}, {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], address
    page.goto(visitor.url + "/alerts/")
    page.get_by_role("button", name="I’ll take it").click()
    page.get_by_text("It is yours now.").wait_for()
    assert Axe().run(page).response["violations"] == []
    assert visitor.complaints == []
    page.close()
