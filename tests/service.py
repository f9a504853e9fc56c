"""The service as it is shipped, and whoever speaks to it by HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")

RUN = Path(__file__).resolve().parent.parent / "bin" / "run"
SET_FROM_OUTSIDE = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENVIRONMENT", "ALLOWED_HOSTS", "PUBLIC_URL", "SMS_URL")
PATIENCE = 180.0  # seconds that anything may take on a busy machine


def eventually(look: Callable[[], Found], what: str) -> Found:
    """Look until something true is found, and return it; fail where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: did not happen within {PATIENCE} s"
        time.sleep(0.1)
    return found


@contextmanager
def running(data: Path, email_url: str) -> Iterator[str]:
    """Start `bin/run` with its demo in a new data folder, its mail going to `email_url`; the address of the service."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ours = {name: value for name, value in os.environ.items() if name not in SET_FROM_OUTSIDE}
    log = data.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [RUN, "--port", str(port), "--data-dir", str(data)],
            env=ours | {"EMAIL_URL": email_url},
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: "Ready after" in log.read_text() or process.poll() is not None, "the service's start")
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


class Client:
    """A person who is signed in and speaks JSON."""

    def __init__(self, address: str, email: str, password: str) -> None:
        self.address = f"{address}/api/v1/"
        self.headers: dict[str, str] = {}
        self.headers["Authorization"] = "Bearer " + self.post("auth/login/", email=email, password=password)["token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """The status and the body of an answer; `path` is below the API's base, or a whole address."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(path if path.startswith("http") else self.address + path, data, self.headers, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def get(self, path: str, **query: str) -> Any:
        """The body of an answer that must be a success."""
        return self._fine("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, **body: Any) -> Any:
        """The body of an answer that must be a success."""
        return self._fine("POST", path, body)

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        page = self.get(path, **query)
        while True:
            found += page["results"]
            if page["next"] is None:
                return found
            page = self.get(page["next"])

    def _fine(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        status, answer = self.call(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer


class Form(HTMLParser):
    """The radio buttons of a page: for each name the values that may be chosen."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.choices: dict[str, list[str]] = {}
        self.required: set[str] = set()
        self.hidden: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down one input; called by the parser."""
        told = {name: value or "" for name, value in attrs}
        if tag != "input":
            return
        if told.get("type") == "radio":
            self.choices.setdefault(told["name"], []).append(told["value"])
            if "required" in told:
                self.required.add(told["name"])
        elif told.get("type") == "hidden":
            self.hidden[told["name"]] = told["value"]


def open_page(address: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
    """The status and the page that a browser without cookies is shown; with `fields`, after it has sent that form."""
    try:
        with urlopen(
            Request(address, None if fields is None else urlencode(fields).encode()), timeout=PATIENCE
        ) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def link_in(text: str) -> str:
    """The one link in a mail beside the one that ends all mails."""
    found = re.findall(r"http\S+", re.split(r"\n-- ?\r?\n", text)[0])
    assert len(found) == 1, text
    return str(found[0])
