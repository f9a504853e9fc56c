"""A patient is planted in every field, lives through everything and leaves no trace in log, broker, URL or subject."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings as real_settings
from django.db import connection

from accounts import clock
from accounts.models import Patient
from config.celery import app
from config.logs import JsonLines
from notifications import tasks
from notifications.models import Alert, Message
from sessions.models import Session
from tests.catcher import ACCEPTED
from tests.factories import make_protocol, phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings
    from rest_framework.test import APIClient

    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic

# The birth date as a whole, in the ways that it is written: a year alone stands in many a random id.
BORN = r"1931-03-07|0?3/0?7/(19)?31|mar\w* 0?7,? 1931|0?7\.? mar\w* 1931"
PLANTED = re.compile(rf"zzphi|2025550173|{BORN}", re.IGNORECASE)
PERSON = {
    "given_name": "ZZPHI-given",
    "family_name": "ZZPHI-family",
    "birth_date": "1931-03-07",
    "email": "zzphi-mail@example.org",
    "phone": "+12025550173",
    "preferred_channels": ["email", "sms"],
}
# What a fault in the database may tell of a row, by a trigger that nobody foresaw.
FAULT = """
CREATE FUNCTION zz_fault() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a fault' USING DETAIL = NEW::text, ERRCODE = 'XX000';
END $$;
CREATE TRIGGER zz_fault BEFORE UPDATE ON accounts_patient FOR EACH ROW EXECUTE FUNCTION zz_fault();
"""


class Log:
    """What the service's own handler writes since the test began."""

    def __init__(self) -> None:
        self.written = io.StringIO()

    def text(self) -> str:
        return self.written.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """The handler of the settings, its stream put aside for the test."""
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each.formatter, JsonLines)]
    assert isinstance(handler, logging.StreamHandler)
    made = Log()
    before = handler.setStream(made.written)
    handler.addFilter(not_the_catcher)
    yield made
    handler.removeFilter(not_the_catcher)
    handler.setStream(before or handler.stream)


def not_the_catcher(record: logging.LogRecord) -> bool:
    """The mail server that receives lives in this process too, and notes whom it gets mail for."""
    return record.name != "mail.log"


@pytest.fixture
def fault(committed: None) -> Iterator[Callable[[], None]]:
    """`fault()` lets the database refuse every change of a patient, and say more than it should."""

    def begin() -> None:
        with connection.cursor() as cursor:
            cursor.execute(FAULT)

    yield begin
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS zz_fault CASCADE")


class Asked:
    """A client that keeps the addresses of its requests and what the answers' headers name."""

    def __init__(self, client: APIClient) -> None:
        self.client = client
        self.addresses: list[str] = []

    def post(self, path: str, expected: int, **body: Any) -> Any:
        answer = self.client.post(f"/api/v1/{path}", body)
        assert answer.status_code == expected, answer.content
        self.addresses += [path, json.dumps({**answer.headers})]
        return answer.json()


def broker_contents() -> str:
    """All that Valkey holds, as text."""
    readers: dict[bytes, Callable[[redis.Redis, bytes], object]] = {
        b"string": lambda server, key: server.get(key),
        b"list": lambda server, key: server.lrange(key, 0, -1),
        b"set": lambda server, key: server.smembers(key),
        b"hash": lambda server, key: server.hgetall(key),
        b"zset": lambda server, key: server.zrange(key, 0, -1, withscores=True),
    }
    with redis.Redis.from_url(real_settings.REDIS_URL) as server:
        return "\n".join(f"{key!r} {readers[server.type(key)](server, key)}" for key in server.keys("*"))


def tick_and_send() -> str:
    """One tick and one sender; what stood in the broker between the two."""
    tasks.tick()
    between = broker_contents()
    assert "notifications.send" in between
    tasks.send()
    return between


