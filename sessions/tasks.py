"""What beat asks of this floor: windows that pass. Tasks carry no arguments: what is to be done is in the rows."""

from __future__ import annotations

from celery import shared_task

from accounts import clock
from sessions import course, sweep


@shared_task(name="sessions.tick")
def tick() -> None:
    """Mark the series whose lost session can no longer be given again; find visits that nobody has noticed.

    Any number of ticks may run at once.
    """
    now = clock.now()
    course.close_windows(now)
    sweep.sweep(now)
