"""Texts over Twilio's own interface, its word on what became of them, and numbers that are dead or want nothing."""

from __future__ import annotations

import socket
from itertools import permutations
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock
from accounts.models import Contact
from notifications import delivery, reconcile
from notifications.channels import (
    DeadAddress,
    NotSent,
    OptedOut,
    Permanent,
    Temporary,
    Text,
    Unclear,
    open_channel,
    twilio,
)
from notifications.models import Message
from tests.carrier import NUMBER, TOKEN, Carrier
from tests.factories import make_patient
from tests.notifications.test_delivery import due, only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from tests.factories import Clinic

PHONE = "+13125550142"
ID = UUID("0198f2a4-5b6c-7d8e-9fa0-b1c2d3e4f506")
FORM = "application/x-www-form-urlencoded"
PUBLIC = "https://visits.clinic.example"


@pytest.fixture
def carrier(settings: Settings) -> Iterator[Carrier]:
    """A carrier that gets the service's texts."""
    with Carrier() as made:
        settings.SMS_URL, settings.PUBLIC_URL = made.url, PUBLIC
        yield made
        assert made.faults == [], "everything that was sent is as Twilio's description wants it"


def send(text: str = "See you", to: str = PHONE) -> str:
    channel = open_channel("sms")
    try:
        channel.prepare()
        return channel.send(Text("", text), to, ID)
    finally:
        channel.close()


def refused(text: str = "See you") -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(text)
    assert PHONE not in caught.value.reason
    return caught.value


@pytest.mark.parametrize("text", ["See you", "Grüße & ¿qué tal? 100% + 1 = 2", "診療所", "a" * 160])
def test_a_text_is_sent_as_twilio_describes_it(carrier: Carrier, text: str) -> None:
    sid = send(text)
    callback = f"{PUBLIC}/api/v1/inbound/sms/{ID}/status/"
    assert carrier.sent == [{"To": PHONE, "From": NUMBER, "Body": text, "StatusCallback": callback}]
    assert carrier.sids == [sid]


def test_a_messaging_service_may_send(carrier: Carrier, settings: Settings) -> None:
    service = "MG" + "a" * 32
    settings.SMS_URL = carrier.url.replace(NUMBER, service)
    send()
    assert carrier.sent[0]["MessagingServiceSid"] == service
    assert "From" not in carrier.sent[0]


@pytest.mark.parametrize(
    ("status", "code", "headers", "kind"),
    [
        (400, 21211, {}, DeadAddress),
        (400, 21614, {}, DeadAddress),
        (400, 21610, {}, OptedOut),
        (400, 21611, {}, Temporary),
        (400, 21408, {}, Permanent),
        (401, 20003, {}, Temporary),
        (404, 20404, {}, Permanent),
        (429, 20429, {"Retry-After": "7"}, Temporary),
        (500, 20500, {}, Unclear),
        (502, None, {}, Unclear),
        (503, None, {"Retry-After": "30"}, Temporary),
        (201, None, {}, Unclear),
    ],
)
def test_what_twilio_answers_decides(
    carrier: Carrier, status: int, code: int | None, headers: dict[str, str], kind: type[NotSent]
) -> None:
    carrier.instead = lambda form: (status, {"code": code} if code else {}, headers)
    error = refused()
    assert type(error) is kind
    if isinstance(error, Temporary):
        assert error.retry_after == (float(headers["Retry-After"]) if headers else None)


def test_an_answer_that_never_comes_leaves_it_open(carrier: Carrier) -> None:
    carrier.instead = lambda form: None
    assert isinstance(refused(), Unclear)


