"""`board/`: a site's day as it stands, in one answer; 304 from one number where nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from accounts import clock
from accounts.audit import record_sight
from accounts.http import conditions, fields
from accounts.http.query import bad_parameter, parameter
from accounts.http.serializers import StrictSerializer
from accounts.http.views import ApiView
from accounts.queries import staffed_sites
from accounts.rights import CARE, holds
from scheduler.gates import measures
from scheduler.models import ChairKind
from sessions import board as boards
from sessions.api.day_serializers import DueSerializer
from sessions.api.serializers import MARKS, BlockSerializer, blocks_of, shown_instant
from sessions.models import Session, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.request import Request

    from sessions.lateness import Offer, Reached


class NextStepSerializer(StrictSerializer):
    """What is due next, when, and which gates it waits for."""

    what = fields.TextField()
    at = fields.InstantField()
    waits_for = fields.StrictList(child=fields.TextField())


class OfferSerializer(StrictSerializer):
    """What can be done: another `chair`, another `nurse`, both, or a `later` start."""

    kind = fields.TextField()
    chair = fields.UUIDField()
    nurse = fields.UUIDField()
    start = fields.InstantField()


class ReachedSerializer(StrictSerializer):
    """What a late visit reaches: the next one's `chair` or `nurse`, or `closing`."""

    kind = fields.TextField()
    minutes = fields.StrictInteger()
    session = fields.UUIDField(allow_null=True)
    offers = OfferSerializer(many=True)


class BoardAlertSerializer(StrictSerializer):
    """Something that needs a person."""

    level = fields.TextField()
    code = fields.TextField()
    detail = fields.TextField()
    since = fields.InstantField()
    session = fields.UUIDField()
    chair = fields.UUIDField()
    patient_name = fields.TextField()
    reaches = ReachedSerializer(many=True)


class BoardReadingSerializer(StrictSerializer):
    """The last reading; whoever gives no care sees only when it was taken."""

    taken_at = fields.InstantField()
    values = fields.StrictJSON(allow_null=True)


class BoardSessionSerializer(StrictSerializer):
    """One visit on the board."""

    id = fields.UUIDField()
    patient = fields.UUIDField()
    patient_name = fields.TextField()
    series = fields.UUIDField()
    sequence = fields.StrictInteger()
    of = fields.StrictInteger()
    phase = fields.TextField()
    status = fields.StrictChoice(choices=SessionStatus.choices)
    start = fields.InstantField()
    end = fields.InstantField()
    blocks = BlockSerializer(many=True)
    nurse = fields.UUIDField()
    prescriber = fields.UUIDField()
    arrived_at = fields.InstantField(allow_null=True)
    infusion_started_at = fields.InstantField(allow_null=True)
    infusion_ended_at = fields.InstantField(allow_null=True)
    paused_at = fields.InstantField(allow_null=True)
    ended_at = fields.InstantField(allow_null=True)
    expected_end = fields.InstantField()
    late_minutes = fields.StrictInteger()
    next = NextStepSerializer(allow_null=True)
    open_gates = fields.StrictList(child=fields.TextField())
    due = DueSerializer(many=True)
    last_reading = BoardReadingSerializer(allow_null=True)
    alerts = fields.StrictList(child=fields.TextField())
    version = fields.StrictInteger()


class BoardChairSerializer(StrictSerializer):
    """A chair with its visits by start."""

    id = fields.UUIDField()
    name = fields.TextField()
    kind = fields.StrictChoice(choices=ChairKind.choices)
    features = fields.StrictList(child=fields.TextField())
    sessions = BoardSessionSerializer(many=True)


class SpanSerializer(StrictSerializer):
    """A span of time."""

    start = fields.InstantField()
    end = fields.InstantField()


class LoadSerializer(SpanSerializer):
    """How many patients and points a nurse has in a span of time."""

    patients = fields.StrictInteger()
    acuity = fields.StrictInteger()


class BoardNurseSerializer(StrictSerializer):
    """A nurse's load against capacity."""

    id = fields.UUIDField()
    name = fields.TextField()
    capacity = fields.StrictInteger()
    max_acuity = fields.StrictInteger(allow_null=True)
    on_duty = SpanSerializer(many=True)
    loads = LoadSerializer(many=True)


class BoardSerializer(StrictSerializer):
    """A site's day."""

    site = fields.UUIDField()
    date = fields.DateField()
    version = fields.StrictInteger()
    as_of = fields.InstantField()
    time_zone = fields.TextField()
    chairs = BoardChairSerializer(many=True)
    nurses = BoardNurseSerializer(many=True)
    alerts = BoardAlertSerializer(many=True)


