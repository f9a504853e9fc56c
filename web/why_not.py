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
    "too_short_window": _(
        "All visits do not fit between the first and the last day. They need some days between them."
    ),
    "closed": _("On the days and times that you chose, the clinic is not open long enough."),
    "in_past": _("The days that you chose have gone by."),
    "patient_busy": _("On those days there are other visits already."),
    "no_chair": _("No fitting place is free long enough on those days."),
    "no_nurse": _("No nurse is free long enough on those days."),
    "no_prescriber": _("No doctor is on duty long enough on those days."),
    "no_common_time": _("Place, nurse and doctor are never free at the same time on those days."),
    "spacing": _("The days between the visits cannot be kept: the right days are taken."),
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
