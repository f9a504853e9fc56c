"""Serializer fields that take exactly what the contract says and coerce nothing: no "1" for 1, no 5 for "5"."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.relations import MANY_RELATION_KWARGS

from accounts.http.texts import WRONG_TYPE as WRONG_TYPE
from accounts.http.texts import EmailField as EmailField
from accounts.http.texts import PhoneField as PhoneField
from accounts.http.texts import TextField as TextField
from accounts.http.texts import TimeZoneField as TimeZoneField

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

# The service plans a year and a half ahead; PostgreSQL's own limits lie far outside, but an offset can cross them.
FIRST_YEAR, LAST_YEAR = 2000, 2100

_DATE: Final = r"(\d{4})-(\d\d)-(\d\d)"
_CLOCK: Final = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?"
_INSTANT: Final = re.compile(rf"{_DATE}T{_CLOCK}(?:(Z)|([+-])(\d\d):(\d\d))?", re.ASCII)
_CALENDAR_DATE: Final = re.compile(_DATE, re.ASCII)
_WALL_TIME: Final = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


class InstantField(serializers.Field):
    """An instant: ISO 8601 with an offset in, UTC with `Z` out. Gives an aware `datetime` in UTC.

    Codes: `type`, `invalid`, `offset_required`, `offset_out_of_range` (beyond 14 h), `out_of_range` (2000 to 2100).
    """

    default_error_messages: ClassVar = {
        WRONG_TYPE: "This must be a text such as 2027-01-04T09:00:00-06:00.",
        "invalid": "This is not an instant such as 2027-01-04T09:00:00-06:00.",
        "offset_required": "An instant needs its offset from UTC, such as -06:00 or Z.",
        "offset_out_of_range": "Offsets from UTC lie between -14:00 and +14:00.",
        "out_of_range": "The year must lie between 2000 and 2100.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        match = _INSTANT.fullmatch(data)
        if match is None:
            self.fail("invalid")
        year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = match.groups()
        micro = int((fraction or "0").ljust(6, "0"))
        try:
            wall = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micro, UTC)
        except ValueError:
            self.fail("invalid")
        if utc is None and sign is None:
            self.fail("offset_required")
        offset = self._offset(sign, int(hours or 0), int(minutes or 0))
        if not FIRST_YEAR <= wall.year <= LAST_YEAR:
            self.fail("out_of_range")
        return wall - offset

    def _offset(self, sign: str | None, hours: int, minutes: int) -> timedelta:
        if hours > 23 or minutes > 59:
            self.fail("invalid")
        offset = timedelta(hours=hours, minutes=minutes)
        if offset > timedelta(hours=14):
            self.fail("offset_out_of_range")
        return -offset if sign == "-" else offset

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class DateField(serializers.Field):
    """A calendar date "YYYY-MM-DD" with ASCII digits, 1900 to 2100. Gives a `date`."""

    default_error_messages: ClassVar = {
        WRONG_TYPE: "This must be a text such as 2027-01-04.",
        "invalid": "This is not a date such as 2027-01-04.",
        "out_of_range": "The year must lie between 1900 and 2100.",
    }

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        match = _CALENDAR_DATE.fullmatch(data)
        if match is None:
            self.fail("invalid")
        try:
            day = date(*map(int, match.groups()))
        except ValueError:
            self.fail("invalid")
        if not 1900 <= day.year <= LAST_YEAR:
            self.fail("out_of_range")
        return day

    def to_representation(self, value: date) -> str:
        return value.isoformat()


class LocalTimeField(serializers.Field):
    """A wall time at the site, "HH:MM" or "HH:MM:SS", 00:00 to 23:59:59. Gives a naive `time`."""

    default_error_messages: ClassVar = {
        WRONG_TYPE: "This must be a text such as 09:30.",
        "invalid": "This is not a time of day such as 09:30.",
    }

    def to_internal_value(self, data: Any) -> time:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        match = _WALL_TIME.fullmatch(data)
        if match is None:
            self.fail("invalid")
        try:
            hour, minute, second = (int(part or 0) for part in match.groups())
            return time(hour, minute, second)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: time) -> str:
        return value.strftime("%H:%M:%S" if value.second else "%H:%M")


class UUIDField(serializers.Field):
    """A UUID as text, 8-4-4-4-12 hexadecimal digits; upper case is taken, lower case given back. Gives a `UUID`."""

    default_error_messages: ClassVar = {
        WRONG_TYPE: "An id must be a text.",
        "invalid": "This is not an id such as 01890a5d-ac96-774b-bcce-b302099a8057.",
    }

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        found = as_uuid(data)
        if found is None:
            self.fail("invalid")
        return found

    def to_representation(self, value: uuid.UUID) -> str:
        return str(value)


def as_uuid(text: str) -> uuid.UUID | None:
    """The UUID that the text spells in the one accepted form, else None."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


