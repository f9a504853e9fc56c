"""Telephone numbers as links."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def dialled(number: str) -> str:
    """What a phone dials for `number` ("(312) 555-0100" gives "3125550100"); "" where there is nothing to dial."""
    digits = "".join(character for character in number if character in "0123456789")
    return f"+{digits}" if digits and number.strip().startswith("+") else digits
