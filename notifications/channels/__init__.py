"""Ways to reach a person. Each takes a text and an address and says for certain what became of it.

A channel is one file here, named as `accounts.models.Channel` names it, with a function `open_channel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from accounts.models import Channel as Name

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Text:
    """What is said. A channel that has no place for a part leaves it out.

    `html` says the same as `body`. `calendar` is an iCalendar text with its METHOD, `calendars` are those of more
    visits, since one METHOD speaks of one (RFC 5546). `stop` is the address at which one POST ends such messages (RFC
    8058).
    """

    subject: str
    body: str
    html: str = ""
    calendar: str = ""
    stop: str = ""
    calendars: tuple[str, ...] = ()


class NotSent(Exception):  # noqa: N818  (what it says)
    """A message did not surely go out. `reason` is a short plain phrase without addresses."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Temporary(NotSent):
    """Surely not accepted; may be tried again, not before `retry_after` seconds where the other side asked for that."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Permanent(NotSent):
    """Surely not accepted, and trying again would not help."""


class DeadAddress(Permanent):
    """Nobody is reached at this address: it bounced, or no telephone has this number."""


class OptedOut(Permanent):
    """Who has this address wants nothing of us by this channel, as the other side knows."""


class Unclear(NotSent):
    """Perhaps accepted, perhaps not; nobody here can tell."""


class Channel(Protocol):
    """An open way. It serves the messages of one batch, one after another, and is closed after them.

    Where it `keeps_keys`, the other side knows a repeat by its `reference` and drops it, so what is unclear is simply
    handed over again. Elsewhere nobody can tell, and only what must not be missed is said again.
    """

    keeps_keys: bool

    def prepare(self) -> None:
        """Get ready to send (connect). Temporary where that fails; nothing is handed over by it."""

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Hand over one message and return what the other side or we know it by.

        `reference` is the message's own id, the same at every try. Raises Temporary, Permanent or Unclear.
        """

    def close(self) -> None:
        """Let go of what `prepare` took. Raises nothing."""


def seconds(retry_after: str) -> float | None:
    """What a header `Retry-After` asks for in seconds; None where it holds a date or nothing that can be read."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else None


def open_channel(name: str) -> Channel:
    """The channel of this name, one of `accounts.models.Channel`; ValueError for another one."""
    opened: Channel = import_module(f"{__name__}.{Name(name)}").open_channel()
    return opened
