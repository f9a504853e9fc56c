"""What beat asks of this floor: windows that pass, offers. Tasks carry no arguments: what to do is in the rows."""

from __future__ import annotations

from celery import shared_task

from accounts import clock
from sessions import course, offering, sweep


@shared_task(name="sessions.tick")
def tick() -> None:
    """Mark the series whose lost session can no longer be given again; find visits that nobody has noticed; end, take
    back and make offers.

    Any number of ticks may run at once: what one has done the next finds done.
    """
    now = clock.now()
    course.close_windows(now)
    sweep.sweep(now)
    offering.tick(now)
