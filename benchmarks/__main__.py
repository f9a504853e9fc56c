"""`bin/bench NAME [--quick]` runs one benchmark; without a name it lists them."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

from benchmarks.common import say, servers

NAMES = {
    "api": "reads by HTTP, beside an empty view",
    "board": "the board of a day of 60 visits with 10 open pages, beside an empty view",
    "booking": "series booked by HTTP, beside raw SQL that inserts as many rows",
    "levelling": "a simulated year booked with the objective, beside first-fit",
    "messages": "messages through worker and providers, beside the claim loop, the providers alone and empty tasks",
    "planner": "the pure planner, its facts and `POST plans/`, beside bare bit sets, a bare search and an empty view",
}


def main(words: list[str]) -> int:
    """Exit status: 0 measured or listed, 1 not measured (the reason is told), 2 no such benchmark."""
    parser = argparse.ArgumentParser(prog="bin/bench", allow_abbrev=False, description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs; its figures mean nothing")
    chosen = parser.parse_args(words)
    if chosen.name is None:
        for name, what in NAMES.items():
            say(f"{name:10}{what}")
        return 0
    # Servers and temporary folders are cleared away on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load = os.getloadavg()[0]
    busy = ": busy, so trust nothing but ratios, and those little" if load > (os.cpu_count() or 1) / 2 else ""
    say(f"{os.cpu_count()} processors, load {load:.1f}{busy}")
    if chosen.name in ("levelling", "planner"):
        importlib.import_module(f"benchmarks.{chosen.name}").main(chosen.quick)
    if chosen.name == "levelling":
        return 0
    with servers() as ground:
        # Only now, since it imports models, which need settings that know the servers.
        name = "plans" if chosen.name == "planner" else chosen.name
        importlib.import_module(f"benchmarks.{name}").main(ground, chosen.quick)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
