"""HTTP for orders, plans, series and sessions: parse, permit, call one use case, show."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import clock
from accounts.http.rows import rows
from accounts.http.views import CreateRecord, ListRecords, PatientRecords, ReadRecord
from accounts.queries import visible_patients
from accounts.refusals import Conflict, RuleBroken
from accounts.rights import is_staff
from sessions import booking, holds, lifecycle, moving, orders, planning, replanning, reseating, rest
from sessions.api import examples, filters, infeasible
from sessions.api import plan_serializers as plan_shapes
from sessions.api import serializers as shapes
from sessions.api.day_verbs import DayVerbs
from sessions.course import Consequence, consequence
from sessions.events import Told, told_after_each
from sessions.models import Order, Plan, Series, Session, SessionEvent
from sessions.policy import check_cut_off
from sessions.queries import (
    visible_orders,
    visible_plans,
    visible_series,
    visible_session_row,
    visible_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from rest_framework import serializers
    from rest_framework.request import Request

    from accounts.models import Patient
    from scheduler.plans import Wishes

READS = frozenset({"list", "retrieve"})
WITH_SITE = ("site", "patient", "series__protocol", "series__site", "series__patient__site")
Row = TypeVar("Row", Series, Session)


def with_plans(change: Callable[[], Row]) -> Row:
    """Make a change; the plans that a refusal offers are shown as plans are shown everywhere."""
    try:
        return change()
    except (Conflict, RuleBroken) as refused:
        if "plans" in refused.extra:
            refused.extra["plans"] = plan_shapes.PlanSerializer(refused.extra["plans"], many=True).data
        raise


@extend_schema_view(create=extend_schema(examples=[examples.ORDER]))
class OrderViewSet(CreateRecord, ListRecords, ReadRecord, PatientRecords):
    """What prescribers have ordered."""

    model = Order
    serializer_class = shapes.OrderSerializer
    filterset_class = filters.OrderFilters

    def visible(self) -> QuerySet[Order]:
        """Orders for patients whom the caller may see."""
        return visible_orders(self.user)

    def perform_create(self, serializer: Any) -> Order:
        """Write the order in the caller's name."""
        return orders.prescribe(**serializer.validated_data, prescriber=self.user, now=clock.now())


class PlanViewSet(ReadRecord, PatientRecords):
    """Proposed whole series."""

    model = Plan
    serializer_class = plan_shapes.PlanSerializer

    def visible(self) -> QuerySet[Plan]:
        """Plans that the caller made, and those of the sites where they work."""
        return visible_plans(self.user).select_related("site", "protocol", "patient")

    @extend_schema(
        request=plan_shapes.PlanRequestSerializer,
        responses={200: plan_shapes.ProposalSerializer},
        examples=[examples.PLANS, examples.PLANS_FOR_THE_REST, examples.PLANS_FOR_ONE, examples.NO_PLAN],
    )
    def create(self, request: Request) -> Response:
        """Find the best whole series; where there is none, say why."""
        asked = self.body(plan_shapes.PlanRequestSerializer)
        wishes = plan_shapes.wishes_of(asked)
        found = self._propose(asked, wishes)
        body, to_staff = cast("dict[str, Any]", request.data), is_staff(self.user)
        shown = None if found.plans else infeasible.shown(found.reasons, found.relaxations, body, wishes, to_staff)
        return Response(plan_shapes.ProposalSerializer({"plans": found.plans, "infeasible": shown}).data)

    def _propose(self, asked: dict[str, Any], wishes: Wishes) -> planning.Proposal:
        limit, now = asked["limit"], clock.now()
        if "series" in asked:
            return rest.propose_rest(asked["series"], wishes, asked.get("sessions"), limit, self.user, now)
        if "session" in asked:
            lifecycle.check_move(asked["session"], "reschedule", now)
            return rest.propose_places(asked["session"], wishes, limit, self.user, now)
        wanted = planning.PlanRequest(
            site=asked["site"],
            protocol=asked["protocol"],
            patient=asked.get("patient") or self._self(),
            wishes=wishes,
            sessions=asked.get("sessions"),
            limit=limit,
        )
        return planning.propose(wanted, self.user, now)

    def check_state(self) -> None:
        """Refuse to hold a plan that is no longer open before the body is looked at."""
        if self.action == "hold":
            booking.check_plan_is_open(self.record, self.user, clock.now())

    def _self(self) -> Patient | None:
        """The caller's own record, where they can mean nobody else."""
        return None if is_staff(self.user) else visible_patients(self.user).select_related("site").first()

    @extend_schema(request=shapes.NothingSerializer, responses=plan_shapes.HoldSerializer)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, **kwargs: Any) -> Response:
        """Keep a plan for some minutes; it is taken for everybody else meanwhile."""
        self.body(shapes.NothingSerializer)
        return Response(plan_shapes.HoldSerializer(holds.hold(self.record, self.user, clock.now())).data)


