"""What signing in takes and gives."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.http import fields
from accounts.http.serializers import StrictSerializer
from accounts.models import Role, User


class PasswordField(serializers.CharField):
    """A password exactly as it was typed, 1 to 4,096 characters; never given back."""

    default_error_messages: ClassVar = {fields.WRONG_TYPE: "This must be a text."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=4096, write_only=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail(fields.WRONG_TYPE)
        return data


class Credentials(StrictSerializer):
    """Who signs in. The address is not judged here: a wrong one is a wrong sign-in, not bad input.

    `code` is the second factor where the person has one or their organization demands one: from the telephone, or a
    recovery code. Each is good once.
    """

    email = fields.TextField(max_length=254)
    password = PasswordField()
    code = fields.TextField(max_length=40, required=False, allow_blank=True)


class Token(StrictSerializer):
    """A fresh token, shown this once."""

    token = serializers.CharField(read_only=True)
    expires_at = fields.InstantField(read_only=True)


@extend_schema_field({"type": "array", "items": {"type": "string", "format": "uuid"}})
class _Ids(serializers.Field):
    """Ids of a person's sites."""

    def to_representation(self, value: Any) -> list[str]:
        return [str(record.pk) for record in value.order_by("id")]


class Me(serializers.ModelSerializer):
    """Who is signed in."""

    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), read_only=True)
    organization = fields.ReferenceField(read_only=True)
    sites = _Ids(read_only=True)

    class Meta:
        model = User
        fields = ("id", "email", "name", "roles", "organization", "sites")
        read_only_fields = fields
