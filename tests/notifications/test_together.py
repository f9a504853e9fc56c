"""What is due to one patient at once is one message that says all of it: nothing is lost by it, nothing said twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import clock
from notifications import delivery, gsm, marking, reconcile, resending, telling, texts, together
from notifications.follow_ups import answer_follow_up, new_link
from notifications.instruments import INSTRUMENTS
from notifications.models import Message, Reconciled
from notifications.together import Free, groups
from tests.catcher import ACCEPTED
from tests.factories import make_patient, noon
from tests.machinery import Machinery, await_true, statuses
from tests.notifications.test_delivery import mail
from tests.notifications.test_offers import somebody_waits
from tests.notifications.test_twilio import PHONE
from tests.notifications.visits import HOUR, book, change, discharge, move, protocol_with

if TYPE_CHECKING:
    from pathlib import Path

    from accounts.models import Patient
    from sessions.models import Session
    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic

__all__ = ["mail"]
NOW = datetime(2027, 3, 1, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def booked(clinic: Clinic, patient: Patient | None = None, count: int = 3, **protocol: Any) -> list[Session]:
    """A course booked half an hour ago, of which nothing but receipts is due; unless `protocol` says more."""
    patient, at = patient or make_patient(clinic.site), clock.now() - HOUR / 2
    follows = protocol_with(clinic, **({"reminders": [], "follow_ups": []} | protocol))
    sessions = [book(clinic, noon(20 + 2 * number), at, follows, patient) for number in range(count)]
    reconcile.reconcile(clock.now())
    return sessions


def receipts() -> list[Message]:
    return list(Message.objects.filter(kind="receipt").order_by("speaks_of"))


@pytest.fixture(autouse=True)
def _receipts(request: pytest.FixtureRequest) -> None:
    """The clinic's site tells receipts, and of preparation nothing."""
    if "clinic" in request.fixturenames:
        from notifications.models import MessagePlan

        site = request.getfixturevalue("clinic").site
        MessagePlan.objects.update_or_create(site=site, defaults={"receipts": True, "preparation_hours": None})


def test_the_receipts_of_a_course_are_one_mail_that_names_each_visit(clinic: Clinic, mail: Catcher) -> None:
    sessions = booked(clinic)
    lead, *others = receipts()
    assert (lead.tells, [each.told_with for each in others]) == (2, [lead, lead])
    assert delivery.send_batch() == 1
    assert delivery.send_batch() == 0
    (received,) = mail.mails
    for session in sessions:
        assert f"{texts.day(session.start, session.site)} at" in received.text
    files = [part for part in received.message.walk() if part.get_content_type() == "text/calendar"]
    assert len(files) == 3
    assert all(file.get_content().count("BEGIN:VEVENT") == 1 for file in files)
    assert {(each.status, each.sent_at) for each in receipts()} == {("sent", receipts()[0].sent_at)}
    Reconciled.objects.all().delete()
    reconcile.reconcile(clock.now())
    assert statuses() == {"sent": 3}


@pytest.mark.parametrize("leads", [True, False])
def test_questions_that_are_asked_at_once_are_one_mail_with_a_link_each(
    clinic: Clinic, mail: Catcher, leads: bool
) -> None:
    now = clock.now()
    asked = [{"instrument": code, "hours_after": 0} for code in ("PHQ-9", "GAD-7", "NRS")]
    session = book(clinic, now - 3 * HOUR, now - 9 * HOUR, protocol_with(clinic, [], asked))
    discharge(session, now - HOUR / 2)
    reconcile.reconcile(now)
    answered = Message.objects.filter(told_with__isnull=leads)[0].follow_up
    assert answered is not None
    values = {item.id: item.options[0].value for item in INSTRUMENTS[answered.instrument].items}
    answer_follow_up(new_link(answered).rstrip("/").rpartition("/")[2], values, now)
    while delivery.send_batch():
        pass
    (received,) = mail.mails
    assert received.text.count("/check-in/") == 2
    html = received.message.get_body(("html",))
    assert html is not None
    assert html.get_content().count("Answer the questions") == 2
    assert sorted(Message.objects.values_list("status", "reason")) == [
        ("sent", ""),
        ("sent", ""),
        ("skipped", "answered"),
    ]


