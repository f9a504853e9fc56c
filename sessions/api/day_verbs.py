"""HTTP for the verbs of the day: gates, infusion, vital signs, adverse events, discharge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import clock
from accounts.http import conditions
from accounts.http.views import PatientRecords
from sessions import adverse_events, discharge, gates, infusion, lifecycle, observation
from sessions.api import day_serializers as shapes
from sessions.api import examples
from sessions.api.serializers import NothingSerializer, ReasonedSerializer, SessionSerializer
from sessions.day import day_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework import serializers
    from rest_framework.request import Request

    from sessions.models import Session


class DayVerbs(PatientRecords):
    """The verbs of `SessionViewSet` from arrival to the way home."""

    def _verb(self, shape: type[serializers.BaseSerializer], use_case: Callable[..., Session]) -> Response:
        """One verb: its body's fields become the use case's arguments."""
        asked = self.body(shape)
        return self.show(use_case(self.record, **asked, actor=self.user, now=clock.now(), expected=self.expected))

    def _with(self, session: Session, **more: Any) -> Response:
        """The session as it is shown, and what the verb adds to it."""
        session = self.get_queryset().get(pk=session.pk)
        self.shown([session])
        response = Response(SessionSerializer(session).data | more)
        conditions.set_etag(response, session)
        return response

    @extend_schema(responses=shapes.SessionDaySerializer, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def day(self, request: Request, **kwargs: Any) -> Response:
        """The visit as it is lived: gates, vital signs and what is due, adverse events, expected end."""
        self.shown([self.record])
        return Response(shapes.SessionDaySerializer(day_of(self.record, clock.now())).data)

    @extend_schema(
        methods=["POST"],
        request=shapes.PreparationSerializer,
        responses=SessionSerializer,
        examples=[examples.PREPARATION],
    )
    @extend_schema(methods=["GET"], responses=shapes.PreparationAskedSerializer, filters=False)
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def preparation(self, request: Request, **kwargs: Any) -> Response:
        """What the patient may say before the visit (GET), and says (POST)."""
        if request.method == "POST":
            return self._verb(shapes.PreparationSerializer, gates.prepare)
        self.shown([self.record])
        asked = [each for each in gates.standings_of(self.record, clock.now()) if each.gate.patient_may]
        return Response(shapes.PreparationAskedSerializer({"gates": asked}).data)

    @extend_schema(request=NothingSerializer, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def arrive(self, request: Request, **kwargs: Any) -> Response:
        """The patient is here."""
        return self._verb(NothingSerializer, lifecycle.arrive)

    @extend_schema(request=shapes.GateSerializer, responses=SessionSerializer, examples=[examples.GATE])
    @action(detail=True, methods=["post"])
    def gates(self, request: Request, **kwargs: Any) -> Response:
        """Say whether one of the protocol's gates is met."""
        return self._verb(shapes.GateSerializer, gates.meet_gate)

    @extend_schema(request=shapes.StartSerializer, responses=SessionSerializer, examples=[examples.START])
    @action(detail=True, methods=["post"])
    def start(self, request: Request, **kwargs: Any) -> Response:
        """The infusion begins. 409 `gates_open` lists what is `missing`."""
        return self._verb(shapes.StartSerializer, infusion.start)

    @extend_schema(request=shapes.VitalsSerializer, responses=shapes.VitalsAnswerSerializer, examples=[examples.VITALS])
    @action(detail=True, methods=["post"])
    def vitals(self, request: Request, **kwargs: Any) -> Response:
        """Write one reading; its `answers` say what a value out of limits calls for."""
        asked = self.body(shapes.VitalsSerializer)
        session, reading = observation.record_vitals(
            self.record, **asked, actor=self.user, now=clock.now(), expected=self.expected
        )
        return self._with(session, reading=shapes.ReadingSerializer(reading).data)

    @extend_schema(request=NothingSerializer, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """The infusion is held for a while."""
        return self._verb(NothingSerializer, infusion.pause)

    @extend_schema(request=NothingSerializer, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """The infusion goes on."""
        return self._verb(NothingSerializer, infusion.resume)

    @extend_schema(request=shapes.SlowSerializer, responses=SessionSerializer, examples=[examples.SLOW])
    @action(detail=True, methods=["post"])
    def slow(self, request: Request, **kwargs: Any) -> Response:
        """The infusion runs at another rate from here on."""
        return self._verb(shapes.SlowSerializer, infusion.slow)

    @extend_schema(request=ReasonedSerializer, responses=SessionSerializer, examples=[examples.STOP])
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, **kwargs: Any) -> Response:
        """The infusion is broken off."""
        return self._verb(ReasonedSerializer, infusion.stop)

    @extend_schema(request=NothingSerializer, responses=SessionSerializer)
    @action(detail=True, methods=["post"], url_path="finish-infusion")
    def finish_infusion(self, request: Request, **kwargs: Any) -> Response:
        """The infusion is complete."""
        return self._verb(NothingSerializer, infusion.finish_infusion)

    @extend_schema(
        request=shapes.AdverseEventSerializer,
        responses=shapes.AdverseAnswerSerializer,
        examples=[examples.ADVERSE_EVENT],
    )
    @action(detail=True, methods=["post"], url_path="adverse-events")
    def adverse_events(self, request: Request, **kwargs: Any) -> Response:
        """Report something that went ill. A grave one holds the series until a prescriber releases it."""
        told = adverse_events.Report(**self.body(shapes.AdverseEventSerializer))
        session, event = adverse_events.report(self.record, told, self.user, clock.now(), expected=self.expected)
        session.series.refresh_from_db()
        return self._with(
            session, adverse_event=shapes.AdverseEventSerializer(event).data, series_status=session.series.status
        )

    @extend_schema(request=shapes.DischargeSerializer, responses=SessionSerializer, examples=[examples.DISCHARGE])
    @action(detail=True, methods=["post"])
    def discharge(self, request: Request, **kwargs: Any) -> Response:
        """The patient goes home. 409 `gates_open` lists what is `missing`."""
        return self._verb(shapes.DischargeSerializer, discharge.discharge)
