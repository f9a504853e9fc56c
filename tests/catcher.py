"""An SMTP server on 127.0.0.1 that keeps the mails it accepts and lets a test wait for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import cached_property
from threading import Condition, Thread
from typing import TYPE_CHECKING, Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

ACCEPTED = "250 Message accepted for delivery"


@dataclass(frozen=True)
class Mail:
    """One mail as it came in, and when. `recipients` are those of the envelope, `to` the first of them."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float = 0.0

    @cached_property
    def message(self) -> EmailMessage:
        """What a mail parser reads in it; only once somebody asks, for that takes longer than to send it."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def to(self) -> str:
        """The first recipient."""
        return self.recipients[0]

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part, decoded."""
        part = self.message.get_body(("plain",))
        assert part is not None, "the mail has no plain text"
        return str(part.get_content())


class Catcher:
    """Use it as a context manager; `url` is what EMAIL_URL takes.

    `reply`, where a test sets it, gives the server's answer to each mail; what it does not accept (2xx) is not kept.
    What it `drops` it keeps, and the connection ends without a word.
    Each mail takes `pause` seconds, half of them once it is kept.
    """

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.reply: Callable[[Mail], str] = lambda mail: ACCEPTED
        self.drops: Callable[[Mail], bool] = lambda mail: False
        self.pause = 0.0
        self.port = 0
        self._arrived = Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="catcher", daemon=True)

    @property
    def url(self) -> str:
        """The server's address, as EMAIL_URL takes it."""
        return f"smtp://127.0.0.1:{self.port}"

    def wait_for(
        self, count: int, timeout: float = 30, where: Callable[[Mail], bool] = lambda mail: True
    ) -> list[Mail]:
        """Wait until `count` mails for which `where` holds are here; return all such. Fails after `timeout` seconds."""

        def found() -> list[Mail]:
            return [mail for mail in self.mails if where(mail)]

        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(found()) >= count, timeout)
            if not enough:
                subjects = [mail.subject for mail in self.mails]
                raise AssertionError(f"{len(found())} of {count} mails came within {timeout} s; all: {subjects}")
            return found()

    def wait_for_some(self, count: int, timeout: float = 30) -> None:
        """Wait until `count` mails are here, whatever they are."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.mails) >= count, timeout), f"{len(self.mails)} mails came"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take one mail; called by the SMTP library."""
        content = cast("bytes", envelope.original_content)
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, time.time())
        await asyncio.sleep(self.pause / 2)
        reply = self.reply(mail)
        if reply.startswith("2"):
            with self._arrived:
                self.mails.append(mail)
                self._arrived.notify_all()
            if self.drops(mail):
                cast("asyncio.Transport", server.transport).abort()
        await asyncio.sleep(self.pause / 2)
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._server = listening.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True, loop=self._loop), "127.0.0.1", 0)
