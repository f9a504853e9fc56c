"""`reports/utilisation/`: the numbers of a site and a period, as JSON and as CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from accounts.http import fields
from accounts.http.query import bad_parameter, parameter
from accounts.http.rendering import JSONRenderer
from accounts.http.serializers import StrictSerializer
from accounts.http.sheets import as_csv
from accounts.http.views import ApiView
from accounts.queries import staffed_sites
from sessions.utilisation import Spread, Use, utilisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_framework.request import Request

    from sessions.utilisation import Utilisation

MOST_DAYS: Final = 400
COUNTS: Final = ("sessions", "completed", "no_shows", "no_show_percent", "cancelled", "cancelled_late")
SPREADS: Final = ("lead_days", "late_arrival_minutes", "late_start_minutes", "late_end_minutes")
USES: Final = ("offered_minutes", "booked_minutes", "used_minutes", "booked_percent", "used_percent")


class UseSerializer(StrictSerializer):
    """One chair or nurse. A nurse's minutes count once for each patient that they may have at once."""

    id = fields.UUIDField()
    name = fields.TextField()
    offered_minutes = fields.StrictInteger()
    booked_minutes = fields.StrictInteger()
    used_minutes = fields.StrictInteger()
    booked_percent = fields.StrictNumber(allow_null=True)
    used_percent = fields.StrictNumber(allow_null=True)


class SpreadSerializer(StrictSerializer):
    """Median and 90th percentile; null where there was nothing."""

    count = fields.StrictInteger()
    median = fields.StrictNumber(allow_null=True)
    p90 = fields.StrictNumber(allow_null=True)


class UtilisationSerializer(StrictSerializer):
    """How a site was used from one date to another, both included."""

    site = fields.UUIDField()
    sessions = fields.StrictInteger()
    completed = fields.StrictInteger()
    no_shows = fields.StrictInteger()
    no_show_percent = fields.StrictNumber(allow_null=True)
    cancelled = fields.StrictInteger()
    cancelled_late = fields.StrictInteger()
    lead_days = SpreadSerializer()
    late_arrival_minutes = SpreadSerializer()
    late_start_minutes = SpreadSerializer()
    late_end_minutes = SpreadSerializer()
    chairs = UseSerializer(many=True)
    nurses = UseSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name in Python."""
        return {**super().get_fields(), "from": fields.DateField(), "until": fields.DateField()}


class CsvTable(BaseRenderer):
    """The report as a table; a refusal stays the JSON that it always is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> Any:
        """`kind, name, measure, value`, one number a row."""
        if context is None or context["response"].status_code >= 400:
            return JSONRenderer().render(data, media_type, context)
        return as_csv(("kind", "name", "measure", "value"), _cells(data))


def _cells(report: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name in ("from", "until"):
        yield "period", "", name, report[name]
    for name in COUNTS:
        yield "visits", "", name, report[name]
    for name in SPREADS:
        for measure, value in report[name].items():
            yield "spread", name, measure, value
    for kind in ("chairs", "nurses"):
        for each in report[kind]:
            for measure in USES:
                yield kind.removesuffix("s"), each["name"], measure, each[measure]


class UtilisationView(ApiView):
    """The numbers of a site and a period."""

    right = "reports.utilisation"
    query_parameters = frozenset({"site", "from", "until"})
    renderer_classes = (JSONRenderer, CsvTable)

    @extend_schema(
        operation_id="utilisation",
        tags=["reports"],
        parameters=[
            OpenApiParameter("site", {"type": "string", "format": "uuid"}, required=True),
            OpenApiParameter("from", {"type": "string", "format": "date"}, required=True),
            OpenApiParameter("until", {"type": "string", "format": "date"}, required=True),
        ],
        responses={(200, "application/json"): UtilisationSerializer, (200, "text/csv"): str},
    )
    def get(self, request: Request) -> Response:
        """Use of chairs and nurses, lead time, no-shows, late cancellations, delays. `?format=csv` for a table."""
        site = parameter(request, "site", fields.ReferenceField(staffed_sites))
        first, last = (parameter(request, name, fields.DateField()) for name in ("from", "until"))
        for name, value in (("from", first), ("until", last)):
            if not fields.FIRST_YEAR <= value.year < fields.LAST_YEAR:
                raise bad_parameter(name, "out_of_range", "The year must lie between 2000 and 2099.")
        if last < first:
            raise bad_parameter("until", "empty_range", "`until` lies before `from`.")
        if (last - first).days >= MOST_DAYS:
            raise bad_parameter("until", "range_too_long", f"At most {MOST_DAYS} days at once.")
        return Response({"site": str(site.pk), **_told(utilisation(site, first, last))})


def _told(found: Utilisation) -> dict[str, Any]:
    return {
        "from": found.first.isoformat(),
        "until": found.last.isoformat(),
        **{name: getattr(found, name) for name in COUNTS},
        **{name: _spread(getattr(found, name)) for name in SPREADS},
        "chairs": [_use(each) for each in found.chairs],
        "nurses": [_use(each) for each in found.nurses],
    }


def _spread(spread: Spread) -> dict[str, Any]:
    return asdict(spread)


def _use(use: Use) -> dict[str, Any]:
    minutes = {f"{name}_minutes": getattr(use, name) for name in ("offered", "booked", "used")}
    percents = {"booked_percent": use.booked_percent, "used_percent": use.used_percent}
    return {"id": str(use.id), "name": use.name, **minutes, **percents}
