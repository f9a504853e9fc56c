"""Two hands on one thing: some rounds of each race; `bin/chaos change` runs hundreds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Role
from tests.factories import make_clinic
from tests.sessions.change_races import RACES, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

A_CLINIC = 50
ROUNDS = int(os.environ.get("CHANGE_ROUNDS", "12"))


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_one_winner_nothing_half_done_no_deadlock(
    committed: None, api: Callable[[Any], APIClient], postgres_log: Callable[[], str], race: Any
) -> None:
    for number in range(ROUNDS):
        if number % A_CLINIC == 0:
            clinic = make_clinic()
            one, two = api(clinic.users[Role.MANAGER]), api(clinic.users[Role.MANAGER])
        # Not on Sundays, each round on days of its own, and none beyond what can be booked.
        answers = race(clinic, one, two, 7 * (number % A_CLINIC // 2) + 3 * (number % 2))
        check(one, clinic, answers)
    assert "deadlock" not in postgres_log()
