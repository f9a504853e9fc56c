"""Processes that deliver and die of it, each a copy of this one with a connection of its own."""

from __future__ import annotations

import os
import signal
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from django.db import connection

from accounts import clock
from notifications import delivery, lines
from notifications.models import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from notifications.channels import Channel
    from notifications.lines import Call, Outcome


def child(work: Callable[[], object]) -> int:
    """The id of a new process that does this and ends; 0 is its status unless it dies of it."""
    connection.close()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def died(process: int) -> bool:
    """Wait for its end; whether it was killed. Anything else but an end in order fails."""
    ended = os.waitpid(process, 0)[1]
    assert os.WIFSIGNALED(ended) or os.waitstatus_to_exitcode(ended) == 0, ended
    return os.WIFSIGNALED(ended)


def leases_run_out() -> None:
    """Those who hold rows have been gone for long."""
    Message.objects.filter(status="sending").update(lease_until=clock.now() - timedelta(hours=1))
    delivery.reap()


def send_in_dying_processes(deadly: Collection[UUID]) -> int:
    """Deliver all that is due by processes of which each dies as it calls for a deadly message; how many died."""
    called = lines._made

    def make(channel: Channel, call: Call) -> Outcome:
        if call.reference in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return called(channel, call)

    def deliver() -> None:
        with patch.object(lines, "_made", make):
            while delivery.send_batch():
                pass

    deaths = 0
    while Message.objects.filter(status="due").exists():
        deaths += died(child(deliver))
        leases_run_out()
    return deaths
