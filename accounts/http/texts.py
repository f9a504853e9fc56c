"""Fields of text: what a person writes, and addresses by which they are reached."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, ClassVar, Final
from zoneinfo import available_timezones

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

WRONG_TYPE: Final = "type"
_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Letters by class, yet drawn as nothing.
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class TextField(serializers.CharField):
    """Text as a person would write it: trimmed, something visible in it, no control characters, no bidi overrides.

    One line unless `multiline`. Codes: `type`, `blank`, `control_character`, `line_break`, `bidi_override`,
    `max_length`. At most 200 characters where nothing else is said.
    """

    default_error_messages: ClassVar = {
        WRONG_TYPE: "This must be a text.",
        "control_character": "Control characters are not allowed.",
        "line_break": "This must be one line.",
        "bidi_override": "Characters that turn the direction of writing are not allowed.",
    }

    def __init__(self, *, multiline: bool = False, **kwargs: Any) -> None:
        self.multiline = multiline
        kwargs.setdefault("max_length", 200)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, str) and self.trim_whitespace:
            # Line breaks at the ends are kept here and judged below: what hides a second line is refused, not mended.
            data = data.strip(None if self.multiline else " \t\u00a0\u3000")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        self._refuse_hidden(data)
        if data and not any(map(_visible, data)):
            self.fail("blank")
        return data

    def _refuse_hidden(self, text: str) -> None:
        for character in text:
            if character in "\r\n\u2028\u2029":
                if not self.multiline:
                    self.fail("line_break")
            elif character in _BIDI:
                self.fail("bidi_override")
            elif unicodedata.category(character) in {"Cc", "Cs"} and not (self.multiline and character == "\t"):
                self.fail("control_character")


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "ZC" and character not in _BLANK_LETTERS


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailField(TextField):
    """One e-mail address of at most 254 characters, in lower case; no address literals."""

    default_error_messages: ClassVar = {"invalid": "This is not one e-mail address."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 254)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        if not address:
            return address
        try:
            EmailValidator(allowlist=[])(address)
        except ValidationError:
            self.fail("invalid")
        if "[" in address or '"' in address:
            self.fail("invalid")
        return address.lower()


@extend_schema_field({"type": "string", "pattern": r"^\+[1-9]\d{6,14}$", "examples": ["+13125550142"]})
class PhoneField(TextField):
    """A phone number in E.164, such as +13125550142; premium-rate numbers are refused, since we would pay for them."""

    default_error_messages: ClassVar = {
        "invalid": "This is not a phone number in the international form, such as +13125550142.",
        "premium_rate": "Premium-rate numbers are not allowed.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 16)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text:
            return text
        if not _E164.fullmatch(text):
            self.fail("invalid")
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            self.fail("invalid")
        if not phonenumbers.is_possible_number(number):
            self.fail("invalid")
        if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
            self.fail("premium_rate")
        return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime", "posixrules"})


@extend_schema_field({"type": "string", "maxLength": 64, "examples": ["America/Chicago"]})
class TimeZoneField(TextField):
    """The name of an IANA time zone, such as America/Chicago; no POSIX strings, no paths. Gives the name."""

    default_error_messages: ClassVar = {"invalid": "This is not the name of a time zone, such as America/Chicago."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 64)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in _zones():
            self.fail("invalid")
        return name
