"""`patients/`: thin; what may be done by whom is in `accounts.patients`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers

from accounts import audit, clock, patients
from accounts.http import fields
from accounts.http.filters import DateFilter, ReferenceFilter, StrictFilterSet, TextFilter
from accounts.http.problems import name_constraint
from accounts.http.query import bad_parameter
from accounts.http.serializers import StrictModelSerializer
from accounts.http.views import ChangeRecord, CreateRecord, ListRecords, ReadRecord, RecordViewSet
from accounts.models import Channel, Patient, Role, User
from accounts.patients import CONTACT
from accounts.queries import staffed_sites, visible_patients, visible_sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request

name_constraint("accounts_patient_user_id_key", "user_taken", "That sign-in belongs to another patient already.")

MOST_TERMS = 5
EARLIEST_BIRTH = date(1900, 1, 1)


def sign_ins(user: User) -> QuerySet[User]:
    """Sign-ins of patients in the person's organization."""
    return User.objects.filter(organization__users=user, roles__contains=[Role.PATIENT])


@extend_schema_field(
    {
        "type": "string",
        "maxLength": 16,
        "description": "E.164, or empty; shown as `***0142` to those who need not call.",
        "examples": ["+13125550142"],
    }
)
class ShownPhoneField(fields.PhoneField):
    """A phone number, whose description allows for the mask."""


class PatientSerializer(StrictModelSerializer):
    """A person who is treated. `email` and `phone` are masked or left out for those who may not read them."""

    site = fields.ReferenceField(staffed_sites)
    user = fields.ReferenceField(sign_ins, required=False, allow_null=True)
    birth_date = fields.DateField()
    email = fields.EmailField(required=False, allow_blank=True)
    phone = ShownPhoneField(required=False, allow_blank=True)
    preferred_channels = fields.StrictList(
        child=fields.StrictChoice(choices=Channel.choices), unique=True, required=False
    )
    time_zone = fields.TimeZoneField(required=False, allow_blank=True)
    stopped_channels = fields.StrictList(child=fields.StrictChoice(choices=Channel.choices), read_only=True)
    dead_channels = fields.StrictList(child=fields.StrictChoice(choices=Channel.choices), read_only=True)

    class Meta:
        model = Patient
        fields: ClassVar = [
            "id",
            "site",
            "user",
            "given_name",
            "family_name",
            "birth_date",
            "email",
            "phone",
            "preferred_channels",
            "language",
            "time_zone",
            "quiet_from",
            "quiet_until",
            "texting_consent",
            "texting_consent_at",
            "texting_consent_by",
            "stopped_channels",
            "dead_channels",
            "created_at",
            "version",
        ]
        read_only_fields: ClassVar = ["id", "texting_consent_at", "texting_consent_by", "created_at", "version"]

    def validate_birth_date(self, value: date) -> date:
        """A birth date is not to come; a day of grace, since it may be tomorrow at the site."""
        if value < EARLIEST_BIRTH or (value - clock.now().date()).days > 1:
            raise serializers.ValidationError("A birth date lies between 1900 and today.", code="out_of_range")
        return value

    def to_representation(self, instance: Patient) -> dict[str, Any]:
        """The record, with as much of the ways to reach the patient as the caller may read."""
        shown: dict[str, Any] = super().to_representation(instance)
        seen = patients.contact_as_seen(self.context["request"].user, instance)
        return {name: seen.get(name, value) for name, value in shown.items() if name in seen or name not in CONTACT}


class PatientFilters(StrictFilterSet):
    """`search` takes the beginnings of names, in any order: `ada ex` finds Ada Example, `dyk` finds van Dyk."""

    site = ReferenceFilter(visible_sites)
    birth_date = DateFilter()
    search = TextFilter(method="by_names")

    def by_names(self, queryset: QuerySet[Patient], name: str, value: str) -> QuerySet[Patient]:
        """Patients of whom each term begins a word of the given or the family name."""
        terms = value.split()
        if len(terms) > MOST_TERMS:
            raise bad_parameter("search", "too_many_terms", f"At most {MOST_TERMS} words.")
        return queryset.filter(patients.named(terms))


EXAMPLE = OpenApiExample(
    "A patient",
    value={
        "site": "01890a5d-ac96-774b-bcce-b302099a8057",
        "given_name": "Ada",
        "family_name": "Example",
        "birth_date": "1980-02-29",
        "email": "ada@example.org",
        "phone": "+13125550142",
        "preferred_channels": ["email", "sms"],
        "language": "en",
    },
    request_only=True,
)
EXAMPLE_OF_A_CHANGE = OpenApiExample("Another number", value={"phone": "+13125550143"}, request_only=True)


@extend_schema_view(
    create=extend_schema(examples=[EXAMPLE]), partial_update=extend_schema(examples=[EXAMPLE_OF_A_CHANGE])
)
@extend_schema(tags=["patients"])
class PatientViewSet(ListRecords, ReadRecord, CreateRecord, ChangeRecord, RecordViewSet):
    """Patients of the caller's sites; a patient sees and changes parts of their own record. All reading is recorded."""

    model = Patient
    serializer_class = PatientSerializer
    filterset_class = PatientFilters
    versioned = True

    def visible(self) -> QuerySet[Patient]:
        """Patients whom the caller may see."""
        return visible_patients(self.user)

    def _check_right(self, request: Request) -> None:
        """For a change it depends on record and fields; unknown and read-only fields are left to be judged as input."""
        if self.action != "partial_update":
            super()._check_right(request)
            return
        known = {name for name, field in PatientSerializer().fields.items() if not field.read_only}
        patients.check_may_change(self.user, self.record, known & self.body_data.keys())

    def shown(self, records: Sequence[Patient]) -> None:
        """Record who read these records."""
        audit.record_reads(self.user.pk, Patient._meta.db_table, [(one.pk, one.pk) for one in records])

    def perform_create(self, serializer: Any) -> Patient:
        """Create by the use case."""
        return patients.create_patient(self.user, serializer.validated_data)

    def perform_update(self, serializer: Any) -> Patient:
        """Change by the use case."""
        return patients.change_patient(self.user, serializer.instance, serializer.validated_data)
