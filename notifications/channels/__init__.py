"""Ways to reach a patient. Each takes a text and an address and says for certain what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Text:
    """What is said. `subject` is empty where the channel has none."""

    subject: str
    body: str


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


def open_channel(name: str) -> Channel:
    """The channel of this name, one of `accounts.models.Channel`; KeyError for another one."""
    # Imported here because the channels themselves import the words above.
    from notifications.channels.email import open_email
    from notifications.channels.sms import open_sms

    return {"email": open_email, "sms": open_sms}[name]()