class BoardView(ApiView):
    """The board of a site's day."""

    right = "board.list"
    query_parameters = frozenset({"site", "date"})

    @extend_schema(
        operation_id="board",
        tags=["sessions"],
        parameters=[
            OpenApiParameter("site", {"type": "string", "format": "uuid"}, required=True),
            OpenApiParameter("date", {"type": "string", "format": "date"}, required=True),
        ],
        responses=BoardSerializer,
    )
    def get(self, request: Request) -> Response:
        """Chairs by time, what is due next, alerts, loads. 304 where the caller has this board."""
        site = parameter(request, "site", fields.ReferenceField(staffed_sites))
        date, now = parameter(request, "date", fields.DateField()), clock.now()
        if not fields.FIRST_YEAR <= date.year < fields.LAST_YEAR:
            raise bad_parameter("date", "out_of_range", "The year must lie between 2000 and 2099.")
        tag = boards.tag(boards.version_of(site, date), now)
        headers = {"ETag": tag}
        if conditions.unchanged(request.META.get("HTTP_IF_NONE_MATCH"), tag):
            return Response(status=304, headers=headers)
        found = boards.board(site, date, now)
        rows = [(each.session.pk, each.session.patient_id) for each in found.shown]
        record_sight(self.user.pk, Session._meta.db_table, rows)
        headers["ETag"] = boards.tag(found.version, now)
        return Response(as_json(found, holds(self.user, *CARE)), headers=headers)


def as_json(board: boards.Board, care: bool) -> dict[str, Any]:
    """The board as it is answered; values of vital signs for those who give care."""
    return {
        "site": str(board.site.pk),
        "date": board.date.isoformat(),
        "version": board.version,
        "as_of": shown_instant(board.now),
        "time_zone": board.site.time_zone,
        "chairs": [
            {
                "id": str(chair.pk),
                "name": chair.name,
                "kind": chair.kind,
                "features": chair.features,
                "sessions": [_session(each, care) for each in board.sessions.get(chair.pk, [])],
            }
            for chair in board.chairs
        ],
        "nurses": [_nurse(board, nurse) for nurse in board.nurses],
        "alerts": [_alert(alert) for alert in board.alerts],
    }


def short_name(session: Session) -> str:
    """A patient as the board names them: given name and initial, for a screen that others may pass."""
    return f"{session.patient.given_name} {session.patient.family_name[:1]}."


REFERENCES = ("patient", "series", "nurse", "prescriber")
INSTANTS = (
    "start",
    "end",
    "arrived_at",
    "infusion_started_at",
    "infusion_ended_at",
    "paused_at",
    "ended_at",
)


def _session(shown: boards.Shown, care: bool) -> dict[str, Any]:
    session, reading, step = shown.session, shown.reading, shown.step
    last = None
    if reading is not None:
        values = {name: getattr(reading, name) for name in measures() if getattr(reading, name) is not None}
        last = {"taken_at": shown_instant(reading.taken_at), "values": values if care else None}
    return {
        "id": str(session.pk),
        "patient_name": short_name(session),
        **{name: str(getattr(session, f"{name}_id")) for name in REFERENCES},
        **{name: getattr(session, name) for name in ("sequence", "phase", "status", "version")},
        **{name: shown_instant(getattr(session, name)) for name in INSTANTS},
        "of": shown.of,
        "blocks": blocks_of({name: shown_instant(getattr(session, name)) for name in MARKS}),
        "expected_end": shown_instant(shown.visit.expected.end),
        "late_minutes": shown.late,
        "next": None
        if step is None
        else {"what": step.what, "at": shown_instant(step.at), "waits_for": list(step.waits_for)},
        "open_gates": list(shown.open_gates),
        "due": [{"at": shown_instant(due.at), "status": due.status} for due in shown.dues],
        "last_reading": last,
        "alerts": [alert.code for alert in shown.alerts],
    }


def _nurse(board: boards.Board, nurse: Any) -> dict[str, Any]:
    return {
        "id": str(nurse.pk),
        "name": nurse.name,
        "capacity": nurse.capacity,
        "max_acuity": nurse.max_acuity,
        "on_duty": [_span(start, end) for start, end in boards.duty_of(board, nurse.pk)],
        "loads": [
            {**_span(load.start, load.end), "patients": load.patients, "acuity": load.acuity}
            for load in board.loads.get(nurse.pk, [])
        ],
    }


def _span(start: Any, end: Any) -> dict[str, Any]:
    return {"start": shown_instant(start), "end": shown_instant(end)}


def _alert(alert: boards.Alert) -> dict[str, Any]:
    return {
        "level": alert.level,
        "code": alert.code,
        "detail": alert.detail,
        "since": shown_instant(alert.since),
        "session": str(alert.session.pk),
        "chair": str(alert.session.chair_id),
        "patient_name": short_name(alert.session),
        "reaches": _reaches(alert.reached),
    }


def _reaches(reached: Iterable[Reached]) -> list[dict[str, Any]]:
    return [
        {
            "kind": each.kind,
            "minutes": each.minutes,
            "session": None if each.session is None else str(each.session.pk),
            "offers": [_offer(offer) for offer in each.offers],
        }
        for each in reached
    ]


def _offer(offer: Offer) -> dict[str, Any]:
    return {"kind": offer.kind, "chair": offer.chair, "nurse": offer.nurse, "start": shown_instant(offer.start)}
