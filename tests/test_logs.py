"""A patient is planted in every field, lives through everything, and leaves no trace in logs, broker, URLs and subjects."""

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
from django.test import Client

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

    from pytest_django.fixtures import SettingsWrapper
    from rest_framework.test import APIClient

    from tests.catcher import Catcher, Mail
    from tests.factories import Clinic

PLANTED = re.compile(r"zzphi|2025550173|1931|03-07", re.IGNORECASE)
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
    yield made
    handler.setStream(before or handler.stream)


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


def live_through(desk: Asked, nurse: Asked, clinic: Clinic, patient: str) -> Session:
    """A series is booked, its last session cancelled, its first lived through to discharge; the first session."""
    protocol = make_protocol(
        clinic.organization,
        clinic.users["prescriber"],
        phase(sessions=2),
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
    first, last = desk.post("series/", 201, plan=plan, **wanted)["sessions"]
    desk.post(f"sessions/{last['id']}/cancel/", 200, reason="ZZPHI-reason")
    for verb, body in {
        "arrive": {},
        "start": {},
        "pause": {"reason": "ZZPHI-pause"},
        "resume": {},
        "stop": {"reason": "ZZPHI-stop"},
        "discharge": {"escort_name": "ZZPHI-escort"},
    }.items():
        nurse.post(f"sessions/{first['id']}/{verb}/", 200, **body)
    return Session.objects.get(pk=first["id"])