class StrictInteger(serializers.IntegerField):
    """A whole number; neither true, "1" nor 1.0. Within 64 bits where no bounds are given."""

    default_error_messages: ClassVar = {
        WRONG_TYPE: "This must be a whole number.",
        "out_of_range": "This number is out of all bounds.",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail(WRONG_TYPE)
        if not -(2**63) <= data < 2**63:
            self.fail("out_of_range")
        return data


class StrictNumber(serializers.FloatField):
    """A number, whole or not; neither true nor "1.5"."""

    default_error_messages: ClassVar = {WRONG_TYPE: "This must be a number."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail(WRONG_TYPE)
        return float(data)


class StrictBoolean(serializers.BooleanField):
    """true or false; neither "true" nor 1."""

    default_error_messages: ClassVar = {WRONG_TYPE: "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail(WRONG_TYPE)
        return data


class StrictChoice(serializers.ChoiceField):
    """One of the choices, exactly as it is written there and of the same type."""

    def to_internal_value(self, data: Any) -> Any:
        if data == "" and self.allow_blank:
            return ""
        plain = isinstance(data, str | int) and not isinstance(data, bool)
        if not plain or data not in self.choices:
            self.fail("invalid_choice", input=str(data)[:50])
        return data


class StrictList(serializers.ListField):
    """A list, each entry checked by `child`; `unique=True` refuses a value that stands twice (`duplicate`)."""

    default_error_messages: ClassVar = {"duplicate": "A value stands here twice."}

    def __init__(self, *, unique: bool = False, **kwargs: Any) -> None:
        self.unique = unique
        kwargs.setdefault("max_length", 100)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        values = super().to_internal_value(data)
        if self.unique and any(value in values[:index] for index, value in enumerate(values)):
            self.fail("duplicate")
        return values


class StrictJSON(serializers.JSONField):
    """A JSON object of any shape, as the strict parser let it through."""

    default_error_messages: ClassVar = {WRONG_TYPE: "This must be an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail(WRONG_TYPE)
        return dict(data)


@extend_schema_field(OpenApiTypes.UUID)
class ReferenceField(serializers.PrimaryKeyRelatedField):
    """The id of a record that the caller may see; `visible` gives those for a user. Gives the record.

    An id that is unknown and one that belongs to another clinic look alike: `unknown_reference`.

        chair = ReferenceField(visible_chairs)
        sites = ReferenceField(visible_sites, many=True)
    """

    default_error_messages: ClassVar = {
        WRONG_TYPE: "An id must be a text.",
        "invalid": "This is not an id such as 01890a5d-ac96-774b-bcce-b302099a8057.",
        "unknown_reference": "There is no such record that you can see.",
    }

    def __init__(self, visible: Callable[[User], QuerySet[Any]] | None = None, **kwargs: Any) -> None:
        self.visible = visible
        # DRF demands a queryset or read_only when a field is made; ours is known only with the request.
        if visible is not None:
            kwargs["queryset"] = ()
        super().__init__(**kwargs)

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> ManyReferences:
        """What `many=True` makes."""
        passed = {name: kwargs[name] for name in MANY_RELATION_KWARGS if name in kwargs}
        return ManyReferences(child_relation=cls(*args, **kwargs), **passed)

    def get_queryset(self) -> QuerySet[Any]:
        assert self.visible is not None, "a field that is written needs `visible`"
        return self.visible(self.context["request"].user)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        wanted = as_uuid(data)
        if wanted is None:
            self.fail("invalid")
        record = self.find(wanted)
        if record is None:
            self.fail("unknown_reference")
        return record

    def find(self, wanted: uuid.UUID) -> Any:
        """The visible record of this id, None where there is none."""
        return next(iter(self.get_queryset().filter(pk=wanted)), None)

    def get_choices(self, cutoff: int | None = None) -> dict[str, str]:
        """None: a list of every record has no place in metadata or schema."""
        return {}


class ManyReferences(serializers.ManyRelatedField):
    """A list of ids; a fault stands at its place in the list."""

    default_error_messages: ClassVar = {WRONG_TYPE: "This must be a list of ids.", "max_length": "At most 100 ids."}

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail(WRONG_TYPE)
        if not data and not self.allow_empty:
            self.fail("empty")
        if len(data) > 100:
            self.fail("max_length")
        found: list[Any] = []
        faults: dict[Any, Any] = {}
        for index, item in enumerate(data):
            try:
                found.append(self.child_relation.run_validation(item))
            except serializers.ValidationError as error:
                faults[index] = error.detail
        if faults:
            raise serializers.ValidationError(faults)
        return found


for _field, _type in (
    (InstantField, OpenApiTypes.DATETIME),
    (DateField, OpenApiTypes.DATE),
    (UUIDField, OpenApiTypes.UUID),
    (StrictJSON, OpenApiTypes.OBJECT),
):
    extend_schema_field(_type)(_field)
extend_schema_field({"type": "string", "pattern": r"^\d\d:\d\d(:\d\d)?$", "examples": ["09:00"]})(LocalTimeField)
