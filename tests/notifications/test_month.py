"""A small month of a clinic through database, delivery, mail server and carrier; `bin/chaos month` is the large one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.clerk import Clerk
from tests.gateway import Gateway
from tests.lives import lived
from tests.month import play

if TYPE_CHECKING:
    from tests.catcher import Catcher
    from tests.factories import Clinic


def test_what_was_said_is_what_a_clerk_reads_message_by_message(clinic: Clinic, catcher: Catcher) -> None:
    chance = random.Random(20271110)
    lives = [lived(chance) for _ in range(10)]
    assert clinic.other is not None
    with Gateway() as gateway:
        came = play((clinic, clinic.other), lives, catcher, gateway)
    read = [Clerk(*life) for life in lives]
    for mine, theirs, life in zip(read, came, lives, strict=True):
        assert sorted(theirs.said, key=str) == sorted(mine.said, key=str), life
    assert [each.tasks for each in came] == [each.tasks for each in read]
    assert not [each.wrong for each in came if each.wrong]
    seen = {event.what for life in lives for event in life.events}
    assert seen == {"booked", "moved", "cancelled", "missed", "home", "answered", "stopped"}
    assert {said.channel for each in came for said in each.said if len(said.what) > 1} == {"email", "sms"}
