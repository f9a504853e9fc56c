"""Users and roles: who works here, what each may do, who is invited; sending somebody away, letting them in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import clock, invitations, second_factor, staff
from accounts.api.staff import InvitationSerializer, PersonSerializer
from accounts.http.fields import as_uuid
from accounts.models import LANGUAGES, Role, Site, User
from accounts.queries import staffed_sites, visible_invitations, visible_staff
from accounts.refusals import Forbidden, NotFound, Refusal
from accounts.rights import holds, may
from scheduler.models import Provider
from web.pages import page, page_for
from web.people import site_of
from web.record_forms import RecordForm
from web.words import refusal_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Invitation

ROLES: Final = {
    Role.FRONT_DESK: _("Front desk"),
    Role.NURSE: _("Nurse"),
    Role.PRESCRIBER: _("Prescriber"),
    Role.MANAGER: _("Manager"),
    Role.AUDITOR: _("Auditor"),
    Role.ADMIN: _("Admin"),
}
A_PAGE: Final = 50
STATES: Final = {"here": _("Work here"), "left": _("Have left")}
# Where on a form stands what a use case refuses.
PLACES: Final = {
    "already_here": "email",
    "already_invited": "email",
    "no_site": "sites",
    "no_role": "roles",
    "admins_only": "roles",
    "last_admin": "roles",
    "last_manager": "roles",
    "not_care": "on_call",
    "on_call": "on_call",
}
SAID: Final = {
    "deactivate": _("Access has ended: every way in is closed."),
    "reactivate": _("Open again. They sign in anew."),
    "send-password-link": _("A link is on its way to them."),
    "reset-second-factor": _("Taken off. They are told by mail."),
}


class Filter(forms.Form):
    """What the list shows."""

    name = forms.CharField(label=_("Name"), required=False, max_length=100)
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", _("All")), *ROLES.items()])
    state = forms.ChoiceField(label=_("State"), required=False, choices=[*STATES.items(), ("all", _("All"))])


class PersonForm(RecordForm):
    """Name, roles, places, language. A role that comes with a patient's record is kept and not asked."""

    name = forms.CharField(label=_("Name"), max_length=200)
    roles = forms.MultipleChoiceField(label=_("What they may do"), widget=forms.CheckboxSelectMultiple)
    sites = forms.MultipleChoiceField(label=_("Where"), widget=forms.CheckboxSelectMultiple, required=False)
    language = forms.ChoiceField(
        label=_("Mails to them are in"), choices=LANGUAGES, widget=forms.RadioSelect, required=False
    )

    def __init__(self, by: User, data: Any = None, person: User | None = None) -> None:
        self.kept = [Role.PATIENT] if person is not None and Role.PATIENT in person.roles else []
        shown: dict[str, Any] = {"language": by.language}
        if person is not None:
            shown = {"name": person.name, "roles": person.roles, "language": person.language}
            shown["sites"] = [str(each.pk) for each in person.sites.all()]
        super().__init__(data, initial=shown)
        given = [role for role in ROLES if role != Role.ADMIN or holds(by, Role.ADMIN)]
        sites = [(str(each.pk), each.name) for each in staffed_sites(by).order_by("name", "id")]
        self.choose("roles", [(role.value, ROLES[role]) for role in given])
        self.choose("sites", sites)
        if person is None and len(sites) == 1:
            self.fields["sites"].initial = [sites[0][0]]

    def choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        """What a field offers."""
        cast("forms.MultipleChoiceField", self.fields[name]).choices = choices

    def sent(self) -> dict[str, Any]:
        """The values in the API's shape."""
        told = {name: value for name, value in self.cleaned_data.items() if (name, value) != ("language", "")}
        return {**told, "roles": [*told["roles"], *self.kept]}


class InvitationForm(PersonForm):
    """Somebody new, and where the link goes."""

    email = forms.CharField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "off"}),
        help_text=_("The link goes there and nowhere else. It works once, for three days."),
    )
    field_order = ("name", "email", "roles", "sites", "language")


