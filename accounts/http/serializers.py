"""Serializers that ignore nothing: a field that is not there, or that only we write, is a fault and not a wish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.http import fields

Faults = dict[str, Any]


class _Strict:
    """Refuses unknown fields (`unknown_field`) and read-only ones (`read_only`), together with all other faults."""

    def to_internal_value(self, data: Any) -> Any:
        faults = self._strangers(data) if isinstance(data, Mapping) else {}
        try:
            value = self._whole(data)
        except ValidationError as error:
            known = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise ValidationError({**known, **faults}) from None
        if faults:
            raise ValidationError(faults)
        return value

    def _whole(self, data: Any) -> Any:
        """Validate with every field required, inside a PATCH too: it may leave out fields, not parts of one."""
        root = self.root  # type: ignore[attr-defined]
        partial = getattr(root, "partial", False)
        if partial and root is not self:
            root.partial = False
        try:
            return super().to_internal_value(data)  # type: ignore[misc]
        finally:
            if partial:
                root.partial = True

    def _strangers(self, data: Mapping[str, Any]) -> Faults:
        faults: Faults = {}
        for name in data:
            field = self.fields.get(name)  # type: ignore[attr-defined]
            if field is None or isinstance(field, serializers.HiddenField):
                faults[name] = [ErrorDetail("There is no such field.", code="unknown_field")]
            elif field.read_only:
                faults[name] = [ErrorDetail("This field is not yours to set.", code="read_only")]
        return faults


class StrictSerializer(_Strict, serializers.Serializer):
    """A body that is no record: the input of a verb, or what a report gives."""


class StrictModelSerializer(_Strict, serializers.ModelSerializer):
    """A record in and out. Name its fields; a relation that may be written is declared as a `ReferenceField`.

    No uniqueness is checked here: such a check sees every clinic's rows, and the database decides anyway (409).
    """

    serializer_field_mapping: ClassVar[dict[type[models.Field], type[serializers.Field]]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.AutoField: fields.StrictInteger,
        models.BigIntegerField: fields.StrictInteger,
        models.IntegerField: fields.StrictInteger,
        models.PositiveIntegerField: fields.StrictInteger,
        models.PositiveSmallIntegerField: fields.StrictInteger,
        models.SmallIntegerField: fields.StrictInteger,
        models.FloatField: fields.StrictNumber,
        models.BooleanField: fields.StrictBoolean,
        models.CharField: fields.TextField,
        models.TextField: fields.TextField,
        models.EmailField: fields.EmailField,
        models.DateTimeField: fields.InstantField,
        models.DateField: fields.DateField,
        models.TimeField: fields.LocalTimeField,
        models.UUIDField: fields.UUIDField,
        models.JSONField: fields.StrictJSON,
        ArrayField: fields.StrictList,
    }
    serializer_choice_field = fields.StrictChoice
    serializer_related_field = fields.ReferenceField

    def build_standard_field(
        self, field_name: str, model_field: models.Field[Any, Any]
    ) -> tuple[type[serializers.Field], dict[str, Any]]:
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        kwargs["validators"] = [
            check
            for check in kwargs.get("validators", [])
            if not isinstance(check, serializers.UniqueValidator)  # type: ignore[attr-defined]
        ]
        if not kwargs["validators"]:
            del kwargs["validators"]
        if issubclass(field_class, fields.TextField):
            if isinstance(model_field, models.TextField):
                kwargs.setdefault("max_length", 5000)
                kwargs["multiline"] = True
            kwargs.pop("style", None)
        if issubclass(field_class, fields.StrictJSON):
            kwargs.pop("encoder", None)
            kwargs.pop("decoder", None)
        return field_class, kwargs

    def build_relational_field(self, field_name: str, relation_info: Any) -> tuple[type[serializers.Field], Any]:
        field_class, kwargs = super().build_relational_field(field_name, relation_info)
        kwargs.pop("view_name", None)
        if kwargs.pop("queryset", None) is not None:
            declared = field_name in getattr(self.Meta, "read_only_fields", ())
            assert declared, f"{type(self).__name__}.{field_name}: declare it as a ReferenceField, or as read-only"
            kwargs = {"read_only": True, **({"many": True} if kwargs.get("many") else {})}
            if relation_info.model_field is not None and relation_info.model_field.null:
                kwargs["allow_null"] = True
        return field_class, kwargs

    def get_unique_together_validators(self) -> list[Any]:
        return []

    def get_unique_for_date_validators(self) -> list[Any]:
        return []
