"""One strict reading of JSON (RFC 8259, I-JSON RFC 7493): what two readers could take in two ways is refused.

Every limit is checked before the work that it bounds, so that no body costs more than one pass over 64 KiB.
"""

from __future__ import annotations

import json
import math
import re
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

if TYPE_CHECKING:
    from rest_framework.request import Request

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 1000
MAX_NUMBER_LENGTH: Final = 64

# A string is consumed whole, even one without an end: so the scan is linear, and brackets in text do not count.
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|([\[{])|([\]}])', re.DOTALL)
_UNSPEAKABLE: Final = re.compile("[\x00\ud800-\udfff]")


class TooLarge(APIException):
    """413: the body is over `MAX_BYTES`."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A request has at most {MAX_BYTES // 1024} KiB."
    default_code = "too_large"


class LengthRequired(APIException):
    """411: a body in chunks. Its end is unknown, so nothing is read of it."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length, not in chunks."
    default_code = "length_required"


def check_headers(request: Request, expected: str = "application/json") -> None:
    """Refuse by its headers alone a body that could not be read: 411, 413, 415. An empty body needs no headers."""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise LengthRequired
    length = content_length(request)
    if length > MAX_BYTES:
        raise TooLarge
    if length == 0:
        return
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("", "Bodies are taken as they are, without Content-Encoding.")
    media_type, parameters = parse_header_parameters(request.META.get("CONTENT_TYPE", ""))
    if media_type != expected:
        raise UnsupportedMediaType(media_type, f"Bodies are {expected}.")
    if parameters.get("charset", "utf-8").strip('"').lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(media_type, "Bodies are UTF-8.")


def content_length(request: Request) -> int:
    """Bytes of the body as announced; 0 where that is missing or no number (Django then reads none)."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class StrictJSONParser(BaseParser):
    """Gives the object that the body spells. An empty body is `{}`: most verbs need nothing said."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        try:
            raw = stream.read(MAX_BYTES + 1)
        except UnreadablePostError:
            _refuse("unreadable", "The body ended before its length.")
        if len(raw) > MAX_BYTES:
            raise TooLarge
        return read_object(raw)


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, `{}` for nothing at all. Raises ParseError with a code of its own for each fault."""
    if not raw:
        return {}
    if raw.startswith(b"\xef\xbb\xbf"):
        _refuse("byte_order_mark", "JSON has no byte order mark.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("not_utf8", "JSON is UTF-8.")
    _check_depth(text)
    found = _read(text)
    if not isinstance(found, dict):
        _refuse("not_an_object", "The body must be a JSON object.")
    _check_text(found)
    return found


def _refuse(code: str, detail: str) -> NoReturn:
    raise ParseError(detail, code=code)


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += 1 if match[1] else -1 if match[2] else 0
        if depth > MAX_DEPTH:
            _refuse("too_deep", f"At most {MAX_DEPTH} levels of nesting.")


def _read(text: str) -> Any:
    keys = 0

    def take_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        if keys > MAX_KEYS:
            _refuse("too_many_keys", f"At most {MAX_KEYS} keys.")
        found = dict(pairs)
        if len(found) != len(pairs):
            _refuse("duplicate_key", "A key stands twice in one object.")
        return found

    try:
        return json.loads(
            text,
            object_pairs_hook=take_pairs,
            parse_int=_take_integer,
            parse_float=_take_float,
            parse_constant=lambda _: _refuse("not_a_number", "NaN and Infinity are no JSON."),
        )
    except (ValueError, RecursionError):
        _refuse("not_json", "The body is not JSON.")


def _take_integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        _refuse("number_out_of_range", "Whole numbers have at most 64 bits.")
    return int(digits)


def _take_float(digits: str) -> float:
    value = float(digits) if len(digits) <= MAX_NUMBER_LENGTH else math.inf
    if math.isinf(value):
        _refuse("number_out_of_range", "This number is too large or too long.")
    return value


def _check_text(node: Any) -> None:
    """Refuse NUL and lone surrogates anywhere: PostgreSQL stores neither."""
    if isinstance(node, str):
        if _UNSPEAKABLE.search(node):
            _refuse("bad_character", "NUL and lone surrogates are not allowed.")
    elif isinstance(node, dict):
        for key, value in node.items():
            _check_text(key)
            _check_text(value)
    elif isinstance(node, list):
        for value in node:
            _check_text(value)
