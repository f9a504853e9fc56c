"""A small month of a clinic through database, delivery and mail server; `bin/chaos month` is the large one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.month import lived, play, read_by_hand

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.catcher import Catcher
    from tests.factories import Clinic


def test_what_was_sent_is_what_a_clerk_reads_message_by_message(
    clinic: Clinic, catcher: Catcher, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
    chance = random.Random(20271107)
    months = [lived(chance) for _ in range(40)]
    assert play(clinic, months, catcher) == [read_by_hand(events) for events in months]
    assert {what for events in months for _, what, _ in events} == {"booked", "moved", "cancelled"}
