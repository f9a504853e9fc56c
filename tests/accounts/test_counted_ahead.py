"""Calls are counted ahead by each process, and still never more are let through than the limit."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from accounts.http import throttles


def test_processes_that_count_ahead_let_no_more_through_than_the_limit(db: None) -> None:
    window = throttles.Window("everybody", 300, 60)
    processes = [throttles.Ahead() for _ in range(3)]
    assert processes[0].take(window) is None
    assert throttles._server().get(window.key) == b"3"  # a hundredth of the limit at once
    with ThreadPoolExecutor(6) as pool:
        tries = list(pool.map(lambda n: processes[n % 3].take(window), range(600)))
    let_through = 1 + tries.count(None)
    # Each process may have a rest that nobody asked for any more.
    assert 300 - 3 * 2 <= let_through <= 300
    assert all(1 <= wait <= 60 for wait in tries if wait is not None)


def test_what_was_counted_ahead_lapses_with_its_window(db: None) -> None:
    window, ahead = throttles.Window("somebody", 200, 60), throttles.Ahead()
    assert ahead.take(window) is None
    ((name, (left, until)),) = ahead.left.items()
    assert left == 1
    assert 0 < until - time.monotonic() <= 60
    window.clear()
    ahead.left[name] = (left, time.monotonic())
    assert ahead.take(window) is None
    assert throttles._server().get(window.key) == b"2"
    assert ahead.left[name][0] == 1
