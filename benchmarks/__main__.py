"""`bin/bench NAME... [--quick]` runs benchmarks, all on the same servers; without a name it lists them."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from benchmarks.common import say, servers

if TYPE_CHECKING:
    from types import ModuleType

NAMES = {
    "api": "reads by HTTP, beside an empty view",
    "board": "the board of a day of 60 visits with 10 open pages, beside an empty view",
    "booking": "series booked by HTTP, beside raw SQL that inserts as many rows",
    "levelling": "a simulated year booked with the objective, beside first-fit",
    "messages": "messages through worker and providers, beside the claim loop, the providers alone and empty tasks",
    "pages": "the ten most used pages: server time beside an empty view, queries, weight, first paint on a slow phone",
    "planner": "the pure planner, its facts and `POST plans/`, beside bare bit sets, a bare search and an empty view",
    "replan": "drafts for days of 60 visits that lose a nurse, a chair or everything, beside rebooking everybody",
    "start": "a start of `bin/run` in a used folder to ready, beside what no start can do without; memory at rest",
    "waitlist": "a simulated year of freed places that are offered to who waits",
}
# What has a part that needs no servers, the name of its other part, and what has no other.
WITHOUT_SERVERS = {"levelling", "planner", "start"}
ON_SERVERS = {"planner": "plans"}
ALONE = {"levelling", "start"}


def main(words: list[str]) -> int:
    """Exit status: 0 measured or listed, 1 not measured (the reason is told), 2 no such benchmark."""
    parser = argparse.ArgumentParser(prog="bin/bench", allow_abbrev=False, description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs; its figures mean nothing")
    chosen = parser.parse_args(words)
    if unknown := [name for name in chosen.names if name not in NAMES]:
        parser.error(f"invalid choice: {unknown[0]!r} (choose from {', '.join(NAMES)})")
    if not chosen.names:
        for name, what in NAMES.items():
            say(f"{name:10}{what}")
        return 0
    # Servers and temporary folders are cleared away on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load = os.getloadavg()[0]
    busy = ": busy, so trust nothing but ratios, and those little" if load > (os.cpu_count() or 1) / 2 else ""
    say(f"{os.cpu_count()} processors, load {load:.1f}{busy}")
    for name in chosen.names:
        if name in WITHOUT_SERVERS:
            begin(name).main(chosen.quick)
    if names := [ON_SERVERS.get(name, name) for name in chosen.names if name not in ALONE]:
        with servers() as ground:
            # Only now, since they import models, which need settings that know the servers.
            from tests.emptying import empty_tables

            for name in names:
                begin(name).main(ground, chosen.quick)
                empty_tables()
    return 0


def begin(name: str) -> ModuleType:
    """The benchmark's module, once it is told which one begins."""
    say(f"\n== {name}")
    return importlib.import_module(f"benchmarks.{name}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
