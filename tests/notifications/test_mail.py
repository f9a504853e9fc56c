"""Mails as a mail program and a calendar see them; wordings and what they may not hold; mails ended by a click."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import icalendar
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock
from accounts.models import Channel, Patient
from notifications import delivery, gsm, ics, reconcile, texts, wordings
from notifications.channels import NotSent, Permanent, Temporary, Text, Unclear, open_channel
from notifications.channels.email import SMTP_BACKEND
from notifications.models import Message, Wording
from tests.calendar_client import CalendarClient
from tests.notifications.test_delivery import due, mail, only
from tests.notifications.visits import HOUR, change, move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings
    from rest_framework.test import APIClient

    from tests.catcher import Catcher
    from tests.factories import Clinic

__all__ = ["mail"]
HEALTH = re.compile(r"ketamine|infusion|session|PHQ|depress|pain|dose|drug|therap", re.IGNORECASE)


class Words(HTMLParser):
    """The text of an HTML part and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def calendar_of(message: Any) -> Any:
    """The calendar part of a mail."""
    (part,) = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    return part


# ---- the mail -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_reminder_is_plain_text_html_and_a_calendar(clinic: Clinic, mail: Catcher) -> None:
    session = due(clinic)
    delivery.send_batch()
    (received,) = mail.mails
    message = received.message
    assert message.get_content_type() == "multipart/mixed"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain
    assert html
    words = Words(html.get_content())
    when = (texts.day(session.start, clinic.site), texts.time_of_day(session.start, clinic.site), clinic.site.name)
    for said in when:
        assert said in plain.get_content()
        assert said in words.text
    part = calendar_of(message)
    assert (part.get_param("method"), part.get_filename()) == ("REQUEST", "visit.ics")
    assert not HEALTH.search(received.text + words.text + received.subject + part.get_content())
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(message["List-Unsubscribe"]).strip("<> ")
    assert address in words.links
    assert address in plain.get_content()
    assert str(message["Message-ID"]).startswith(f"<{only().id}@")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Care\r\nBcc: x@example.org", "Care\nSubject: y", "Care\u2028z", "Care\x00"])
def test_a_name_with_line_breaks_reaches_no_header(clinic: Clinic, mail: Catcher, name: str) -> None:
    clinic.site.name = name.replace("\x00", "")
    clinic.site.save()
    due(clinic)
    delivery.send_batch()
    (received,) = mail.mails
    assert received.message["Bcc"] is None
    assert len(received.message.get_all("Subject", [])) == 1
    assert "\n" not in received.subject
    assert received.recipients == (Patient.objects.get(messages__isnull=False).email,)


@pytest.mark.django_db
def test_in_spanish(clinic: Clinic, mail: Catcher) -> None:
    due(clinic, language="es")
    delivery.send_batch()
    (received,) = mail.mails
    assert received.subject.startswith("Su visita del ")
    assert "Para no recibir más correos nuestros:" in received.text
    html = received.message.get_body(("html",))
    assert html
    assert '<html lang="es">' in html.get_content()


# ---- the calendar ---------------------------------------------------------------------------------------------------


def sent_calendars(mail: Catcher) -> list[str]:
    return [calendar_of(each.message).get_content() for each in mail.mails]


@pytest.mark.django_db
def test_a_calendar_follows_the_move_and_the_cancellation_in_any_order(clinic: Clinic, mail: Catcher) -> None:
    session, now = due(clinic), clock.now()
    delivery.send_batch()
    first = session.start.replace(microsecond=0)
    move(clinic, session, first + 26 * HOUR, now)
    say_again(session)
    second = session.start.replace(microsecond=0)
    change(session, status="cancelled")
    say_again(session, "cancellation")
    asked, moved, cancelled = sent_calendars(mail)
    span = (now - 24 * HOUR, now + 400 * HOUR)

    def shown(*came: str) -> list[datetime]:
        client = CalendarClient()
        for text in came:
            client.take(text)
        assert len(client.known) == 1, "it is one visit throughout"
        return [start for start, _, _ in client.visits(*span)]

    assert shown(asked) == [first]
    assert shown(asked, moved) == shown(moved, asked) == shown(asked, moved, asked, moved) == [second]
    for order in permutations([asked, moved, cancelled]):
        assert shown(*order) == []


def say_again(session: Any, kind: str = "change_1") -> None:
    """What is said next about the visit, said now."""
    text = texts.compose(
        Message(session=session, patient=session.patient, kind=kind, channel="email", speaks_of=session.start)
    )
    channel = open_channel("email")
    channel.send(text, session.patient.email, uuid4())
    channel.close()


EVENTS = st.builds(
    ics.Event,
    uid=st.uuids().map(lambda one: f"{one}@clinic.example"),
    version=st.integers(1, 9999),
    start=st.integers(0, 2_000_000).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    end=st.just(datetime(2032, 1, 1, tzinfo=UTC)),
    summary=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
    location=st.text(st.sampled_from('aé診😀,;\\:"'), max_size=60),
)


