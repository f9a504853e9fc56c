"""E-mail over SMTP (EMAIL_URL), and over whatever other Django backend is set: the console in development, a provider's
HTTP interface by django-anymail (`EMAIL_URL=anymail+resend://?API_KEY=...`).

SMTP is spoken step by step, because what a lost connection means depends on the step. Until the server has answered
DATA with 354 it has been given no message, so it has surely accepted none. From the first byte of the text until its
reply after the final dot nobody can tell: `Unclear`. A reply, once read, decides: 2xx accepted, 4xx temporary, 5xx
permanent.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from email.mime.text import MIMEText
from email.utils import parseaddr
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from anymail.exceptions import AnymailRecipientsRefused, AnymailRequestsAPIError
from django.conf import settings
from django.core import mail
from django.core.mail.message import EmailMultiAlternatives

from notifications.channels import Channel, DeadAddress, Permanent, Temporary, Text, Unclear, seconds

if TYPE_CHECKING:
    from uuid import UUID

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# RFC 3463: no such mailbox, no such domain, address not valid, mailbox moved, domain takes no mail.
NOBODY_THERE = re.compile(rb"^5\.1\.(1|2|3|6|10)\b")
RECIPIENT_REFUSED = frozenset({550, 551, 553})


def open_channel() -> Channel:
    """The channel for EMAIL_URL."""
    return SmtpChannel() if settings.EMAIL_BACKEND == SMTP_BACKEND else BackendChannel()


@lru_cache(10)
def mailbox(sender: str) -> str:
    """The bare address of a sender that may have a name before it."""
    return parseaddr(sender)[1]


def _message(text: Text, to: str, reference: UUID) -> EmailMultiAlternatives:
    """The mail; its Message-ID is made of the message's id, so that each try carries the same one."""
    headers = {"Message-ID": _message_id(reference), "Auto-Submitted": "auto-generated"}
    if text.stop:
        headers |= {"List-Unsubscribe": f"<{text.stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    message = EmailMultiAlternatives(text.subject, text.body, settings.DEFAULT_FROM_EMAIL, [to], headers=headers)
    if text.html:
        message.attach_alternative(text.html, "text/html")
    for calendar in filter(None, (text.calendar, *text.calendars)):
        message.attach(_invitation(calendar))
    return message


def _invitation(calendar: str) -> MIMEText:
    """The calendar as a part that mail programs offer to take over: its type names the METHOD that is in it."""
    method = calendar.partition("METHOD:")[2].partition("\r\n")[0]
    part = MIMEText(calendar, "calendar", "utf-8")
    part.set_param("method", method)
    part.add_header("Content-Disposition", "attachment", filename="visit.ics")
    return part


def _written(message: EmailMultiAlternatives, to: str) -> bytes:
    """The mail as it goes over the wire. Permanent for an address or header that no mail can have."""
    try:
        to.encode("ascii")
        return message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
    except ValueError:
        raise Permanent("the mail cannot be written (an address or a header is not valid)") from None


def _message_id(reference: UUID) -> str:
    domain = mailbox(settings.DEFAULT_FROM_EMAIL).rpartition("@")[2]
    return f"<{reference}@{domain}>"


class SmtpChannel:
    """One SMTP connection, opened when first needed and kept for the batch."""

    keeps_keys = False

    def __init__(self) -> None:
        self._server: smtplib.SMTP | None = None
        self._broken = ""

    def prepare(self) -> None:
        """Connect where no connection stands. Once that has failed, it is not tried again in this batch."""
        if self._server is not None:
            return
        if self._broken:
            raise Temporary(self._broken)
        try:
            self._server = _connect()
        except (OSError, smtplib.SMTPException) as error:
            # A refused sign-in is ours to mend, not the message's fault: temporary, whatever its code.
            self._broken = f"no connection to the mail server ({type(error).__name__})"
            raise Temporary(self._broken) from None

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Hand over one mail; its Message-ID."""
        content = _written(_message(text, to, reference), to)
        self.prepare()
        assert self._server is not None
        self._offer(self._server, to)
        self._transmit(self._server, content)
        return _message_id(reference)

    def close(self) -> None:
        """Say goodbye and let the connection go."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.quit()
        except (OSError, smtplib.SMTPException):
            server.close()

    def _offer(self, server: smtplib.SMTP, to: str) -> None:
        """Envelope and DATA, up to the server's 354. Whatever goes wrong here, no message was given."""
        sender = mailbox(settings.DEFAULT_FROM_EMAIL)
        for command, expected in ((f"MAIL FROM:<{sender}>", 250), (f"RCPT TO:<{to}>", 250), ("DATA", 354)):
            try:
                code, said = server.docmd(command)
            except (OSError, smtplib.SMTPException, ValueError) as error:
                self._drop()
                raise Temporary(f"connection lost at {command[:4]} ({type(error).__name__})") from None
            if code != expected and not (command.startswith("RCPT") and code == 251):
                self._refused(server, command[:4], code, said)

    def _transmit(self, server: smtplib.SMTP, content: bytes) -> None:
        """The text, the final dot and the reply to it."""
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        try:
            server.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
            code, _ = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise Unclear(f"connection lost before the reply to the text ({type(error).__name__})") from None
        if not 200 <= code < 600:
            self._drop()
            raise Unclear("the reply to the text makes no sense")
        if code >= 300:
            self._refused(server, "text", code)

    def _refused(self, server: smtplib.SMTP, step: str, code: int, said: bytes = b"") -> None:
        """Raise what a refusal means, and leave the connection fit for the next mail."""
        try:
            alive = code != 421 and server.rset()[0] == 250
        except (OSError, smtplib.SMTPException):
            alive = False
        if not alive:
            self._drop()
        reason = f"the mail server refused with {code} at {step}"
        if step == "RCPT" and code in RECIPIENT_REFUSED and NOBODY_THERE.match(said):
            raise DeadAddress(reason)
        raise Permanent(reason) if 500 <= code < 600 else Temporary(reason)

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()


def _connect() -> smtplib.SMTP:
    address: dict[str, Any] = {
        "host": settings.EMAIL_HOST,
        "port": settings.EMAIL_PORT,
        "timeout": settings.EMAIL_TIMEOUT,
    }
    if settings.EMAIL_USE_SSL:
        server: smtplib.SMTP = smtplib.SMTP_SSL(**address, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(**address)
    try:
        if settings.EMAIL_USE_TLS:
            server.starttls(context=ssl.create_default_context())
        if settings.EMAIL_HOST_USER:
            server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


class BackendChannel:
    """Any other Django mail backend. A provider's answer is read; whatever else it raises leaves open what happened."""

    keeps_keys = False

    def prepare(self) -> None:
        """Nothing to get ready."""

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Give one mail to the backend; the provider's id of it or, where there is none, its Message-ID."""
        message = _message(text, to, reference)
        _written(message, to)
        try:
            mail.get_connection().send_messages([message])
        except AnymailRecipientsRefused:
            raise DeadAddress("the mail provider refused the recipient") from None
        except AnymailRequestsAPIError as error:
            raise _answered(error) from None
        except OSError as error:
            raise Unclear(f"the mail backend failed ({type(error).__name__})") from None
        known_as = getattr(getattr(message, "anymail_status", None), "message_id", None)
        return known_as if isinstance(known_as, str) else _message_id(reference)

    def close(self) -> None:
        """Nothing to let go of."""


def _answered(error: AnymailRequestsAPIError) -> Temporary | Permanent | Unclear:
    """What a provider's HTTP answer means; without one nobody can tell."""
    code = error.status_code
    if code is None or code >= 500:
        return Unclear(f"the mail provider failed ({code or 'no answer'})")
    reason = f"the mail provider refused with {code}"
    if code in {401, 403, 408, 429}:
        # A key that is not valid is ours to mend, not the message's fault.
        return Temporary(reason, retry_after=seconds(error.response.headers.get("Retry-After", "")))
    return Permanent(reason)
