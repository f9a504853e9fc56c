"""Random histories of change, some for each run; `bin/chaos change` plays thousands."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as ways
from hypothesis.stateful import run_state_machine_as_test

from tests.sessions.change_machine import Histories

if TYPE_CHECKING:
    from pathlib import Path

# Two sites each: clocks change within the history, in one of them; zones that have just changed their rules (M10 of
# reliability.md), whose clocks no longer change.
PLACES = [
    (("America/Chicago", "America/Phoenix"), datetime(2026, 10, 29, 15, tzinfo=UTC)),
    (("America/Chicago", "America/New_York"), datetime(2027, 3, 11, 15, tzinfo=UTC)),
    (("America/Vancouver", "America/Edmonton"), datetime(2026, 10, 29, 17, tzinfo=UTC)),
]
HISTORIES = int(os.environ.get("CHANGE_HISTORIES", "4"))
NUMBERED = count(1)
STEPS = int(os.environ.get("CHANGE_STEPS", "12"))


@pytest.mark.django_db
@pytest.mark.parametrize(("zones", "first"), PLACES)
def test_whatever_happens_nothing_is_wrong(
    zones: tuple[str, str], first: datetime, time_machine: Any, db: None, settings: Any, tmp_path: Path
) -> None:
    settings.SMS_URL = f"file://{tmp_path}"
    play(zones, first, time_machine, HISTORIES, STEPS)


def play(zones: tuple[str, str], first: datetime, traveller: Any, histories: int, steps: int) -> None:
    """Play so many histories of so many steps there and then, each rolled back."""
    from django.db import transaction

    class Here(Histories):
        def __init__(self) -> None:
            super().__init__()
            self.zones, self.first, self.traveller = zones, first, traveller
            # The same choices come to the same history: ids rise within a moment, and no history has those of another.
            rising = count(next(NUMBERED) << 40)
            self.ids = patch("accounts.ids.secrets.randbits", lambda _bits: next(rising))
            self.ground = transaction.atomic()
            self.ids.start()
            self.ground.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.ground.__exit__(None, None, None)
            self.ids.stop()

    run_state_machine_as_test(
        Here,
        settings=ways(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            database=None,
        ),
    )
