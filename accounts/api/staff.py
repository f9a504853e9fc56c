"""`users/` and `invitations/`: thin; what may be done by whom is in `accounts.staff` and `accounts.invitations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Exists, OuterRef, Prefetch
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action

from accounts import clock, invitations, staff
from accounts.http import fields
from accounts.http.filters import BooleanFilter, ChoicesFilter, ReferenceFilter, StrictFilterSet, TextFilter
from accounts.http.problems import name_constraint
from accounts.http.serializers import StrictModelSerializer, StrictSerializer
from accounts.http.views import ChangeRecord, CreateRecord, ListRecords, ReadRecord, RecordViewSet
from accounts.models import LANGUAGES, Invitation, Passkey, Role, SecondFactor, Site, User
from accounts.queries import staffed_sites, visible_invitations, visible_staff

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response

name_constraint("invitation_once", "already_invited", "This address is invited already. Send that invitation again.")
name_constraint("last_admin", "last_admin", "This is the last admin. Make somebody else one first.")
name_constraint("last_manager", "last_manager", "This is the last manager. Make somebody else one first.")
name_constraint("on_call", "on_call", "Alerts go to this person where nobody else is on call. Name who follows.")
name_constraint("on_call_active", "on_call", "Who is told of alerts is somebody who is here.")

IN_ORDER = Prefetch("sites", Site.objects.order_by("id"))


def _roles() -> fields.StrictList:
    return fields.StrictList(child=fields.StrictChoice(choices=Role.choices), unique=True, allow_empty=False)


class PersonSerializer(StrictModelSerializer):
    """Somebody who works here. `visits_to_come` are booked with them; `has_second_factor` says nothing more of it.

    `language` is that of mails to them about how they sign in.
    """

    email = fields.EmailField(read_only=True)
    name = fields.TextField(max_length=200)
    roles = _roles()
    sites = fields.ReferenceField(staffed_sites, many=True)
    language = fields.StrictChoice(choices=LANGUAGES, required=False)
    has_second_factor = serializers.BooleanField(read_only=True)
    visits_to_come = serializers.IntegerField(read_only=True)

    class Meta:
        model = User
        fields: ClassVar = [
            "id",
            "email",
            "name",
            "roles",
            "sites",
            "language",
            "is_active",
            "has_second_factor",
            "visits_to_come",
            "last_login",
            "created_at",
        ]
        read_only_fields: ClassVar = ["id", "is_active", "last_login", "created_at"]


class InvitationSerializer(StrictModelSerializer):
    """Somebody who is to work here. An open one is taken up by the link in the mail, until `expires_at`.

    The mail is in this `language`, else in that of who invites.
    """

    email = fields.EmailField()
    name = fields.TextField(max_length=200)
    roles = _roles()
    sites = fields.ReferenceField(staffed_sites, many=True)
    language = fields.StrictChoice(choices=LANGUAGES, required=False)
    status = serializers.SerializerMethodField()

    class Meta:
        model = Invitation
        fields: ClassVar = [
            "id",
            "email",
            "name",
            "roles",
            "sites",
            "language",
            "status",
            "invited_by",
            "invited_at",
            "expires_at",
            "accepted_at",
            "withdrawn_at",
            "user",
        ]
        read_only_fields: ClassVar = [
            "id",
            "invited_by",
            "invited_at",
            "expires_at",
            "accepted_at",
            "withdrawn_at",
            "user",
        ]

    @extend_schema_field({"type": "string", "enum": list(Invitation.Status.values)})
    def get_status(self, invitation: Invitation) -> str:
        """What became of it."""
        return invitation.status


class LeavingSerializer(StrictSerializer):
    """`on_call` is who is told of alerts in place of who leaves, where nobody else would be."""

    on_call = fields.ReferenceField(visible_staff, required=False, allow_null=True)


class NoWords(StrictSerializer):
    """A verb that says all by its name."""


class PersonFilters(StrictFilterSet):
    """`role` is one of the roles that somebody holds; `search` a part of the name."""

    site = ReferenceFilter(staffed_sites, "sites")
    role = ChoicesFilter(Role.choices, method="holding")
    is_active = BooleanFilter()
    search = TextFilter("name", "icontains")

    def holding(self, queryset: QuerySet[User], name: str, value: list[str]) -> QuerySet[User]:
        """People who hold one of these."""
        return queryset.filter(roles__overlap=value)


class InvitationFilters(StrictFilterSet):
    """Of one site."""

    site = ReferenceFilter(staffed_sites, "sites")


CHANGE = OpenApiExample("Another role", value={"roles": ["nurse", "manager"]}, request_only=True)
INVITATION = OpenApiExample(
    "A nurse",
    value={
        "email": "r.moss@clinic.example",
        "name": "R. Moss, RN",
        "roles": ["nurse"],
        "sites": ["01890a5d-ac96-774b-bcce-b302099a8057"],
    },
    request_only=True,
)
EMPTY = OpenApiExample("Nothing to say", value={}, request_only=True)
LEAVES = OpenApiExample("Somebody leaves", value={}, request_only=True)


def verb(path: str, body: type[StrictSerializer], answer: Any, example: OpenApiExample = EMPTY) -> Any:
    """What makes a method a POST on a record, described."""

    def make(method: Any) -> Any:
        described = extend_schema(request=body, responses=answer, examples=[example])
        return described(action(detail=True, methods=["post"], url_path=path)(method))

    return make


@extend_schema_view(partial_update=extend_schema(examples=[CHANGE]))
@extend_schema(tags=["users"])
class PersonViewSet(ListRecords, ReadRecord, ChangeRecord, RecordViewSet):
    """Who works at the caller's sites, or did: what they may do, and whether they get in."""

    model = User
    serializer_class = PersonSerializer
    filterset_class = PersonFilters

    def visible(self) -> QuerySet[User]:
        """Colleagues whom the caller may see."""
        codes, passkeys = (Exists(each.objects.filter(user=OuterRef("pk"))) for each in (SecondFactor, Passkey))
        factor = codes | passkeys
        return staff.with_visits(visible_staff(self.user)).annotate(has_second_factor=factor).prefetch_related(IN_ORDER)

    def check_state(self) -> None:
        """Whether the caller decides over this person, and what the state allows, before the body is judged."""
        staff.check_may_decide(self.user, self.record)
        if self.action in {"deactivate", "reactivate"}:
            staff.check_active(self.record, self.action == "deactivate")
        elif self.action != "partial_update":
            staff.check_here(self.record)

    def perform_update(self, serializer: Any) -> User:
        """Save what was sent."""
        return staff.change(self.user, serializer.instance, dict(serializer.validated_data))

    @verb("deactivate", LeavingSerializer, PersonSerializer, LEAVES)
    def deactivate(self, request: Request, **kwargs: Any) -> Response:
        """Send somebody away: every way in ends at once. Their visits stay booked (`visits_to_come`): a disruption
        (`provider_absence`) moves them. 409 `on_call` where somebody has to be named who is told of alerts instead."""
        return self.show(staff.deactivate(self.user, self.record, self.body(LeavingSerializer).get("on_call")))

    @verb("reactivate", NoWords, PersonSerializer)
    def reactivate(self, request: Request, **kwargs: Any) -> Response:
        """Take somebody back. They sign in anew."""
        self.body(NoWords)
        return self.show(staff.reactivate(self.user, self.record))

    @verb("send-password-link", NoWords, PersonSerializer)
    def send_password_link(self, request: Request, **kwargs: Any) -> Response:
        """Send a link that sets a new password, once, for a day."""
        self.body(NoWords)
        staff.send_password_link(self.user, self.record, clock.now())
        return self.show(self.record)

    @verb("reset-second-factor", NoWords, PersonSerializer)
    def reset_second_factor(self, request: Request, **kwargs: Any) -> Response:
        """Take a second factor that is lost; the person is told by mail and signed out everywhere."""
        self.body(NoWords)
        staff.reset_second_factor(self.user, self.record, clock.now())
        return self.show(self.record)