def test_nobody_listens_is_surely_not_accepted(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.SMS_URL = f"twilio+http://AC:t@127.0.0.1:{closed.getsockname()[1]}?from={NUMBER}"
        assert isinstance(refused(), Temporary)


@pytest.mark.django_db
def test_a_due_text_goes_out_with_our_id_and_theirs(clinic: Clinic, carrier: Carrier) -> None:
    due(clinic, phone=PHONE, preferred_channels=["sms"])
    delivery.send_batch()
    assert (only().status, [only().reference]) == ("sent", carrier.sids)
    assert str(only().id) in carrier.sent[0]["StatusCallback"]
    assert len(carrier.sent[0]["Body"]) <= 160


@pytest.mark.django_db
def test_a_dead_number_is_marked_and_the_next_wish_is_used(clinic: Clinic, carrier: Carrier) -> None:
    carrier.instead = lambda form: (400, {"code": 21614}, {})
    session = due(clinic, phone=PHONE, preferred_channels=["sms", "email"])
    Message.objects.filter(channel="email").delete()
    delivery.send_batch()
    session.patient.refresh_from_db()
    assert (session.patient.dead_channels, Contact.objects.get().address) == (["sms"], PHONE)
    reconcile.reconcile(clock.now())
    assert set(Message.objects.values_list("channel", "status")) == {("sms", "failed"), ("email", "due")}
    assert make_patient(clinic.site, phone=PHONE).phone == PHONE


def test_who_told_the_carrier_to_stop_gets_no_more(clinic: Clinic, carrier: Carrier) -> None:
    carrier.instead = lambda form: (400, {"code": 21610}, {})
    session = due(clinic, phone=PHONE, preferred_channels=["sms", "email"])
    Message.objects.filter(channel="email").delete()
    delivery.send_batch()
    session.patient.refresh_from_db()
    assert (session.patient.stopped_channels, session.patient.dead_channels) == (["sms"], [])
    reconcile.reconcile(clock.now())
    assert set(Message.objects.values_list("channel", "status")) == {("sms", "failed"), ("email", "due")}


# ---- callbacks ------------------------------------------------------------------------------------------------------


def call(path: str, form: dict[str, str], token: str = TOKEN) -> Any:
    """A call of the carrier's, signed with `token`."""
    signed = twilio.signature(token, f"{PUBLIC}{path}", {name: [value] for name, value in form.items()})
    return Client().generic("POST", path, urlencode(form), FORM, headers={"X-Twilio-Signature": signed})


def status_path(message: Message) -> str:
    return f"/api/v1/inbound/sms/{message.id}/status/"


@pytest.fixture
def handed_over(clinic: Clinic, carrier: Carrier) -> Message:
    """A text of which nobody here can tell whether it was accepted."""
    carrier.instead = lambda form: None
    due(clinic, phone=PHONE, preferred_channels=["sms"])
    delivery.send_batch()
    assert only().status == "unknown"
    return only()


@pytest.mark.django_db
def test_the_callback_says_what_became_of_what_was_unclear(handed_over: Message) -> None:
    for said, expected in (("sending", "unknown"), ("sent", "sent"), ("delivered", "delivered"), ("sent", "delivered")):
        answer = call(status_path(handed_over), {"MessageSid": "SM1", "MessageStatus": said})
        assert (answer.status_code, answer.content, only().status) == (204, b"", expected)
    assert only().sent_at is not None


@pytest.mark.django_db
def test_words_in_any_order_end_the_same(handed_over: Message) -> None:
    for order in sorted(set(permutations(["queued", "sent", "delivered", "delivered"]))):
        Message.objects.update(status="unknown")
        for said in order:
            call(status_path(handed_over), {"MessageSid": "SM1", "MessageStatus": said})
        assert only().status == "delivered"


@pytest.mark.django_db
def test_a_number_that_cannot_be_reached_is_marked_by_the_callback(handed_over: Message) -> None:
    call(status_path(handed_over), {"MessageStatus": "undelivered", "ErrorCode": "30006"})
    assert (only().status, only().patient.dead_channels) == ("failed", ["sms"])
    assert "30006" in only().reason
    call(status_path(handed_over), {"MessageStatus": "delivered"})
    assert only().status == "failed"


@pytest.mark.django_db
def test_a_false_callback_changes_nothing(handed_over: Message) -> None:
    path, form = status_path(handed_over), {"MessageSid": "SM1", "MessageStatus": "delivered"}
    genuine = {"X-Twilio-Signature": twilio.signature(TOKEN, f"{PUBLIC}{path}", {n: [v] for n, v in form.items()})}
    for headers, sent in (
        ({}, form),
        ({"X-Twilio-Signature": ""}, form),
        ({"X-Twilio-Signature": "é"}, form),
        (genuine, form | {"MessageStatus": "failed"}),
        (genuine, form | {"Extra": "1"}),
    ):
        answer = Client().generic("POST", path, urlencode(sent), FORM, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert call(path, form, token="another").status_code == 401
    # Signed for another address: of another message, or as the request's own Host would have it.
    elsewhere = f"/api/v1/inbound/sms/{uuid4()}/status/"
    assert Client().generic("POST", elsewhere, urlencode(form), FORM, headers=genuine).status_code == 401
    assert only().status == "unknown"
    assert (
        Client().generic("POST", path, urlencode(form), FORM, headers={**genuine, "Host": "127.0.0.1"}).status_code
        == 204
    )


@pytest.mark.django_db
def test_a_callback_about_no_message_of_ours_is_taken_and_changes_nothing(handed_over: Message) -> None:
    answer = call(f"/api/v1/inbound/sms/{uuid4()}/status/", {"MessageStatus": "failed", "ErrorCode": "30005"})
    assert answer.status_code == 204
    assert only().status == "unknown"
    assert not Contact.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"\xff\xfe=1", FORM, 400),
        (b"&".join(b"x%d=1" % number for number in range(500)), FORM, 400),
        (b"a=" + b"x" * 70_000, FORM, 413),
        (b"", FORM, 401),
    ],
)
def test_no_body_whatever_breaks_the_webhooks(carrier: Carrier, body: bytes, kind: str, status: int) -> None:
    for path in ("/api/v1/inbound/sms/", f"/api/v1/inbound/sms/{ID}/status/"):
        answer = Client().generic("POST", path, body, kind)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_without_an_account_nothing_is_believed(settings: Settings) -> None:
    for url in ("", "file:///tmp/texts", f"twilio://AC:@api.twilio.com?from={NUMBER}"):
        settings.SMS_URL = url
        assert not twilio.is_genuine(twilio.signature("", PUBLIC, {}), PUBLIC, {})


def test_the_signature_is_as_twilio_gives_it_in_its_manual() -> None:
    # The example of twilio.com/docs/usage/security.
    form = {
        "Digits": ["1234"], "To": ["+18005551212"], "From": ["+14158675310"], "Caller": ["+14158675310"],
        "CallSid": ["CA1234567890ABCDE"],
    }  # fmt: skip
    assert (
        twilio.signature("12345", "https://example.com/myapp.php?foo=1&bar=2", form) == "L/OH5YylLD5NRKLltdqwSvS0BnU="
    )


@given(code=st.integers(0, 99_999))
def test_only_numbers_that_say_so_condemn_an_address(code: int) -> None:
    meant = twilio.meaning(code, "refused")
    assert isinstance(meant, DeadAddress) is (code in twilio.DEAD)
    assert isinstance(meant, OptedOut) is (code == 21610)
