"""Forms whose values the API's own serializers judge, so that page and API refuse the same, each fault at its field.

A field is named by where its value stands in the API's body, with dots: `phases.0.minutes.infuse`.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from web.fault_words import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rest_framework import serializers

    from accounts.models import User

NUMBERS: Final = re.compile(r"\d{1,6}(?:\s*,\s*\d{1,6})*", re.ASCII)
LONGEST: Final = 1000


class Numbers(forms.Field):
    """Whole numbers with commas between: one is a number, several a list by ordinal, none is None."""

    def to_python(self, value: Any) -> Any:
        """ "5" is 5, "2, 3" is [2, 3]."""
        text = str(value or "").strip()
        if not text:
            return None
        if len(text) > LONGEST or not NUMBERS.fullmatch(text):
            raise forms.ValidationError(_("A whole number, or several with commas between."))
        found = [int(part) for part in text.split(",")]
        return found[0] if len(found) == 1 else found

    def prepare_value(self, value: Any) -> Any:
        """[2, 3] is shown as "2, 3"."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class Lines(forms.Field):
    """A list of texts, one a line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        """The lines that say something."""
        text = str(value or "")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        """Each on a line of its own."""
        return "\n".join(value) if isinstance(value, list) else value


class RecordForm(forms.Form):
    """`sent` is what the API would be sent; `judge` asks its serializer and puts each fault at its field."""

    def sent(self) -> dict[str, Any]:
        """The values by their names."""
        return dict(self.cleaned_data)

    def place_of(self, path: str) -> str:
        """Where on the form stands what stands at `path` in the body."""
        return path

    def judge(
        self,
        shape: type[serializers.Serializer[Any]],
        user: User,
        record: Any = None,
        where: Mapping[str, Any] | None = None,
    ) -> Any:
        """The values as the use case takes them, None where there is a fault.

        `record` is what they change; `where` is what a new one belongs to and the form does not ask.
        """
        context = {"request": SimpleNamespace(user=user)}
        judged = shape(record, data={**self.sent(), **(where or {})}, partial=record is not None, context=context)
        if judged.is_valid():
            return judged.validated_data
        for path, detail in faults_in(judged.errors):
            self.put(path, detail)
        return None

    def put(self, path: str, detail: str) -> None:
        """The fault at the nearest field that holds what is wrong, else above the form."""
        place = self.place_of(path)
        while place and place not in self.fields:
            place = place.rpartition(".")[0]
        self.add_error(place or None, plain(detail))


def faults_in(errors: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each fault with the path that leads to it, as serializers tell them."""
    if isinstance(errors, dict):
        for name, inner in errors.items():
            below = path if name == "non_field_errors" else f"{path}.{name}".strip(".")
            yield from faults_in(inner, below)
    elif isinstance(errors, list):
        for number, inner in enumerate(errors):
            yield from faults_in(inner, path if isinstance(inner, str) else f"{path}.{number}".strip("."))
    else:
        yield path, str(errors)


def place_number(text: str) -> int | None:
    """The number of a phase or a row, as a form tells it; None for what is none of at most three digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


def at(values: Any, path: str) -> Any:
    """What stands at the path in nested dicts and lists; None where nothing does."""
    for part in path.split("."):
        if isinstance(values, list):
            values = values[int(part)] if int(part) < len(values) else None
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values


def put_at(values: Any, path: str, value: Any) -> None:
    """Put the value there; where a record on the way is missing, it is made."""
    *way, last = path.split(".")
    for part in way:
        values = values[int(part)] if isinstance(values, list) else values.setdefault(part, {})
    values[last] = value


def drop_at(values: Any, path: str) -> None:
    """Take away what stands at the path in nested dicts, where something does."""
    *way, last = path.split(".")
    for part in way:
        values = values.get(part) or {}
    values.pop(last, None)
