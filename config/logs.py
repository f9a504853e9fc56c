"""What is logged and how: one JSON object a line, without health details, without keys to anything.

A link's token is a key to a questionnaire, an error of PostgreSQL holds the row that it refused, and an exception's
text may hold an address. So exceptions are logged as their kinds and the places they passed, tokens are taken out, and
a request is logged by its route, never by its address.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponse

TOKEN = re.compile(r"(/(?:check-in|follow-ups|calendar|stop)/)[A-Za-z0-9_.-]{40,}")
# What follows these words in PostgreSQL's errors are values: of the row, of a key, of a parameter, of the statement.
VALUES = re.compile(r"\b(DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+):.*", re.DOTALL)
# Ids that proxies make (UUIDs, trace ids). Nothing that could be a word is taken into the log.
REQUEST_ID = re.compile(r"[0-9a-fA-F-]{16,64}")

request_id: ContextVar[str] = ContextVar("request_id", default="")
requests = logging.getLogger("requests")
PROBES = re.compile(r"healthz/|metrics$")  # asked every few seconds; of interest only where they fail


class HideTokens(logging.Filter):
    """Replaces the tokens of links in a record's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record where it holds a token; never drops one."""
        text = record.getMessage()
        hidden = TOKEN.sub(r"\1...", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


class JsonLines(logging.Formatter):
    """A record as one line: `time` (UTC), `level`, `logger`, `message`; `request`, `error` and `at` where there are.

    JSON's own escapes keep a line break in a value from starting a line of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        error = record.exc_info[1] if record.exc_info else None
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record, error),
            "request": request_id.get(),
            "error": " from ".join(type(each).__qualname__ for each in _chain(error)),
            "at": _places(error),
        }
        return json.dumps({name: value for name, value in fields.items() if value})


def _message(record: logging.LogRecord, error: BaseException | None) -> str:
    """The text of a record, free of what its exceptions say."""
    if isinstance(record.args, Mapping) and "exc" in record.args:
        # Celery puts what a task raised into the text.
        record.args = {**record.args, "exc": type(error).__qualname__ if error else "an error"}
    text = record.getMessage()
    for each in _chain(error):
        for words in filter(None, (repr(each), str(each))):
            text = text.replace(words, type(each).__qualname__)
    return VALUES.sub(r"\1: ...", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _places(error: BaseException | None) -> list[str]:
    """File, line and function of each step that the error came through, innermost last."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class RequestLog:
    """Gives each request an id (a proxy's `X-Request-ID` is kept) and logs what became of it in one line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        name = given if REQUEST_ID.fullmatch(given) else str(uuid4())
        mark, begin = request_id.set(name), time.monotonic()
        try:
            response = self.get_response(request)
            # The route and not the address: addresses hold tokens, and searches hold names.
            route = request.resolver_match.route if request.resolver_match else "-"
            took = round((time.monotonic() - begin) * 1000)
            if response.status_code >= 400 or not PROBES.match(route):
                requests.info("%s %s %d %d ms", request.method, route, response.status_code, took)
        finally:
            request_id.reset(mark)
        response["X-Request-ID"] = name
        return response
