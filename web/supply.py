"""A clinic's chairs, people and hours on pages: who and what there is, adding and changing, closures to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import messages
from django.db import DatabaseError, transaction
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.http.problems import describe
from accounts.queries import staffed_sites
from accounts.refusals import Conflict, NotFound
from accounts.rights import may
from scheduler.api.serializers import ChairSerializer, ProviderSerializer
from scheduler.changes import keeping_bookings, lock_site
from scheduler.models import Chair, ChairClosure, ChairKind, Provider, ProviderRole, SiteClosure
from scheduler.queries import staffed_chairs, staffed_providers
from web.pages import page, page_for
from web.people import site_of
from web.protocol_words import CHAIRS
from web.record_forms import Lines, Numbers, RecordForm
from web.wishes import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Site, User

ROLES: Final = {ProviderRole.NURSE: _("Nurse"), ProviderRole.PRESCRIBER: _("Prescriber")}
# What the database refuses stands at the field that it is about.
PLACES: Final = {"name_taken": "name", "nurse_capacity": "capacity", "prescriber_capacity": "capacity"}


class ChairForm(RecordForm):
    """A chair; one that is not in use any more is kept for what it was used for."""

    name = forms.CharField(label=_("Name"), max_length=100)
    kind = forms.ChoiceField(label=_("Kind"), choices=[(kind, _(CHAIRS[kind])) for kind in ChairKind.values])
    features = Lines(label=_("What it has (one a line)"), required=False, widget=forms.Textarea({"rows": 3}))
    is_active = forms.BooleanField(label=_("In use"), required=False, initial=True)


class ProviderForm(RecordForm):
    """A nurse or a prescriber, and how many patients they may have at once."""

    name = forms.CharField(label=_("Name"), max_length=200)
    role = forms.ChoiceField(label=_("Does what"), choices=list(ROLES.items()))
    capacity = Numbers(label=_("Patients at once, at most"))
    max_acuity = Numbers(label=_("Points at once, at most (empty: any)"), required=False)
    is_active = forms.BooleanField(label=_("Works here"), required=False, initial=True)


@dataclass(frozen=True)
class Kind:
    """What is kept at a site: chairs or people."""

    model: Any
    form: Any
    shape: Any
    staffed: Callable[[User], QuerySet[Any]]
    another: Any


KINDS: Final = {
    "chairs": Kind(Chair, ChairForm, ChairSerializer, staffed_chairs, _("Add a chair")),
    "people": Kind(Provider, ProviderForm, ProviderSerializer, staffed_providers, _("Add a person")),
}


@page_for("chair-closures.list")
def overview(request: HttpRequest) -> HttpResponse:
    """One site: `?site=`, by default the reader's first; its chairs, people, hours and closures to come."""
    user = cast("User", request.user)
    if may(user, "sites.create") and not staffed_sites(user).exists():
        return redirect("web:add-site")
    site = site_of(user, request.GET.get("site", ""))
    now = clock.now()
    closed = [("site", each) for each in SiteClosure.objects.filter(site=site, during__endswith__gt=now)]
    closures: Any = ChairClosure.objects.filter(chair__site=site, during__endswith__gt=now).select_related("chair")
    closed_chairs = [("chair", each) for each in closures]
    people = site.providers.order_by("-is_active", "role", "name")
    return page(
        request,
        "supply",
        site=site,
        sites=list(staffed_sites(user).order_by("name", "id")),
        hours=hours_of(site),
        chairs=[(each, gettext(CHAIRS[each.kind])) for each in site.chairs.order_by("-is_active", "name", "id")],
        people=[(each, ROLES[ProviderRole(each.role)]) for each in people],
        closures=sorted([*closed, *closed_chairs], key=lambda each: each[1].during.lower),
        may_change=may(user, "chairs.create"),
        may_draft=may(user, "disruptions.create"),
    )


def hours_of(site: Site) -> list[tuple[Any, list[Any]]]:
    """Each weekday with its spans."""
    spans = list(site.opening_hours.all())
    return [(name, [span for span in spans if span.weekday == day]) for day, name in WEEKDAYS]


@page_for("chairs.create", "GET", "HEAD", "POST")
def add(request: HttpRequest, site: str, what: str) -> HttpResponse:
    """A new chair or person at the site."""
    user, kind = cast("User", request.user), KINDS[what]
    found = staffed_sites(user).filter(pk=site).first()
    if found is None:
        raise NotFound
    return _answer(request, kind, found, None)


@page_for("chairs.partial_update", "GET", "HEAD", "POST")
def change(request: HttpRequest, record: str, what: str) -> HttpResponse:
    """A chair or person as a form."""
    user, kind = cast("User", request.user), KINDS[what]
    found = kind.staffed(user).select_related("site").filter(pk=record).first()
    if found is None:
        raise NotFound
    return _answer(request, kind, found.site, found)


def _answer(request: HttpRequest, kind: Kind, site: Site, record: Any) -> HttpResponse:
    shown = {name: getattr(record, name) for name in kind.form.base_fields} if record else {}
    form = kind.form(request.POST if request.method == "POST" else None, initial=shown)
    if form.is_valid():
        where = {} if record else {"site": str(site.pk)}
        values = form.judge(kind.shape, cast("User", request.user), record, where)
        if values is not None and written(form, lambda: _write(kind, site, record, values)):
            messages.success(request, gettext("Saved."))
            return redirect(f"{reverse('web:supply')}?site={site.pk}")
    title = record.name if record else kind.another
    return page(request, "supply_record", 400 if form.errors else 200, site=site, form=form, title=title)


def _write(kind: Kind, site: Site, record: Any, values: dict[str, Any]) -> None:
    """Save it, its site being locked; a change that strands bookings is refused."""
    if record is None:
        lock_site(site.pk)
        kind.model(**values).save()
        return
    with keeping_bookings(site.pk):
        for name, value in values.items():
            setattr(record, name, value)
        record.save()


def written(form: RecordForm, write: Callable[[], object]) -> bool:
    """Whether it was written; what stands in the way is told on the form."""
    try:
        with transaction.atomic():
            write()
    except Conflict as refused:
        form.put("", refused.detail)
        return False
    except DatabaseError as refused:
        problem, _headers = describe(refused)
        if problem["status"] == 500:
            raise
        form.put(PLACES.get(problem["code"], ""), problem["detail"])
        return False
    return True
