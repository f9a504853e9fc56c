"""A red flag is told at once to whoever is on call, climbs until somebody owns it, and is ended by a person alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from accounts import clock
from accounts.refusals import Conflict, Gone, Invalid, RuleBroken
from notifications import alerts, delivery, marking, missing, on_call, reconcile, red_flags
from notifications.follow_ups import answer_follow_up, new_link
from notifications.models import Alert, FlagRule, FollowUp, Message, MessagePlan, OnCallShift, Pager, Roster
from notifications.on_call import Shift
from sessions.adverse_events import Report, report
from sessions.models import Series
from sessions.observation import record_vitals
from tests.notifications.test_delivery import mail  # noqa: F401  (a fixture)
from tests.notifications.visits import HOUR, book, change, discharge, protocol_with
from web import words

if TYPE_CHECKING:
    from accounts.models import User
    from sessions.models import Session
    from tests.catcher import Catcher
    from tests.factories import Clinic

DARK = dict.fromkeys((f"phq9_{number}" for number in range(1, 10)), 0) | {"phq9_9": 1}
MINUTE = timedelta(minutes=1)
# Answers that a test gives were given so long ago.
ANSWERED_BEFORE = 5 * MINUTE


def ask(clinic: Clinic, instrument: str = "PHQ-9", hours_after: int = 0, ago: timedelta = HOUR) -> FollowUp:
    """A check-in of the site's patient, after a session that ended so long ago."""
    ended = clock.now() - ago
    protocol = protocol_with(clinic, [], [{"instrument": instrument, "hours_after": hours_after}])
    session = book(clinic, ended - 3 * HOUR, ended - 9 * HOUR, protocol, clinic.patient)
    discharge(session, ended)
    reconcile.reconcile(clock.now())
    return FollowUp.objects.get(session=session)


def answer(follow_up: FollowUp, answers: dict[str, int], now: datetime | None = None) -> None:
    token = new_link(follow_up).rstrip("/").rpartition("/")[2]
    answer_follow_up(token, answers, now or clock.now() - ANSWERED_BEFORE)


def told(alert: Alert) -> dict[str, set[str]]:
    """Step -> whom it told."""
    found: dict[str, set[str]] = {}
    for kind, email in alert.messages.values_list("kind", "recipient__email"):
        found.setdefault(kind, set()).add(email)
    return found


def test_the_answer_the_alert_and_what_tells_of_it_are_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(clinic)
    with monkeypatch.context() as broken:
        broken.setattr(alerts, "_tell", _fail)
        with pytest.raises(RuntimeError), transaction.atomic():
            answer(asked, DARK)
    assert not Alert.objects.exists()
    assert FollowUp.objects.get().answered_at is None
    answer(asked, DARK)
    alert = Alert.objects.get()
    assert (alert.kind, alert.level, alert.owner) == ("suicide_item", "urgent", clinic.site.on_call)
    message = Message.objects.get(alert=alert)
    assert (message.urgent, message.recipient, message.status) == (True, clinic.site.on_call, "due")


def _fail(*_: Any) -> None:
    raise RuntimeError


def test_the_clinician_on_call_gets_a_mail_that_names_nobody(clinic: Clinic, mail: Catcher) -> None:  # noqa: F811
    answer(ask(clinic), DARK)
    assert delivery.send_urgent() == 1
    (received,) = mail.mails
    assert received.to == clinic.site.on_call.email
    assert received.subject.startswith("Urgent alert")
    words = received.subject + received.text
    for secret in (clinic.patient.family_name, clinic.patient.given_name, "PHQ", "suicid", "suicide_item"):
        assert secret not in words
    assert "/alerts/\n" in received.text.replace("\r", "")
    assert "/api/" not in received.text
    assert Message.objects.get(alert__isnull=False).status == "sent"


def test_it_climbs_until_somebody_owns_it(clinic: Clinic) -> None:
    nurse = clinic.users["nurse"]
    everywhere = [Shift(day, time(0), time(0), nurse) for day in range(7)]
    on_call.set_roster(clinic.site, everywhere)
    now = clock.now()
    answer(ask(clinic), DARK, now)
    alert = Alert.objects.get()
    assert told(alert) == {"alert_0": {nurse.email}}
    assert alerts.escalate(now + 9 * MINUTE) == 0
    assert alerts.escalate(now + 10 * MINUTE) == 1
    assert alerts.escalate(now + 10 * MINUTE) == 0
    assert told(alert)["alert_1"] == {nurse.email, clinic.site.on_call.email}
    assert alerts.escalate(now + 20 * MINUTE) == 1
    assert told(alert)["alert_2"] >= {nurse.email, clinic.site.on_call.email}
    assert alerts.escalate(now + 30 * MINUTE) == 1
    assert told(alert)["alert_3"] == told(alert)["alert_2"], "again and again"
    alerts.acknowledge(alert.id, nurse)
    assert alerts.escalate(now + 300 * HOUR) == 0
    alert.refresh_from_db()
    assert (alert.owner, alert.step) == (nurse, 3)


