"""Query parameters: only those that the endpoint knows, each once, in plain text of a sane length."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from accounts.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from rest_framework.request import Request

LONGEST_VALUE = 1000


class BadParameter(Invalid):
    """400 for a query parameter; the answer's `errors` name it in `parameter`, for a pointer is into the body."""


def bad_parameter(name: str, code: str, detail: str) -> BadParameter:
    """The refusal of query parameter `name`."""
    refusal = BadParameter("", code, detail)
    refusal.errors = [{"pointer": "", "code": code, "detail": detail, "parameter": name[:100]}]
    return refusal


def check_parameters(request: Request, known: Collection[str]) -> None:
    """Refuse (400) a parameter that is unknown, comes twice, is too long or holds control characters."""
    for name, values in request.query_params.lists():
        if name not in known:
            raise bad_parameter(name, "unknown_parameter", "There is no such parameter here.")
        if len(values) > 1:
            raise bad_parameter(name, "repeated_parameter", "This parameter is given more than once.")
        if len(values[0]) > LONGEST_VALUE:
            raise bad_parameter(name, "max_length", f"At most {LONGEST_VALUE} characters.")
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in values[0]):
            raise bad_parameter(name, "control_character", "Control characters are not allowed.")
