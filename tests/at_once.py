"""Several at one moment: for races on the real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Result = TypeVar("Result")


def together(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all jobs at one moment, each in a thread with a connection of its own; their results in order."""
    gate = Barrier(len(jobs))

    def run(job: Callable[[], Result]) -> Result:
        try:
            connection.ensure_connection()
            gate.wait(20)
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))
