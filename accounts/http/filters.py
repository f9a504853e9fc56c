"""Filters of lists (django-filter), as strict as bodies: each value is checked by the field that a body would use."""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django_filters.filterset import FilterSetMetaclass
from django_filters.rest_framework import DjangoFilterBackend, Filter, FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.http import fields
from accounts.http.query import bad_parameter
from accounts.http.references import SiteReference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from accounts.models import User

_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)


def _first(detail: Any) -> Any:
    while isinstance(detail, list | dict):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return detail


class StrictFilter(Filter):
    """A filter whose value `strict` checks; `read` turns the text of the query into what that field takes."""

    def __init__(
        self,
        strict: serializers.Field,
        field_name: str | None = None,
        lookup_expr: str = "exact",
        *,
        read: Callable[[str], Any] = str,
        **kwargs: Any,
    ) -> None:
        super().__init__(field_name, lookup_expr, **kwargs)
        self.strict, self.read = strict, read
        extend_schema_field(strict)(self)

    def of(self, filters: StrictFilterSet) -> StrictFilter:
        """This filter for one request. What is declared is shared by all of them."""
        mine = copy(self)
        mine.parent, mine.model = filters, filters.queryset.model
        strict: Any = copy(self.strict)
        strict._context = {"request": filters.request}
        mine.strict = strict
        if self.method is not None:
            # Set anew, it calls this request's filter set.
            mine.method = self.method
        return mine

    def clean(self, text: str) -> Any:
        """The value that the text spells. A parameter that is there but empty is a fault, not absent."""
        return self.strict.run_validation(self.read(text))


class InstantFilter(StrictFilter):
    """An instant with its offset."""

    def __init__(self, field_name: str | None = None, lookup_expr: str = "exact", **kwargs: Any) -> None:
        super().__init__(fields.InstantField(), field_name, lookup_expr, **kwargs)


class DateFilter(StrictFilter):
    """A calendar date."""

    def __init__(self, field_name: str | None = None, lookup_expr: str = "exact", **kwargs: Any) -> None:
        super().__init__(fields.DateField(), field_name, lookup_expr, **kwargs)


class TextFilter(StrictFilter):
    """A line of text, at most 200 characters."""

    def __init__(self, field_name: str | None = None, lookup_expr: str = "exact", **kwargs: Any) -> None:
        super().__init__(fields.TextField(), field_name, lookup_expr, **kwargs)


class IntegerFilter(StrictFilter):
    """A whole number."""

    def __init__(self, field_name: str | None = None, lookup_expr: str = "exact", **kwargs: Any) -> None:
        super().__init__(fields.StrictInteger(), field_name, lookup_expr, read=_as_integer, **kwargs)


class BooleanFilter(StrictFilter):
    """`true` or `false`."""

    def __init__(self, field_name: str | None = None, lookup_expr: str = "exact", **kwargs: Any) -> None:
        super().__init__(fields.StrictBoolean(), field_name, lookup_expr, read=_as_boolean, **kwargs)


class ChoicesFilter(StrictFilter):
    """One of the choices, or several with commas between: `status=booked,confirmed`. `choices` are Django's pairs."""

    def __init__(self, choices: Sequence[Any], field_name: str | None = None, **kwargs: Any) -> None:
        strict = fields.StrictList(child=fields.StrictChoice(choices=choices), allow_empty=False)
        super().__init__(strict, field_name, "in", read=lambda text: text.split(","), **kwargs)
        extend_schema_field({"type": "string", "description": "One, or several with commas between."})(self)


class ReferenceFilter(StrictFilter):
    """The id of a record that the caller may see (`visible`); one unknown or foreign is a 400 `unknown_reference`."""

    def __init__(self, visible: Callable[[User], QuerySet[Any]], field_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(fields.ReferenceField(visible), field_name, **kwargs)


class SiteFilter(StrictFilter):
    """The id of a site that the caller may see, else as `ReferenceFilter`; no question to the database."""

    def __init__(self, field_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(SiteReference(), field_name, **kwargs)


def _as_integer(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else text


def _as_boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


class _NamesFromKeywords(FilterSetMetaclass):
    """Lets a filter be named as a Python keyword is: `from_` in the class is `from` in the query."""

    @classmethod
    def get_declared_filters(cls, bases: Any, attrs: dict[str, Any]) -> Any:
        for name in [each for each in attrs if each.endswith("_") and isinstance(attrs[each], Filter)]:
            attrs[name.rstrip("_")] = attrs.pop(name)
        return super().get_declared_filters(bases, attrs)


class StrictFilterSet(FilterSet, metaclass=_NamesFromKeywords):
    """Base of all filter sets. `spans` names pairs (from, until, most days or None) that must be in order.

    class SessionFilters(StrictFilterSet):
        site = ReferenceFilter(visible_sites)
        from_ = InstantFilter("during", "endswith__gt")
        until = InstantFilter("during", "startswith__lt")
        spans = (("from", "until", 400),)
    """

    spans: ClassVar[tuple[tuple[str, str, int | None], ...]] = ()

    def __init__(
        self, data: Any = None, queryset: QuerySet[Any] | None = None, *, request: Request, prefix: str | None = None
    ) -> None:
        """Only the filters that are asked for are made: django-filter makes a form class of all of them each time."""
        assert queryset is not None
        self.data, self.queryset, self.request = data, queryset, request
        declared: dict[str, StrictFilter] = self.base_filters
        self.filters = {name: each.of(self) for name, each in declared.items() if name in data}
        self.cleaned_data: dict[str, Any] = dict.fromkeys(declared)

    @property
    def form(self) -> StrictFilterSet:
        """Where django-filter's own keep what was read: here there is no form between."""
        return self

    def check(self) -> None:
        """Read the values into `cleaned_data` (None where nothing was asked), or raise the first fault as a 400."""
        for name, each in self.filters.items():
            try:
                self.cleaned_data[name] = each.clean(self.data[name])
            except serializers.ValidationError as error:
                first = _first(error.detail)
                raise bad_parameter(name, first.code, str(first)) from None
        for first, last, most in self.spans:
            check_span(first, self.cleaned_data.get(first), last, self.cleaned_data.get(last), most)

    @property
    def qs(self) -> QuerySet[Any]:
        """The records that all filters let through; after `check`."""
        found = self.queryset
        for name, each in self.filters.items():
            found = each.filter(found, self.cleaned_data[name])
        return found


def check_span(first: str, start: Any, last: str, end: Any, most_days: int | None = None) -> None:
    """Refuse (400) query parameters `first` and `last` that are reversed or more than `most_days` apart."""
    if start is None or end is None:
        return
    if end < start:
        raise bad_parameter(last, "reversed_range", f"`{last}` lies before `{first}`.")
    if most_days is not None and (end - start).days > most_days:
        raise bad_parameter(last, "range_too_long", f"At most {most_days} days.")


class StrictFilterBackend(DjangoFilterBackend):
    """Applies a view's `filterset_class`."""

    filterset_base = StrictFilterSet

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        filterset.check()
        return filterset.qs
