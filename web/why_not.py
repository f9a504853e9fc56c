"""Where there is no plan: what stands in the way in plain words, and wishes that could be let go, one tap each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import QueryDict

    from sessions.planning import Proposal

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


@dataclass(frozen=True)
class Retry:
    """A wish let go: the button's words, and the form's fields as they would then be sent."""

    words: str
    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Explained:
    """Sentences for people, and what could be tried."""

    sentences: Sequence[str]
    retries: Sequence[Retry]


def explained(found: Proposal, sent: QueryDict) -> Explained:
    """Put a proposal without plans into words; `sent` is the form that it answers."""
    known = [gettext(REASONS[reason.code]) for reason in found.reasons if reason.code in REASONS]
    return Explained(list(dict.fromkeys(known)), _retries(sent))


def _retries(sent: QueryDict) -> list[Retry]:
    """Each wish that was stated, let go by itself, then all of them."""
    loose: dict[str, dict[str, str | None]] = {
        _("Any day of the week"): {"weekdays": None},
        _("Any time of day"): {"times": "any"},
        _("No last day"): {"latest": None},
    }
    stated = {words: change for words, change in loose.items() if _narrows(sent, change)}
    if len(stated) > 1:
        stated[_("Any day and any time")] = {name: value for each in stated.values() for name, value in each.items()}
    return [Retry(gettext(words), _changed(sent, change)) for words, change in stated.items()]


def _narrows(sent: QueryDict, change: dict[str, str | None]) -> bool:
    return any(sent.get(name) not in (value, None, "") for name, value in change.items())


def _changed(sent: QueryDict, change: dict[str, str | None]) -> list[tuple[str, str]]:
    kept = [(name, value) for name, values in sent.lists() for value in values if name not in change]
    return [(name, str(value)) for name, value in kept if name != "csrfmiddlewaretoken"] + [
        (name, value) for name, value in change.items() if value is not None
    ]