@pytest.mark.parametrize("language", ["en", "es"])
def test_texts_of_one_kind_are_one_text_that_counts_the_visits(
    clinic: Clinic, settings: Any, tmp_path: Path, language: str
) -> None:
    settings.SMS_URL = f"file://{tmp_path}/texts"
    settings.TEXTS_WITHOUT_CONSENT = {"day": 1, "week": 3}
    booked(clinic, make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"], language=language))
    assert delivery.send_batch() == 1
    assert statuses() == {"sent": 3}
    lead = Message.objects.get(told_with=None)
    text = texts.compose(lead, None, [each for each in receipts() if each != lead]).body
    assert gsm.length(text).parts == 1
    assert ": 3 visit" in text


def test_the_last_text_of_a_day_is_what_closes_first_told_together_or_not(
    clinic: Clinic, settings: Any, tmp_path: Path
) -> None:
    settings.SMS_URL = f"file://{tmp_path}/texts"
    settings.TEXTS_WITHOUT_CONSENT = {"day": 1, "week": 3}
    patient = make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"])
    booked(clinic, patient, 1)
    early = [{"hours_before": 2160, "channels": ["sms"]}]
    book(clinic, noon(30), clock.now() - HOUR / 2, protocol_with(clinic, early, []), patient)
    reconcile.reconcile(clock.now())
    assert [delivery.send_batch() for _ in range(3)] == [1, 1, 0], "one after another"
    said = Message.objects.filter(status="sent").values_list("kind", flat=True)
    assert list(said) == ["receipt", "receipt"]
    assert Message.objects.get(status="due").kind == "reminder_2160h"


def test_nobody_waits_for_a_question_that_is_answered(clinic: Clinic, mail: Catcher) -> None:
    now = clock.now()
    asked = [{"instrument": code, "hours_after": 1} for code in ("PHQ-2", "NRS")]
    sessions = [book(clinic, now - 3 * HOUR, now - 9 * HOUR, protocol_with(clinic, [], asked[:1]))]
    patient = sessions[0].patient
    sessions.append(book(clinic, now - 30 * HOUR, now - 40 * HOUR, protocol_with(clinic, [], asked[1:]), patient))
    for session, ago in zip(sessions, (61, 55), strict=True):
        discharge(session, now - ago * MINUTE)
    reconcile.reconcile(now)
    lead, other = Message.objects.order_by("due_at").filter(due_at__lt=now + HOUR)
    assert (lead.tells, other.told_with, lead.try_at) == (1, lead, other.due_at)
    assert delivery.send_batch() == 0, "it waits for the other"
    assert other.follow_up is not None
    answer_follow_up(new_link(other.follow_up).rstrip("/").rpartition("/")[2], {"nrs_pain": 3}, now)
    assert set(Message.objects.filter(follow_up=other.follow_up).values_list("status", "reason")) == {
        ("skipped", "answered")
    }
    assert delivery.send_batch() == 1
    assert len(mail.mails) == 1


@pytest.mark.parametrize("sooner", [True, False])
def test_the_last_text_of_two_that_close_at_once_is_what_was_due_first(
    committed: None, clinic: Clinic, settings: Any, tmp_path: Path, sooner: bool
) -> None:
    settings.SMS_URL = f"file://{tmp_path}/texts"
    settings.TEXTS_WITHOUT_CONSENT = {"day": 1, "week": 3}
    patient = make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"])
    other = make_patient(clinic.site, phone=PHONE, preferred_channels=["sms"])
    booked(clinic, patient, 1)
    book(clinic, noon(30), clock.now() - HOUR / 2, protocol_with(clinic, [], []), other)
    reconcile.reconcile(clock.now())
    now = clock.now()
    Message.objects.update(not_after=now + 200 * HOUR)
    Message.objects.filter(patient=patient).update(due_at=now - (2 if sooner else 4) * MINUTE)
    Message.objects.filter(patient=other).update(due_at=now - 3 * MINUTE)

    def claimed_meanwhile() -> list[Any]:
        try:
            return delivery.claim()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as workers:
        with transaction.atomic():
            first = delivery.claim()
            assert workers.submit(claimed_meanwhile).result() == [], "it has not taken the first, and sees it"
        assert workers.submit(claimed_meanwhile).result() == [], "the first is in hand"
    assert delivery.carry(first) == 1
    assert [delivery.send_batch() for _ in range(2)] == [1, 0]
    (said,) = Message.objects.filter(status="sent")
    assert said.patient == (other if sooner else patient)
    assert Message.objects.get(status="due").reason == "too_many"


def test_one_that_is_moved_or_cancelled_is_not_said_and_the_others_are(clinic: Clinic, mail: Catcher) -> None:
    first, second, third = booked(clinic)
    move(clinic, second, noon(40), clock.now())
    delivery.send_batch()
    (received,) = mail.mails
    assert texts.day(noon(22), clinic.site) not in received.text
    assert texts.day(third.start, clinic.site) in received.text
    assert list(Message.objects.filter(status="skipped").values_list("reason", "told_with")) == [("moved", None)]
    change(first, status="cancelled")
    assert statuses() == {"sent": 2, "skipped": 1}


def test_where_the_one_that_leads_falls_away_the_others_are_said_together(clinic: Clinic, mail: Catcher) -> None:
    lead = booked(clinic)[0]
    change(lead, status="cancelled")
    delivery.send_batch()
    assert mail.mails == []
    assert statuses() == {"skipped": 1, "due": 2}
    heir, other = Message.objects.filter(status="due").order_by("-tells")
    assert (heir.tells, heir.told_with, other.told_with) == (1, None, heir)
    reconcile.sweep(clock.now())
    while delivery.send_batch():
        pass
    assert len(mail.mails) == 1
    assert statuses() == {"skipped": 1, "sent": 2}


def test_a_change_of_one_while_all_are_handed_over_comes_first_or_after(
    committed: None, clinic: Clinic, mail: Catcher
) -> None:
    last = booked(clinic)[2]
    claimed = delivery.claim()
    held = Event()

    def tell() -> None:
        held.wait(20)
        try:
            delivery.carry(claimed)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as others:
        with transaction.atomic():
            change(last, status="cancelled")
            telling_it = others.submit(tell)
            held.set()
            await_true(somebody_waits, statuses, 20)
        telling_it.result()
    (received,) = mail.mails
    assert texts.day(last.start, clinic.site) not in received.text
    assert statuses() == {"sent": 2, "skipped": 1}


@pytest.mark.parametrize(
    ("status", "others"),
    [("sent", "sent"), ("delivered", "delivered"), ("unknown", "unknown"), ("failed", "failed"), ("due", "due")],
)
def test_what_becomes_of_one_becomes_of_all(clinic: Clinic, status: str, others: str) -> None:
    booked(clinic)
    (row,) = delivery.claim()
    assert marking.hand_over(row) is not None
    assert statuses() == {"sending": 3}
    Message.objects.filter(id=row.id).update(status=status, reason="why")
    assert statuses() == {others: 3}
    assert set(Message.objects.exclude(id=row.id).values_list("lease_until", "told_with")) == {(None, row.id)}


def test_a_try_that_was_refused_is_made_again_for_all(clinic: Clinic, mail: Catcher) -> None:
    booked(clinic)
    replies = iter(["451 later", ACCEPTED])
    mail.reply = lambda received: next(replies)
    delivery.send_batch()
    assert statuses() == {"due": 3}
    Message.objects.update(try_at=clock.now() - MINUTE)
    assert delivery.send_batch() == 1
    assert statuses() == {"sent": 3}
    assert [received.text.count(" at ") for received in mail.mails] == [3]
    lead = Message.objects.get(told_with=None)
    assert (lead.attempts, str(lead.id) in str(mail.mails[0].message["Message-ID"])) == (2, True)


def test_nobody_joins_what_somebody_holds(clinic: Clinic) -> None:
    patient = make_patient(clinic.site)
    booked(clinic, patient, 1)
    (row,) = delivery.claim()
    at = Message.objects.get().due_at
    book(clinic, noon(30), at, protocol_with(clinic, [], []), patient)
    reconcile.reconcile(clock.now())
    assert not Message.objects.exclude(told_with=None).exists()
    Message.objects.filter(id=row.id).update(status="due")
    together.join([patient.id])
    assert not Message.objects.exclude(told_with=None).exists(), "it was tried: who took it may have it"


def test_one_may_be_said_again_by_itself(clinic: Clinic, mail: Catcher) -> None:
    booked(clinic)
    delivery.send_batch()
    follower = Message.objects.exclude(told_with=None).first()
    assert follower is not None
    resending.resend(follower.id, clock.now())
    Message.objects.filter(resend_of=follower).update(try_at=clock.now() - HOUR)
    delivery.send_batch()
    assert mail.mails[1].text.count(" at ") == mail.mails[0].text.count(" at ") - 2
    assert "is booked" in mail.mails[1].text


def test_the_database_lets_no_chain_be_made(clinic: Clinic) -> None:
    booked(clinic)
    lead, follower, _ = receipts()
    assert telling.load([lead.id]).tellings[lead.id].seen["tells"] == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(id=lead.id).update(told_with=follower.id)
    Message.objects.filter(id=follower.id).update(told_with=None)
    lead.refresh_from_db()
    assert lead.tells == 1


# ---- the choice, pure -----------------------------------------------------------------------------------------------


def free(due: int = 0, until: int = 60, kind: str = "receipt", channel: str = "email", patient: int = 1) -> Free:
    return Free(
        uuid4(),
        UUID(int=patient),
        UUID(int=1),
        channel,
        kind,
        NOW + due * MINUTE,
        NOW + until * MINUTE,
        NOW + 900 * MINUTE,
    )


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        ([free(), free()], [2]),
        ([free(), free(10)], [2]),
        ([free(), free(11)], []),
        ([free(), free(patient=2)], []),
        ([free(), free(channel="sms")], []),
        ([free(), free(kind="reminder_24h"), free(kind="preparation")], [3]),
        ([free(), free(kind="follow_up_nrs_0h")], []),
        ([free(kind="follow_up_nrs_0h"), free(kind="follow_up_phq-9_0h_again")], [2]),
        ([free(channel="sms"), free(channel="sms", kind="reminder_24h")], []),
        ([free(kind="follow_up_nrs_0h", channel="sms"), free(kind="follow_up_peg_0h", channel="sms")], []),
        ([free(kind="no_show"), free(kind="no_show")], []),
        ([free(until=5), free(10)], []),
        ([free(until=20), free(10), free(10)], [3]),
        ([free() for _ in range(13)], [12]),
    ],
)
def test_who_is_said_together(rows: list[Free], sizes: list[int]) -> None:
    assert [1 + len(group.others) for group in groups(rows)] == sizes