def book(desk: Asked, clinic: Clinic, patient: str) -> list[str]:
    """A series of two sessions is booked; their ids."""
    protocol = make_protocol(
        clinic.organization,
        clinic.users["prescriber"],
        phase(sessions=2),
        gates=["consent"],
        reminders=[{"hours_before": 2160, "channels": ["email", "sms"]}],
        follow_ups=[{"instrument": "PHQ-9", "hours_after": 0}],
    )
    wanted = {"patient": patient, "protocol": str(protocol.pk)}
    today = clock.now().date()
    dates = {
        "earliest_date": str(today + timedelta(days=2)),
        "latest_date": str(today + timedelta(days=30)),
    }
    plan = desk.post("plans/", 200, site=str(clinic.site.pk), **wanted, **dates)["plans"][0]["id"]
    return [each["id"] for each in desk.post("series/", 201, plan=plan, **wanted)["sessions"]]


def live_through(nurse: Asked, session: str) -> None:
    """The session from arrival to discharge, with something said wherever something can be said."""
    for verb, body in {
        "arrive": {},
        "gates": {"gate": "consent", "outcome": "met", "note": "ZZPHI-note"},
        "start": {},
        "pause": {},
        "resume": {},
        "stop": {"reason": "ZZPHI-stop"},
        "discharge": {"escort_name": "ZZPHI-escort"},
    }.items():
        nurse.post(f"sessions/{session}/{verb}/", 200, **body)