class LeavingForm(RecordForm):
    """Who is told of alerts in place of who leaves."""

    on_call = forms.ChoiceField(label=_("Who is told of alerts from now on"))


@page_for("users.list")
def overview(request: HttpRequest) -> HttpResponse:
    """Who works where the reader does, by role and state; who is invited and has not come yet."""
    user = cast("User", request.user)
    form = Filter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    people = visible_staff(user).prefetch_related("sites").order_by("name", "email")
    if asked.get("role"):
        people = people.filter(roles__contains=[asked["role"]])
    if asked.get("state") != "all":
        people = people.filter(is_active=asked.get("state") != "left")
    if asked.get("name"):
        people = people.filter(name__icontains=asked["name"])
    found = list(staff.with_visits(_after(people, user, request.GET.get("after")))[: A_PAGE + 1])
    more = {**request.GET.dict(), "after": str(found[A_PAGE - 1].pk)} if len(found) > A_PAGE else {}
    open_ones = visible_invitations(user).filter(accepted_at=None, withdrawn_at=None)
    return page(
        request,
        "staff",
        site=site_of(user),
        form=form,
        people=[(each, _role_words(each.roles)) for each in found[:A_PAGE]],
        more=urlencode(more),
        invited=[(each, _role_words(each.roles)) for each in open_ones.order_by("-expires_at", "id")],
        may_invite=may(user, "invitations.create"),
    )


def _after(people: QuerySet[User], user: User, last: str | None) -> QuerySet[User]:
    """Those who follow the person `last` in the list. Raises NotFound for one who is out of sight."""
    if last is None:
        return people
    before = None if as_uuid(last) is None else visible_staff(user).filter(pk=last).first()
    if before is None:
        raise NotFound
    return people.filter(Q(name__gt=before.name) | Q(name=before.name, email__gt=before.email))


def _role_words(roles: list[str]) -> str:
    return ", ".join(str(ROLES[role]) for role in ROLES if role in roles)


