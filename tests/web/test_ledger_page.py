"""The ledger and the pictures of use: a manager finds what failed, says it again, takes the numbers away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from django.utils import translation

from accounts import clock
from accounts.models import AuditEntry
from notifications.models import Message
from sessions.models import Session
from tests.factories import make_site
from tests.web.conftest import PHONE, Visitor
from web.ledger import A_PAGE, kind_words

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Clinic


def message(clinic: Clinic, session: Session, **fields: Any) -> Message:
    """A reminder of the session that failed an hour ago."""
    due = clock.now() - timedelta(hours=1)
    values = {"kind": "reminder_24h", "channel": "email", "status": "failed", "reason": "no_address", "due_at": due}
    values |= {"speaks_of": session.start, "not_after": session.start, "try_at": due} | fields
    return Message.objects.create(session=session, patient=session.patient, **values)


def test_a_manager_finds_what_did_not_arrive_and_says_it_again(clinic: Clinic, visitor: Visitor) -> None:
    session = clinic.session(clock.now() + timedelta(days=3), series=clinic.series(clinic.patient))
    failed = message(clinic, session)
    message(clinic, session, kind="receipt", status="delivered", reason="")
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(visitor.url + "/clinic/")
    page.get_by_role("link", name="Message ledger").click()
    page.get_by_label("What became of it").select_option(label="did not arrive")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("there is no address for this way").wait_for()
    assert page.get_by_text("Receipt of a booking").count() == 1, "as a choice only"
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("It goes out once more").wait_for()
    assert page.get_by_label("What became of it").input_value() == "failed", "still the same question"
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("It is not sent again: it is still to be sent.").wait_for()
    with page.expect_download() as coming:
        page.get_by_role("link", name="These as a table").click()
    table = coming.value.path().read_text()
    assert table.count("\n") == 2
    assert str(failed.pk) in table
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()
    assert Message.objects.get(resend_of=failed).status == "due"
    assert visitor.complaints == []


def test_older_messages_stand_on_further_pages(clinic: Clinic, client: Client) -> None:
    session = clinic.session(clock.now() + timedelta(days=3), series=clinic.series(clinic.patient))
    made = [message(clinic, session, kind=f"reminder_{n}h") for n in range(1, A_PAGE + 3)]
    client.force_login(clinic.users["manager"])
    first = client.get("/clinic/messages/", {"channel": "email"})
    assert len(first.context["entries"]) == A_PAGE
    assert AuditEntry.objects.filter(action="read", record_id=str(made[-1].pk)).exists()
    second = client.get("/clinic/messages/?" + first.context["older"])
    assert len(second.context["entries"]) == 2
    assert second.context["older"] == ""
    assert {each.row.pk for answer in (first, second) for each in answer.context["entries"]} == {
        each.pk for each in made
    }


@pytest.mark.parametrize(
    "query",
    [{"kind": "x"}, {"status": "x"}, {"channel": "fax"}, {"since": "x"}, {"until": "1999-01-01"},
     {"since": "2100-01-01"}],
    ids=str,
)  # fmt: skip
def test_a_strange_question_is_marked(clinic: Clinic, client: Client, query: dict[str, str]) -> None:
    client.force_login(clinic.users["manager"])
    answer = client.get("/clinic/messages/", query)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == list(query)
    assert client.get("/clinic/messages/", {"older": "x"}).status_code == 404


@pytest.mark.parametrize(("who", "sees", "resends"), [
    ("manager", 200, True), ("front_desk", 200, True), ("auditor", 200, False), ("patient", 403, False),
])  # fmt: skip
def test_who_reads_and_who_says_again(clinic: Clinic, client: Client, who: str, sees: int, resends: bool) -> None:
    failed = message(clinic, clinic.session(clock.now() + timedelta(days=3)))
    client.force_login(clinic.users[who])
    page = client.get("/clinic/messages/")
    assert page.status_code == sees
    assert ("Send again" in page.content.decode()) == resends
    assert client.post(f"/clinic/messages/{failed.pk}/resend/").status_code == (302 if resends else 403)
    assert Message.objects.filter(resend_of=failed).exists() == resends
    assert clinic.other
    client.force_login(clinic.other.users["admin"])
    assert str(failed.pk) not in client.get("/clinic/messages/").content.decode()
    assert client.post(f"/clinic/messages/{failed.pk}/resend/").status_code == 404
    assert client.get("/clinic/messages/", {"older": str(failed.pk)}).status_code == 404


@pytest.mark.parametrize(
    ("kind", "words"),
    [("reminder_24h", "Reminder 24 h"), ("reminder_1d_1000", "Reminder 1 d before at 10:00"),
     ("follow_up_side-effects_4h", "Check-in side effects 4 h"), ("change_2", "Change 2"),
     ("follow_up_peg_720h_series_end", "Check-in PEG 720 h after the last visit"),
     ("follow_up_nrs_24h_before", "Check-in NRS 24 h before the visit"),
     ("follow_up_phq-9_168h_again", "Check-in PHQ-9 168 h, asked once more"),
     ("alert_2", "Alert to a clinician"), ("reply_stop", "Answer to a text"), ("receipt", "Receipt of a booking")],
)  # fmt: skip
def test_every_kind_of_message_has_words(kind: str, words: str) -> None:
    with translation.override("en"):
        assert kind_words(kind) == words


def test_the_use_of_a_clinic_in_pictures(clinic: Clinic, visitor: Visitor, client: Client) -> None:
    start = datetime(2027, 3, 3, 16, tzinfo=UTC)
    with time_machine.travel(start - timedelta(days=2), tick=False):
        done = clinic.session(start, status="completed")
        clinic.session(start, status="no_show", chair=clinic.recliners[1])
    Session.objects.filter(pk=done.pk).update(
        arrived_at=start, infusion_started_at=start + timedelta(minutes=40), ended_at=done.end + timedelta(minutes=20)
    )
    query = "?since=2027-03-03&until=2027-03-03"
    page = visitor.as_user(clinic.users["manager"], PHONE)
    page.goto(f"{visitor.url}/clinic/utilisation/{query}")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=clinic.recliners[0].name))
    assert row.get_by_role("cell").all_inner_texts() == ["28 %", "31 %"]
    page.get_by_role("heading", name="2 visits").wait_for()
    assert page.get_by_role("row", name="Infusions start 10 min 10 min").count() == 1
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    address = page.get_by_role("link", name="All numbers as a table").get_attribute("href")
    page.close()
    client.force_login(clinic.users["manager"])
    assert f"chair,{clinic.recliners[0].name},booked_percent,27.5" in client.get(address or "").content.decode()
    in_spanish = client.get(f"/clinic/utilisation/{query}", headers={"Accept-Language": "es"}).content.decode()
    assert 'width="27.5"' in in_spanish, "a comma is no decimal point to a drawing"
    assert "tiempo de sillón" in in_spanish
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("query", "field"),
    [({"since": "x"}, "since"), ({"until": "2020-01-01"}, "until"), ({"since": "2020-01-01"}, "until"),
     ({"since": "1990-01-01", "until": "1990-01-02"}, "since"), ({"since": ""}, "since")],
    ids=str,
)  # fmt: skip
def test_a_strange_period_is_marked(clinic: Clinic, client: Client, query: dict[str, str], field: str) -> None:
    client.force_login(clinic.users["auditor"])
    answer = client.get("/clinic/utilisation/", query)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert client.get("/clinic/utilisation/").status_code == 200
    assert clinic.other
    assert client.get("/clinic/utilisation/", {"site": str(clinic.other.site.pk)}).status_code == 404


def test_of_several_clinics_one_is_chosen(clinic: Clinic, client: Client) -> None:
    second = make_site(clinic.organization, clinic.users["manager"], name="Second")
    client.force_login(clinic.users["manager"])
    page = client.get("/clinic/utilisation/", {"site": str(second.pk)})
    assert page.context["site"] == second
    assert page.context["chairs"] == []
    client.force_login(clinic.users["nurse"])
    assert client.get("/clinic/utilisation/").status_code == 403