def test_what_is_acknowledged_is_told_to_nobody_any_more(clinic: Clinic, mail: Catcher) -> None:  # noqa: F811
    answer(ask(clinic), DARK)
    (row,) = delivery.claim(urgent=True)
    alerts.acknowledge(Alert.objects.get().id, clinic.users["nurse"])
    assert marking.hand_over(row) is None
    assert (Message.objects.get(alert__isnull=False).reason, mail.mails) == ("acknowledged", [])
    assert alerts.escalate(clock.now() + 1000 * HOUR) == 0


def test_an_alert_is_closed_once_by_a_person_with_what_was_done(clinic: Clinic) -> None:
    answer(ask(clinic), DARK)
    alert, nurse = Alert.objects.get(), clinic.users["nurse"]
    closed = alerts.close(alert.id, nurse, "Called; safe at home, sister with her.")
    assert (closed.status, closed.closed_by, closed.owner) == ("closed", nurse, nurse)
    with pytest.raises(Conflict) as again:
        alerts.close(alert.id, nurse, "again")
    assert (again.value.code, again.value.extra["by"]) == ("already_done", str(nurse.id))
    with pytest.raises(Conflict):
        alerts.acknowledge(alert.id, nurse)


@pytest.mark.parametrize("missing_part", [{"closed_by": None}, {"outcome": ""}])
def test_the_database_takes_no_end_without_a_person_and_a_word(clinic: Clinic, missing_part: dict[str, Any]) -> None:
    answer(ask(clinic), DARK)
    now, nurse = clock.now(), clinic.users["nurse"]
    whole = {"status": "closed", "acknowledged_at": now, "closed_at": now, "closed_by": nurse, "outcome": "seen"}
    with pytest.raises(IntegrityError, match="alert_closed_by_a_person"), transaction.atomic():
        Alert.objects.update(**(whole | missing_part))
    assert Alert.objects.update(**whole) == 1


def test_an_emergency_holds_the_series(clinic: Clinic) -> None:
    asked = ask(clinic, "ASQ")
    answer(asked, {"asq_1": 1, "asq_2": 0, "asq_3": 1, "asq_4": 0, "asq_5": 1})
    assert Alert.objects.get().kind == "suicidal_now"
    assert Series.objects.get(id=asked.session.series_id).status != "active"


def test_a_red_flag_that_is_taken_back_a_moment_later_stands(clinic: Clinic) -> None:
    asked = ask(clinic)
    answer(asked, DARK)
    with pytest.raises(Gone):
        answer(asked, DARK | {"phq9_9": 0})
    asked.refresh_from_db()
    assert (Alert.objects.get().status, asked.answers) == ("open", DARK)


def test_the_series_of_other_flags_goes_on(clinic: Clinic) -> None:
    asked = ask(clinic, "ASQ")
    Series.objects.filter(id=asked.session.series_id).update(status="active")
    answer(asked, {"asq_1": 1, "asq_2": 0, "asq_3": 0, "asq_4": 0, "asq_5": 0})
    assert Alert.objects.get().kind == "suicide_screen_positive"
    assert Series.objects.get(id=asked.session.series_id).status == "active"