def test_a_planted_patient_is_found_nowhere_but_in_the_database(
    committed: None,
    clinic: Clinic,
    api: Callable[..., APIClient],
    client: Client,
    catcher: Catcher,
    log: Log,
    postgres_log: Callable[[], str],
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    settings.SMS_URL = f"file://{tmp_path}"
    catcher.reply = once("451 4.7.1 <zzphi-mail@example.org> ZZPHI-given, try again")
    desk, nurse = Asked(api(clinic.users["front_desk"])), Asked(api(clinic.users["nurse"]))

    patient = desk.post("patients/", 201, site=str(clinic.site.pk), **PERSON)["id"]
    first, last = book(desk, clinic, patient)
    brokers = [tick_and_send()]
    # What the server put off goes out now, not after its pause.
    assert Message.objects.filter(status="due", attempts__gt=0).update(try_at=clock.now())
    brokers.append(tick_and_send())
    desk.post(f"sessions/{last}/cancel/", 200, reason="ZZPHI-reason")
    live_through(nurse, first)
    brokers.append(tick_and_send())
    *reminders, mail = catcher.mails
    assert reminders
    found = re.search(r"https?://\S+", mail.text)
    assert found
    link = urlsplit(found[0]).path
    assert client.get(link).status_code == 200
    answers = {f"phq9_{number}": "1" for number in range(1, 10)}
    assert client.post(link, answers).status_code == 200
    assert Alert.objects.filter(patient=patient).exists()
    assert desk.client.get("/api/v1/patients/", {"search": "ZZPHI", "birth_date": "1931-03-07"}).json()["results"]
    assert desk.client.get("/api/v1/patients/", {"nonsense": "ZZPHI"}).status_code == 400
    assert client.get("/ZZPHI-given/").status_code == 404

    assert Session.objects.get(pk=first).patient.given_name == PERSON["given_name"]
    assert str(PERSON["phone"]) in (tmp_path / "sms.jsonl").read_text()
    assert "zzphi-mail" in str(mail.message["To"])
    told = {
        "log": log.text(),
        "PostgreSQL's log": postgres_log(),
        "broker": "\n".join([*brokers, broker_contents()]),
        "addresses and headers": "\n".join([*desk.addresses, *nurse.addresses, link]),
        "subjects": "\n".join(str(each.message["Subject"]) for each in catcher.mails),
        "names of mails": "\n".join(str(each.message["Message-ID"]) for each in catcher.mails),
        "reasons": "\n".join(Message.objects.values_list("reason", flat=True)),
    }
    assert {
        name: [found[0] for found in PLANTED.finditer(text)] for name, text in told.items() if PLANTED.search(text)
    } == {}
    assert "refused with 451" in told["log"]
    assert link.split("/")[2] not in told["log"] + told["broker"]
    messages = [line["message"] for line in log.lines()]
    assert any(text.startswith("POST api/v1/patients/ 201 ") for text in messages)
    assert any(text.startswith("GET check-in/<str:token>/ 200 ") for text in messages)


def once(reply: str) -> Callable[[Mail], str]:
    """An SMTP server's answer: this one to the first mail, accepted from then on."""
    replies = [reply]
    return lambda mail: replies.pop() if replies else ACCEPTED


def test_faults_in_the_database_are_logged_without_the_row(
    clinic: Clinic,
    api: Callable[..., APIClient],
    log: Log,
    fault: Callable[[], None],
    postgres_log: Callable[[], str],
) -> None:
    desk = api(clinic.users["front_desk"])
    desk.raise_request_exception = False
    patient = desk.post("/api/v1/patients/", {"site": str(clinic.site.pk), **PERSON}).json()["id"]
    fault()
    answer = desk.patch(f"/api/v1/patients/{patient}/", {"given_name": "ZZPHI-other"})
    assert answer.status_code == 500
    assert not PLANTED.search(answer.content.decode())

    @app.task(name="tests.fault")
    def change_the_patient() -> None:
        row = Patient.objects.get(pk=patient)
        row.family_name = "ZZPHI-third"
        row.save()

    try:
        change_the_patient.apply()
        try:
            change_the_patient()
        except Exception as error:
            logging.getLogger("tests").exception("this went wrong: %s, that is %r", error, error)
            logging.getLogger("tests").error("without its traceback: %s", error)
    finally:
        app.tasks.pop("tests.fault")

    assert not PLANTED.search(log.text())
    assert not PLANTED.search(postgres_log())
    lines = {line["logger"]: line for line in log.lines()}
    assert "tests.fault" in lines["celery.app.trace"]["message"]
    assert lines["celery.app.trace"]["error"].startswith("InternalError")
    assert any("change_the_patient" in place for place in lines["celery.app.trace"]["at"])
    assert "unforeseen InternalError" in lines["accounts.http.problems"]["message"]
    assert "a fault" in lines["tests"]["message"]
    assert "a fault" in postgres_log()


@pytest.mark.parametrize(
    "text", ["one\ntwo", 'one\r\n{"level": "CRITICAL"}', "one\u2028two", "one\x85two", "\x1b[2J", 'quo"te\\', "\ud800"]
)
def test_whatever_a_record_says_it_is_one_line(log: Log, text: str) -> None:
    logging.getLogger("tests").info("said: %s", text)
    assert len(log.text().splitlines()) == 1
    (line,) = log.lines()
    assert line["message"] == f"said: {text}"
    assert (line["level"], line["logger"]) == ("INFO", "tests")
    assert line["time"].endswith("+00:00")


def test_tokens_of_links_are_hidden_wherever_they_stand(log: Log) -> None:
    token = "aZ09_-" * 11
    logging.getLogger("tests").warning("no answer at /check-in/%s/ nor /api/v1/follow-ups/%s/", token, token)
    assert log.lines()[0]["message"] == "no answer at /check-in/.../ nor /api/v1/follow-ups/.../"


def test_a_request_keeps_the_id_of_a_proxy_and_nothing_else(db: None, client: Client, log: Log) -> None:
    name = "0af7651916cd43dd8448eb211c80319c"
    assert client.get("/", headers={"X-Request-ID": name})["X-Request-ID"] == name
    for strange in ("", "ZZPHI-given-name-and-more", "a" * 65, "0af7651916cd43dd\n8448eb211c80319c"):
        given = client.get("/", headers={"X-Request-ID": strange})["X-Request-ID"]
        assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", given)
    requests = [line["request"] for line in log.lines() if line["logger"] == "requests"]
    assert requests[0] == name
    assert len(set(requests)) == 5


def test_probes_are_logged_only_where_they_fail(db: None, client: Client, log: Log) -> None:
    assert client.get("/healthz/live").status_code == 200
    assert client.get("/healthz/ready").status_code == 503
    assert [line["message"][:22] for line in log.lines() if line["logger"] == "requests"] == ["GET healthz/ready 503 "]