@given(events=st.lists(EVENTS, max_size=4), method=st.sampled_from(["REQUEST", "PUBLISH"]))
def test_what_is_written_is_read_back_by_another_library(events: list[ics.Event], method: Any) -> None:
    stamp = datetime(2026, 11, 25, 8, tzinfo=UTC)
    written = ics.calendar(events, method, stamp, name="Visits, all; of them")
    assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
    read: Any = icalendar.Calendar.from_ical(written)
    assert (read["VERSION"], read["METHOD"]) == ("2.0", method)
    found = [
        (str(each["UID"]), each["SEQUENCE"], each["DTSTART"].dt, str(each["SUMMARY"]), str(each.get("LOCATION", "")))
        for each in read.walk("VEVENT")
    ]
    assert found == [(one.uid, one.version, one.start, one.summary, one.location) for one in events]


# ---- the ways mails go ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reply", "dead"),
    [("550 5.1.1 no such user", True), ("550 5.7.1 policy", False), ("553 5.1.3 bad address", True), ("550 no", False)],
)
def test_a_bounce_marks_the_address_and_another_way_is_used(
    clinic: Clinic, settings: Settings, tmp_path: Any, reply: str, dead: bool
) -> None:
    settings.SMS_URL = f"file://{tmp_path}"
    session = due(clinic, phone="+13125550142", preferred_channels=["email", "sms"])
    Message.objects.filter(channel="sms").delete()
    with refusing_server(reply) as port:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP_BACKEND, "127.0.0.1", port
        delivery.send_batch()
    session.patient.refresh_from_db()
    assert session.patient.dead_channels == (["email"] if dead else [])
    reconcile.reconcile(clock.now())
    assert set(Message.objects.values_list("channel", "status")) >= {("email", "failed")}
    assert Message.objects.filter(channel="sms", status="due").exists() is dead


def refusing_server(reply: str) -> Any:
    """An SMTP server that gives this reply to every recipient."""
    import asyncio
    from contextlib import contextmanager

    from aiosmtpd.smtp import SMTP

    class Refusing:
        async def handle_RCPT(self, *_: Any) -> str:
            return reply

    @contextmanager
    def serve() -> Iterator[int]:
        loop = asyncio.new_event_loop()
        thread = Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def listen() -> asyncio.Server:
            return await loop.create_server(lambda: SMTP(Refusing(), loop=loop), "127.0.0.1", 0)

        server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            loop.call_soon_threadsafe(server.close)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)

    return serve()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, None), (401, Temporary), (422, Permanent), (429, Temporary), (500, Unclear)],
)
def test_a_providers_http_interface_by_anymail(settings: Settings, status: int, kind: type[NotSent] | None) -> None:
    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Retry-After", "9")
            self.end_headers()
            self.wfile.write(b'{"id": "provided"}')

        def log_message(self, *_: Any) -> None:
            pass

    taken: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    settings.ANYMAIL = {"RESEND_API_KEY": "k", "RESEND_API_URL": f"http://127.0.0.1:{server.server_port}/"}
    text = Text("See you", "Body", "<p>Body</p>", ics.calendar([], "REQUEST", clock.now()), "https://x.example/stop/1/")
    try:
        if kind is None:
            open_channel("email").send(text, "ada@example.org", uuid4())
        else:
            with pytest.raises(NotSent) as caught:
                open_channel("email").send(text, "ada@example.org", uuid4())
            assert type(caught.value) is kind
            assert getattr(caught.value, "retry_after", None) == (9 if kind is Temporary else None)
    finally:
        server.shutdown()
        server.server_close()
    assert b"visit.ics" in taken[0]
    assert b"One-Click" in taken[0]


def test_the_address_of_a_channel_is_one_of_those_that_are_there() -> None:
    for name in Channel.values:
        assert open_channel(name).keeps_keys is False
    with pytest.raises(ValueError, match="fax"):
        open_channel("fax")


# ---- ended by a click -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_one_click_ends_mails_and_looking_does_not(clinic: Clinic, mail: Catcher, client: Client) -> None:
    session = due(clinic)
    delivery.send_batch()
    path = urlsplit(str(mail.mails[0].message["List-Unsubscribe"]).strip("<> ")).path
    for _ in range(2):
        assert client.get(path).status_code == client.head(path).status_code == 200
    session.patient.refresh_from_db()
    assert session.patient.stopped_channels == []
    # As RFC 8058 has it: no cookie, no token, a form of one field.
    answer = Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    session.patient.refresh_from_db()
    assert session.patient.stopped_channels == ["email"]
    due(clinic, email=session.patient.email)
    delivery.send_batch()
    assert len(mail.mails) == 1
    for false in (path.replace(".", "", 1), path[:-2] + "x/", "/stop/x/"):
        assert client.post(false).status_code == 404


# ---- wordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", wordings.LANGUAGES)
@pytest.mark.parametrize("kind", wordings.KINDS)
def test_what_is_shipped_passes_its_own_checks(kind: str, language: str) -> None:
    for channel in set(wordings.DATA["kinds"][kind]) & set(Channel.values):
        assert wordings.problems(kind, channel, wordings.default(kind, channel, language)) == []
        assert language in wordings.DATA["kinds"][kind][channel]