@pytest.mark.parametrize(
    ("instrument", "answers", "hours", "before", "kinds"),
    [
        ("PHQ-9", DARK, 168, None, ["suicide_item"]),
        ("PHQ-9", DARK | {"phq9_9": 0}, 168, None, []),
        ("PHQ-9", dict.fromkeys(DARK, 3) | {"phq9_9": 0}, 168, None, ["high_score"]),
        ("PHQ-9", dict.fromkeys(DARK, 1) | {"phq9_9": 0}, 168, 3, ["score_risen"]),
        ("PHQ-9", dict.fromkeys(DARK, 1) | {"phq9_9": 0}, 168, 4, []),
        ("NRS", {"nrs_pain": 8}, 24, None, ["severe_pain"]),
        ("NRS", {"nrs_pain": 7}, 24, 4, ["pain_risen"]),
        ("NRS", {"nrs_pain": 7}, 24, 5, []),
        ("PHQ-9", DARK | {"phq9_9": 3}, 168, None, ["suicide_item"]),
        ("PHQ-9", dict.fromkeys(DARK, 3), 168, None, ["suicide_item", "high_score"]),
        ("PHQ-9", {**dict.fromkeys(DARK, 3), "phq9_8": 1, "phq9_9": 0}, 168, 20, ["high_score"]),
        ("PHQ-9", {**dict.fromkeys(DARK, 3), "phq9_8": 0, "phq9_7": 1, "phq9_9": 0}, 168, 19, []),
        ("NRS", {"nrs_pain": 7}, 24, None, []),
        ("side-effects", {"nausea": 3}, 24, None, ["severe_side_effect"]),
        ("side-effects", {"nausea": 2, "headache": 2, "chest_pain": 0}, 24, None, []),
        ("side-effects", {"chest_pain": 1}, 24, None, ["grave_effect"]),
        ("side-effects", {"breathing": 2}, 24, None, ["grave_effect"]),
        ("side-effects", {"fainting": 3}, 24, None, ["severe_side_effect", "grave_effect"]),
        ("side-effects", {"dissociation": 1}, 4, None, ["still_dissociated"]),
        ("side-effects", {"dissociation": 1}, 3, None, []),
        ("side-effects", {"dissociation": 1}, 24, None, []),
        ("ASQ", {"asq_1": 0, "asq_2": 0, "asq_3": 0, "asq_4": 1, "asq_5": 0}, 24, None, ["suicide_screen_positive"]),
        ("ASQ", {"asq_1": 0, "asq_2": 0, "asq_3": 0, "asq_4": 1, "asq_5": 1}, 24, None, ["suicidal_now"]),
        ("ASQ", {"asq_1": 0, "asq_2": 0, "asq_3": 0, "asq_4": 0}, 24, None, []),
    ],
)
def test_rules_by_the_table(
    instrument: str, answers: dict[str, int], hours: int, before: int | None, kinds: list[str]
) -> None:
    total = Decimal(sum(answers.values()))
    answered = red_flags.Answered(instrument, answers, total, hours, None if before is None else Decimal(before))
    assert [rule.kind for rule in red_flags.raised(answered, list(red_flags.rules().values()))] == kinds


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"systolic": 179, "diastolic": 109, "spo2": 90}, []),
        ({"systolic": 180, "diastolic": 90, "spo2": 90}, ["systolic_high"]),
        ({"systolic": 170, "diastolic": 110, "spo2": None}, ["diastolic_high"]),
        ({"systolic": 200, "diastolic": 120, "spo2": 89}, ["systolic_high", "oxygen_low"]),
        ({"heart_rate": 200}, []),
    ],
)
def test_readings_by_the_table(values: dict[str, float | None], kinds: list[str]) -> None:
    met = red_flags.raised_by_reading(values, list(red_flags.rules().values()))
    assert [rule.kind for rule in met] == kinds
    assert {rule.level for rule in met} <= {"emergency"}


@pytest.mark.parametrize(("grade", "kinds"), [(2, []), (3, ["severe_event"]), (5, ["severe_event"])])
def test_adverse_events_by_the_table(grade: int, kinds: list[str]) -> None:
    met = red_flags.raised_by_grade(grade, list(red_flags.rules().values()))
    assert [(rule.kind, rule.level) for rule in met] == [(kind, "high") for kind in kinds]


def under_way(clinic: Clinic) -> Session:
    """A session whose patient sits in the chair."""
    now = clock.now()
    session = book(clinic, now - HOUR, now - 9 * HOUR, protocol_with(clinic, [], []), clinic.patient)
    return change(
        change(session, status="arrived", arrived_at=now - HOUR), status="infusing", infusion_started_at=now - HOUR / 2
    )


