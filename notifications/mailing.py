"""Mails that let people in, sent one after another: their rows are claimed, told, and marked as sent.

A worker that dies between the two leaves the row to be tried again with another token: the newest mail is the one that
opens.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from accounts.models import Channel
from notifications.channels import NotSent, Text, open_channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class Ready:
    """A claimed row, what it says, and to which address."""

    row: Any
    text: Text
    to: str


def send_all(claim: Callable[[datetime], Ready | None], now: datetime) -> int:
    """Send what `claim` gives until it gives None; how many mails went out."""
    sent = 0
    with closing(open_channel(Channel.EMAIL)) as channel:
        while ready := claim(now):
            try:
                channel.prepare()
                channel.send(ready.text, ready.to, ready.row.pk)
            except NotSent as error:
                log.info("%s %s: %s", ready.row._meta.model_name, ready.row.pk, error.reason)
                continue
            type(ready.row).objects.filter(pk=ready.row.pk).update(sent_at=now)
            sent += 1
    return sent
