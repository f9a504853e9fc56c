"""HTTP for who is on call, what counts as a red flag, and what a site says: parse, permit, call one use case, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import clock
from accounts.http import fields
from accounts.http.base import ApiView
from accounts.http.filters import ReferenceFilter, StrictFilterSet
from accounts.http.query import bad_parameter
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.http.views import CreateRecord, ListRecords, ReadRecord, RecordViewSet
from accounts.models import Channel
from accounts.queries import staffed_sites, visible_sites
from notifications import alerts, on_call, red_flags
from notifications.api.filters import colleagues
from notifications.models import AlertLevel, FlagRule, MessagePlan, OnCallShift, Pager, Roster

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

ANYBODY = "01931b5e-0000-7000-8000-000000000001"
ROSTER = OpenApiExample(
    "One person, Monday by day",
    {
        "site": ANYBODY,
        "shifts": [{"user": ANYBODY, "weekday": 0, "start_time": "08:00", "end_time": "20:00"}],
    },
    request_only=True,
)
PAGER = OpenApiExample("By text first", {"phone": "+13125550146", "channels": ["sms", "email"]}, request_only=True)
RULE = OpenApiExample(
    "Pain from 7 on, seen within half an hour",
    {
        "kind": "severe_pain",
        "level": "urgent",
        "at_least": 7,
        "act_minutes": 30,
        "escalate_minutes": 10,
        "source": "Our own policy of May",
    },
    request_only=True,
)
PLAN = OpenApiExample(
    "Prepare three days ahead, say nothing of visits missed",
    {"site": ANYBODY, "no_shows": False, "preparation_hours": 72, "ask_again_hours": 4},
    request_only=True,
)
MOST_SHIFTS = 100
MOST_MINUTES = 43_200


class ShiftSerializer(StrictModelSerializer):
    """A span of every week in the site's wall time; an end at or before the start is the next day's."""

    user = fields.ReferenceField(colleagues)
    start_time = fields.LocalTimeField()
    end_time = fields.LocalTimeField()

    class Meta:
        model = OnCallShift
        fields: ClassVar = ["user", "weekday", "start_time", "end_time"]
        extra_kwargs: ClassVar = {"weekday": {"min_value": 0, "max_value": 6}}


class RosterSerializer(StrictModelSerializer):
    """Who is on call at a site through the week. The shifts sent replace those there were; none: the site's creator."""

    site = fields.ReferenceField(staffed_sites)
    shifts = ShiftSerializer(many=True)

    class Meta:
        model = Roster
        fields: ClassVar = ["id", "site", "shifts", "created_at"]
        read_only_fields: ClassVar = ["id", "created_at"]

    def validate_shifts(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A week has room for so many."""
        if len(value) > MOST_SHIFTS:
            raise serializers.ValidationError(f"A roster has at most {MOST_SHIFTS} shifts.", code="too_many")
        return value


class SiteFilters(StrictFilterSet):
    """By site."""

    site = ReferenceFilter(visible_sites)


@extend_schema_view(create=extend_schema(examples=[ROSTER]))
@extend_schema(tags=["on-call"])
class RosterViewSet(ListRecords, ReadRecord, CreateRecord, RecordViewSet):
    """Rosters of on call. POST puts a whole week in place of the site's roster."""

    model = Roster
    serializer_class = RosterSerializer
    filterset_class = SiteFilters
    also_answers = frozenset({"422"})

    def visible(self) -> QuerySet[Roster]:
        """Rosters of sites that the caller sees."""
        return Roster.objects.filter(site__in=visible_sites(self.user)).prefetch_related("shifts")

    def perform_create(self, serializer: Any) -> Roster:
        """The whole week at once, so that no gap is there even for a moment."""
        values = serializer.validated_data
        return on_call.set_roster(values["site"], [on_call.Shift(**shift) for shift in values["shifts"]])


class PagerSerializer(StrictModelSerializer):
    """How the caller is reached when on call."""

    phone = fields.PhoneField(required=False, allow_blank=True)
    channels = fields.StrictList(child=fields.StrictChoice(choices=Channel.choices), unique=True, allow_empty=False)

    class Meta:
        model = Pager
        fields: ClassVar = ["phone", "channels"]


class PagerView(ApiView):
    """The caller's own pager."""

    right = "on-call.pager"

    @extend_schema(
        operation_id="on_call_pager",
        tags=["on-call"],
        request=PagerSerializer,
        responses=PagerSerializer,
        examples=[PAGER],
    )
    def post(self, request: Request) -> Response:
        """Set number and channels by which alerts reach the caller."""
        values = self.body(PagerSerializer)
        phone = values.get("phone", "")
        pager, _ = Pager.objects.update_or_create(
            user=self.user, defaults={"phone": phone, "channels": list(values["channels"])}
        )
        return Response(PagerSerializer(pager).data)


class OnCallNowView(ApiView):
    """Who is on call just now."""

    right = "on-call.now"
    query_parameters = frozenset({"site"})

    @extend_schema(
        operation_id="on_call_now",
        tags=["on-call"],
        parameters=[OpenApiParameter("site", {"type": "string", "format": "uuid"}, required=True)],
        responses={200: {"type": "object", "properties": {"site": {"type": "string"}, "user": {"type": "string"}}}},
    )
    def get(self, request: Request) -> Response:
        """The clinician on call at a site at this moment."""
        if "site" not in request.query_params:
            raise bad_parameter("site", "required", "`site` is required.")
        asked = SiteFilters(request.query_params, Roster.objects.none(), request=request)
        asked.check()
        site = asked.form.cleaned_data["site"]
        return Response({"site": str(site.pk), "user": str(on_call.on_call(site, clock.now()).pk)})


class FlagRuleSerializer(StrictModelSerializer):
    """What the caller's organization has changed of one rule: level, threshold (null: the rule's own) and clocks."""

    kind = fields.StrictChoice(choices=[(kind, kind) for kind in red_flags.rules()])
    level = fields.StrictChoice(choices=AlertLevel.choices)
    at_least = fields.StrictInteger(min_value=1, max_value=300, allow_null=True, required=False)
    act_minutes = fields.StrictInteger(min_value=1, max_value=MOST_MINUTES)
    escalate_minutes = fields.StrictInteger(min_value=1, max_value=MOST_MINUTES)
    source = fields.TextField(max_length=500)  # type: ignore[assignment]

    class Meta:
        model = FlagRule
        fields: ClassVar = ["id", "kind", "level", "at_least", "act_minutes", "escalate_minutes", "source"]
        read_only_fields: ClassVar = ["id"]


class RuleSerializer(StrictSerializer):
    """A rule as it is in force."""

    kind = serializers.CharField(read_only=True)
    instruments = serializers.ListField(child=serializers.CharField(), read_only=True)
    items = serializers.ListField(child=serializers.CharField(), read_only=True)
    score = serializers.CharField(read_only=True)
    measure = serializers.CharField(read_only=True)
    below = serializers.BooleanField(read_only=True)
    grade = serializers.BooleanField(read_only=True)
    at_least = serializers.IntegerField(read_only=True)
    level = serializers.CharField(read_only=True)
    act_minutes = serializers.IntegerField(read_only=True)
    escalate_minutes = serializers.IntegerField(read_only=True)
    holds_series = serializers.BooleanField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]


