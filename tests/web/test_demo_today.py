"""The demo clinic's board, in the middle of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import time_machine

from accounts.models import User
from sessions.models import Session
from web import demo

if TYPE_CHECKING:
    from django.test import Client


def test_in_the_middle_of_a_day_its_board_is_alive(db: None, client: Client) -> None:
    late_morning = datetime(2026, 12, 2, 17, 5, tzinfo=UTC)
    with time_machine.travel(late_morning, tick=False):
        assert demo.make()
        client.force_login(User.objects.get(email="nurse@demo.example"))
        told = client.get("/board/").content.decode()
    today = Session.objects.filter(start__range=(late_morning - timedelta(hours=6), late_morning + timedelta(hours=8)))
    states = set(today.values_list("status", flat=True))
    assert states & {"arrived", "infusing", "recovering"}
    assert today.count() >= 3
    long_since = today.filter(status="infusing", infusion_started_at__lt=late_morning - timedelta(minutes=30))
    assert all(row.vitals.exists() for row in long_since)
    for row in today.filter(status__in=("infusing", "recovering")):
        assert f'id="v-{row.pk}"' in told
