"""Why there is no plan, and what would help, as it goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import translation

from accounts.http import fields
from accounts.http.serializers import StrictSerializer
from scheduler.wording import clock
from sessions import why_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scheduler.plans import Wishes
    from scheduler.reasons import Reason
    from scheduler.relaxations import Relaxation


class ReasonSerializer(StrictSerializer):
    """One rule that stands in the way; `session` is a number in the series. `for_staff` only staff are shown."""

    code = fields.TextField()
    detail = fields.TextField()
    session = fields.StrictInteger(required=False, allow_null=True)
    for_staff = fields.TextField(allow_null=True)


class RelaxationSerializer(StrictSerializer):
    """A change with which a plan exists: fields of the request, each whole; null where no request can say it."""

    codes = fields.StrictList(child=fields.TextField())
    change = fields.StrictJSON(allow_null=True)
    detail = fields.TextField()


class InfeasibleSerializer(StrictSerializer):
    """Why there is no plan: rules that together leave none, and the smallest changes that would do."""

    reasons = ReasonSerializer(many=True)
    relaxations = RelaxationSerializer(many=True)


def shown(
    reasons: Sequence[Reason],
    relaxations: Sequence[Relaxation],
    asked: Mapping[str, Any],
    wishes: Wishes,
    to_staff: bool,
) -> dict[str, Any]:
    """What was found, for an answer to the request body `asked` that came to `wishes`; in the reader's language."""
    language = why_words.spoken(translation.get_language())
    return {
        "reasons": [
            {
                "code": reason.code,
                "detail": why_words.reason(reason, language),
                "session": reason.session,
                "for_staff": why_words.reason_for_staff(reason, language) if to_staff else None,
            }
            for reason in reasons
        ],
        "relaxations": [
            {
                "codes": list(each.codes),
                "change": None if each.wishes is None else change(asked, wishes, each.wishes),
                "detail": why_words.change(each, language),
            }
            for each in relaxations
        ],
    }


def change(asked: Mapping[str, Any], wishes: Wishes, wanted: Wishes) -> dict[str, Any]:
    """The fields of the request body that turn one set of wishes into the other, each whole."""
    changed: dict[str, Any] = {}
    if wanted.earliest != wishes.earliest:
        changed["earliest_date"] = wanted.earliest.isoformat()
    if wanted.latest != wishes.latest:
        changed["latest_date"] = wanted.latest.isoformat()
    preferences = dict(asked.get("preferences") or {})
    before = dict(preferences)
    if wanted.weekdays != wishes.weekdays:
        preferences["weekdays"] = sorted(wanted.weekdays or range(7))
    if wanted.time_windows != wishes.time_windows:
        preferences["time_windows"] = [
            {"from": clock(since), "until": clock(until)} for since, until in wanted.time_windows
        ]
    for name, value in preferences.copy().items():
        if (name, value) == ("time_windows", []) or (name in ("provider", "chair_kind") and not getattr(wanted, name)):
            del preferences[name]
    if preferences != before:
        changed["preferences"] = preferences
    return changed
