"""Texts through an HTTP gateway of the clinic's own (SMS_URL=gateway+http://host/path), which keeps keys.

Spoken to it: `POST {"to", "text"}` with the header `Idempotency-Key`, the message's id, the same at every try. It
answers 2xx with `{"id"}` for what it took (the same answer again for a key that it knows), 429 or 503 with
`Retry-After` for what is to come later, any other 4xx for what will never do. Whatever else happens is unclear, and is
asked again by the key.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from notifications.channels import Channel, Permanent, Temporary, Text, Unclear

if TYPE_CHECKING:
    from uuid import UUID

SCHEME = "gateway+"
LATER = (429, 503)


def open_gateway() -> Channel:
    """The channel for SMS_URL."""
    return GatewayChannel(settings.SMS_URL)


class GatewayChannel:
    """One connection, opened when first needed and kept for the batch."""

    keeps_keys = True

    def __init__(self, url: str) -> None:
        parts = urlsplit(url.removeprefix(SCHEME))
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=settings.EMAIL_TIMEOUT)
        self._path = parts.path or "/"

    def prepare(self) -> None:
        """Connect where no connection stands."""
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError as error:
                raise Temporary(f"no connection to the gateway ({type(error).__name__})") from None

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Hand over one text; the gateway's id for it."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(reference)}
        try:
            self._connection.request("POST", self._path, json.dumps({"to": to, "text": text.body}), headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unclear(f"the gateway did not answer ({type(error).__name__})") from None
        return _understood(answer.status, body, answer.headers.get("Retry-After", ""), reference)

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()


def _understood(status: int, body: bytes, retry_after: str, reference: UUID) -> str:
    """The gateway's id where it took the text; raises what its answer means else."""
    if 200 <= status < 300:
        try:
            return str(json.loads(body)["id"])
        except (ValueError, KeyError, TypeError):
            return str(reference)
    reason = f"the gateway answered {status}"
    if status in LATER:
        raise Temporary(reason, float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None)
    if 400 <= status < 500:
        raise Permanent(reason)
    raise Unclear(reason)