class SeriesViewSet(ListRecords, ReadRecord, PatientRecords):
    """Patients' courses of treatment."""

    model = Series
    serializer_class = shapes.SeriesSerializer
    filterset_class = filters.SeriesFilters
    versioned = True

    def visible(self) -> QuerySet[Series]:
        """Series of the sites where the caller works, and their own."""
        in_order = Prefetch("sessions", Session.objects.order_by("sequence"))
        return visible_series(self.user).select_related("site", "patient").prefetch_related(in_order)

    @extend_schema(request=shapes.BookSerializer, responses={201: shapes.SeriesSerializer}, examples=[examples.SERIES])
    def create(self, request: Request) -> Response:
        """Book a plan: all of its sessions or none. A race lost is a 409 with fresh `plans`."""
        asked = self.body(shapes.BookSerializer)
        plan, patient, protocol = asked["plan"], asked["patient"], asked["protocol"]
        series = with_plans(lambda: booking.book_series(plan, patient, protocol, self.user, clock.now(), shown=True))
        return self.show_as_is(series, 201, {"Location": f"{request.path}{series.pk}/"})

    def check_state(self) -> None:
        """Refuse a verb that the state forbids before its body is looked at."""
        if self.action == "cancel":
            lifecycle.check_can_be_cancelled(self.record)
        elif self.action == "release":
            lifecycle.check_waits_for_release(self.record)
        elif self.action == "replan":
            replanning.check_can_be_replanned(self.record, self.user)
        elif self.action == "adjust":
            rest.check_is_open(self.record)

    @extend_schema(
        request=shapes.ReasonedSerializer, responses=shapes.SeriesSerializer, examples=[examples.CANCEL_SERIES]
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel all sessions to come."""
        reason = self.body(shapes.ReasonedSerializer)["reason"]
        return self.show(lifecycle.cancel_series(self.record, reason, self.user, clock.now(), expected=self.expected))

    @extend_schema(request=shapes.ReleaseSerializer, responses=shapes.SeriesSerializer, examples=[examples.RELEASE])
    @action(detail=True, methods=["post"])
    def release(self, request: Request, **kwargs: Any) -> Response:
        """Let a series go on that waited for a clinician."""
        reason = self.body(shapes.ReleaseSerializer)["reason"]
        return self.show(lifecycle.release_series(self.record, self.user, clock.now(), reason, expected=self.expected))

    @extend_schema(request=shapes.ReplanSerializer, responses=shapes.SeriesSerializer, examples=[examples.REPLAN])
    @action(detail=True, methods=["post"])
    def replan(self, request: Request, **kwargs: Any) -> Response:
        """Move the sessions to come to a plan made for them, all or none. A race lost is a 409 with fresh `plans`."""
        plan = self.body(shapes.ReplanSerializer)["plan"]
        return self.show(
            with_plans(lambda: replanning.replan(self.record, plan, self.user, clock.now(), self.expected))
        )

    @extend_schema(request=shapes.AdjustSerializer, responses=shapes.SeriesSerializer, examples=[examples.ADJUST])
    @action(detail=True, methods=["post"])
    def adjust(self, request: Request, **kwargs: Any) -> Response:
        """Give one phase of this series another spacing or another number of sessions; then plan the rest anew."""
        asked = self.body(shapes.AdjustSerializer)
        reason = asked.pop("reason")
        return self.show(replanning.adjust(self.record, asked, reason, self.user, clock.now(), self.expected))


class SessionViewSet(ListRecords, ReadRecord, DayVerbs):
    """Single visits and what happens in them."""

    model = Session
    serializer_class = shapes.SessionSerializer
    filterset_class = filters.SessionFilters
    paged = frozenset({"list", "events"})
    versioned = True
    means: Consequence | None = None
    told: dict[UUID, list[Told]] | None = None

    def visible(self) -> QuerySet[Session]:
        """Sessions of the sites where the caller works, and their own."""
        seen = visible_sessions(self.user)
        # Reading shows ids; only verbs look behind them.
        return rows(seen, *shapes.COLUMNS) if self.action in READS else seen.select_related(*WITH_SITE)

    def seen(self, wanted: UUID) -> Any:
        """One session; to be read, as a plain row."""
        if self.action == "retrieve":
            return visible_session_row(self.user, wanted, shapes.COLUMNS, self.sure_to_show())
        return super().seen(wanted)

    @property
    def page_order(self) -> tuple[str, ...]:
        """Sessions by start, events by age."""
        return ("id",) if self.action == "events" else ("start", "id")

    def check_state(self) -> None:
        """Refuse a verb that the state forbids before its body is looked at."""
        if self.record is not None:
            verb = self.right.removeprefix("sessions.")
            lifecycle.check_move(self.record, verb, clock.now())
            if verb in ("cancel", "reschedule"):
                check_cut_off(self.record, self.user, clock.now())

    @extend_schema(responses=shapes.EventSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def events(self, request: Request, **kwargs: Any) -> Response:
        """What happened to the session, oldest first, and what the patient was told of each change."""
        self.shown([self.record])
        self.told = told_after_each(self.record)
        return self.page(SessionEvent.objects.filter(session=self.record), shapes.EventSerializer)

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.SessionSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, **kwargs: Any) -> Response:
        """The patient says that they will come."""
        return self._verb(shapes.NothingSerializer, lifecycle.confirm)

    @extend_schema(
        request=shapes.RescheduleSerializer, responses=shapes.SessionSerializer, examples=[examples.RESCHEDULE]
    )
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, **kwargs: Any) -> Response:
        """Move the session to another start, or to the place that a plan offers.

        Where its neighbours in the series would break, a 422 names the rule and gives `plans`: the smallest change of
        the rest that has the session there.
        """
        plan, now = self.body(shapes.RescheduleSerializer).get("plan"), clock.now()
        if plan is not None:
            return self.show(with_plans(lambda: moving.take_place(self.record, plan, self.user, now, self.expected)))
        # Taken as it was written: the field gives UTC, and the offset is part of what is checked.
        start = datetime.fromisoformat(self.body_data["start"])
        return self.show(
            with_plans(lambda: moving.reschedule(self.record, start, self.user, now, expected=self.expected))
        )

    @extend_schema(request=shapes.ReseatSerializer, responses=shapes.SessionSerializer, examples=[examples.RESEAT])
    @action(detail=True, methods=["post"])
    def reseat(self, request: Request, **kwargs: Any) -> Response:
        """Put the session in just this chair, with just this nurse, at just this start, or say what forbids it.

        Who put it there is obeyed: it is not laid anew for others. At the same start the patient is told nothing.
        """
        asked = self.body(shapes.ReseatSerializer)
        people = {name: asked[name].pk for name in ("chair", "nurse") if name in asked}
        # As it was written, see `reschedule`.
        start = datetime.fromisoformat(self.body_data["start"]) if "start" in asked else None
        wanted = reseating.Wanted(start=start, **people)
        return self.show(reseating.reseat(self.record, wanted, self.user, clock.now(), self.expected))

    def _lost(self, session: Session) -> Response:
        """The lost session, and what that means for its series."""
        self.means = consequence(session, clock.now())
        return self.show(session)

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        """A lost session is shown with its consequence."""
        return shapes.LostSessionSerializer if self.action in ("cancel", "no_show") else shapes.SessionSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """With the consequence of a loss; with what was told of each event."""
        return {**super().get_serializer_context(), "consequence": self.means, "told": self.told}

    @extend_schema(
        request=shapes.ReasonedSerializer, responses=shapes.LostSessionSerializer, examples=[examples.CANCEL]
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel the session; the answer says what that means for the series."""
        reason, now = self.body(shapes.ReasonedSerializer)["reason"], clock.now()
        return self._lost(lifecycle.cancel(self.record, reason, self.user, now, expected=self.expected))

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.LostSessionSerializer)
    @action(detail=True, methods=["post"], url_path="no-show")
    def no_show(self, request: Request, **kwargs: Any) -> Response:
        """The patient did not come; the answer says what that means for the series."""
        self.body(shapes.NothingSerializer)
        return self._lost(lifecycle.mark_no_show(self.record, self.user, clock.now(), expected=self.expected))
