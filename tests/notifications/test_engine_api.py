"""Closing alerts, rosters, rules, what a site says and the ledger, over HTTP."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from accounts import clock
from accounts.models import AuditEntry
from notifications import delivery, ledger, reconcile
from notifications.models import Alert, Message, OnCallShift
from tests.notifications.test_alerts import DARK, answer, ask
from tests.notifications.visits import HOUR, book, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from accounts.models import User
    from tests.factories import Clinic

    Api = Callable[[User | None], APIClient]

BASE = "/api/v1"


def week(user: User, start: str = "00:00", end: str = "00:00") -> list[dict[str, Any]]:
    return [{"user": str(user.pk), "weekday": day, "start_time": start, "end_time": end} for day in range(7)]


def test_an_alert_is_closed_with_what_was_done(clinic: Clinic, api: Api) -> None:
    answer(ask(clinic), DARK)
    alert, nurse = Alert.objects.get(), api(clinic.users["nurse"])
    path = f"{BASE}/alerts/{alert.pk}/close/"
    assert nurse.post(path, {}).status_code == 400
    assert nurse.post(path, {"outcome": "   "}).status_code == 400
    closed = nurse.post(path, {"outcome": "Called; safe at home."})
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    again = nurse.post(path, {"outcome": "twice"})
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert nurse.post(f"{BASE}/alerts/{alert.pk}/acknowledge/").status_code == 409
    assert [row["id"] for row in nurse.get(f"{BASE}/alerts/?status=closed").json()["results"]] == [str(alert.pk)]


def test_a_roster_is_set_whole_and_a_gap_is_named(clinic: Clinic, api: Api) -> None:
    manager, nurse = api(clinic.users["manager"]), clinic.users["nurse"]
    protocol_with(clinic)
    body = {"site": str(clinic.site.pk), "shifts": week(nurse, "08:00", "20:00")}
    refused = manager.post(f"{BASE}/on-call/", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "roster_gap")
    assert {"from": "Mon 20:00", "until": "Tue 08:00"} in refused.json()["gaps"]
    assert OnCallShift.objects.count() == 0
    made = manager.post(f"{BASE}/on-call/", {"site": str(clinic.site.pk), "shifts": week(nurse)})
    assert made.status_code == 201, made.content
    now = manager.get(f"{BASE}/on-call/now/?site={clinic.site.pk}")
    assert now.json() == {"site": str(clinic.site.pk), "user": str(nurse.pk)}
    assert api(clinic.users["front_desk"]).post(f"{BASE}/on-call/", body).status_code == 403


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"weekday": 7}, "/shifts/0/weekday"),
        ({"start_time": "25:00"}, "/shifts/0/start_time"),
        ({"user": "00000000-0000-7000-8000-000000000000"}, "/shifts/0/user"),
        ({"colour": "red"}, "/shifts/0/colour"),
    ],
)
def test_a_bad_shift_is_named(clinic: Clinic, api: Api, change: dict[str, Any], pointer: str) -> None:
    shifts = week(clinic.users["nurse"])
    shifts[0] |= change
    refused = api(clinic.users["manager"]).post(f"{BASE}/on-call/", {"site": str(clinic.site.pk), "shifts": shifts})
    assert refused.status_code == 400
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


def test_rules_in_force_show_what_was_changed_and_the_source(clinic: Clinic, api: Api) -> None:
    prescriber = api(clinic.users["prescriber"])
    own = {"kind": "severe_pain", "level": "urgent", "act_minutes": 60, "escalate_minutes": 5, "source": "ours"}
    for at_least in (7, 6):
        assert prescriber.post(f"{BASE}/red-flag-rules/", own | {"at_least": at_least}).status_code == 201
    rules = {rule["kind"]: rule for rule in prescriber.get(f"{BASE}/red-flag-rules/in-force/").json()}
    assert (rules["severe_pain"]["at_least"], rules["severe_pain"]["level"]) == (6, "urgent")
    assert all(rule["source"] for rule in rules.values())
    assert api(clinic.users["manager"]).post(f"{BASE}/red-flag-rules/", own).status_code == 403


def test_what_a_site_says_is_set_whole_and_followed(clinic: Clinic, api: Api) -> None:
    manager = api(clinic.users["manager"])
    plan = {"site": str(clinic.site.pk), "preparation_hours": 48, "receipts": False}
    assert manager.post(f"{BASE}/message-plans/", plan).status_code == 201
    book(clinic, clock.now() + 100 * HOUR, clock.now(), protocol_with(clinic, [], []))
    reconcile.reconcile(clock.now())
    assert set(Message.objects.values_list("kind", "rule")) == {("preparation", "site: preparation_hours")}
    assert manager.post(f"{BASE}/message-plans/", {"site": str(clinic.site.pk)}).json()["receipts"] is True


def test_the_ledger_is_a_table_that_no_spreadsheet_runs(clinic: Clinic, api: Api) -> None:
    now = clock.now()
    book(clinic, now + 20 * HOUR, now - 100 * HOUR)
    reconcile.reconcile(now)
    Message.objects.update(reason='=cmd|"/C calc"!A0')
    desk = clinic.users["front_desk"]
    answer = api(desk).get(f"{BASE}/notifications/export/?kind=reminder")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["kind"], row["rule"], row["status"]) == ("reminder_24h", "protocol: reminder_24h", "due")
    assert row["reason"] == '\'=cmd|"/C calc"!A0'
    assert AuditEntry.objects.filter(action="read", actor=desk.pk, record_type="notifications_message").count() == 1
    assert api(desk).get(f"{BASE}/notifications/export/?kind=change").content.count(b"\n") == 1
    assert api(desk).get(f"{BASE}/notifications/export/?colour=red").status_code == 400
    assert api(clinic.users["patient"]).get(f"{BASE}/notifications/export/").status_code == 403


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_that_begins_as_a_formula_is_text(value: str) -> None:
    assert ledger.cell(value) == f"'{value}"


def test_a_dead_letter_is_said_again_under_a_persons_name(clinic: Clinic, api: Api) -> None:
    now = clock.now()
    book(clinic, now + 20 * HOUR, now - 100 * HOUR)
    reconcile.reconcile(now)
    Message.objects.update(status="failed")
    desk = clinic.users["front_desk"]
    answer = api(desk).post(f"{BASE}/notifications/{Message.objects.get().pk}/resend/")
    assert answer.status_code == 201
    entry = AuditEntry.objects.get(action="insert", record_type="notifications_message")
    assert (entry.actor, entry.record_id) == (desk.pk, answer.json()["id"])


def test_a_providers_word_moves_a_message_forward_only(clinic: Clinic) -> None:
    now = clock.now()
    book(clinic, now + 20 * HOUR, now - 100 * HOUR)
    reconcile.reconcile(now)
    message = Message.objects.get()
    Message.objects.update(status="unknown", reference="SM1")
    for word, changed, status in [
        ("sent", True, "sent"),
        ("sent", False, "sent"),
        ("delivered", True, "delivered"),
        ("sent", False, "delivered"),
        ("failed", False, "delivered"),
        ("delivered", False, "delivered"),
    ]:
        assert delivery.reconcile_outcome("SM1", word) is changed
        message.refresh_from_db()
        assert message.status == status
    assert not delivery.reconcile_outcome("nobody's", "failed")
    Message.objects.update(status="sent")
    assert delivery.reconcile_outcome(str(message.pk), "failed", "30003")
    assert Alert.objects.get().kind == "message_failed"