def test_a_grave_reading_is_told_at_the_next_tick_once_while_somebody_knows(clinic: Clinic) -> None:
    session, nurse, now = under_way(clinic), clinic.users["nurse"], clock.now()
    reconcile.reconcile(now)
    record_vitals(session, {"systolic": 185, "diastolic": 100, "spo2": 97}, nurse, clock.now())
    reconcile.reconcile(clock.now())
    alert = Alert.objects.get()
    assert (alert.kind, alert.level, alert.session, alert.status) == ("systolic_high", "emergency", session, "open")
    assert alert.act_by == alert.created_at + 5 * MINUTE
    assert Message.objects.filter(alert=alert, urgent=True, status="due").exists()
    record_vitals(session, {"systolic": 190, "diastolic": 100, "spo2": 88}, nurse, clock.now())
    reconcile.reconcile(clock.now())
    reconcile.sweep(clock.now())
    assert sorted(Alert.objects.values_list("kind", flat=True)) == ["oxygen_low", "systolic_high"]
    alerts.close(alert.id, clinic.users["nurse"], "Given labetalol, 150 over 90 now.")
    reconcile.sweep(clock.now())
    assert Alert.objects.count() == 2, "what was known when it was closed is told no more"
    record_vitals(session, {"systolic": 181, "diastolic": 100}, nurse, clock.now())
    reconcile.reconcile(clock.now())
    assert Alert.objects.filter(kind="systolic_high").count() == 2


def test_a_severe_adverse_event_is_told_and_passed_on(clinic: Clinic) -> None:
    session, now = under_way(clinic), clock.now()
    for grade in (2, 3):
        told_of = Report(grade, "syncope", now, "treated", "ongoing")
        report(session, told_of, clinic.users["nurse"], clock.now())
        reconcile.reconcile(clock.now())
    alert = Alert.objects.get()
    assert alert.adverse_event is not None
    assert (alert.kind, alert.level, alert.adverse_event.grade) == ("severe_event", "high", 3)
    assert alerts.escalate(now + 25 * HOUR) == 1
    alert.refresh_from_db()
    assert alert.step == 1


def test_an_organizations_threshold_holds_for_readings(clinic: Clinic) -> None:
    own = {"level": "urgent", "at_least": 94, "act_minutes": 5, "escalate_minutes": 5, "source": "our policy"}
    FlagRule.objects.create(organization=clinic.organization, kind="oxygen_low", **own)
    record_vitals(under_way(clinic), {"spo2": 93}, clinic.users["nurse"], clock.now())
    reconcile.reconcile(clock.now())
    assert (Alert.objects.get().kind, Alert.objects.get().level) == ("oxygen_low", "urgent")


def test_what_went_ill_days_ago_is_told_no_more(clinic: Clinic) -> None:
    session = under_way(clinic)
    record_vitals(session, {"spo2": 80}, clinic.users["nurse"], clock.now())
    reconcile.reconcile(clock.now() + 25 * HOUR)
    assert not Alert.objects.exists()


def test_every_kind_of_alert_has_words_for_people_in_both_languages() -> None:
    assert set(words.ALERTS) == set(red_flags.rules())
    english = {kind: words.alert_words(kind) for kind in words.ALERTS}
    assert len(set(english.values())) == len(english)
    with translation.override("es"):
        assert all(words.alert_words(kind) != said for kind, said in english.items())


def test_every_rule_has_a_source_and_a_clock() -> None:
    for rule in red_flags.rules().values():
        assert rule.source
        assert 0 < rule.escalate_minutes <= max(rule.act_minutes, 15)
    assert red_flags.suicide_items() == {"PHQ-9", "ASQ"}


def test_an_organization_changes_level_and_clock_for_itself_alone(clinic: Clinic) -> None:
    assert clinic.other is not None
    own = {"level": "emergency", "at_least": None, "act_minutes": 15, "escalate_minutes": 5, "source": "our policy"}
    FlagRule.objects.create(organization=clinic.organization, kind="suicide_item", **own)
    assert alerts.rules_in_force(clinic.organization.id)["suicide_item"].escalate_minutes == 5
    assert alerts.rules_in_force(clinic.other.organization.id)["suicide_item"].escalate_minutes == 10
    now = clock.now()
    answer(ask(clinic), DARK, now)
    assert Alert.objects.get().level == "emergency"
    assert alerts.escalate(now + 5 * MINUTE) == 1


def test_a_clinician_is_reached_by_their_own_channels(clinic: Clinic) -> None:
    Pager.objects.create(user=clinic.site.on_call, phone="+13125550177", channels=["sms", "email"])
    answer(ask(clinic), DARK)
    assert set(Message.objects.filter(alert__isnull=False).values_list("channel", flat=True)) == {"sms", "email"}