@page_for("invitations.create", "GET", "HEAD", "POST")
def invite(request: HttpRequest) -> HttpResponse:
    """A form for somebody new (GET); a link is sent (POST)."""
    user = cast("User", request.user)
    form = InvitationForm(user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        values = form.judge(InvitationSerializer, user)
        if values is not None and _done(form, lambda: invitations.invite(user, values, clock.now())):
            messages.success(request, gettext("Invited. The link is on its way."))
            return redirect("web:staff")
    return page(request, "staff_invite", 400 if form.errors else 200, site=site_of(user), form=form)


@page_for("invitations.resend", "POST")
def again(request: HttpRequest, invitation: str) -> HttpResponse:
    """A fresh link."""
    invitations.resend(cast("User", request.user), _invitation(request, invitation), clock.now())
    messages.success(request, gettext("Sent again. The link before opens nothing now."))
    return redirect("web:staff")


@page_for("invitations.withdraw", "POST")
def withdraw(request: HttpRequest, invitation: str) -> HttpResponse:
    """The invitation is taken back."""
    invitations.withdraw(cast("User", request.user), _invitation(request, invitation), clock.now())
    messages.success(request, gettext("Taken back. The link opens nothing."))
    return redirect("web:staff")


def _invitation(request: HttpRequest, invitation: str) -> Invitation:
    found = visible_invitations(cast("User", request.user)).filter(pk=invitation).first()
    if found is None:
        raise NotFound
    return found


@page_for("users.retrieve", "GET", "HEAD", "POST")
def person(request: HttpRequest, person: str) -> HttpResponse:
    """One of the staff: what is known, and a form for what may change (POST saves it)."""
    user, found = cast("User", request.user), _person(request, person)
    form = PersonForm(user, request.POST if request.method == "POST" else None, found)
    if request.method == "POST" and not may(user, "users.partial_update"):
        raise Forbidden
    if form.is_valid():
        values = form.judge(PersonSerializer, user, found)
        if values is not None and _done(form, lambda: staff.change(user, found, values)):
            messages.success(request, gettext("Saved."))
            return redirect("web:staff")
    return page(
        request,
        "staff_person",
        400 if form.errors else 200,
        site=site_of(user),
        person=found,
        roles=_role_words(found.roles),
        calendars=_calendars(user, found),
        has_factor=second_factor.has_one(found),
        why_not=_why_not(user, found),
        form=form,
    )


def _person(request: HttpRequest, person: str) -> User:
    people = staff.with_visits(visible_staff(cast("User", request.user)).prefetch_related("sites"))
    found = people.filter(pk=person).first()
    if found is None:
        raise NotFound
    return found


def _why_not(by: User, found: User) -> str:
    """Why the reader may not change the person; "" where they may."""
    if not may(by, "users.partial_update"):
        return gettext("Your role looks and does not change.")
    try:
        staff.check_may_decide(by, found)
    except Forbidden as refusal:
        return refusal_words(refusal)
    return ""


def _calendars(by: User, found: User) -> QuerySet[Provider]:
    """Where the person's time off is recorded."""
    return Provider.objects.filter(user=found, site__in=staffed_sites(by), is_active=True).order_by("name", "id")


def act(what: str) -> Callable[..., HttpResponse]:
    """The page of one of `SAID`, for whoever holds the right to just that."""

    @page_for(f"users.{what}", "GET", "HEAD", "POST")
    def acting(request: HttpRequest, person: str) -> HttpResponse:
        """The question before somebody is sent away, taken back, or let in again (GET), and the answer (POST)."""
        user, found = cast("User", request.user), _person(request, person)
        staff.check_may_decide(user, found)
        form = _leaving(request, user, found) if what == "deactivate" else None
        if request.method == "POST" and (form is None or form.is_valid()):
            try:
                _carry_out(user, found, what, form)
            except Refusal as refusal:
                return _question(request, found, what, form, refusal)
            messages.success(request, str(SAID[what]))
            return redirect("web:staff-person", found.pk)
        return _question(request, found, what, form)

    return acting


def _leaving(request: HttpRequest, user: User, found: User) -> LeavingForm | None:
    """The form that asks who follows; None where nobody has to."""
    sites = list(Site.objects.filter(on_call=found))
    if not sites:
        return None
    form = LeavingForm(request.POST if request.method == "POST" else None)
    colleagues = visible_staff(user).filter(is_active=True).order_by("name", "email")
    able = [each for each in colleagues if all(staff.may_follow(site, found, each) for site in sites)]
    choices = [(str(each.pk), each.name or each.email) for each in able]
    cast("forms.ChoiceField", form.fields["on_call"]).choices = choices
    return form


def _carry_out(user: User, found: User, what: str, form: LeavingForm | None) -> None:
    """Do it. Raises what the use case refuses."""
    now = clock.now()
    if what == "deactivate":
        follows = User.objects.get(pk=form.cleaned_data["on_call"]) if form is not None else None
        staff.deactivate(user, found, follows)
    elif what == "reactivate":
        staff.reactivate(user, found)
    elif what == "send-password-link":
        staff.send_password_link(user, found, now)
    else:
        staff.reset_second_factor(user, found, now)


def _question(
    request: HttpRequest, found: User, what: str, form: LeavingForm | None, refusal: Refusal | None = None
) -> HttpResponse:
    shown: dict[str, Any] = {"person": found, "what": what, "form": form}
    user = cast("User", request.user)
    shown |= {"calendars": _calendars(user, found), "site": site_of(user)}
    if refusal is not None:
        return page(request, "staff_question", refusal.status, wrong=refusal_words(refusal), **shown)
    return page(request, "staff_question", 400 if form is not None and form.errors else 200, **shown)


def _done(form: RecordForm, write: Any) -> bool:
    """Whether it was done; what stands in the way is told on the form."""
    try:
        write()
    except Forbidden as refused:
        if refused.code not in PLACES:
            raise
        form.put(PLACES[refused.code], refusal_words(refused))
        return False
    except Refusal as refused:
        form.put(PLACES.get(refused.code, ""), refusal_words(refused))
        return False
    return True
