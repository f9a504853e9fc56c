"""An HTTP gateway for texts on 127.0.0.1 that keeps keys: what it has once taken it takes no second time."""

from __future__ import annotations

import json
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

TAKEN = 201
DROPPED = 0  # taken, and the connection ends without a word


class Gateway:
    """Use it as a context manager; `url` is what SMS_URL takes.

    `accepted` holds for each key (a message's id) when it was taken, by the clock of this process; `calls` how often
    it was brought. `reply`, where a test sets it, gives for (key, text) the status of the answer, or DROPPED. Each call
    takes `pause` seconds, however many there are at a time.
    """

    def __init__(self) -> None:
        self.accepted: dict[str, float] = {}
        self.texts: dict[str, tuple[str, str]] = {}
        self.calls: Counter[str] = Counter()
        self.reply: Callable[[str, str], int] = lambda key, text: TAKEN
        self.retry_after = ""
        self.pause = 0.0
        self._arrived = Condition()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The gateway's address, as SMS_URL takes it."""
        return f"gateway+http://127.0.0.1:{self._server.server_port}/texts"

    def take(self, key: str, to: str, text: str) -> int:
        """One call; the status of its answer."""
        with self._arrived:
            self.calls[key] += 1
            status = TAKEN if key in self.accepted else self.reply(key, text)
            if status in (TAKEN, DROPPED) and key not in self.accepted:
                self.accepted[key], self.texts[key] = time.time(), (to, text)
            self._arrived.notify_all()
            return status

    def wait_for(self, count: int, timeout: float = 60) -> None:
        """Until so many keys were taken; fails where they do not come in time."""
        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(self.accepted) >= count, timeout)
        assert enough, f"{len(self.accepted)} of {count} came within {timeout} s"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """A caller that was killed is nothing to speak of."""


def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers["Idempotency-Key"]
            Event().wait(gateway.pause)
            status = gateway.take(key, body["to"], body["text"])
            if status == DROPPED:
                self.close_connection = True
                return
            answer = json.dumps({"id": f"g-{key}"}).encode()
            head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
            head += f"Retry-After: {gateway.retry_after}\r\n" if gateway.retry_after else ""
            # One write: two would wait for each other's acknowledgement.
            self.wfile.write(head.encode() + b"\r\n" + answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
