"""A check-in is opened by its link, answered once, scored, and its red flags are raised with the answer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import clock
from accounts.models import AuditEntry
from accounts.refusals import Conflict, Gone, Invalid, NotFound
from notifications import alerts, reconcile
from notifications.follow_ups import (
    answer_follow_up,
    drafted,
    forget_drafts,
    new_link,
    open_follow_up,
    revoke_links,
    save_draft,
)
from notifications.instruments import INSTRUMENTS
from notifications.models import Alert, FollowUp, FollowUpDraft, FollowUpLink
from tests.at_once import together
from tests.notifications.visits import HOUR, book, discharge, protocol_with

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Clinic

NOTHING = dict.fromkeys((f"phq9_{number}" for number in range(1, 10)), 0)
DARK = NOTHING | {"phq9_9": 1}


def ask(clinic: Clinic, instrument: str = "PHQ-9") -> FollowUp:
    """A follow-up that is due since a session of today."""
    now = clock.now()
    protocol = protocol_with(clinic, follow_ups=[{"instrument": instrument, "hours_after": 0}])
    discharge(book(clinic, now - 3 * HOUR, now - 9 * HOUR, protocol), now)
    reconcile.reconcile(now)
    return FollowUp.objects.get()


def token_of(follow_up: FollowUp) -> str:
    return new_link(follow_up).rstrip("/").rpartition("/")[2]


def refused(call: Any, *values: Any) -> str:
    with pytest.raises((Conflict, Gone, NotFound)) as caught:
        call(*values)
    return caught.value.code


def test_the_link_leads_to_the_check_in_page(clinic: Clinic, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://clinic.example"
    address = new_link(ask(clinic))
    assert address.startswith("https://clinic.example/check-in/")
    assert address.endswith("/")


def test_opening_changes_nothing(clinic: Clinic) -> None:
    asked = ask(clinic)
    token = token_of(asked)
    before = [list(model.objects.values()) for model in (FollowUp, FollowUpLink, FollowUpDraft)]
    for _ in range(2):
        opened = open_follow_up(token, clock.now())
        assert (opened, opened.session.site) == (asked, clinic.site)
    assert [list(model.objects.values()) for model in (FollowUp, FollowUpLink, FollowUpDraft)] == before


def test_an_answer_is_scored_and_kept(clinic: Clinic) -> None:
    token = token_of(ask(clinic))
    now = clock.now()
    answer_follow_up(token, NOTHING | {"phq9_1": 3, "phq9_2": 3, "phq9_3": 3, "phq9_4": 2}, now)
    stored = FollowUp.objects.get()
    assert (stored.score, stored.band, stored.answered_at) == (Decimal(11), "moderate", now)
    assert stored.answers == NOTHING | {"phq9_1": 3, "phq9_2": 3, "phq9_3": 3, "phq9_4": 2}
    assert not Alert.objects.exists()


def test_the_same_answers_again_are_the_same_answer_and_others_are_not(clinic: Clinic) -> None:
    token = token_of(ask(clinic))
    now = clock.now()
    answer_follow_up(token, DARK, now)
    again = answer_follow_up(token, dict(reversed(DARK.items())), now + 300 * HOUR)
    assert again.answered_at == now
    assert refused(answer_follow_up, token, NOTHING, now) == "already_answered"
    assert refused(answer_follow_up, token, {"phq9_9": True}, now) == "already_answered"
    assert refused(open_follow_up, token, now) == "already_answered"
    assert Alert.objects.count() == 1
    assert FollowUp.objects.get(instrument="PHQ-9").answers == DARK


def test_the_question_about_suicide_raises_an_urgent_alert_at_once(clinic: Clinic) -> None:
    asked = ask(clinic)
    answer_follow_up(token_of(asked), DARK, clock.now())
    alert = Alert.objects.get()
    assert (alert.kind, alert.level, alert.status) == ("suicide_item", "urgent", "open")
    assert (alert.owner, alert.follow_up, alert.patient) == (clinic.site.on_call, asked, asked.patient)


def test_who_thinks_of_death_is_asked_more_at_once_and_once(clinic: Clinic) -> None:
    asked, now = ask(clinic), clock.now()
    answer_follow_up(token_of(asked), DARK, now)
    more = FollowUp.objects.get(instrument="ASQ")
    assert (more.session, more.patient, more.due_at) == (asked.session, asked.patient, now)
    assert more.expires_at == now + 8 * HOUR
    answer_follow_up(token_of(asked), DARK, now + HOUR)
    assert FollowUp.objects.count() == 2
    yes = {f"asq_{number}": 1 for number in range(1, 6)}
    answer_follow_up(token_of(more), yes, now + HOUR)
    assert set(Alert.objects.values_list("kind", "level")) == {
        ("suicide_item", "urgent"),
        ("suicidal_now", "emergency"),
    }
    assert FollowUp.objects.count() == 2


def test_an_answer_without_its_alert_is_not_kept(clinic: Clinic, committed: None) -> None:
    asked = ask(clinic)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_alert ADD CONSTRAINT none_at_all CHECK (false) NOT VALID")
    try:
        with pytest.raises(Exception, match="none_at_all"):
            answer_follow_up(token_of(asked), DARK, clock.now())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE notifications_alert DROP CONSTRAINT none_at_all")
    assert FollowUp.objects.get().answered_at is None


@pytest.mark.parametrize(
    ("answers", "faults"),
    [
        ({}, {(f"/answers/phq9_{number}", "required") for number in range(1, 10)}),
        (NOTHING | {"phq9_9": 4}, {("/answers/phq9_9", "out_of_range")}),
        (NOTHING | {"phq9_9": True, "other": 1}, {("/answers/phq9_9", "invalid"), ("/answers/other", "unknown_item")}),
        ([1], {("/answers", "invalid")}),
    ],
)
def test_faulty_answers_are_refused_item_by_item(clinic: Clinic, answers: object, faults: set[tuple[str, str]]) -> None:
    token = token_of(ask(clinic))
    with pytest.raises(Invalid) as caught:
        answer_follow_up(token, answers, clock.now())
    assert {(fault["pointer"], fault["code"]) for fault in caught.value.errors} == faults
    assert FollowUp.objects.get().answered_at is None


def test_a_link_ends_when_it_expires(clinic: Clinic) -> None:
    asked = ask(clinic)
    assert asked.expires_at - asked.due_at == timedelta(days=7)
    open_follow_up(token_of(asked), asked.expires_at - timedelta(seconds=1))
    for call in (
        lambda at: open_follow_up(token_of(asked), at),
        lambda at: answer_follow_up(token_of(asked), DARK, at),
    ):
        assert refused(call, asked.expires_at) == "expired"


def test_a_false_link_leads_nowhere(clinic: Clinic) -> None:
    token = token_of(ask(clinic))
    other = "A" if token[-1] != "A" else "B"
    for false in (token[:-1], token[:-1] + other, token + "A", "", "x" * 5000, "é" * 64):
        assert refused(open_follow_up, false, clock.now()) == "not_found"
        assert refused(answer_follow_up, false, DARK, clock.now()) == "not_found"


def test_the_database_does_not_hold_the_link(clinic: Clinic) -> None:
    token = token_of(ask(clinic))
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(l::text, ' ') FROM notifications_followuplink l")
        assert token not in cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(string_agg(a::text, ' '), '') FROM accounts_auditentry a")
        assert token not in cursor.fetchone()[0]


def test_each_message_has_a_link_of_its_own_and_all_lead_to_one_form(clinic: Clinic) -> None:
    asked = ask(clinic)
    first, second = token_of(asked), token_of(asked)
    assert first != second
    assert open_follow_up(first, clock.now()) == open_follow_up(second, clock.now()) == asked
    answer_follow_up(first, DARK, clock.now())
    assert answer_follow_up(second, DARK, clock.now()).answered_at is not None
    assert refused(open_follow_up, second, clock.now()) == "already_answered"


def test_a_link_is_bound_to_its_form_by_the_database(clinic: Clinic) -> None:
    asked = ask(clinic)
    token_of(asked)
    other = FollowUp.objects.create(
        session=asked.session, patient=asked.patient, instrument="NRS", hours_after=9,
        due_at=asked.due_at, expires_at=asked.expires_at,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        FollowUpLink.objects.update(follow_up=other)


def test_a_revoked_link_is_gone_and_a_new_one_opens(clinic: Clinic) -> None:
    asked = ask(clinic)
    token, now = token_of(asked), clock.now()
    assert revoke_links(asked, now) == 1
    assert refused(open_follow_up, token, now) == "revoked"
    assert refused(answer_follow_up, token, DARK, now) == "revoked"
    assert refused(save_draft, token, {}, now) == "revoked"
    assert open_follow_up(token_of(asked), now) == asked


def test_a_form_that_has_changed_since_is_not_answered(clinic: Clinic) -> None:
    token, form = token_of(ask(clinic)), INSTRUMENTS["PHQ-9"]
    assert refused(answer_follow_up, token, DARK, clock.now(), "000000000000") == "form_changed"
    assert FollowUp.objects.get().answered_at is None
    assert answer_follow_up(token, DARK, clock.now(), form.version).form_version == form.version


def test_what_is_filled_in_is_kept_until_it_is_sent(clinic: Clinic) -> None:
    token, now = token_of(ask(clinic)), clock.now()
    save_draft(token, {"phq9_1": 2}, now)
    save_draft(token, {"phq9_1": 3, "phq9_9": 1}, now)
    assert drafted(open_follow_up(token, now)) == {"phq9_1": 3, "phq9_9": 1}
    assert not Alert.objects.exists()
    assert FollowUp.objects.get().score is None
    with pytest.raises(Invalid):
        save_draft(token, {"phq9_1": 4}, now)
    answer_follow_up(token, DARK, now)
    assert not FollowUpDraft.objects.exists()
    assert refused(save_draft, token, {"phq9_1": 0}, now) == "already_answered"


def test_a_draft_whose_time_is_over_is_forgotten_and_leaves_no_trace(clinic: Clinic) -> None:
    asked = ask(clinic)
    save_draft(token_of(asked), {"phq9_9": 3}, clock.now())
    assert forget_drafts(asked.expires_at - HOUR) == 0
    assert forget_drafts(asked.expires_at) == 1
    assert not AuditEntry.objects.filter(record_type__contains="draft").exists()


def test_a_session_that_has_not_ended_asks_nothing(clinic: Clinic) -> None:
    now = clock.now()
    session = book(clinic, now + 50 * HOUR, now)
    early = FollowUp.objects.create(
        session=session, patient=session.patient, instrument="NRS", hours_after=0, due_at=now, expires_at=now + HOUR
    )
    assert refused(open_follow_up, token_of(early), now) == "not_asked"
    assert refused(answer_follow_up, token_of(early), {"nrs_pain": 1}, now) == "not_asked"


def test_twenty_answers_at_once_are_one_answer_and_one_alert(committed: None, clinic: Clinic) -> None:
    token = token_of(ask(clinic))

    def answer(number: int) -> str:
        try:
            answer_follow_up(token, DARK | {"phq9_1": number % 4}, clock.now())
        except Gone:
            return "gone"
        return "taken"

    said = together([partial(answer, number) for number in range(20)])
    assert said.count("taken") == 5
    assert said.count("gone") == 15
    assert Alert.objects.count() == 1


def test_an_alert_is_acknowledged_once(clinic: Clinic) -> None:
    answer_follow_up(token_of(ask(clinic)), DARK, clock.now())
    nurse, prescriber = clinic.users["nurse"], clinic.users["prescriber"]
    owned = alerts.acknowledge(Alert.objects.get().id, nurse)
    assert (owned.status, owned.owner) == ("acknowledged", nurse)
    with pytest.raises(Conflict) as caught:
        alerts.acknowledge(owned.id, prescriber)
    assert caught.value.code == "already_done"
    assert caught.value.extra["by"] == str(nurse.id)
    assert Alert.objects.get().owner == nurse


def test_answers_and_alerts_are_in_the_audit_trail(clinic: Clinic) -> None:
    asked = ask(clinic)
    answer_follow_up(token_of(asked), DARK, clock.now())
    written = set(AuditEntry.objects.filter(patient_id=asked.patient_id).values_list("record_type", "action"))
    assert {("notifications_followup", "update"), ("notifications_alert", "insert")} <= written
