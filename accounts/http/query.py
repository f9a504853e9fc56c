"""Query parameters: only those that the endpoint knows, each once, in plain text of a sane length."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

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


def parameter(request: Request, name: str, field: serializers.Field) -> Any:
    """A query parameter that must be there, as `field` reads it; 400 where it is missing or wrong."""
    if name not in request.query_params:
        raise bad_parameter(name, "required", f"`{name}` is required.")
    field._context = {"request": request}  # type: ignore[attr-defined]
    try:
        return field.run_validation(request.query_params[name])
    except serializers.ValidationError as error:
        fault: Any = error.get_full_details()
        raise bad_parameter(name, fault[0]["code"], fault[0]["message"]) from None
