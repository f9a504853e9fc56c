"""A small day played on the service as it is shipped; `bin/chaos day` is the large one."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.day_played import Day
from tests.day_world import make_world

if TYPE_CHECKING:
    from pathlib import Path


def test_a_day_with_a_power_cut_is_on_the_board_as_its_history_tells_it(committed: None, tmp_path: Path) -> None:
    day = Day(make_world(chairs=6, waves=2, luck=Random(6)), tmp_path)
    try:
        day.service.wait_until_ready()
        day.play(staff=4, cuts=1, checks=4)
        assert day.wrong == []
        assert day.doubled_or_lost() == []
        assert (day.cuts, day.checks) == (1, 5)
    finally:
        day.service.stop()