def test_the_longest_text_that_may_come_is_one_part() -> None:
    site = "Überlingen Klinik " * 20
    for kind in (kind for kind, shipped in wordings.DATA["kinds"].items() if "sms" in shipped):
        for language in wordings.LANGUAGES:
            text = texts.short(wordings.default(kind, "sms", language).body, {**wordings.longest(kind), "clinic": site})
            assert gsm.length(text).parts == 1, kind
            assert gsm.length(text).alphabet == "gsm"


@pytest.mark.parametrize(
    ("kind", "channel", "subject", "body", "code"),
    [
        ("reminder", "email", "Your visit", "On {date}", "unknown_field"),
        ("reminder", "email", "{name}", "x", "unknown_field"),
        ("reminder", "email", "Your visit", "{day.__class__}", "unknown_field"),
        ("reminder", "email", "Your visit", "{0} {}", "unknown_field"),
        ("reminder", "email", "Your visit", "{{day}}", "brace"),
        ("reminder", "email", "Your visit", "day}", "brace"),
        ("reminder", "email", "Your ketamine", "x", "health_word"),
        ("reminder", "sms", "", "{clinic}: your Infusions", "health_word"),
        ("reminder", "sms", "", "Su depresión", "health_word"),
        ("reminder", "email", "Visit", "your PHQ-9", "health_word"),
        ("reminder", "sms", "", "{clinic} " + "x" * 160, "too_long"),
        ("reminder", "sms", "", "{clinic} {link} {link}", "too_long"),
        ("reminder", "sms", "Hello", "x", "no_subject"),
        ("reminder", "email", "", "x", "blank"),
        ("reminder", "email", "A\nBcc: x@y", "x", "line_break"),
        ("reminder", "email", "A\u2028B", "x", "line_break"),
        ("reminder", "email", "x" * 121, "x", "max_length"),
        ("reminder", "email", "Visit", " \n", "blank"),
        ("follow_up", "email", "Questions", "Please answer.", "missing_field"),
        ("follow_up", "sms", "", "Please answer.", "missing_field"),
        ("follow_up", "email", "Go to {link}", "{link}", "link_in_subject"),
    ],
)
def test_what_may_not_be_said_is_refused(
    clinic: Clinic, api: Callable[[Any], APIClient], kind: str, channel: str, subject: str, body: str, code: str
) -> None:
    found = wordings.problems(kind, channel, wordings.Wording(subject, body))
    assert code in {problem.code for problem in found}
    manager = api(clinic.users["manager"])
    asked = {"site": str(clinic.site.id), "kind": kind, "channel": channel, "language": "en"}
    answer = manager.post("/api/v1/wordings/", asked | {"subject": subject, "body": body}, format="json")
    assert answer.status_code == 400
    assert not Wording.objects.exists()


def test_words_that_only_sound_like_health_are_taken() -> None:
    for body in ("Park in front; the paint is fresh.", "Your visit on {day}. PEGasus street 1", "Dosen't matter"):
        assert not [
            p for p in wordings.problems("reminder", "email", wordings.Wording("Hi", body)) if p.code == "health_word"
        ]


@given(value=st.text())
def test_a_value_is_never_read_as_a_field(value: str) -> None:
    assert wordings.filled("{clinic}!", {"clinic": value}) == f"{value}!"


@pytest.mark.django_db
def test_a_clinics_own_words_are_looked_at_saved_and_sent(
    clinic: Clinic, mail: Catcher, api: Callable[[Any], APIClient]
) -> None:
    manager = api(clinic.users["manager"])
    asked = {"site": str(clinic.site.id), "kind": "reminder", "channel": "email", "language": "en"}
    shipped = manager.post("/api/v1/wordings/preview/", asked, format="json").json()
    assert "{day}" in shipped["wording"]["body"]
    assert clinic.site.name in shipped["body"]
    own = asked | {"subject": "Until {day}", "body": "See you at {clinic}, <b>{time}</b>.\n\nBring a coat."}
    looked_at = manager.post("/api/v1/wordings/preview/", own, format="json").json()
    assert looked_at["problems"] == []
    assert "&lt;b&gt;" in looked_at["html"]
    bad = manager.post("/api/v1/wordings/preview/", own | {"body": "{what}"}, format="json").json()
    assert ([problem["code"] for problem in bad["problems"]], bad["body"]) == (["unknown_field"], "")
    assert manager.post("/api/v1/wordings/", own, format="json").status_code == 201
    assert manager.post("/api/v1/wordings/", own, format="json").status_code == 409
    due(clinic)
    due(clinic, language="es")
    delivery.send_batch()
    subjects = {received.subject for received in mail.mails}
    assert any(subject.startswith("Until ") for subject in subjects)
    assert any(subject.startswith("Su visita") for subject in subjects)
    assert any("Bring a coat." in received.text for received in mail.mails)
