"""Ids in a request that are looked up at less cost than each by a question of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts.http import fields
from accounts.models import Site
from accounts.queries import sites_seen_by, visible_sites

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from accounts.models import User


class SiteReference(fields.ReferenceField):
    """The id of a site that the caller works at or is treated at. Gives the site; all but its id is read when asked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(visible_sites, **kwargs)

    def find(self, wanted: UUID) -> Site | None:
        """The site, of which only the id is known yet where the request knows what the caller sees."""
        user: User = self.context["request"].user
        if user.sight is None:
            return super().find(wanted)
        return Site.from_db(None, ["id"], [wanted]) if wanted in sites_seen_by(user) else None


class LateReference(fields.ReferenceField):
    """An id of which the serializer finds the record, together with others: `found`. Gives the id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=(), **kwargs)

    def find(self, wanted: UUID) -> Any:
        """The id."""
        return wanted


def found(records: Mapping[str, Any]) -> dict[str, Any]:
    """The records that `LateReference` fields name, by field. One that is None is refused as any other reference is."""
    detail = str(fields.ReferenceField.default_error_messages["unknown_reference"])
    faults = {name: [ErrorDetail(detail, "unknown_reference")] for name, record in records.items() if record is None}
    if faults:
        raise serializers.ValidationError(faults)
    return dict(records)
