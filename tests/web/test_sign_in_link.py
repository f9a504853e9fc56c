"""Signing in by a link in the mail: sent by the worker, good once and for minutes; it tells nobody who is known."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest
import time_machine
from django.test import Client

from accounts import clock, sign_in_links
from accounts.models import Role, SignInLink
from notifications import sign_in_mail
from sessions.models import Session
from tests.factories import Clinic, make_order, make_patient, make_user
from tests.web.conftest import PHONE, Visitor

if TYPE_CHECKING:
    from django.http import HttpResponse
    from pytest_django.fixtures import SettingsWrapper  # type: ignore[attr-defined]

    from tests.catcher import Catcher


@pytest.fixture
def mailbox(catcher: Catcher, settings: SettingsWrapper) -> Catcher:
    """A real SMTP server that our mails go to."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    settings.PUBLIC_URL = "http://testserver"
    return catcher


def ask(client: Client, email: str) -> HttpResponse:
    return client.post("/sign-in/link/send/", {"email": email})  # type: ignore[return-value]


def sent_link(mailbox: Catcher) -> str:
    """The path of the link in the last mail, sent now."""
    sign_in_mail.send_due(clock.now())
    found = re.search(r"http://testserver(/sign-in/link/\S+/)", mailbox.mails[-1].text)
    assert found
    return found[1]


