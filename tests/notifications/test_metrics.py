"""/metrics: true figures, in a form that Prometheus reads, for nobody who should not have them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client

from accounts import clock
from notifications import reconcile, tasks
from notifications.follow_ups import answer_follow_up, new_link
from notifications.metrics import figures
from notifications.models import FollowUp, Heartbeat, Message
from tests.factories import make_clinic, noon
from tests.notifications.test_alerts import DARK, answer, ask
from tests.notifications.visits import HOUR, book, discharge, protocol_with

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from tests.factories import Clinic

LINE = re.compile(r'(\w+)(?:\{(\w+)="(\w+)"\})? (-?[0-9.e+]+)')


def read(client: Client, **headers: str) -> dict[tuple[str, str], float]:
    """(name, label's value) -> number, of every sample; each is described before it."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    found, described = {}, set()
    for line in answer.content.decode().splitlines():
        if line.startswith("# "):
            described.add(line.split()[2])
            continue
        match = LINE.fullmatch(line)
        assert match, line
        name, _, value, number = match.groups()
        assert name in described
        found[name, value or ""] = float(number)
    return found


def test_the_figures_tell_what_is_there(clinic: Clinic, client: Client) -> None:
    now = clock.now()
    assert ("infusion_beat_age_seconds", "") not in read(client)
    protocol = protocol_with(
        clinic, [{"hours_before": 24, "channels": ["email"]}], [{"instrument": "PHQ-9", "hours_after": 0}]
    )
    discharge(book(clinic, now - 3 * HOUR, now - 9 * HOUR, protocol), now)
    book(clinic, now + 10 * HOUR, now - 90 * HOUR, protocol)
    reconcile.reconcile(now)
    Message.objects.filter(kind__contains="reminder").update(try_at=now - timedelta(seconds=600))
    answer_follow_up(
        new_link(FollowUp.objects.get()).rstrip("/").rpartition("/")[2],
        dict.fromkeys((f"phq9_{number}" for number in range(1, 10)), 1),
        now,
    )
    tasks.beat()
    found = read(client)
    assert found["infusion_database_up", ""] == 1
    assert 500 < found["infusion_message_waiting_seconds", ""] < 3600
    assert 0 <= found["infusion_beat_age_seconds", ""] < 3600
    assert found["infusion_messages", "due"] == 2, "what was answered is not asked any more"
    assert found["infusion_messages", "sent"] == 0
    assert found["infusion_alerts_open", "urgent"] == 1
    assert found["infusion_alerts_open", "emergency"] == 0


def test_the_age_of_the_clock_and_of_the_oldest_alert_and_when_it_is_too_old(clinic: Clinic, client: Client) -> None:
    # The database's time stands still in a test's transaction.
    now = tasks.database_now()
    for name in (tasks.BEAT, tasks.CLOCK):
        tasks.beat(name)
    Heartbeat.objects.filter(name=tasks.CLOCK).update(at=now - timedelta(seconds=500))
    answer(ask(clinic), DARK)
    told, others = Message.objects.filter(urgent=True), Message.objects.filter(urgent=False)
    others.update(status="sent")
    for seconds, status in ((50, 200), (70, 503)):
        told.update(try_at=now - timedelta(seconds=seconds))
        found = read(client)
        assert found["infusion_alert_waiting_seconds", ""] == seconds
        assert found["infusion_clock_age_seconds", ""] == 500
        assert client.get("/healthz/ready").status_code == status
    assert "the oldest alert has been due" in client.get("/healthz/ready").json()["checks"]["messages"]
    told.update(status="sent")
    for seconds, status in ((100, 200), (130, 503)):
        others.update(status="due", try_at=now - timedelta(seconds=seconds))
        assert client.get("/healthz/ready").status_code == status


@pytest.mark.parametrize("hour", [-8, 0, 8])
def test_today_is_each_sites_own(clinic: Clinic, hour: int) -> None:
    now = noon(40) + hour * HOUR
    expected = 0
    for each in (clinic, make_clinic(time_zone="Pacific/Auckland")):
        zone = ZoneInfo(each.site.time_zone)
        for hours in range(-36, 37, 9):
            start = each.session(noon(40) + hours * HOUR).start
            expected += start.astimezone(zone).date() == now.astimezone(zone).date()
    found = dict(figures(now)[-1].samples)
    assert found['status="booked"'] == expected
    assert 4 <= expected <= 6


def test_only_the_token_opens_where_one_is_set(client: Client, settings: Settings, db: None) -> None:
    settings.METRICS_TOKEN = "a-token-for-tests"
    for given in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "a-token-for-tests"},
        {"Authorization": "é"},
    ):
        assert client.get("/metrics", headers=given).status_code == 404
    far = Client(REMOTE_ADDR="203.0.113.7")
    assert read(far, Authorization="Bearer a-token-for-tests")["infusion_database_up", ""] == 1


def test_without_a_token_only_this_machine_may_read(client: Client, db: None) -> None:
    assert Client(REMOTE_ADDR="203.0.113.7").get("/metrics").status_code == 404
    for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"):
        assert client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 404
    assert Client(REMOTE_ADDR="::1").get("/metrics").status_code == 200
    assert client.post("/metrics").status_code == 405


def test_without_a_database_that_alone_is_told(committed: None, client: Client, tmp_path: Path) -> None:
    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, "HOST", str(tmp_path))
        assert read(client) == {("infusion_database_up", ""): 0}
