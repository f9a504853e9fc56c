"""`bin/bench` runs on servers of its own and tells limit, ours and ratio. The figures are not judged here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bin" / "bench"
SPREAD = r"[\d,.]+ \([\d,.]+ to [\d,.]+\)"
RATIO = re.compile(rf"^  limit  {SPREAD}\n  ours   {SPREAD}\n  ratio  {SPREAD}   target: .+$", re.MULTILINE)


def bench(*words: str) -> str:
    """What the command prints; fails where it does."""
    done = subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def headings(told: str) -> list[str]:
    """The measurements that have limit, ours and ratio below them, by their first words."""
    blocks = told.split("\n\n")[1:]
    return [block.partition(",")[0] for block in blocks if RATIO.search(block)]


def test_without_a_name_it_lists_them() -> None:
    names = ["api", "board", "booking", "levelling", "messages", "planner"]
    assert [line.split()[0] for line in bench().splitlines()] == names


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run([BENCH, "nothing"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "invalid choice: 'nothing'" in done.stderr


@pytest.mark.timeout(600)
def test_booking() -> None:
    told = bench("booking", "--quick")
    ways, bare = ["series on days of their own", "series on the same days"], "a bare handler on days of its own"
    assert headings(told) == [*ways, bare, "ours beside the bare handler"]
    assert told.count("ms of processor time an answer") == 3
    assert told.splitlines()[-1].startswith("of 108 series: doubled 0, deadlocks 0 ")
    assert told.count(", 36 answers") == 2


@pytest.mark.timeout(600)
def test_api() -> None:
    told = bench("api", "--quick")
    names = ["middleware alone", "one session", "list of 50"]
    assert headings(told) == [f"{name} beside an empty view" for name in names]


@pytest.mark.timeout(600)
def test_board() -> None:
    told = bench("board", "--quick")
    assert headings(told) == ["whole board beside an empty view", "nothing new beside an empty view"]
    assert "60 visits in 20 chairs, 10 open pages" in told
    assert re.search(r"queries: whole board \d+, of which \d+ read the day", told)


@pytest.mark.timeout(600)
def test_planner() -> None:
    told = bench("planner", "--quick")
    pure = [f"{size} sessions there: {kind}" for size in ("0", "500") for kind in ("plan", "plan from facts")]
    sites = ["0 sessions there", "300 sessions there", "300 sessions there and 300 outside"]
    kinds = ["cold facts", "warm facts", "POST plans"]
    assert headings(told) == [*pure, *(f"{site}: {kind}" for site in sites for kind in kinds)]
    assert told.count("five plans beside one") == 2
    # As many questions whatever is there.
    assert told.count("  queries  10 cold, 2 warm") == 3


def test_levelling() -> None:
    told = bench("levelling", "--quick")
    interval = r"-?[\d,.]+ \(-?[\d,.]+ to -?[\d,.]+\)"
    blocks = told.split("\n\n")[1:]
    assert [block.partition(",")[0].splitlines()[0] for block in blocks] == [
        "peak nurse load",
        "days to first session",
        "days off the target gap",
        "series placed",
        "requests without a plan",
    ]
    assert all(len(re.findall(rf"^  .+ {interval}$", block, re.MULTILINE)) == 5 for block in blocks)


@pytest.mark.timeout(600)
def test_messages() -> None:
    told = bench("messages", "--quick")
    beside = ["the claim loop alone", "the provider alone"]
    expected = [f"{name} beside {limit}" for name in ("HTTP", "SMTP") for limit in beside]
    assert headings(told) == [*expected, "worker beside empty Celery tasks"]
    assert "200 due at once: worker " in told.splitlines()[-1]
