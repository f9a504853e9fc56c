"""Text messages, over the carrier that SMS_URL names: Twilio (`twilio://ACCOUNT_SID:AUTH_TOKEN@api.twilio.com?from=+1...`),
or in development a file (`file:///folder`) that gets a JSON line for each text.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from django.conf import settings

from accounts import clock
from notifications.channels import Channel, Permanent, Temporary, Text, gateway, twilio

if TYPE_CHECKING:
    from uuid import UUID

FILE_NAME = "sms.jsonl"


def open_channel() -> Channel:
    """The channel for SMS_URL."""
    account = twilio.account()
    if account:
        return twilio.TwilioChannel(account)
    return gateway.open_gateway() if settings.SMS_URL.startswith(gateway.SCHEME) else FileChannel(settings.SMS_URL)


class FileChannel:
    """Adds `{"id", "to", "text", "at"}` as one line to `sms.jsonl` in the folder of a `file://` address."""

    keeps_keys = False

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" and parts.path else None

    def prepare(self) -> None:
        """Nothing to get ready."""

    def send(self, text: Text, to: str, reference: UUID) -> str:
        """Write one line, by a single append, so that several writers cannot mix theirs; the message's id."""
        if self._folder is None:
            raise Permanent("no_sms_transport")
        line = {"id": str(reference), "to": to, "text": text.body, "at": clock.now().isoformat()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._folder / FILE_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, (json.dumps(line) + "\n").encode())
            finally:
                os.close(file)
        except OSError as error:
            raise Temporary(f"the file for texts cannot be written ({type(error).__name__})") from None
        return str(reference)

    def close(self) -> None:
        """Nothing to let go of."""