KINDS = st.sampled_from(["receipt", "change_1", "reminder_24h", "follow_up_nrs_0h", "no_show", "preparation"])
ROWS = st.builds(
    free, st.integers(0, 30), st.integers(31, 90), KINDS, st.sampled_from(["email", "sms"]), st.integers(1, 2)
)


@settings(max_examples=100)
@given(rows=st.lists(ROWS, max_size=30))
def test_nobody_is_said_before_it_is_due_or_after_its_window_or_twice(rows: list[Free]) -> None:
    said = [(row, group) for group in groups(rows) for row in (group.lead, *group.others)]
    assert len({row.id for row, _ in said}) == len(said)
    for row, group in said:
        assert row.due_at <= group.at <= row.due_at + together.AT_ONCE
        assert group.at < group.lead.not_after <= row.not_after
        assert (row.patient, row.channel, row.family) == (group.lead.patient, group.lead.channel, group.lead.family)


# ---- the real worker ------------------------------------------------------------------------------------------------


def test_a_worker_killed_over_one_mail_for_all_loses_and_doubles_none(
    clinic: Clinic, committed: None, catcher: Catcher, tmp_path: Path
) -> None:
    machinery, killed = Machinery(tmp_path, EMAIL_URL=catcher.url), Event()

    def reply(received: Mail) -> str:
        if not killed.is_set():
            machinery.kill("worker")
            killed.set()
        return ACCEPTED

    catcher.reply = reply
    courses = [booked(clinic, make_patient(clinic.site), 2) for _ in range(1)]
    try:
        machinery.start("worker", "beat")
        assert killed.wait(60), machinery.log()
        machinery.start("worker")
        await_true(lambda: statuses() == {"unknown": 2}, statuses)
    finally:
        machinery.end()
    assert len(catcher.mails) == 1, "perhaps accepted, so not said again"
    assert {each.visit for each in receipts()} == set(courses[0])
