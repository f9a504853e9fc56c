"""`bin/chaos NAME [--quick] [--seed N]` runs one set of faults; without a name it lists them."""

from __future__ import annotations

import argparse
import importlib
import random
import sys
from contextlib import nullcontext

from benchmarks.common import say, servers

NAMES = {
    "change": "races between two who change one thing, and random histories of change, each step checked",
    "day": "60 visits in 20 chairs played over HTTP, web and worker killed: the board beside the visits' histories",
    "messages": "the faults of delivery at full scale; 10,000 messages while workers and clocks are killed 200 times",
    "month": "2,000 visits over a change of clocks: each mail and each text beside the rules read by hand",
    "planner": "5,000 small clinics, the planner's plan beside the optimum by CP-SAT and by trying everything",
    "repair": "full days on which a nurse, a chair or all is lost: their repair beside the optimum by CP-SAT",
    "whynot": "3,000 requests in small random clinics: reasons and relaxations against every choice tried by hand",
}
# What only computes needs no servers, nor do tests that start their own.
PURE = {"change", "planner", "repair", "whynot"}


def main(words: list[str]) -> int:
    """Exit status: 0 all held or listed, 1 something did not hold, 2 no such name."""
    parser = argparse.ArgumentParser(prog="bin/chaos", allow_abbrev=False, description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES))
    parser.add_argument("--quick", action="store_true", help="small: shows that it runs")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the faults of an earlier run")
    chosen = parser.parse_args(words)
    if chosen.name is None:
        for name, what in NAMES.items():
            say(f"{name:10}{what}")
        return 0
    say(f"seed {chosen.seed}")
    with nullcontext() if chosen.name in PURE else servers():
        # Only now, since it imports models, which need settings that know the servers.
        held = importlib.import_module(f"tests.chaos.{chosen.name}").main(say, chosen.seed, quick=chosen.quick)
    say("All held." if held else "Something did not hold.")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
