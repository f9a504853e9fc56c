"""What a mail provider tells by its webhook: a mail that bounces later marks the address, and another way is used."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from accounts import clock
from notifications import reconcile
from notifications.models import Message
from tests.notifications.test_delivery import due

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Clinic

SECRET = "provider:secret"


@pytest.fixture
def sent(clinic: Clinic, settings: Settings) -> Message:
    """A mail that the provider took, and knows as `re-1`."""
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    settings.ANYMAIL = {"RESEND_API_KEY": "k", "WEBHOOK_SECRET": SECRET}
    due(clinic, phone="+13125550142", preferred_channels=["email", "sms"])
    Message.objects.filter(channel="sms").delete()
    Message.objects.update(status="sent", sent_at=clock.now(), reference="re-1")
    return Message.objects.get()


def tell(kind: str, reference: str = "re-1", secret: str = SECRET, body: bytes | None = None) -> Any:
    said = {"type": kind, "created_at": "2026-11-25T12:00:00Z", "data": {"email_id": reference}}
    known = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    raw = json.dumps(said).encode() if body is None else body
    return Client().generic("POST", "/api/v1/inbound/mail/", raw, "application/json", headers=known)


def test_a_mail_that_bounces_later_marks_the_address_and_the_next_wish_is_used(sent: Message) -> None:
    for _ in range(2):
        assert tell("email.bounced").status_code == 204
    sent.refresh_from_db()
    sent.patient.refresh_from_db()
    assert (sent.status, sent.reason, sent.patient.dead_channels) == ("failed", "the mail bounced", ["email"])
    reconcile.reconcile(clock.now())
    assert Message.objects.get(channel="sms").status == "due"


def test_a_mail_that_arrived_has_arrived_and_one_unwanted_is_the_last(sent: Message) -> None:
    for kind in ("email.delivered", "email.delivery_delayed", "email.opened", "email.complained"):
        assert tell(kind).status_code == 204
    sent.refresh_from_db()
    sent.patient.refresh_from_db()
    assert (sent.status, sent.patient.stopped_channels, sent.patient.dead_channels) == ("delivered", ["email"], [])


def test_what_is_not_the_providers_or_about_no_mail_of_ours_changes_nothing(sent: Message, settings: Settings) -> None:
    assert tell("email.bounced", reference="re-2").status_code == 204
    assert tell("email.bounced", secret="provider:guessed").status_code == 401
    assert Client().post("/api/v1/inbound/mail/", {}, "application/json").status_code == 401
    for known in ({"RESEND_API_KEY": "k"}, {"RESEND_API_KEY": "k", "WEBHOOK_SECRET": ""}):
        settings.ANYMAIL = known
        assert tell("email.bounced").status_code == 401
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert tell("email.bounced").status_code == 401
    sent.refresh_from_db()
    assert sent.status == "sent"


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"type": 1}', b'{"type": "email.bounced", "data": 3}'])
def test_no_body_whatever_breaks_it(sent: Message, body: bytes) -> None:
    assert tell("", body=body).status_code in {204, 400, 411, 415}
