"""Several calls to a provider at a time: a provider is far away, and most of a call is waiting.

The threads call and do nothing else. What is marked before and written after is the database's, and the caller's.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from notifications.channels import Channel, NotSent, Text, Unclear, open_channel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

logger = logging.getLogger(__name__)

# What the other side or we know the message by, or why it did not surely go out; None where it was not called for.
Outcome = str | NotSent | None


@dataclass(frozen=True, slots=True)
class Call:
    """One message to hand over; `reference` is its id."""

    reference: UUID
    text: Text
    to: str


class Lines:
    """Open channels of one name, as many as calls are made at a time, for the messages of one batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[Channel] = [open_channel(name)]
        self._ready: list[Channel] = []
        self._threads: ThreadPoolExecutor | None = None

    @property
    def keeps_keys(self) -> bool:
        """Whether the provider knows a repeat by its key."""
        return self._open[0].keeps_keys

    def prepare(self, wanted: int) -> int:
        """Get up to `wanted` lines ready, SENDING_AT_ONCE at most; how many are.

        A provider that takes fewer connections is served over those it takes. Temporary where it takes none.
        """
        self._ready = []
        for number in range(max(1, min(wanted, settings.SENDING_AT_ONCE))):
            if number == len(self._open):
                self._open.append(open_channel(self._name))
            try:
                self._open[number].prepare()
            except NotSent:
                if not self._ready:
                    raise
                break
            self._ready.append(self._open[number])
        return len(self._ready)

    def make(self, calls: Sequence[Call], until: float) -> list[Outcome]:
        """Make these calls over the lines that are ready, beginning none after `until`; what became of each."""
        outcomes: list[Outcome] = [None] * len(calls)
        # Shared by the threads: each takes the next one.
        waiting = iter(list(enumerate(calls)))

        def work(channel: Channel) -> None:
            for number, call in waiting:
                if time.monotonic() >= until:
                    return
                outcomes[number] = _made(channel, call)

        if len(calls) > 1 and len(self._ready) > 1:
            self._threads = self._threads or ThreadPoolExecutor(settings.SENDING_AT_ONCE, "call")
            list(self._threads.map(work, self._ready[: len(calls)]))
        elif calls:
            work(self._ready[0])
        return outcomes

    def close(self) -> None:
        """Let all lines go."""
        if self._threads:
            self._threads.shutdown()
        for channel in self._open:
            channel.close()


def _made(channel: Channel, call: Call) -> Outcome:
    try:
        return channel.send(call.text, call.to, call.reference)
    except NotSent as error:
        return error
    except Exception as error:
        return Unclear(fault(call.reference, error))


def fault(message_id: UUID, error: Exception) -> str:
    """The reason to keep for an error of ours: its kind alone. Its text may hold an address or what was written."""
    logger.error("message %s: %s", message_id, type(error).__name__)
    return f"a fault of ours ({type(error).__name__})"