@extend_schema_view(create=extend_schema(examples=[INVITATION]))
@extend_schema(tags=["users"])
class InvitationViewSet(ListRecords, ReadRecord, CreateRecord, RecordViewSet):
    """Who is invited to work at the caller's sites. The link goes to the address and nowhere else."""

    model = Invitation
    serializer_class = InvitationSerializer
    filterset_class = InvitationFilters

    def visible(self) -> QuerySet[Invitation]:
        """Invitations that the caller may see."""
        return visible_invitations(self.user).prefetch_related(IN_ORDER)

    def check_state(self) -> None:
        """A look before the body is judged."""
        if self.record is not None:
            invitations.check_open(self.record)

    def perform_create(self, serializer: Any) -> Invitation:
        """Have the link sent."""
        return invitations.invite(self.user, serializer.validated_data, clock.now())

    @verb("resend", NoWords, InvitationSerializer)
    def resend(self, request: Request, **kwargs: Any) -> Response:
        """Send a fresh link; the one before opens nothing."""
        self.body(NoWords)
        return self.show(invitations.resend(self.user, self.record, clock.now()))

    @verb("withdraw", NoWords, InvitationSerializer)
    def withdraw(self, request: Request, **kwargs: Any) -> Response:
        """Take it back: the link opens nothing."""
        self.body(NoWords)
        return self.show(invitations.withdraw(self.user, self.record, clock.now()))