def test_a_link_lets_in_once(clinic: Clinic, mailbox: Catcher) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/sign-in/")
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    answer = client.post("/sign-in/link/send/", {"email": clinic.users["patient"].email.upper(), **token})
    assert "a link is on its way" in answer.content.decode()
    path = sent_link(mailbox)
    opened = client.get(path)
    assert opened["Location"] == "/sign-in/link/"
    cookie = opened.cookies["sign_in_link"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/sign-in/")
    assert client.get("/visits/").status_code == 302, "opening the link lets nobody in"
    assert "Sign me in" in client.get("/sign-in/link/").content.decode()
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    assert client.post("/sign-in/link/", token)["Location"] == "/visits/"
    assert client.get("/visits/").status_code == 200
    other = Client()
    other.get(path)
    assert other.post("/sign-in/link/").status_code == 410
    assert other.get("/visits/").status_code == 302


def test_the_database_holds_no_link(clinic: Clinic, client: Client, mailbox: Catcher) -> None:
    ask(client, clinic.users["patient"].email)
    token = sent_link(mailbox).split("/")[-2]
    row = SignInLink.objects.get()
    assert len(token) == 43
    assert token not in str(SignInLink.objects.values())
    assert row.token_hash == sign_in_links.hash_of(token)
    subject = mailbox.mails[-1].subject
    assert subject == f"Your link to sign in · {clinic.site.name}"


def test_the_clinics_own_words_in_the_patients_language(clinic: Clinic, client: Client, mailbox: Catcher) -> None:
    type(clinic.patient).objects.filter(pk=clinic.patient.pk).update(language="es")
    said = {"subject": "Pase usted · {clinic}", "body": "Su enlace, {minutes} minutos:\n\n{link}"}
    clinic.site.wordings.create(kind="sign_in", channel="email", language="es", **said)
    ask(client, clinic.users["patient"].email)
    path = sent_link(mailbox)
    received = mailbox.mails[-1]
    assert received.subject == f"Pase usted · {clinic.site.name}"
    assert received.text.startswith("Su enlace, 15 minutos:")
    html = received.message.get_body(("html",))
    assert html is not None
    assert path in html.get_content()


def test_scanners_change_nothing(clinic: Clinic, client: Client, mailbox: Catcher) -> None:
    ask(client, clinic.users["patient"].email)
    path = sent_link(mailbox)
    before = list(SignInLink.objects.values())
    for _ in range(3):
        client.get(path)
        client.head(path)
        client.get("/sign-in/link/")
    assert list(SignInLink.objects.values()) == before
    assert client.post("/sign-in/link/").status_code == 302


def test_after_a_quarter_of_an_hour_it_is_over(clinic: Clinic, client: Client, mailbox: Catcher) -> None:
    ask(client, clinic.users["patient"].email)
    client.get(sent_link(mailbox))
    with time_machine.travel(clock.now() + timedelta(minutes=15, seconds=1), tick=False):
        assert client.post("/sign-in/link/").status_code == 410


def test_known_and_unknown_get_the_same_answer_and_only_one_a_mail(
    clinic: Clinic, client: Client, mailbox: Catcher
) -> None:
    known = clinic.users["patient"].email
    answers = [ask(client, each).content.decode().replace(each, "") for each in (known, "nobody@example.org")]
    without_token = [re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", each) for each in answers]
    assert without_token[0] == without_token[1]
    assert SignInLink.objects.count() == 2
    assert sign_in_mail.send_due(clock.now()) == 1
    assert [mail.to for mail in mailbox.mails] == [known]


@pytest.mark.parametrize("who", ["nurse", "admin", "left", "nobody"])
def test_who_is_no_patient_is_sent_none(clinic: Clinic, client: Client, mailbox: Catcher, who: str) -> None:
    left = make_user(None, Role.PATIENT)
    left.is_active = False
    left.save()
    email = {"left": left.email, "nobody": "nobody@example.org"}.get(who) or clinic.users[who].email
    assert ask(client, email).status_code == 200
    assert sign_in_mail.send_due(clock.now()) == 0
    assert SignInLink.objects.filter(user=None).count() == 1


def test_somebody_who_became_staff_meanwhile_is_not_let_in(clinic: Clinic, client: Client, mailbox: Catcher) -> None:
    user = clinic.users["patient"]
    ask(client, user.email)
    client.get(sent_link(mailbox))
    user.roles = [Role.PATIENT, Role.NURSE]
    user.save()
    assert client.post("/sign-in/link/").status_code == 410


def test_links_are_counted(clinic: Clinic, client: Client) -> None:
    email = clinic.users["patient"].email
    assert [ask(client, email).status_code for _ in range(6)] == [200] * 5 + [429]
    assert [ask(client, "nobody@example.org").status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_server_that_is_away_is_tried_again(clinic: Clinic, client: Client, settings: SettingsWrapper) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    ask(client, clinic.users["patient"].email)
    now = clock.now()
    assert sign_in_mail.send_due(now) == 0
    assert not sign_in_mail.waiting(now)
    assert sign_in_mail.waiting(now + timedelta(seconds=31))
    assert SignInLink.objects.values_list("sent_at", "token_hash").get() == (None, ANY)


@pytest.mark.parametrize("email", ["", "x", "a\0b@example.org", "x" * 255 + "@example.org"])
def test_what_is_no_address_is_refused(clinic: Clinic, client: Client, email: str) -> None:
    assert ask(client, email).status_code == 400
    assert not SignInLink.objects.exists()


@pytest.mark.parametrize("token", ["x", "x" * 4000, "é", "%00", "..%2f"])
def test_a_false_link_opens_nothing(db: None, client: Client, token: str) -> None:
    assert client.get(f"/sign-in/link/{token}/").status_code in (302, 404)
    assert client.post("/sign-in/link/").status_code == 410


def test_what_is_old_is_forgotten(clinic: Clinic) -> None:
    sign_in_links.ask_for_link("nobody@example.org", clock.now())
    assert sign_in_links.forget(clock.now()) == 0
    assert sign_in_links.forget(clock.now() + timedelta(days=1, seconds=1)) == 1


def test_a_new_patients_first_booking_from_the_printed_address(
    clinic: Clinic, visitor: Visitor, mailbox: Catcher, settings: SettingsWrapper
) -> None:
    """From the address on a letter to six booked visits: six clicks, the one in the mail among them."""
    settings.PUBLIC_URL = visitor.url
    user = make_user(None, Role.PATIENT, email="new@example.org")
    make_order(make_patient(clinic.site, user=user), clinic.protocol, clinic.users["prescriber"])
    page = visitor.browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    clicks = visitor.count_clicks(page)
    page.goto(visitor.url)
    page.get_by_label("Your email address").fill("new@example.org")
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("heading", name="Look in your mail").wait_for()
    sign_in_mail.send_due(clock.now())
    found = re.search(r"\S+/sign-in/link/\S+/", mailbox.mails[-1].text)
    assert found
    page.goto(found[0])
    page.get_by_role("button", name="Sign me in").click()
    for name in ("Find plans", "Hold this plan", "Book these 6 visits"):
        page.get_by_role("button", name=name).first.click()
    page.get_by_text("Booked. Every visit below is yours.").wait_for()
    assert Session.objects.filter(patient__user=user).count() == 6
    assert len(clicks()) + 1 <= 6
    page.close()
