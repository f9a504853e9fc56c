"""`bin/chaos whynot`: reasons and relaxations in small random clinics, against every choice of days tried by hand.

Case after case from the seed told on; a case that fails is told by its own seed, which given again begins with it.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from tests.scheduler.supposing import random_request
from tests.scheduler.test_why_not import check_reasons, check_relaxations

if TYPE_CHECKING:
    from collections.abc import Callable


def main(say: Callable[[str], None], seed: int, *, quick: bool) -> bool:
    """Whether everything held."""
    count, failed, without, offered = 10 if quick else 3_000, 0, 0, 0
    for each in range(seed, seed + count):
        case = random_request(each)
        try:
            if check_reasons(case):
                without += 1
                offered += check_relaxations(case)
        except Exception:
            failed += 1
            say(f"seed {each} failed:\n{traceback.format_exc()}")
    say(f"{count:,} cases, {without:,} without a plan, {offered:,} changes offered, {failed:,} failed")
    return not failed
