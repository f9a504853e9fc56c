"""HTTP for messages, follow-ups and alerts: parse, permit, call one use case, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import clock, signed_in
from accounts.http.base import ApiView
from accounts.http.query import bad_parameter
from accounts.http.views import ListRecords, PatientRecords, ReadRecord, RecordViewSet
from accounts.models import Patient
from accounts.queries import visible_patients
from accounts.refusals import Forbidden, Gone
from notifications import alerts, follow_ups, ledger, own_data, resending
from notifications.api import filters
from notifications.api import serializers as shapes
from notifications.instruments import INSTRUMENTS
from notifications.models import Alert, FollowUp, Message
from notifications.queries import trend, visible_alerts, visible_follow_ups, visible_messages

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


@extend_schema(tags=["notifications"])
class MessageViewSet(ListRecords, ReadRecord, PatientRecords):
    """What patients were told and asked, are to be, and will not be, each with the reason."""

    model = Message
    serializer_class = shapes.MessageSerializer
    filterset_class = filters.MessageFilters

    def visible(self) -> QuerySet[Message]:
        """Messages to patients whom the caller may see."""
        return visible_messages(self.user)

    def check_state(self) -> None:
        """A look before the body is judged."""
        if self.action == "resend":
            resending.check(self.record, clock.now())

    @extend_schema(request=shapes.NothingSerializer, responses={201: shapes.MessageSerializer})
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, **kwargs: Any) -> Response:
        """Say once more what failed, was skipped or may not have arrived: a message of its own, due now."""
        self.body(shapes.NothingSerializer)
        message = resending.resend(self.record.pk, clock.now())
        return self.show(message, 201)

    def known_parameters(self) -> frozenset[str]:
        """The export takes the list's filters."""
        filtered = frozenset(self.filterset_class.base_filters) if self.action == "export" else frozenset()
        return super().known_parameters() | filtered

    @extend_schema(operation_id="notifications_export", responses={(200, "text/csv"): str})
    @action(detail=False, methods=["get"], pagination_class=None)
    def export(self, request: Request) -> HttpResponse:
        """The log as CSV, newest first, by the list's filters; 422 `too_many` beyond 50,000 rows: filter more."""
        rows = ledger.rows(self.filter_queryset(self.get_queryset()))
        self.shown(rows)
        answer = HttpResponse(ledger.as_csv(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="messages.csv"'
        return answer


@extend_schema(tags=["follow-ups"])
class FollowUpViewSet(ListRecords, ReadRecord, PatientRecords):
    """Questionnaires after sessions, with answers and scores."""

    model = FollowUp
    serializer_class = shapes.FollowUpSerializer
    filterset_class = filters.FollowUpFilters

    def visible(self) -> QuerySet[FollowUp]:
        """Follow-ups of patients whom the caller may see."""
        return visible_follow_ups(self.user)

    def known_parameters(self) -> frozenset[str]:
        """The trend's own two, beside those of lists."""
        return super().known_parameters() | (
            {"patient", "instrument", "series"} if self.action == "trend" else frozenset()
        )

    @extend_schema(
        operation_id="follow_ups_trend",
        parameters=[
            OpenApiParameter("patient", {"type": "string", "format": "uuid"}, required=True),
            OpenApiParameter("instrument", {"type": "string", "enum": list(INSTRUMENTS)}, required=True),
            OpenApiParameter("series", {"type": "string", "format": "uuid"}),
        ],
        responses=shapes.TrendSerializer,
        filters=False,
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def trend(self, request: Request) -> Response:
        """A patient's answers to one instrument, oldest first, in one series or in all, each beside the first."""
        for name in ("patient", "instrument"):
            if name not in request.query_params:
                raise bad_parameter(name, "required", f"`{name}` is required.")
        asked = filters.TrendFilters(request.query_params, FollowUp.objects.none(), request=request)
        asked.check()
        patient, instrument = asked.form.cleaned_data["patient"], asked.form.cleaned_data["instrument"]
        points = list(trend(self.user, patient, instrument, asked.form.cleaned_data["series"]))
        self.shown(points)
        found = {"patient": patient.pk, "instrument": instrument, "points": points}
        return Response(shapes.TrendSerializer(found).data)

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.FollowUpSerializer)
    @action(detail=True, methods=["post"], url_path="revoke-links")
    def revoke_links(self, request: Request, **kwargs: Any) -> Response:
        """Close every link to it that was sent, after a mail went astray. A message sent later has a new link."""
        self.body(shapes.NothingSerializer)
        follow_ups.revoke_links(self.record, clock.now())
        return self.show(self.record)


TOKEN = OpenApiParameter(
    "token",
    {"type": "string", "pattern": r"^[A-Za-z0-9_-]{43}$"},
    OpenApiParameter.PATH,
    description="The last part of the link in the message.",
)


class CheckInView(ApiView):
    """A follow-up behind its link: the link is the whole credential, and what is shown names nobody."""

    public = True
    also_answers = frozenset({"409", "410"})
    authentication_classes: Any = ()

    @extend_schema(
        operation_id="check_in_open", tags=["check-in"], parameters=[TOKEN], responses=shapes.OpenSerializer, auth=[]
    )
    def get(self, request: Request, token: str) -> Response:
        """The questions. 404 for a link that is none, 410 once it is answered or expired."""
        return Response(shapes.OpenSerializer(follow_ups.open_follow_up(token, clock.now())).data)

    def check_state(self) -> None:
        """Gone comes before a fault in the body; what is answered already may be the same answer once more."""
        try:
            follow_ups.open_follow_up(self.kwargs["token"], clock.now())
        except Gone as gone:
            if gone.code != "already_answered":
                raise

    @extend_schema(
        operation_id="check_in_answer",
        tags=["check-in"],
        parameters=[TOKEN],
        request=shapes.AnswersSerializer,
        responses=shapes.AnsweredSerializer,
        auth=[],
        examples=[
            OpenApiExample(
                "Three answers from 0 to 10",
                value={"answers": {"peg_pain": 4, "peg_enjoyment": 3, "peg_activity": 5}},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, token: str) -> Response:
        """Answer. The same answers once more are the same answer; others are 410."""
        body = self.body(shapes.AnswersSerializer)
        answered = follow_ups.answer_follow_up(token, body["answers"], clock.now(), body.get("version"))
        return Response(shapes.AnsweredSerializer(answered).data)


@extend_schema(tags=["alerts"])
class AlertViewSet(ListRecords, ReadRecord, PatientRecords):
    """Red flags for clinicians."""

    model = Alert
    serializer_class = shapes.AlertSerializer
    filterset_class = filters.AlertFilters

    def visible(self) -> QuerySet[Alert]:
        """Alerts about patients whom the caller may see."""
        return visible_alerts(self.user)

    def check_state(self) -> None:
        """A look before the body is judged."""
        if self.action == "acknowledge":
            alerts.refuse_if_acknowledged(self.record)
        elif self.action == "close":
            alerts.refuse_if_closed(self.record)

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.AlertSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, **kwargs: Any) -> Response:
        """Own it: seen, and dealt with by the caller."""
        self.body(shapes.NothingSerializer)
        return self.show(alerts.acknowledge(self.record.pk, self.user))

    @extend_schema(
        request=shapes.CloseSerializer,
        responses=shapes.AlertSerializer,
        examples=[
            OpenApiExample("Spoken to", {"outcome": "Called at 18:10; safe, sister with her."}, request_only=True)
        ],
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, **kwargs: Any) -> Response:
        """End it with what was done; nothing else ends an alert."""
        outcome = self.body(shapes.CloseSerializer)["outcome"]
        return self.show(alerts.close(self.record.pk, self.user, outcome))


@extend_schema(tags=["patients"])
class ExportViewSet(RecordViewSet):
    """All that is held about one patient."""

    model = Patient

    def visible(self) -> QuerySet[Patient]:
        """Patients whom the caller may see."""
        return visible_patients(self.user)

    @extend_schema(operation_id="patients_export", responses=OpenApiTypes.OBJECT)
    def export(self, request: Request, **kwargs: Any) -> Response:
        """Everything that is held about the patient, by table, to be taken away. That it was taken is in the trail.

        Only for who has signed in within the last 15 minutes: else a 403 `sign_in_again`.
        """
        if not signed_in.proved_lately(request._request.session, request.auth, clock.now()):
            raise Forbidden("sign_in_again", "Sign in once more for this: it is the whole record at once.")
        return Response(own_data.collect(self.user, self.record))
