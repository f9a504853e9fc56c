"""A place on offer is told once, while it can be had, by the patient's wishes; what is gone is not told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import clock
from accounts.models import Patient
from notifications import delivery, gsm, inbound, offers, resending, texts
from notifications.models import Message, MessagePlan, Reply
from notifications.reminders import OfferFacts, offer_message
from notifications.wishes import Hours
from scheduler.walltime import instant, local_date
from sessions import waitlist
from sessions.models import Offer, Plan, Session
from tests.factories import ZONE, make_patient, noon
from tests.machinery import Machinery, await_true, statuses
from tests.notifications.test_delivery import mail
from tests.notifications.test_twilio import PHONE
from tests.notifications.visits import HOUR, book

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

    from tests.catcher import Catcher
    from tests.factories import Clinic

__all__ = ["mail"]
MINUTE, SUNDAY = timedelta(minutes=1), 6


def offered(clinic: Clinic, patient: Patient | None = None, **changes: Any) -> Offer:
    """A place a day sooner, open for an hour, to a patient who waits with a booked session."""
    now = clock.now()
    patient = patient or make_patient(clinic.site)
    session = book(clinic, noon(10 + Session.objects.count()), now, patient=patient)
    wish: dict[str, Any] = {"earliest": noon(5).date(), "latest": noon(9).date()}
    entry = waitlist.enter(patient, clinic.users["front_desk"], now, session=session, **wish)
    values = {"start": noon(9), "end": noon(9) + 2 * HOUR, "created_at": now - HOUR / 2, "expires_at": now + HOUR}
    return Offer.objects.create(entry=entry, patient=patient, site=clinic.site, session=session, **(values | changes))


def at_ten(days: int) -> datetime:
    """Ten in the morning at the site, so many days ahead or the Monday after it."""
    day = local_date(clock.now(), ZoneInfo(ZONE)) + timedelta(days=days)
    return instant(day + timedelta(days=day.weekday() == SUNDAY), time(10), ZoneInfo(ZONE))


def rows() -> list[tuple[str, str, str, str]]:
    return list(Message.objects.filter(offer__isnull=False).values_list("kind", "channel", "status", "reason"))


def test_an_offer_is_told_once_and_says_how_to_take_it(clinic: Clinic, mail: Catcher) -> None:
    offer = offered(clinic)
    assert offers.reconcile(clock.now()) == 1
    offers.reconcile(clock.now())
    row = Message.objects.get()
    assert (row.due_at, row.not_after, row.rule) == (offer.created_at, offer.expires_at, "site: offers")
    assert delivery.send_batch() == 1
    offers.reconcile(clock.now())
    assert delivery.send_batch() == 0
    (received,) = mail.mails
    assert received.to == offer.patient.email
    said = received.text
    assert "/waitlist/" in said
    assert texts.when(offer.expires_at, offer.site) in said
    assert texts.day(offer.start, offer.site) in str(received.message["Subject"])
    html = received.message.get_body(("html",))
    assert html is not None
    assert "/waitlist/" in html.get_content().partition("href=")[2]
    assert rows() == [("offer", "email", "sent", "")]


def test_offers_are_told_beside_whatever_else_is_due(clinic: Clinic, mail: Catcher) -> None:
    """They are marked as handed over one by one, since they speak of no visit that stands: nothing waits for that."""
    for _ in range(2):
        offered(clinic)
    offers.reconcile(clock.now())
    while delivery.send_batch():
        pass
    assert rows() == [("offer", "email", "sent", "")] * 2
    assert len(mail.mails) == 2


def test_a_whole_series_is_offered_alike(clinic: Clinic, mail: Catcher) -> None:
    now = clock.now()
    patient = make_patient(clinic.site)
    wish: dict[str, Any] = {"earliest": noon(5).date(), "latest": noon(9).date()}
    entry = waitlist.enter(patient, clinic.users["front_desk"], now, protocol=clinic.protocol, **wish)
    plan = Plan.objects.create(
        site=clinic.site, protocol=clinic.protocol, patient=patient, created_by=clinic.users["front_desk"],
        expires_at=now + HOUR, score=0, sessions=[], request={},
    )  # fmt: skip
    span = {"start": noon(9), "end": noon(9) + 2 * HOUR, "created_at": now - HOUR / 2, "expires_at": now + HOUR}
    Offer.objects.create(entry=entry, patient=patient, site=clinic.site, plan=plan, **span)
    offers.reconcile(now)
    delivery.send_batch()
    assert rows() == [("offer", "email", "sent", "")]
    assert mail.mails[0].to == patient.email


@pytest.mark.parametrize("status", ["gone", "declined", "accepted", "expired"])
def test_an_offer_that_is_over_before_it_was_told_is_not_told(clinic: Clinic, mail: Catcher, status: str) -> None:
    offer = offered(clinic)
    offers.reconcile(clock.now())
    Offer.objects.filter(pk=offer.pk).update(status=status)
    assert offers.reconcile(clock.now()) == 1
    assert rows() == [("offer", "email", "skipped", f"offer_{status}")]
    assert delivery.send_batch() == 0
    assert offers.reconcile(clock.now()) == 0


def test_an_offer_taken_back_while_it_is_handed_over_is_not_told(
    committed: None, clinic: Clinic, mail: Catcher
) -> None:
    offer = offered(clinic)
    offers.reconcile(clock.now())
    (claimed,) = delivery.claim()
    held = Event()

    def tell() -> None:
        held.wait(20)
        try:
            delivery.carry([claimed])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as others:
        with transaction.atomic():
            Offer.objects.filter(pk=offer.pk).update(status="gone")
            telling = others.submit(tell)
            held.set()
            await_true(somebody_waits, statuses, 20)
        telling.result()
    assert mail.mails == []
    assert rows() == [("offer", "email", "skipped", "offer_gone")]


def test_a_site_that_tells_no_offers_tells_none(clinic: Clinic) -> None:
    offered(clinic)
    offers.reconcile(clock.now())
    MessagePlan.objects.update_or_create(site=clinic.site, defaults={"offers": False})
    offers.reconcile(clock.now())
    assert rows() == [("offer", "email", "skipped", "no_longer_wanted")]
    Message.objects.all().delete()
    offers.reconcile(clock.now())
    assert rows() == []


def test_an_offer_that_reaches_nobody_is_listed_with_the_reason(clinic: Clinic) -> None:
    patient = make_patient(clinic.site)
    Patient.objects.filter(pk=patient.pk).update(email="")
    offered(clinic, patient)
    offers.reconcile(clock.now())
    assert rows() == [("offer", "email", "skipped", "no_address")]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


MADE = datetime.fromisoformat("2027-03-01T21:30:00-06:00")


@pytest.mark.parametrize(
    ("channel", "hours", "expected"),
    [("sms", 2, None), ("sms", 12, "2027-03-02T09:00:00-06:00"), ("email", 2, MADE.isoformat())],
)
def test_a_text_of_an_offer_keeps_the_quiet_hours_or_is_not_sent(
    channel: str, hours: int, expected: str | None
) -> None:
    quiet = Hours(time(20), time(9), ZoneInfo(ZONE))
    facts = OfferFacts(MADE + 48 * HOUR, MADE, MADE + hours * HOUR, (channel,), frozenset({channel}), quiet)
    due = offer_message(facts)
    assert due.hindrance == ("" if expected else "quiet_hours")
    assert expected is None or due.due_at == datetime.fromisoformat(expected)


def test_the_caps_hold_for_offers_too(clinic: Clinic, settings: Any, tmp_path: Path) -> None:
    settings.SMS_URL = f"file://{tmp_path}/texts"
    settings.TEXTS_WITHOUT_CONSENT = {"day": 1, "week": 3}
    patient = make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"])
    first = offered(clinic, patient)
    offers.reconcile(clock.now())
    delivery.send_batch()
    Offer.objects.filter(pk=first.pk).update(status="declined")
    second = Offer.objects.create(
        **{name: getattr(first, name) for name in ("entry", "patient", "site", "session", "end", "created_at")},
        start=first.start + HOUR / 2, expires_at=first.expires_at,
    )  # fmt: skip
    offers.reconcile(clock.now())
    delivery.send_batch()
    assert sorted(rows()) == [("offer", "sms", "sent", ""), ("offer", "sms", "skipped", "too_many")]
    assert Message.objects.get(status="skipped").offer == second


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_text_of_an_offer_is_one_part(clinic: Clinic, language: str) -> None:
    offered(clinic, make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"], language=language))
    offers.reconcile(clock.now())
    text = texts.compose(Message.objects.get()).body
    assert gsm.length(text).parts == 1
    assert "/waitlist/" in text


@pytest.mark.parametrize(("word", "status"), [("1", "booked"), ("C", "booked"), ("R", "booked")])
def test_an_answer_to_an_offer_confirms_nothing_and_reaches_the_desk(clinic: Clinic, word: str, status: str) -> None:
    offer = offered(clinic, make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"]))
    offers.reconcile(clock.now())
    Message.objects.update(status="sent", sent_at=clock.now())
    inbound.receive("SM1", PHONE, word, clock.now())
    assert offer.session is not None
    offer.session.refresh_from_db()
    assert offer.session.status == status
    assert (Reply.objects.get().status, Reply.objects.get().session) == ("open", offer.session)
    Offer.objects.update(status="declined")
    inbound.receive("SM2", PHONE, "1", clock.now())
    offer.session.refresh_from_db()
    assert offer.session.status == "confirmed", "once nothing is on offer, 1 confirms"


def test_the_link_leads_the_patient_to_the_offer_and_to_no_other(clinic: Clinic, client: Client) -> None:
    offer = offered(clinic, clinic.patient)
    offered(clinic)
    assert clinic.patient.user is not None
    client.force_login(clinic.patient.user)
    page = client.get("/waitlist/").content.decode()
    assert page.count("I take it") == 1
    client.post(f"/offers/{offer.pk}/decline/")
    offer.refresh_from_db()
    assert offer.status == "declined"


def test_an_offer_is_said_again_only_while_it_stands(clinic: Clinic) -> None:
    offer = offered(clinic)
    offers.reconcile(clock.now())
    Message.objects.update(status="failed")
    row = Message.objects.get()
    assert resending.resend(row.id, clock.now()).not_after == offer.expires_at
    Message.objects.filter(resend_of=row).update(status="sent")
    Offer.objects.update(status="gone")
    with pytest.raises(Exception, match="nothing to say"):
        resending.resend(row.id, clock.now())


def test_the_database_takes_one_message_of_one_thing(clinic: Clinic) -> None:
    offer = offered(clinic)
    offers.reconcile(clock.now())
    row = Message.objects.get()
    for about in ({"session": offer.session, "offer": offer}, {"session": None, "offer": None}, {"offer": offer}):
        row.pk = None
        row.id, row.session, row.offer = None, about.get("session"), about.get("offer")  # type: ignore[assignment]
        with pytest.raises(IntegrityError), transaction.atomic():
            Message.objects.bulk_create([row])


def test_the_real_worker_tells_an_offer(committed: None, clinic: Clinic, catcher: Catcher, tmp_path: Path) -> None:
    machinery = Machinery(tmp_path, EMAIL_URL=catcher.url)
    try:
        machinery.start("worker", "beat")
        place = at_ten(9)
        offer = offered(clinic, start=place, end=place + 105 * MINUTE, expires_at=clock.now() + 3 * HOUR)
        (received,) = catcher.wait_for(1, 60)
        assert received.to == offer.patient.email
        await_true(lambda: ("offer", "email", "sent", "") in rows(), rows)
    finally:
        machinery.end()
