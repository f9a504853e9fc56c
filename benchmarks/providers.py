"""An HTTP gateway for texts and an SMTP server in a process of their own, as providers are: they share no Python."""

from __future__ import annotations

import logging
import multiprocessing
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.catcher import Catcher
from tests.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection


class Providers(NamedTuple):
    """Where they listen: what SMS_URL takes, and the port of the SMTP server."""

    sms_url: str
    smtp_port: int


@contextmanager
def elsewhere(pause: float = 0) -> Iterator[Providers]:
    """Both, until the end of the block; the gateway takes `pause` seconds for each call."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, pause), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.close()
        process.terminate()
        process.join(10)


def _serve(pipe: Connection, pause: float) -> None:
    logging.disable()
    with Gateway() as gateway, Catcher() as catcher:
        gateway.pause = pause
        pipe.send(Providers(gateway.url, catcher.port))
        pipe.poll(None)
