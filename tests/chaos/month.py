"""`bin/chaos month`: 2,000 sessions that are booked, moved and cancelled over a change of clocks, under a fast clock.

What the service brought to a mail server is held against what a clerk reads from the rules, mail by mail, and when.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from django.conf import settings

from tests.catcher import Catcher
from tests.factories import make_clinic
from tests.month import lived, play, read_by_hand

if TYPE_CHECKING:
    from collections.abc import Callable


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether what was said is what the rules read."""
    chance = random.Random(seed)
    months = [lived(chance) for _ in range(60 if quick else 2_000)]
    began = time.monotonic()
    with Catcher() as catcher:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
        came = play(make_clinic(), months, catcher)
    read = [read_by_hand(events) for events in months]
    moved, cancelled = (
        sum(event[1] == what for events in months for event in events) for what in ("moved", "cancelled")
    )
    say(f"{len(months):,} sessions, {moved:,} moves, {cancelled:,} cancellations, {time.monotonic() - began:,.0f} s")
    missing = sum(len(wanted - found) for wanted, found in zip(read, came, strict=True))
    surplus = sum(len(found - wanted) for wanted, found in zip(read, came, strict=True))
    say(f"{sum(map(len, came)):,} mails, missing {missing}, not of the rules or not when they say {surplus}")
    return not (missing or surplus)