@extend_schema_view(create=extend_schema(examples=[RULE]))
@extend_schema(tags=["red-flag-rules"])
class FlagRuleViewSet(ListRecords, ReadRecord, CreateRecord, RecordViewSet):
    """Changes of the rules of red flags. POST sets one for the organization, in place of an earlier change of it."""

    model = FlagRule
    serializer_class = FlagRuleSerializer

    def visible(self) -> QuerySet[FlagRule]:
        """Those of the caller's organization."""
        return FlagRule.objects.filter(organization=self.user.organization_id, organization__isnull=False)

    def perform_create(self, serializer: Any) -> FlagRule:
        """One row a rule."""
        values = {"at_least": None} | dict(serializer.validated_data)
        kind = values.pop("kind")
        assert self.user.organization_id is not None
        rule, _ = FlagRule.objects.update_or_create(
            organization_id=self.user.organization_id, kind=kind, defaults=values
        )
        return rule

    @extend_schema(operation_id="red_flag_rules_in_force", responses=RuleSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], url_path="in-force", pagination_class=None)
    def in_force(self, request: Request) -> Response:
        """Every rule as it holds for the caller's organization, with its source."""
        organization = self.user.organization_id
        found = alerts.rules_in_force(organization) if organization else red_flags.rules()
        return Response(RuleSerializer(list(found.values()), many=True).data)


class MessagePlanSerializer(StrictModelSerializer):
    """What a site says beside its protocols' reminders and check-ins."""

    site = fields.ReferenceField(staffed_sites)
    preparation_hours = fields.StrictInteger(min_value=1, max_value=2160, allow_null=True, required=False)
    ask_again_hours = fields.StrictInteger(min_value=0, max_value=72, required=False)

    class Meta:
        model = MessagePlan
        fields: ClassVar = [
            "id",
            "site",
            "receipts",
            "changes",
            "cancellations",
            "no_shows",
            "offers",
            "preparation_hours",
            "ask_again_hours",
        ]
        read_only_fields: ClassVar = ["id"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"site": {"validators": []}}


@extend_schema_view(create=extend_schema(examples=[PLAN]))
@extend_schema(tags=["message-plans"])
class MessagePlanViewSet(ListRecords, ReadRecord, CreateRecord, RecordViewSet):
    """What each site says; one without a plan has the defaults. POST sets a site's plan, whole."""

    model = MessagePlan
    serializer_class = MessagePlanSerializer
    filterset_class = SiteFilters

    def visible(self) -> QuerySet[MessagePlan]:
        """Plans of sites that the caller sees."""
        return MessagePlan.objects.filter(site__in=visible_sites(self.user))

    def perform_create(self, serializer: Any) -> MessagePlan:
        """One row a site; what is not sent is as by default. Messages follow with the next sweep."""
        values = dict(serializer.validated_data)
        site = values.pop("site")
        names = [name for name in MessagePlanSerializer.Meta.fields if name not in {"id", "site"}]
        standard = {name: getattr(MessagePlan(site=site), name) for name in names}
        plan, _ = MessagePlan.objects.update_or_create(site=site, defaults=standard | values)
        return plan
