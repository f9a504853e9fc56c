"""Each statement of delivery takes only what it may: of its own attempt, in the window, still to be said, forward."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from accounts import clock
from notifications import delivery, marking, telling
from notifications.channels import Permanent, Temporary, Unclear
from notifications.models import Alert, FollowUp, Message, MessageStatus
from tests.notifications.test_alerts import DARK, answer, ask
from tests.notifications.test_delivery import due, mail, only, run_out
from tests.notifications.visits import HOUR

if TYPE_CHECKING:
    from notifications.lines import Outcome
    from tests.catcher import Catcher
    from tests.factories import Clinic

__all__ = ["mail"]


@pytest.mark.parametrize("outcome", ["taken", Permanent("no"), Temporary("later"), Unclear("perhaps"), None])
def test_what_one_says_of_a_row_that_another_holds_by_now_is_not_taken(clinic: Clinic, outcome: Outcome) -> None:
    due(clinic)
    (late,) = delivery.claim()
    run_out()
    assert delivery.reap() == 1
    (holder,) = delivery.claim()
    before = Message.objects.values().get()
    delivery._finish([late], [outcome], keeps_keys=False)
    assert Message.objects.values().get() == before
    delivery._finish([holder], [outcome], keeps_keys=False)
    assert Message.objects.values().get() != before


@pytest.mark.parametrize("what", ["window", "answer", "alert"])
def test_the_mark_of_a_window_sees_what_came_after_it_was_read(clinic: Clinic, mail: Catcher, what: str) -> None:
    asked = ask(clinic)
    if what == "alert":
        answer(asked, DARK)
    due(clinic)
    claimed = delivery.claim()
    batch = telling.load([row.id for row in claimed])
    gone = Message.objects.get(alert__isnull=False) if what == "alert" else Message.objects.get(follow_up=asked)
    if what == "window":
        Message.objects.filter(id=gone.id).update(due_at=clock.now() - 2 * HOUR, not_after=clock.now() - HOUR)
    elif what == "answer":
        FollowUp.objects.filter(id=asked.id).update(answered_at=clock.now(), answers=DARK)
    else:
        Alert.objects.update(status="acknowledged", acknowledged_at=clock.now(), owner=clinic.site.on_call)
    assert gone.id in batch.tellings
    assert marking.mark_all(claimed, keyed=False, batch=batch).keys() == batch.tellings.keys() - {gone.id}


def test_a_mail_without_a_word_back_is_not_said_again_and_an_alert_is(clinic: Clinic, mail: Catcher) -> None:
    answer(ask(clinic), DARK)
    session = due(clinic)
    mail.drops = lambda received: True
    while delivery.send_batch():
        pass
    mail.drops = lambda received: False
    assert dict(Message.objects.exclude(status="skipped").values_list("urgent", "status")) == {
        True: "due",
        False: "unknown",
    }
    again = Message.objects.get(urgent=True)
    assert again.try_at - clock.now() <= timedelta(seconds=1.2 * delivery.URGENT_PAUSE_SECONDS)
    Message.objects.update(try_at=clock.now() - HOUR)
    while delivery.send_batch():
        pass
    came = sorted(received.to for received in mail.mails)
    assert came == sorted([clinic.site.on_call.email] * 2 + [session.patient.email])


FORWARD = {"sent": {"unknown"}, "delivered": {"sending", "unknown", "sent"}, "failed": {"unknown", "sent"}}


def test_a_providers_word_moves_a_message_only_forward(clinic: Clinic) -> None:
    due(clinic)
    for status, word in product(MessageStatus.values, FORWARD):
        Message.objects.update(status=status)
        moved = status in FORWARD[word]
        assert delivery.reconcile_outcome(str(only().id), word, "why") is moved, (status, word)
        assert only().status == (word if moved else status)
