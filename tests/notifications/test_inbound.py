"""Texts from patients do what they mean, once; what a person must see waits for one."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.models import AuditEntry, Contact, Patient
from notifications import delivery, gsm, inbound, wishes
from notifications.models import Alert, Message, Reply
from tests.at_once import together
from tests.factories import make_patient
from tests.notifications.test_delivery import due
from tests.notifications.test_twilio import PHONE, call, carrier
from tests.notifications.visits import HOUR, book

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from sessions.models import Session
    from tests.carrier import Carrier
    from tests.factories import Clinic

__all__ = ["carrier"]
PATH = "/api/v1/inbound/sms/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(clinic: Clinic) -> Session:
    """A visit tomorrow of a patient with a telephone."""
    now = clock.now()
    return book(clinic, now + 26 * HOUR, now, patient=make_patient(clinic.site, phone=PHONE))


def text(body: str, sid: str = "SM1", number: str = PHONE, now: Any = None) -> str:
    return inbound.receive(sid, number, body, now or clock.now())


@pytest.mark.parametrize("word", ["C", "c", " 1 ", "C.", "“C”", "1!"])
def test_c_confirms_the_next_visit(clinic: Clinic, visit: Session, word: str) -> None:
    later = book(clinic, visit.start + 48 * HOUR, clock.now(), patient=visit.patient)
    answer = text(word)
    for session, status in ((visit, "confirmed"), (later, "booked")):
        session.refresh_from_db()
        assert session.status == status
    event = visit.events.get(kind="confirmed")
    assert (event.actor, event.system) == (None, "text message")
    assert "is confirmed" in answer
    assert gsm.length(answer).parts == 1
    reply = Reply.objects.get()
    assert (reply.kind, reply.status, reply.session, reply.patient) == ("confirm", "closed", visit, visit.patient)
    assert text("C", "SM2") == answer
    assert visit.events.filter(kind="confirmed").count() == 1


@pytest.mark.parametrize(
    "words",
    ["I want to die", "STOP. i keep thinking of SUICIDE", "Quiero morir", "better  off\ndead", "pienso en suicidarme"],
)
def test_words_that_cannot_wait_reach_who_is_on_call_and_are_answered(
    clinic: Clinic, visit: Session, words: str
) -> None:
    answer = text(words)
    assert clinic.site.crisis_line in answer
    assert clinic.site.emergency_number in answer
    assert gsm.length(answer).parts == 1
    reply = Reply.objects.get()
    alert = Alert.objects.get()
    assert (alert.kind, alert.level, alert.reply, alert.owner) == (
        "grave_words",
        "emergency",
        reply,
        clinic.site.on_call,
    )
    assert (alert.session, alert.patient, reply.status) == (visit, visit.patient, "open")
    visit.series.refresh_from_db()
    assert visit.series.status == "on_hold"
    told = alert.messages.get(channel="email")
    assert told.urgent
    assert text(words, "SM2")
    assert text(words, "SM2") == ""
    assert Alert.objects.count() == 2


@pytest.mark.parametrize("words", ["I am running late", "my dyed hair", "C", "STOP"])
def test_other_words_raise_nothing(clinic: Clinic, visit: Session, words: str) -> None:
    text(words)
    assert not Alert.objects.exists()


@pytest.mark.parametrize("word", ["R", "2", "r!"])
def test_r_asks_the_front_desk_for_another_time(
    clinic: Clinic, visit: Session, api: Callable[[Any], APIClient], word: str
) -> None:
    assert "call you about another time" in text(word)
    visit.refresh_from_db()
    assert visit.status == "booked"
    desk = api(clinic.users["front_desk"])
    (row,) = desk.get("/api/v1/replies/?status=open").json()["results"]
    assert (row["kind"], row["session"], row["patient"]) == ("other_time", str(visit.id), str(visit.patient_id))
    closed = desk.post(f"/api/v1/replies/{row['id']}/close/")
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    again = desk.post(f"/api/v1/replies/{row['id']}/close/")
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert desk.get("/api/v1/replies/?status=open").json()["results"] == []


@pytest.mark.parametrize(
    "word", ["STOP", "stop", "Stop.", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT", "opt out",
             "OPT-OUT", "REMOVE", "ALTO", "Parar", "no más", "BAJA", "ＳＴＯＰ"],
)  # fmt: skip
def test_stop_ends_texts_and_start_brings_them_back(
    clinic: Clinic, visit: Session, carrier: Carrier, word: str
) -> None:
    assert "no more texts" in text(word)
    visit.patient.refresh_from_db()
    assert visit.patient.stopped_channels == ["sms"]
    session = due(clinic, phone=PHONE, preferred_channels=["sms"])
    assert session.patient.phone == PHONE
    delivery.send_batch()
    assert carrier.sent == []
    assert set(Message.objects.filter(channel="sms").values_list("status", flat=True)) == {"skipped"}
    visit.refresh_from_db()
    assert visit.status == "booked", "CANCEL ends texts and cancels no visit"
    assert "again" in text("START", "SM2")
    visit.patient.refresh_from_db()
    assert visit.patient.stopped_channels == []
    assert AuditEntry.objects.filter(record_type="accounts_contact").count() == 2


def test_a_record_that_is_made_later_begins_with_what_is_known(clinic: Clinic, api: Callable[[Any], APIClient]) -> None:
    text("STOP")
    desk = api(clinic.users["front_desk"])
    body = {
        "site": str(clinic.site.id),
        "given_name": "A",
        "family_name": "B",
        "birth_date": "1980-01-01",
        "phone": PHONE,
    }
    made = desk.post("/api/v1/patients/", body, format="json").json()
    assert made["stopped_channels"] == ["sms"]
    other = desk.patch(f"/api/v1/patients/{made['id']}/", {"phone": "+13125550199"}, format="json").json()
    assert other["stopped_channels"] == []


def test_help_is_answered_and_asks_nobody(visit: Session) -> None:
    assert "STOP" in text("HELP")
    assert Reply.objects.get().status == "closed"


def test_anything_else_is_kept_for_the_desk_and_answered_once(visit: Session) -> None:
    now = clock.now()
    assert text("I have a cold, what now?", "SM1", now=now) != ""
    assert text("hello?", "SM2", now=now + HOUR) == ""
    assert text("hello??", "SM3", now=now + 25 * HOUR) != ""
    kept = list(Reply.objects.order_by("received_at").values_list("kind", "status", "text"))
    assert kept[0] == ("other", "open", "I have a cold, what now?")
    assert len(kept) == 3


def test_the_same_text_twice_is_one(visit: Session) -> None:
    assert text("R", "SM7") != ""
    assert text("R", "SM7") == ""
    assert Reply.objects.count() == 1


def test_twenty_at_once_are_one(committed: None, visit: Session) -> None:
    answers = together([partial(text, "C", "SM9")] * 20)
    assert sum(answer != "" for answer in answers) == 1
    assert (Reply.objects.count(), visit.events.filter(kind="confirmed").count()) == (1, 1)


def test_a_number_of_two_people_with_visits_confirms_neither(clinic: Clinic, visit: Session) -> None:
    other = book(clinic, visit.start + 24 * HOUR, clock.now(), patient=make_patient(clinic.site, phone=PHONE))
    text("C")
    for session in (visit, other):
        session.refresh_from_db()
        assert session.status == "booked"
    assert Reply.objects.get().status == "open"


@pytest.mark.parametrize("body", ["C", "R", "HELP", "what?", "STOP", ""])
def test_a_stranger_is_answered_nothing(db: None, body: str) -> None:
    assert text(body, number="+13125550188") == ""
    assert Reply.objects.get().patient is None
    assert Contact.objects.exists() is (body == "STOP")


def test_without_a_visit_to_come_c_is_for_the_desk(clinic: Clinic) -> None:
    make_patient(clinic.site, phone=PHONE)
    text("C")
    assert (Reply.objects.get().kind, Reply.objects.get().status) == ("other", "open")


def test_in_spanish_it_is_answered_in_spanish(visit: Session) -> None:
    Patient.objects.update(language="es")
    assert "confirmada" in text("C")


def test_the_webhook_takes_signed_texts_and_answers_in_twiml(visit: Session, carrier: Carrier) -> None:
    visit.site.name = "Care & <Co>"
    visit.site.save()
    form = {"MessageSid": "SM5", "From": PHONE, "To": "+13125550111", "Body": "C"}
    answer = call(PATH, form)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert b"<Message>Care &amp; &lt;Co&gt;: thank you" in answer.content
    assert call(PATH, form).content.endswith(b"<Response></Response>")
    assert call(PATH, form, token="false").status_code == 401
    assert call(PATH, {"From": PHONE, "Body": "C"}).status_code == 400
    handled = call(PATH, form | {"MessageSid": "SM6", "Body": "STOP", "OptOutType": "STOP"})
    assert handled.content.endswith(b"<Response></Response>")
    assert Contact.objects.get().stopped_at is not None


@pytest.mark.parametrize("body", ["\x00", "a" * 5000, "💙" * 800, "<script>", "{clinic}{nothing}"])
def test_no_text_whatever_breaks_it(visit: Session, carrier: Carrier, body: str) -> None:
    assert call(PATH, {"MessageSid": "SM8", "From": PHONE, "Body": body}).status_code == 200
    assert Reply.objects.get().kind == "other"


def test_every_word_means_one_thing() -> None:
    words = [word for known in wishes.WORDS.values() for word in known]
    assert len(words) == len(set(words))
    for kind, known in wishes.WORDS.items():
        for word in known:
            for written in (word, word.upper(), f" {word.title()}! ", unicodedata.normalize("NFD", word)):
                assert wishes.meaning(written) == kind, written
    for not_a_word in ("cancel my visit", "stop by at 9", "yes please", "c u", "11", "", "see you", "12"):
        assert wishes.meaning(not_a_word) == "other"
    assert wishes.meaning("Cancel") == "stop", "carriers end texts at CANCEL, so it can mean nothing else"
    assert wishes.meaning("YES") == "start"
