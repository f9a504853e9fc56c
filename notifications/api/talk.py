"""HTTP for wordings, replies and calendars: parse, permit, call one use case, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import clock
from accounts.http.base import ApiView
from accounts.http.filters import ChoicesFilter, ReferenceFilter, StrictFilterSet
from accounts.http.rendering import JSONRenderer
from accounts.http.views import (
    ChangeRecord,
    CreateRecord,
    ListRecords,
    PatientRecords,
    ReadRecord,
    RecordViewSet,
    RemoveRecord,
)
from accounts.models import Channel
from accounts.queries import seen_patients, visible_patients, visible_sites
from notifications import feeds, inbound, texts, wordings
from notifications.api import talk_shapes as shapes
from notifications.api.serializers import NothingSerializer
from notifications.models import CalendarFeed, Reply, ReplyKind, ReplyStatus, Wording
from notifications.previews import preview

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

SITE = "01890a5d-ac96-774b-bcce-b302099a8057"
WORDING = {
    "site": SITE,
    "kind": "reminder",
    "channel": "sms",
    "language": "en",
    "body": "{clinic}: see you {day} {time}. Reply C to confirm, STOP to end texts. Call {phone}.",
}


class WordingFilters(StrictFilterSet):
    """Wordings of which site, for what."""

    site = ReferenceFilter(visible_sites)
    kind = ChoicesFilter(shapes.KINDS)
    channel = ChoicesFilter(Channel.choices)
    language = ChoicesFilter(shapes.LANGUAGES)


@extend_schema_view(
    create=extend_schema(examples=[OpenApiExample("A shorter reminder", WORDING, request_only=True)]),
    partial_update=extend_schema(
        examples=[OpenApiExample("Other words", {"body": WORDING["body"]}, request_only=True)]
    ),
)
@extend_schema(tags=["wordings"])
class WordingViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RemoveRecord, RecordViewSet):
    """A clinic's own words for messages; where there are none, those that are shipped are used."""

    model = Wording
    serializer_class = shapes.WordingSerializer
    filterset_class = WordingFilters

    def visible(self) -> QuerySet[Wording]:
        """Wordings of sites that the caller may see."""
        return Wording.objects.filter(site__in=visible_sites(self.user))

    @extend_schema(
        request=shapes.DraftedWordingSerializer,
        responses=shapes.PreviewSerializer,
        examples=[OpenApiExample("Words to be looked at", WORDING, request_only=True)],
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """How a wording looks, and what is wrong with it. Without `body`: the one that is in use. Saves nothing."""
        asked = self.body(shapes.DraftedWordingSerializer)
        site, kind, channel, language = (asked[name] for name in ("site", "kind", "channel", "language"))
        said = texts.wording_for(site, kind, channel, language) if channel in wordings.DATA["kinds"][kind] else None
        if "body" in asked or said is None:
            said = wordings.Wording(asked.get("subject", ""), asked.get("body", ""))
        found = wordings.problems(kind, channel, said)
        shown = {"wording": {"subject": said.subject, "body": said.body}, "problems": found}
        return Response(shapes.PreviewSerializer(shown | preview(site, kind, channel, language, said, found)).data)


class ReplyFilters(StrictFilterSet):
    """Replies of whom, and whether somebody still has to look."""

    patient = ReferenceFilter(visible_patients)
    kind = ChoicesFilter(ReplyKind.choices)
    status = ChoicesFilter(ReplyStatus.choices)


@extend_schema(tags=["replies"])
class ReplyViewSet(ListRecords, ReadRecord, PatientRecords):
    """What patients texted back, newest first. `other_time` and `other` stay open until somebody has seen to them."""

    model = Reply
    serializer_class = shapes.ReplySerializer
    filterset_class = ReplyFilters

    def visible(self) -> QuerySet[Reply]:
        """Replies of patients whom the caller may see."""
        return Reply.objects.filter(seen_patients(self.user, "patient__"))

    def check_state(self) -> None:
        """A look before the body is judged."""
        if self.action == "close":
            inbound.refuse_if_closed(self.record)

    @extend_schema(request=NothingSerializer, responses=shapes.ReplySerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, **kwargs: Any) -> Response:
        """Somebody has seen to it."""
        self.body(NothingSerializer)
        return self.show(inbound.close(self.record, self.user, clock.now()))


class FeedFilters(StrictFilterSet):
    """Calendars of which patient."""

    patient = ReferenceFilter(visible_patients)


@extend_schema_view(
    create=extend_schema(
        responses={201: shapes.GivenFeedSerializer},
        examples=[OpenApiExample("A patient's", {"patient": SITE}, request_only=True)],
    )
)
@extend_schema(tags=["calendar-feeds"])
class FeedViewSet(ListRecords, ReadRecord, CreateRecord, RemoveRecord, PatientRecords):
    """Calendars that were given away by a private address. Removing one takes the address back."""

    model = CalendarFeed
    serializer_class = shapes.FeedSerializer
    filterset_class = FeedFilters
    # Its answer holds the address, which is not kept anywhere.
    replayable = False

    def visible(self) -> QuerySet[CalendarFeed]:
        """Calendars of whom and what the caller may see."""
        return feeds.visible_feeds(self.user)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give a calendar away; its address is told this once."""
        feed, url = feeds.give(self.user, self.body(shapes.FeedSerializer))
        self.shown([feed])
        shown = shapes.GivenFeedSerializer(feed, context=self.get_serializer_context()).data | {"url": url}
        return Response(shown, status=201, headers={"Location": f"{request.path}{feed.pk}/"})

    def perform_destroy(self, record: CalendarFeed) -> None:
        """Take its address back."""
        feeds.take_back(self.user, record)


class CalendarView(ApiView):
    """A calendar behind its address: the address is the whole credential."""

    public = True
    authentication_classes: Any = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Calendars ask for what they like; a refusal is a problem as everywhere."""
        return JSONRenderer(), JSONRenderer.media_type

    @extend_schema(
        operation_id="calendar_read",
        tags=["calendar-feeds"],
        parameters=[OpenApiParameter("token", {"type": "string"}, OpenApiParameter.PATH)],
        responses={(200, "text/calendar"): OpenApiTypes.STR},
        auth=[],
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        """The visits as iCalendar (RFC 5545). 404 for an address that is none or was taken back."""
        return HttpResponse(feeds.read(token, clock.now()), content_type="text/calendar; charset=utf-8")
