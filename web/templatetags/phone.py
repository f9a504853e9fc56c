"""Telephone numbers as links."""

from __future__ import annotations

import phonenumbers
from django import template

register = template.Library()


@register.filter
def dialled(number: str) -> str:
    """What a phone dials for `number` ("(312) 555-0100" gives "3125550100"); "" where there is nothing to dial."""
    digits = "".join(character for character in number if character in "0123456789")
    return f"+{digits}" if digits and number.strip().startswith("+") else digits


@register.filter
def readable(number: str) -> str:
    """A number as people of its country write it: "+13125550142" gives "(312) 555-0142"; others with their country."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    shape = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(parsed, shape.NATIONAL if parsed.country_code == 1 else shape.INTERNATIONAL)
