"""The demo clinic is what the contract says, and making it twice changes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts import clock
from accounts.models import Patient, Role, Site, User
from notifications.models import Alert, FollowUp
from scheduler.models import Chair, Protocol, Provider
from sessions.models import Session
from tests import rules
from web import demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client
    from pytest_django.plugin import DjangoDbBlocker
    from rest_framework.test import APIClient


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[datetime]:
    """The demo clinic, made once for all that look at it, in the middle of the Wednesday to come; and undone."""
    today = clock.now()
    at = (today + timedelta(days=7 - (today.weekday() - 2) % 7)).replace(hour=17, minute=5, second=0, microsecond=0)
    with django_db_blocker.unblock(), transaction.atomic():
        with time_machine.travel(at, tick=False):
            call_command("demo")
        yield at
        transaction.set_rollback(True)


def test_it_has_what_the_contract_says(made: datetime, api: Callable[..., APIClient]) -> None:
    site = Site.objects.get()
    assert site.time_zone == "America/Chicago"
    assert Chair.objects.count() == 8
    assert Provider.objects.filter(role="nurse", max_acuity=8).count() == 4
    assert Provider.objects.filter(role="prescriber").count() == 2
    assert Protocol.objects.filter(status="approved").exclude(sources=[]).count() >= 5
    for name, role in demo.SIGN_INS.items():
        body = {"email": f"{name}@demo.example", "password": "demo-demo-demo"}
        assert api(None).post("/api/v1/auth/login/", body).status_code == 200
        assert User.objects.get(email=body["email"]).roles == [role]
    assert {role.value for role in Role} == set(demo.SIGN_INS.values())


def test_it_has_a_past_and_a_future_and_breaks_no_rule(made: datetime, api: Callable[..., APIClient]) -> None:
    assert Session.objects.filter(status="completed").count() > 5
    assert Session.objects.filter(status="booked").count() > 5
    assert FollowUp.objects.filter(answered_at__isnull=False).exists()
    alerts = Counter(Alert.objects.values_list("status", flat=True))
    assert alerts["closed"] >= 3, "most are dealt with"
    assert alerts["open"] <= 1
    assert alerts.total() <= len(demo.WORRIES)
    assert Alert.objects.values("kind").distinct().count() >= 3
    admin = api(User.objects.get(email="admin@demo.example"))
    shown = admin.get("/api/v1/sessions/?page_size=200").json()["results"]
    limits = {str(each.pk): rules.Limits(each.capacity, each.max_acuity) for each in Provider.objects.all()}
    assert rules.broken(shown, limits) == []


def test_its_patient_sees_a_running_series(made: datetime, api: Callable[..., APIClient]) -> None:
    patient = api(User.objects.get(email="patient@demo.example"))
    series = patient.get("/api/v1/series/").json()["results"]
    assert len(series) == 1
    assert patient.get("/api/v1/orders/").json()["results"]


def test_in_the_middle_of_a_day_its_board_is_alive(made: datetime, db: None, client: Client) -> None:
    with time_machine.travel(made, tick=False):
        client.force_login(User.objects.get(email="nurse@demo.example"))
        told = client.get("/board/").content.decode()
    today = Session.objects.filter(start__range=(made - timedelta(hours=6), made + timedelta(hours=8)))
    states = set(today.values_list("status", flat=True))
    assert states & {"arrived", "infusing", "recovering"}
    assert today.count() >= 3
    long_since = today.filter(status="infusing", infusion_started_at__lt=made - timedelta(minutes=30))
    assert all(row.vitals.exists() for row in long_since)
    for row in today.filter(status__in=("infusing", "recovering")):
        assert f'id="v-{row.pk}"' in told


def test_making_it_again_changes_nothing(made: datetime, db: None) -> None:
    before = (Patient.objects.count(), Session.objects.count())
    call_command("demo")
    assert (Patient.objects.count(), Session.objects.count()) == before


def test_production_has_no_demo(db: None, settings: Any) -> None:
    settings.DEVELOPMENT = False
    before = User.objects.count()
    with pytest.raises(CommandError):
        call_command("demo")
    assert User.objects.count() == before
