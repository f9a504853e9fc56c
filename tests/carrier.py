"""A server that is made from Twilio's own description of its API, on 127.0.0.1: it takes what the description allows,
refuses the rest, and answers what the description promises.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parent / "data/twilio/messages.json").read_text())
SID, TOKEN, NUMBER = "AC" + "0123456789abcdef" * 2, "secret-of-the-account", "+13125550111"

formats = FormatChecker()
formats.checks("phone-number")(lambda text: re.fullmatch(r"\+[1-9]\d{1,14}", text) is not None)
formats.checks("uri")(lambda text: urlsplit(text).scheme in {"http", "https"} and bool(urlsplit(text).hostname))

Answer = tuple[int, dict[str, Any], dict[str, str]]


class Carrier:
    """Use it as a context manager; `url` is what SMS_URL takes, `sent` are the forms that were accepted.

    `instead`, where a test sets it, gives another answer (status, body, headers); None drops the connection unanswered.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        self.sids: list[str] = []
        self.faults: list[str] = []
        self.instead: Callable[[dict[str, str]], Answer | None] | None = None
        carrier = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = carrier.answer(self.path, dict(self.headers), body)
                if answer is None:
                    self.connection.shutdown(SHUT_RDWR)
                    self.close_connection = True
                    return
                status, said, headers = answer
                written = json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """The account on this server, as SMS_URL takes it."""
        return f"twilio+http://{SID}:{TOKEN}@127.0.0.1:{self._server.server_port}?from={NUMBER}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """What the description says to a request."""
        found = [
            (parts, spec["post"]) for template, spec in DOCUMENT["paths"].items() if (parts := match(template, path))
        ]
        if not found:
            return 404, {"code": 20404, "status": 404}, {}
        parts, operation = found[0]
        expected = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if headers.get("Authorization") != expected or parts["AccountSid"] != SID:
            return 401, {"code": 20003, "status": 401}, {}
        content = operation["requestBody"]["content"]
        if headers.get("Content-Type") not in content:
            return 415, {"code": 20415, "status": 415}, {}
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        schema = content[headers["Content-Type"]]["schema"] | {"additionalProperties": False}
        self.faults += [fault.message for fault in validator(schema).iter_errors(form)]
        if self.faults:
            return 400, {"code": 21200, "status": 400}, {}
        if self.instead is not None:
            return self.instead(form)
        said = self._message(form, operation)
        self.sent.append(form)
        self.sids.append(said["sid"])
        return 201, said, {}

    def _message(self, form: dict[str, str], operation: dict[str, Any]) -> dict[str, Any]:
        schema = operation["responses"]["201"]["content"]["application/json"]["schema"]
        known: dict[str, Any] = {
            "to": form["To"],
            "body": form["Body"],
            "sid": "SM" + secrets.token_hex(16),
            "status": "queued",
        }
        known |= {"direction": "outbound-api", "account_sid": SID, "error_code": None}
        said = {
            name: known.get(name)
            for name in DOCUMENT["components"]["schemas"]["api.v2010.account.message"]["properties"]
        }
        validator(schema).validate({name: value for name, value in said.items() if value is not None})
        return said

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def match(template: str, path: str) -> dict[str, str] | None:
    """The parameters of a path that the template describes."""
    names = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    found = re.fullmatch(names, path)
    return found.groupdict() if found else None


def validator(schema: dict[str, Any]) -> Any:
    """A checker of a schema of the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}, format_checker=formats)
