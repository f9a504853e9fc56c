"""Where there is no plan: what stands in the way in plain words, and changes that would do, one tap each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from sessions import why_words
from web.wishes import fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessions.planning import Proposal

# What patients read, in their language; the scheduler's own sentences, in English, are for staff.
REASONS: Final = {
    "earliest_date": _("The first day that you chose is too late."),
    "latest_date": _("The last day that you chose is too soon."),
    "weekdays": _("On the weekdays that you chose there is no room."),
    "time_windows": _("At the times of day that you chose there is no room."),
    "provider": _("The person whom you asked for is not there, or has no time."),
    "chair_kind": _("A place of the kind that you asked for is not free."),
    "min_gap": _("The visits need some days between them."),
    "max_gap": _("The visits may not be too far apart."),
    "window": _("Some visits have to be on certain days after the first."),
    "span": _("All visits have to be within a certain time."),
    "closures": _("The clinic is closed on some of these days."),
    "opening_hours": _("The clinic is not open long enough."),
    "patient_busy": _("On those days there are other visits already."),
    "chair_need": _("The treatment needs a certain kind of place."),
    "chairs": _("No fitting place is free long enough on those days."),
    "nurses": _("No nurse is free long enough on those days."),
    "prescribers": _("No doctor is on duty long enough on those days."),
    "bookings": _("Other visits have the places on those days."),
    "too_few_days": _("There are not enough days to choose from."),
}
CHANGES: Final = {
    "time_windows": _("Other times of day"),
    "weekdays": _("More days of the week"),
    "earliest_date": _("Begin sooner"),
    "latest_date": _("More time until the last visit"),
    "chair_kind": _("Any place that fits"),
    "provider": _("Any nurse and doctor"),
}


@dataclass(frozen=True)
class Retry:
    """A change that would do: the button's words, and the form's fields as they would then be sent."""

    words: str
    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Explained:
    """Sentences for people, and what can be tried. `asks` are changes that only the clinic can make."""

    sentences: Sequence[str]
    retries: Sequence[Retry]
    asks: Sequence[str]


def explained(found: Proposal, sent: dict[str, Any], for_staff: bool) -> Explained:
    """Put a proposal without plans into words; `sent` is the form that it answers."""
    english = (translation.get_language() or "en").startswith("en")
    sentences = [
        why_words.reason_for_staff(each, "en") if for_staff and english else gettext(REASONS[each.code])
        for each in found.reasons
    ]
    retries, asks = [], []
    for change in found.relaxations:
        fields = None if change.wishes is None else fields_of(change.wishes, sent)
        words = why_words.change(change, "en").rstrip(".") if english else _in_words(change.codes)
        if fields is not None:
            retries.append(Retry(words, fields))
        elif for_staff:
            asks.append(words)
    return Explained(list(dict.fromkeys(sentences)), retries, asks)


def _in_words(codes: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(gettext(CHANGES.get(code, REASONS.get(code, code))) for code in codes))
