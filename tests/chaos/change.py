"""Changes: hundreds of rounds of each race, and thousands of random histories, by the tests that run a few of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
# Many short histories rather than few long ones: all that was found so far shrank to less than ten steps.
ROUNDS, HISTORIES, STEPS = 300, 700, 14
TESTS = ("tests/sessions/test_change_races.py", "tests/sessions/test_change_machine.py")


def main(say: Callable[[str], None], seed: int, quick: bool = False) -> bool:
    """Whether all held; histories are in three pairs of sites."""
    rounds, histories, steps = (3, 2, 8) if quick else (ROUNDS, HISTORIES, STEPS)
    say(f"{rounds} rounds of each race, {histories} histories of {steps} steps in each of three pairs of sites")
    words = {"CHANGE_ROUNDS": rounds, "CHANGE_HISTORIES": histories, "CHANGE_STEPS": steps}
    given = os.environ | {name: str(number) for name, number in words.items()}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", f"--hypothesis-seed={seed}", "--timeout=0", *TESTS]
    return subprocess.run(command, cwd=ROOT, env=given, check=False).returncode == 0
