"""Random histories of change, some for each run; `bin/chaos change` plays thousands."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.sessions.change_machine import Histories

# Where clocks change within the history, and where a zone has just changed its rules (reliability.md M10).
PLACES = [
    ("America/Chicago", datetime(2026, 10, 29, 15, tzinfo=UTC)),
    ("America/Chicago", datetime(2027, 3, 11, 15, tzinfo=UTC)),
    ("America/Vancouver", datetime(2026, 10, 29, 17, tzinfo=UTC)),
    ("America/Edmonton", datetime(2026, 10, 29, 16, tzinfo=UTC)),
]
HISTORIES = int(os.environ.get("CHANGE_HISTORIES", "5"))
STEPS = int(os.environ.get("CHANGE_STEPS", "14"))


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "first"), PLACES)
def test_whatever_happens_nothing_is_wrong(zone: str, first: datetime, time_machine: Any, db: Any) -> None:
    play(zone, first, time_machine, HISTORIES, STEPS)


def play(zone: str, first: datetime, traveller: Any, histories: int, steps: int) -> None:
    """Play so many histories of so many steps there and then, each rolled back."""
    from django.db import transaction

    class Here(Histories):
        def __init__(self) -> None:
            super().__init__()
            self.zone, self.first, self.traveller = zone, first, traveller
            self.ground = transaction.atomic()
            self.ground.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.ground.__exit__(None, None, None)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            database=None,
        ),
    )
