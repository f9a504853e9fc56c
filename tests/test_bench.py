"""`bin/bench` runs on servers of its own and tells limit, ours and ratio. The figures are not judged here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bin" / "bench"
NAMES = ["api", "board", "booking", "levelling", "messages", "pages", "planner", "replan", "start", "waitlist"]
SPREAD = r"[\d,.]+ \([\d,.]+ to [\d,.]+\)"
RATIO = re.compile(rf"^  limit  {SPREAD}\n  ours   {SPREAD}\n  ratio  {SPREAD}   target: .+$", re.MULTILINE)


def bench(*words: str) -> str:
    """What the command prints; fails where it does."""
    done = subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def headings(told: str) -> list[str]:
    """The measurements that have limit, ours and ratio below them, by their first words."""
    blocks = told.split("\n\n")
    return [block.partition(",")[0] for block in blocks if RATIO.search(block)]


def quick() -> dict[str, str]:
    """What each benchmark tells with tiny sizes, all run one after the other on the same servers."""
    parts = re.split(r"^== (\w+)\n", bench(*NAMES, "--quick"), flags=re.MULTILINE)
    return {name: told.strip("\n") for name, told in zip(parts[1::2], parts[2::2], strict=True)}


def test_without_a_name_it_lists_them() -> None:
    assert [line.split()[0] for line in bench().splitlines()] == NAMES


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run([BENCH, "nothing"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "invalid choice: 'nothing'" in done.stderr


def booking(quick: dict[str, str]) -> None:
    told = quick["booking"]
    ways, bare = ["series on days of their own", "series on the same days"], "a bare handler on days of its own"
    assert headings(told) == [*ways, bare, "ours beside the bare handler"]
    assert told.count("ms of processor time an answer") == 3
    assert told.splitlines()[-1].startswith("of 108 series: doubled 0, deadlocks 0 ")
    assert told.count(", 36 answers") == 2


def api(quick: dict[str, str]) -> None:
    told = quick["api"]
    names = ["middleware alone", "one session", "list of 50"]
    assert headings(told) == [f"{name} beside an empty view" for name in names]


def board(quick: dict[str, str]) -> None:
    told = quick["board"]
    assert headings(told) == ["whole board beside an empty view", "nothing new beside an empty view"]
    assert "60 visits in 20 chairs, 10 open pages" in told
    assert re.search(r"queries: whole board \d+, of which \d+ read the day", told)
    assert re.search(r"Two browsers: 2 drags in one, each shown in the other, which asks every 1500 ms", told)


def planner(quick: dict[str, str]) -> None:
    told = quick["planner"] + "\n\n" + quick["plans"]
    pure = [f"{size} sessions there: {kind}" for size in ("0", "500") for kind in ("plan", "plan from facts")]
    sites = ["0 sessions there", "300 sessions there"]
    kinds = ["cold facts", "cold facts and a plan from them", "warm facts", "POST plans"]
    assert headings(told) == [*pure, *(f"{site}: {kind}" for site in sites for kind in kinds)]
    assert told.count("  five plans ") == 4
    # As many questions whatever is there.
    asked = re.findall(r"^  queries  (\d+) cold, (\d+) warm$", told, re.MULTILINE)
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert "300 sessions in the window: with 300 outside beside none outside" in told


def levelling(quick: dict[str, str]) -> None:
    told = quick["levelling"]
    interval = r"-?[\d,.]+ \(-?[\d,.]+ to -?[\d,.]+\)"
    blocks = told.split("\n\n")[1:]
    assert [block.partition(",")[0].splitlines()[0] for block in blocks] == [
        "peak nurse load",
        "the same",
        "days to first session",
        "days off the target gap",
        "series placed",
        "requests without a plan",
    ]
    assert all(len(re.findall(rf"^  .+ {interval}$", block, re.MULTILINE)) == 5 for block in blocks)


def messages(quick: dict[str, str]) -> None:
    told = quick["messages"]
    providers = [f"{name} beside the provider alone" for name in ("HTTP", "HTTP 20 ms a call", "SMTP")]
    assert headings(told) == ["no calls beside the claim loop alone", *providers, "worker beside empty Celery tasks"]
    assert "200 due at once: worker " in told.splitlines()[-1]


def replan(quick: dict[str, str]) -> None:
    told = quick["replan"]
    assert headings(told) == ["one nurse out", "one chair down", "one closed day"]
    assert told.count("  draft     ") == told.count("  rebooking ") == 3


def start(quick: dict[str, str]) -> None:
    told = quick["start"]
    assert headings(told) == ["second start to ready"]
    assert re.search(rf"^  held   {SPREAD}$", told, re.MULTILINE)


def waitlist(quick: dict[str, str]) -> None:
    """What became of freed places, offers and wishes, and nothing that must never happen."""
    told = quick["waitlist"]
    assert [line.partition(":")[0] for block in told.split("\n\n")[1:4] for line in block.splitlines()[:1]] == [
        "places cancelled",
        "places given back by whoever came sooner",
        "offers",
    ]
    assert re.search(r"^wishes: [1-9]\d*, filled \d+, expired \d+$", told, re.MULTILINE)
    counted = re.findall(r"[a-z' ]+ (\d+)", told.splitlines()[-1].partition("   target: 0 each")[0])
    assert counted == ["0"] * 6


def pages(quick: dict[str, str]) -> None:
    """Ten pages with their queries, and the first paint of three."""
    told = quick["pages"]
    assert len(re.findall(r"^[a-z ]{12} +\d+ +[\d.]+ +[\d.]+ +[\d.]+$", told, re.MULTILINE)) == 10
    assert len(re.findall(r"first paint of \w+ on a slow phone: median \d+ ms", told)) == 3


@pytest.mark.timeout(600)
def test_each_measures_beside_its_limit() -> None:
    """One test, since all of them run one after the other on the same servers."""
    told = quick()
    for check in (api, board, booking, levelling, messages, pages, planner, replan, start, waitlist):
        check(told)
