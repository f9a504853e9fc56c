"""`availability/`: what is free when at a site."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import clock
from accounts.http import fields
from accounts.http.query import bad_parameter, parameter
from accounts.http.serializers import StrictSerializer
from accounts.http.views import ApiView
from accounts.queries import visible_sites
from scheduler.models import ProviderRole
from scheduler.walltime import DAY, first_instant
from sessions.availability import availability

if TYPE_CHECKING:
    from rest_framework.request import Request

MOST_DAYS = 31


class Range(StrictSerializer):
    """A span of time, `end` not included."""

    start = fields.InstantField(read_only=True)
    end = fields.InstantField(read_only=True)


class FreeChair(StrictSerializer):
    """When nobody has a chair that can be used."""

    chair = serializers.UUIDField(read_only=True)
    free = Range(many=True, read_only=True)


class FreeProvider(StrictSerializer):
    """When a provider is on duty and can take one more patient."""

    provider = serializers.UUIDField(read_only=True)
    role = serializers.ChoiceField(choices=ProviderRole.choices, read_only=True)
    free = Range(many=True, read_only=True)


class Availability(StrictSerializer):
    """What is free at a site."""

    site = serializers.UUIDField(read_only=True)
    since = fields.InstantField(read_only=True)
    until = fields.InstantField(read_only=True)
    chairs = FreeChair(many=True, read_only=True)
    providers = FreeProvider(many=True, read_only=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's, so the field gets its name here."""
        return {"from" if name == "since" else name: field for name, field in super().get_fields().items()}


WHEN = "A date of the site (included), or an instant with its offset."


class AvailabilityView(ApiView):
    """Who and which chairs are free when, in ranges of whole five-minute slots; at most 31 days at once."""

    right = "availability.list"
    query_parameters = frozenset({"site", "from", "until"})

    @extend_schema(
        operation_id="availability",
        tags=["availability"],
        parameters=[
            OpenApiParameter("site", {"type": "string", "format": "uuid"}, required=True),
            OpenApiParameter("from", {"type": "string", "examples": ["2027-01-04"]}, required=True, description=WHEN),
            OpenApiParameter("until", {"type": "string", "examples": ["2027-01-08"]}, required=True, description=WHEN),
        ],
        responses=Availability,
        examples=[
            OpenApiExample(
                "A chair and a nurse for one morning",
                value={
                    "site": "01890a5d-ac96-774b-bcce-b302099a8057",
                    "from": "2027-01-04T14:00:00Z",
                    "until": "2027-01-04T18:00:00Z",
                    "chairs": [
                        {
                            "chair": "01890a5d-ac96-774b-bcce-b302099a8058",
                            "free": [{"start": "2027-01-04T15:30:00Z", "end": "2027-01-04T18:00:00Z"}],
                        }
                    ],
                    "providers": [
                        {
                            "provider": "01890a5d-ac96-774b-bcce-b302099a8059",
                            "role": "nurse",
                            "free": [{"start": "2027-01-04T14:00:00Z", "end": "2027-01-04T18:00:00Z"}],
                        }
                    ],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        site = parameter(request, "site", fields.ReferenceField(visible_sites))
        zone = ZoneInfo(site.time_zone)
        first, last = parameter(request, "from", _When()), parameter(request, "until", _When())
        since = first if isinstance(first, datetime) else first_instant(first, zone)
        until = last if isinstance(last, datetime) else first_instant(last + DAY, zone)
        if until <= since:
            raise bad_parameter("until", "empty_range", "`until` must lie after `from`.")
        # One hour more: 31 days of a site have one where clocks go back in them.
        if until - since > timedelta(days=MOST_DAYS, hours=1):
            raise bad_parameter("until", "range_too_long", f"At most {MOST_DAYS} days at once.")
        chairs, providers = availability(site, since, until, clock.now())
        answer = {
            "site": site.pk,
            "from": since,
            "until": until,
            "chairs": [{"chair": item.id, "free": _as_dicts(item.ranges)} for item in chairs],
            "providers": [
                {"provider": item.id, "role": item.role, "free": _as_dicts(item.ranges)} for item in providers
            ],
        }
        return Response(Availability(answer).data)


class _When(serializers.Field):
    """A date or an instant."""

    def to_internal_value(self, data: str) -> date | datetime:
        if len(data) > len("2027-01-04"):
            return fields.InstantField().run_validation(data)
        found: date = fields.DateField().run_validation(data)
        if found.year < fields.FIRST_YEAR or found.year >= fields.LAST_YEAR:
            raise serializers.ValidationError("The year must lie between 2000 and 2099.", code="out_of_range")
        return found


def _as_dicts(ranges: list[tuple[datetime, datetime]]) -> list[dict[str, datetime]]:
    return [{"start": start, "end": end} for start, end in ranges]