def test_a_first_check_without_an_answer_is_asked_again_and_becomes_a_task(clinic: Clinic) -> None:
    MessagePlan.objects.filter(site=clinic.site).update(ask_again_hours=4)
    asked = ask(clinic, "NRS", ago=7 * HOUR)
    kinds = Message.objects.order_by("due_at").values_list("kind", "due_at")
    assert [kind for kind, _ in kinds] == ["follow_up_nrs_0h", "follow_up_nrs_0h_again"]
    assert kinds[1][1] - kinds[0][1] == 4 * HOUR
    assert missing.raise_tasks(asked.due_at + 9 * HOUR) == 0, "never sent, so never asked"
    Message.objects.update(status="sent", sent_at=clock.now())
    assert missing.raise_tasks(asked.due_at + 8 * HOUR - MINUTE) == 0
    assert missing.raise_tasks(asked.due_at + 8 * HOUR) == 1
    assert missing.raise_tasks(asked.due_at + 8 * HOUR) == 0
    task = Alert.objects.get()
    assert (task.kind, task.level, task.messages.count()) == ("no_answer", "medium", 0)
    assert alerts.escalate(asked.due_at + 33 * HOUR) == 1
    assert task.messages.count() >= 1, "a task that nobody takes for a day is told"


def test_a_failed_message_is_a_task_and_a_failed_alert_is_not(clinic: Clinic, mail: Catcher) -> None:  # noqa: F811
    mail.reply = lambda received: "554 nobody"
    answer(ask(clinic), DARK)
    reconcile.reconcile(clock.now())
    while delivery.send_batch():
        pass
    failed = Alert.objects.filter(kind="message_failed")
    assert not failed.exists()
    assert Alert.objects.get().messages.get().status == "failed"
    ask(clinic, "NRS", ago=9 * HOUR)
    delivery.send_batch()
    assert failed.get().message is not None


def shifts(user: User, *spans: tuple[int, int, int]) -> list[Shift]:
    return [Shift(day, time(start), time(end), user) for day, start, end in spans]


def test_a_roster_with_a_gap_is_refused_while_a_suicide_item_is_in_use(clinic: Clinic) -> None:
    nurse = clinic.users["nurse"]
    days = shifts(nurse, *((day, 8, 20) for day in range(7)))
    on_call.set_roster(clinic.site, days)
    protocol_with(clinic)
    with pytest.raises(RuleBroken) as refused:
        on_call.set_roster(clinic.site, days)
    assert refused.value.code == "roster_gap"
    assert refused.value.extra["gaps"][0] == {"from": "Mon 00:00", "until": "Mon 08:00"}
    nights = shifts(nurse, *((day, 20, 8) for day in range(7)))
    on_call.set_roster(clinic.site, days + nights)
    assert OnCallShift.objects.count() == 14
    on_call.set_roster(clinic.site, [])
    assert on_call.on_call(clinic.site, clock.now()) == clinic.site.on_call


def test_the_database_refuses_the_gap_too(committed: None, clinic: Clinic) -> None:
    protocol_with(clinic)
    roster = on_call.set_roster(clinic.site, shifts(clinic.users["nurse"], *((day, 0, 0) for day in range(7))))
    with pytest.raises(IntegrityError, match="empty"), transaction.atomic():
        roster.shifts.filter(weekday=3).delete()
    with pytest.raises(IntegrityError, match="empty"), transaction.atomic():
        roster.shifts.filter(weekday=6).update(end_time=time(23, 59))
    assert roster.shifts.count() == 7
    assert Roster.objects.count() == 1


def test_only_those_who_treat_at_the_site_are_on_call(clinic: Clinic) -> None:
    assert clinic.other is not None
    for user in (clinic.users["front_desk"], clinic.users["patient"], clinic.other.users["nurse"]):
        with pytest.raises(Invalid):
            on_call.set_roster(clinic.site, shifts(user, *((day, 0, 0) for day in range(7))))


@pytest.mark.parametrize("name", ["America/Chicago", "Australia/Lord_Howe", "America/St_Johns"])
def test_no_hour_of_the_year_is_empty_whatever_the_clocks_do(clinic: Clinic, name: str) -> None:
    clinic.site.time_zone = name
    clinic.site.save()
    nurse, prescriber = clinic.users["nurse"], clinic.users["prescriber"]
    on_call.set_roster(
        clinic.site,
        shifts(nurse, *((day, 2, 14) for day in range(7))) + shifts(prescriber, *((day, 14, 2) for day in range(7))),
    )
    changes = [datetime(2027, month, day, tzinfo=UTC) for month, day in ((3, 14), (4, 3), (10, 2), (11, 7))]
    for first in changes:
        for quarter in range(0, 48 * 4, 2):
            at = first + quarter * timedelta(minutes=15)
            hour = at.astimezone(ZoneInfo(name)).hour
            assert on_call.on_call(clinic.site, at) == (nurse if 2 <= hour < 14 else prescriber)
