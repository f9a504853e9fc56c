"""What the architecture page says is so: files and names in it exist, and ten things are found by it alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
# `folder/file.py: name` or `folder/file.py: name(...)`.
PLACES = re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)(?:: ([A-Za-z_]+))?", PAGE)


def test_every_file_that_is_named_is_there() -> None:
    assert len(PLACES) > 30
    assert [path for path, _ in PLACES if not (ROOT / path).is_file()] == []


def test_every_name_stands_in_the_file_beside_it() -> None:
    named = [(path, name) for path, name in PLACES if name]
    assert len(named) > 20
    missing = [
        (path, name)
        for path, name in named
        if not re.search(rf"^(?:def|class) {name}\b|^{name}\b.*=", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        ("the table of who may do what", "accounts/rights.py"),
        ("what a person may see", "accounts/queries.py"),
        ("the one predicate", "scheduler/day.py"),
        ("locks in one order", "sessions/door.py"),
        ("one table of moves", "sessions/lifecycle.py"),
        ("what should be said", "notifications/reminders.py"),
        ("due rows are claimed", "notifications/delivery.py"),
        ("the link in the mail is random, its hash is kept", "notifications/follow_links.py"),
        ("scored by the published rules", "notifications/instruments.py"),
        ("wall time becomes instants", "scheduler/walltime.py"),
    ],
)
def test_ten_things_are_found(thing: str, place: str) -> None:
    words = thing.split()
    lines = [line for line in PAGE.splitlines() if place in line]
    assert any(all(word in line for word in words[-2:]) for line in lines), lines
