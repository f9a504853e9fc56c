"""Messages, follow-ups, alerts and health over HTTP: who sees what, what is refused and how."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from accounts import clock
from accounts.models import AuditEntry
from notifications import delivery, reconcile, tasks
from notifications.follow_ups import answer_follow_up, new_link
from notifications.models import Alert, FollowUp, Heartbeat, Message, MessagePlan
from tests.factories import make_patient, noon
from tests.notifications.visits import HOUR, book, change, discharge, move, protocol_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings
    from rest_framework.test import APIClient

    from accounts.models import User
    from tests.factories import Clinic

    Api = Callable[[User | None], APIClient]

BASE = "/api/v1"
DARK = dict.fromkeys((f"phq9_{number}" for number in range(1, 10)), 0) | {"phq9_9": 2}
CARE = {"nurse", "prescriber", "admin"}
ROLES = ["patient", "front_desk", "nurse", "prescriber", "manager", "auditor", "admin"]


def live_through(clinic: Clinic, instrument: str = "PHQ-9", days_ago: int = 0) -> FollowUp:
    """The check-in after a session of the patient who signs in."""
    ended = clock.now() - days_ago * 24 * HOUR - HOUR
    protocol = protocol_with(clinic, follow_ups=[{"instrument": instrument, "hours_after": 0}])
    session = book(clinic, ended - 3 * HOUR, ended - 9 * HOUR, protocol, clinic.patient)
    discharge(session, ended)
    reconcile.reconcile(clock.now())
    return FollowUp.objects.get(session=session)


def token_of(follow_up: FollowUp) -> str:
    return new_link(follow_up).rstrip("/").rpartition("/")[2]


def remind(clinic: Clinic) -> Message:
    """A reminder that is due, of the patient who signs in."""
    now = clock.now()
    book(clinic, now + 20 * HOUR, now - 100 * HOUR, patient=clinic.patient)
    reconcile.reconcile(now)
    return Message.objects.get(kind="reminder_24h")


@pytest.mark.parametrize("role", ROLES)
def test_everybody_at_the_clinic_sees_the_log_and_only_care_the_answers(clinic: Clinic, api: Api, role: str) -> None:
    asked = live_through(clinic)
    answer_follow_up(token_of(asked), DARK, clock.now())
    client = api(clinic.users[role])
    message = Message.objects.get(alert=None)
    listed = client.get(f"{BASE}/notifications/").json()["results"]
    assert str(message.id) in {row["id"] for row in listed}
    assert len(listed) == (2 if role in CARE else 1), "what tells clinicians is for those who may read answers"
    assert client.get(f"{BASE}/notifications/{message.id}/").json()["kind"] == "follow_up_phq-9_0h"
    may_read = role in CARE | {"patient"}
    for path in ("follow-ups/", f"follow-ups/{asked.id}/", trend_of(clinic)):
        assert client.get(f"{BASE}/{path}").status_code == (200 if may_read else 403)
    alert = Alert.objects.get()
    for path in ("alerts/", f"alerts/{alert.id}/"):
        assert client.get(f"{BASE}/{path}").status_code == (200 if role in CARE else 403)


def trend_of(clinic: Clinic, instrument: str = "PHQ-9") -> str:
    return f"follow-ups/trend/?patient={clinic.patient.id}&instrument={instrument}"


@pytest.mark.parametrize("role", ROLES)
def test_nothing_of_another_clinic_is_seen(clinic: Clinic, api: Api, role: str) -> None:
    assert clinic.other is not None
    asked = live_through(clinic)
    answer_follow_up(token_of(asked), DARK, clock.now())
    client = api(clinic.other.users[role])
    records = [
        ("notifications", Message.objects.get(alert=None).id),
        ("follow-ups", asked.id),
        ("alerts", Alert.objects.get().id),
    ]
    for name, record in records:
        listed = client.get(f"{BASE}/{name}/")
        assert listed.status_code == 403 or listed.json()["results"] == []
        assert client.get(f"{BASE}/{name}/{record}/").status_code == 404
    assert client.post(f"{BASE}/notifications/{records[0][1]}/resend/").status_code == 404
    assert client.post(f"{BASE}/alerts/{records[2][1]}/acknowledge/").status_code == 404
    for name in ("notifications", "follow-ups", "alerts"):
        filtered = client.get(f"{BASE}/{name}/?patient={clinic.patient.id}")
        assert filtered.status_code in {400, 403}
    assert client.get(f"{BASE}/{trend_of(clinic)}").status_code in {400, 403}


def test_a_patient_sees_only_their_own(clinic: Clinic, api: Api) -> None:
    live_through(clinic)
    now = clock.now()
    book(clinic, now + 40 * HOUR, now, patient=make_patient(clinic.site))
    reconcile.reconcile(now)
    seen = api(clinic.users["patient"]).get(f"{BASE}/notifications/").json()["results"]
    assert {row["patient"] for row in seen} == {str(clinic.patient.id)}
    assert Message.objects.exclude(patient=clinic.patient).exists()


def test_without_sign_in_nothing_is_listed(api: Api) -> None:
    for name in ("notifications", "follow-ups", "alerts"):
        assert api(None).get(f"{BASE}/{name}/").status_code == 401


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=reminder", 1),
        ("kind=reminder_24h", 1),
        ("kind=follow_up", 0),
        ("channel=email", 1),
        ("channel=sms", 0),
        ("status=due", 1),
        ("status=sent,failed", 0),
        ("status=due,sent", 1),
        ("rule=protocol", 1),
        ("rule=site", 0),
        ("patient={patient}&session={session}&series={series}", 1),
        ("from={due}", 1),
        ("until={due}", 0),
    ],
)
def test_the_log_is_filtered(clinic: Clinic, api: Api, query: str, found: int) -> None:
    message = remind(clinic)
    due = message.due_at.isoformat().replace("+00:00", "Z")
    query = query.format(
        patient=message.patient_id, session=message.session_id, series=message.visit.series_id, due=due
    )
    answer = api(clinic.users["front_desk"]).get(f"{BASE}/notifications/?{query}")
    assert len(answer.json()["results"]) == found


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("notifications/?status=gone", 400),
        ("notifications/?colour=red", 400),
        ("notifications/?patient=1", 400),
        ("notifications/?page_size=0", 400),
        ("follow-ups/?instrument=XYZ", 400),
        ("follow-ups/trend/", 400),
        ("follow-ups/trend/?patient=x&instrument=PEG", 400),
        ("alerts/?owner=00000000-0000-7000-8000-000000000000", 400),
        ("alerts/?level=loud", 400),
        ("notifications/0/", 404),
        ("alerts/00000000-0000-7000-8000-000000000000/", 404),
    ],
)
def test_bad_questions_are_refused(clinic: Clinic, api: Api, path: str, status: int) -> None:
    answer = api(clinic.users["nurse"]).get(f"{BASE}/{path}")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_reading_answers_and_messages_leaves_an_entry(clinic: Clinic, api: Api) -> None:
    asked = live_through(clinic)
    answer_follow_up(token_of(asked), DARK, clock.now())
    nurse = clinic.users["nurse"]
    client = api(nurse)
    for path in ("follow-ups/", f"follow-ups/{asked.id}/", trend_of(clinic), "notifications/?kind=follow", "alerts/"):
        before = AuditEntry.objects.filter(action="read", actor=nurse.id, patient_id=clinic.patient.id).count()
        assert client.get(f"{BASE}/{path}").status_code == 200
        after = AuditEntry.objects.filter(action="read", actor=nurse.id, patient_id=clinic.patient.id).count()
        # Who thinks of death is asked the next questionnaire at once, which stands in the list beside the first.
        assert after == before + (2 if path == "follow-ups/" else 1), path


def test_the_trend_is_the_answers_in_order(clinic: Clinic, api: Api) -> None:
    first, second = live_through(clinic, "PEG", days_ago=2), live_through(clinic, "PEG")
    live_through(clinic, "NRS", days_ago=1)
    now = clock.now()
    answer_follow_up(token_of(first), {"peg_pain": 8, "peg_enjoyment": 7, "peg_activity": 7}, now - HOUR)
    answer_follow_up(token_of(second), {"peg_pain": 3, "peg_enjoyment": 3, "peg_activity": 3}, now)
    shown = api(clinic.users["patient"]).get(f"{BASE}/{trend_of(clinic, 'PEG')}").json()
    assert [point["score"] for point in shown["points"]] == [7.3, 3]
    assert [point["session"] for point in shown["points"]] == [str(first.session_id), str(second.session_id)]
    assert shown["instrument"] == "PEG"
    assert [point["difference"] for point in shown["points"]] == [0, -4.3]
    assert [point["changes"] for point in shown["points"]] == [[], ["clinically_meaningful"]]
    series = f"{BASE}/{trend_of(clinic, 'PEG')}&series={second.session.series_id}"
    alone = api(clinic.users["nurse"]).get(series).json()
    assert [(point["score"], point["changes"]) for point in alone["points"]] == [(3, [])]


def test_a_follow_up_shows_score_and_band(clinic: Clinic, api: Api) -> None:
    asked = live_through(clinic)
    path = f"{BASE}/follow-ups/{asked.id}/"
    before = api(clinic.users["nurse"]).get(path).json()
    assert (before["score"], before["band"], before["answered_at"], before["answers"]) == (None, "", None, None)
    answer_follow_up(token_of(asked), DARK, clock.now())
    after = api(clinic.users["nurse"]).get(path).json()
    assert (after["score"], after["band"], after["answers"]["phq9_9"]) == (2, "minimal", 2)
    assert (after["patient"], after["session"]) == (str(clinic.patient.id), str(asked.session_id))


def test_the_link_opens_the_questions_without_sign_in_and_names_nobody(clinic: Clinic, api: Api) -> None:
    asked = live_through(clinic)
    answer = api(None).get(f"{BASE}/follow-ups/{token_of(asked)}/")
    shown = answer.json()
    assert (answer.status_code, shown["instrument"], len(shown["items"])) == (200, "PHQ-9", 10)
    assert [option["value"] for option in shown["items"][8]["options"]] == [0, 1, 2, 3]
    assert shown["items"][9]["required"] is False
    assert (shown["crisis_line"], shown["emergency_number"]) == ("988", "911")
    for personal in (clinic.patient.family_name, str(clinic.patient.id), str(asked.session_id), clinic.patient.email):
        assert personal not in answer.content.decode()


def test_a_link_is_answered_once_over_http(clinic: Clinic, api: Api) -> None:
    asked = live_through(clinic)
    path, client = f"{BASE}/follow-ups/{token_of(asked)}/", api(None)
    faulty = client.post(path, {"answers": {"phq9_9": "1"}})
    assert faulty.status_code == 400
    assert {"pointer": "/answers/phq9_9", "code": "invalid"}.items() <= faulty.json()["errors"][-1].items()
    first = client.post(path, {"answers": DARK})
    assert (first.status_code, first.json()["instrument"]) == (200, "PHQ-9")
    assert "score" not in first.json()
    assert client.post(path, {"answers": DARK}).json() == first.json()
    other = client.post(path, {"answers": DARK | {"phq9_1": 3}})
    assert (other.status_code, other.json()["code"]) == (410, "already_answered")
    assert client.get(path).json()["code"] == "already_answered"
    assert Alert.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"answers": None}, 400),
        ({"answers": []}, 400),
        ({"answers": {}}, 400),
        ({"answers": DARK, "note": "x"}, 400),
        ({"answers": DARK | {"phq9_1": 10**18}}, 400),
        ({"answers": DARK | {"phq9_1": 1.5}}, 400),
        ({"answers": DARK | {"phq9_10": 1}}, 400),
    ],
)
def test_bad_answers_change_nothing(clinic: Clinic, api: Api, body: dict[str, Any], status: int) -> None:
    asked = live_through(clinic)
    answer = api(None).post(f"{BASE}/follow-ups/{token_of(asked)}/", body)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert FollowUp.objects.get().answered_at is None


def test_false_and_expired_links_over_http(clinic: Clinic, api: Api) -> None:
    asked = live_through(clinic)
    token, client = token_of(asked), api(None)
    for false in (token[:-1], token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "trends", "abc", "%00"):
        assert client.get(f"{BASE}/follow-ups/{false}/").status_code == 404
        assert client.post(f"{BASE}/follow-ups/{false}/", {"answers": DARK}).status_code == 404
    FollowUp.objects.update(due_at=clock.now() - 9 * 24 * HOUR, expires_at=clock.now() - HOUR)
    for answer in (client.get(f"{BASE}/follow-ups/{token}/"), client.post(f"{BASE}/follow-ups/{token}/", {"foo": 1})):
        assert (answer.status_code, answer.json()["code"]) == (410, "expired")


def test_a_record_of_a_follow_up_is_not_opened_without_sign_in(clinic: Clinic, api: Api) -> None:
    assert api(None).get(f"{BASE}/follow-ups/{live_through(clinic).id}/").status_code == 401


def test_an_alert_is_acknowledged_once_over_http(clinic: Clinic, api: Api) -> None:
    answer_follow_up(token_of(live_through(clinic)), DARK, clock.now())
    alert, nurse = Alert.objects.get(), clinic.users["nurse"]
    path = f"{BASE}/alerts/{alert.id}/acknowledge/"
    assert api(clinic.users["front_desk"]).post(path).status_code == 403
    assert api(nurse).get(f"{BASE}/alerts/?status=open&level=urgent").json()["results"][0]["id"] == str(alert.id)
    done = api(nurse).post(path)
    assert (done.status_code, done.json()["status"], done.json()["owner"]) == (200, "acknowledged", str(nurse.id))
    again = api(clinic.users["prescriber"]).post(path)
    assert (again.status_code, again.json()["code"], again.json()["by"]) == (409, "already_done", str(nurse.id))
    assert again.json()["at"] is not None
    assert api(nurse).get(f"{BASE}/alerts/?owner={nurse.id}").json()["results"][0]["id"] == str(alert.id)


def test_what_failed_is_said_again_by_hand(clinic: Clinic, api: Api) -> None:
    message = remind(clinic)
    path, client = f"{BASE}/notifications/{message.id}/resend/", api(clinic.users["front_desk"])
    assert client.post(path).json()["code"] == "under_way"
    Message.objects.filter(id=message.id).update(status="unknown")
    assert api(clinic.users["patient"]).post(path).status_code == 403
    made = client.post(path)
    assert (made.status_code, made.json()["resend_of"], made.json()["status"]) == (201, str(message.id), "due")
    assert client.post(path).json()["code"] == "under_way"
    repeat = Message.objects.get(resend_of=message)
    trail = AuditEntry.objects.get(action="insert", record_type="notifications_message")
    assert (trail.record_id, trail.actor) == (str(repeat.pk), clinic.users["front_desk"].pk)
    assert repeat.not_after == message.visit.start
    reconcile.sweep(clock.now())
    assert Message.objects.get(resend_of=message).status == "due"
    assert Message.objects.get(id=message.id).status == "unknown"


@pytest.mark.parametrize(("field", "value", "code"), [("status", "cancelled", "cancelled"), ("start", None, "moved")])
def test_what_there_is_no_more_to_say_is_not_said_again(
    clinic: Clinic, api: Api, field: str, value: str | None, code: str
) -> None:
    message = remind(clinic)
    Message.objects.filter(id=message.id).update(status="failed")
    change(message.visit, **{field: value or message.visit.start - HOUR})
    answer = api(clinic.users["front_desk"]).post(f"{BASE}/notifications/{message.id}/resend/")
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_a_repeat_asked_for_before_a_cancellation_is_not_sent(clinic: Clinic, api: Api) -> None:
    message = remind(clinic)
    Message.objects.filter(id=message.id).update(status="failed")
    api(clinic.users["front_desk"]).post(f"{BASE}/notifications/{message.id}/resend/")
    change(message.visit, status="cancelled")
    Message.objects.filter(resend_of=message).update(try_at=clock.now() - HOUR)
    assert delivery.send_batch() == 1
    repeat = Message.objects.get(resend_of=message)
    assert (repeat.status, repeat.reason) == ("skipped", "cancelled")


def test_alive_asks_nobody(api: Api) -> None:
    assert api(None).get("/healthz/live").json() == {"status": "ok"}


def ready(api: Api) -> tuple[int, dict[str, str]]:
    answer = api(None).get("/healthz/ready")
    return answer.status_code, answer.json()["checks"]


def test_ready_is_every_part_at_once(clinic: Clinic, api: Api, settings: Settings) -> None:
    status, checks = ready(api)
    assert (status, checks["beat"], checks["database"], checks["broker"]) == (503, "not seen yet", "ok", "ok")
    tasks.beat()
    assert ready(api) == (200, dict.fromkeys(("database", "broker", "migrations", "beat", "messages"), "ok"))
    Heartbeat.objects.update(at=clock.now() - HOUR)
    assert ready(api)[1]["beat"] == "not seen lately"
    tasks.beat()
    remind(clinic)
    Message.objects.update(try_at=clock.now() - HOUR)
    assert "due for" in ready(api)[1]["messages"]


def test_without_a_broker_it_is_not_ready(clinic: Clinic, api: Api, settings: Settings) -> None:
    tasks.beat()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    assert ready(api) == (
        503,
        {"database": "ok", "broker": "does not answer", "migrations": "ok", "beat": "ok", "messages": "ok"},
    )


def test_a_migration_that_waits_makes_it_not_ready(api: Api) -> None:
    tasks.beat()
    with connection.cursor() as cursor:
        last = "SELECT max(id) FROM django_migrations WHERE app = 'notifications'"
        cursor.execute(f"DELETE FROM django_migrations WHERE id = ({last})")
    assert ready(api)[1]["migrations"] == "not all applied"


def test_what_happened_to_a_visit_says_what_the_patient_was_told_of_each_change(clinic: Clinic, api: Api) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(receipts=True, changes=True)
    now = clock.now()
    visit = book(clinic, noon(20), now - 2 * HOUR, protocol_with(clinic, [], []))
    reconcile.reconcile(now)
    Message.objects.update(status="sent", sent_at=now, handed_over_at=now, created_at=now - HOUR)
    move(clinic, visit, noon(22), now)
    reconcile.reconcile(now)
    answer = api(clinic.users["front_desk"]).get(f"/api/v1/sessions/{visit.pk}/events/")
    told = [(event["kind"], event["told"]) for event in answer.json()["results"]]
    sent = {"kind": "receipt", "channel": "email", "status": "sent", "sent_at": now.isoformat().replace("+00:00", "Z")}
    due = {"kind": "change_1", "channel": "email", "status": "due", "sent_at": None}
    assert told == [("booked", [sent]), ("rescheduled", [due])]
