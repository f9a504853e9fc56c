"""Protocols on pages: what there is, what a version says and rests on, what changed, and who approves it."""

from __future__ import annotations

from copy import deepcopy
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.http.fields import as_uuid
from accounts.refusals import Conflict, NotFound
from accounts.rights import holds, may
from scheduler import protocols
from scheduler.api.serializers import ProtocolSerializer
from scheduler.models import Protocol
from scheduler.queries import visible_protocols
from web import protocol_words
from web.pages import page, page_for
from web.phase_fields import ANCHORS
from web.protocol_form import NOTHING, NewProtocolForm, ProtocolForm, content_of, with_phase, without_phase
from web.record_forms import place_number

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

Status = Protocol.Status
# What a version can be made, by the last word of the address.
DECISIONS = {"approve": Status.APPROVED, "retire": Status.RETIRED}


@page_for("protocols.list")
def overview(request: HttpRequest) -> HttpResponse:
    """Each course once, by its latest version; drafts that wait for an approval are told."""
    user = cast("User", request.user)
    rows = visible_protocols(user).select_related("approved_by").order_by("code", "-version")
    courses = [_course(list(versions)) for _code, versions in groupby(rows, key=lambda each: each.code)]
    waiting = sum(course["latest"].status == Status.DRAFT for course in courses)
    may_add = may(user, "protocols.create")
    return page(request, "protocols", courses=sorted(courses, key=_by_state), waiting=waiting, may_add=may_add)


def _course(versions: list[Protocol]) -> dict[str, Any]:
    booked_by = next((each for each in versions if each.status == Status.APPROVED), None)
    return {"latest": versions[0], "in_force": booked_by, "state": state(versions[0]), "of": len(versions)}


def _by_state(course: dict[str, Any]) -> tuple[int, str]:
    """A change that waits comes first, then what is in force, what may come, what is over."""
    latest = cast("Protocol", course["latest"])
    waits = latest.status == Status.DRAFT and course["in_force"] is not None
    order = [Status.APPROVED, Status.DRAFT, Status.RETIRED]
    return -1 if waits else order.index(Status(latest.status)), latest.name


def state(protocol: Protocol) -> tuple[str, str]:
    """The look and the word of a version's state."""
    return {
        Status.DRAFT: ("booked", pgettext("protocol", "draft")),
        Status.APPROVED: ("completed", pgettext("protocol", "approved")),
        Status.RETIRED: ("cancelled", pgettext("protocol", "retired")),
    }[Status(protocol.status)]


@page_for("protocols.retrieve")
def protocol(request: HttpRequest, protocol: str) -> HttpResponse:
    """One version in words, its sources, and the others of its course."""
    user = cast("User", request.user)
    found = _seen(user, protocol)
    return page(
        request,
        "protocol",
        protocol=found,
        state=state(found),
        groups=protocol_words.grouped(protocol_words.rules(found)),
        versions=[(each, state(each)) for each in _versions(user, found)],
        may_change=may(user, "protocols.partial_update"),
        may_decide=_may_decide(user),
    )


@page_for("protocols.retrieve")
def compare(request: HttpRequest, protocol: str) -> HttpResponse:
    """Two versions side by side: `?with=` an id, else the one before."""
    user = cast("User", request.user)
    found = _seen(user, protocol)
    others = [each for each in _versions(user, found) if each.pk != found.pk]
    wanted = request.GET.get("with")
    other = _other(found, others) if wanted is None else next((x for x in others if x.pk == as_uuid(wanted)), None)
    if other is None:
        raise NotFound
    before, after = sorted((other, found), key=lambda each: each.version)
    shown: dict[str, Any] = {"before": before, "after": after, "others": others, "other": other, "protocol": found}
    return page(request, "protocol_compare", **shown, **_changes(before, after))


def _changes(before: Protocol, after: Protocol) -> dict[str, Any]:
    found = protocol_words.pairs(before, after)
    changed = [each for each in found if each.what != "same"]
    same = [each for each in found if each.what == "same"]
    grouped = protocol_words.grouped
    return {"changed": grouped(changed), "count": len(changed), "same": grouped(same)}


@page_for("protocols.create", "GET", "HEAD", "POST")
def add(request: HttpRequest) -> HttpResponse:
    """A new course as a form; `?like=` begins it as a copy of a version that the clinic has."""
    user, wanted = cast("User", request.user), request.GET.get("like", "")
    like = _seen(user, wanted) if as_uuid(wanted) is not None else None
    content = deepcopy(NOTHING) if like is None else content_of(like) | {"name": ""}
    form = _form(request, NewProtocolForm, content)
    if form.is_valid():
        values = form.judge(ProtocolSerializer, user)
        if values is not None:
            try:
                made = protocols.create_protocol(user, values)
            except Conflict as refused:
                form.put("code", refused.detail)
            else:
                messages.success(request, _("Saved as a draft. Somebody who may approve it looks it over next."))
                return redirect("web:protocol", made.pk)
    status = 400 if form.errors else 200
    known = visible_protocols(user).order_by("name", "-version")
    return page(request, "protocol_change", status, protocol=None, form=form, like=like, known=known, **_ways(form))


@page_for("protocols.partial_update", "GET", "HEAD", "POST")
def change(request: HttpRequest, protocol: str) -> HttpResponse:
    """The protocol as a form (GET); the draft changed or the next version made (POST), 400 with what is wrong."""
    user = cast("User", request.user)
    found = _seen(user, protocol)
    form = _form(request, ProtocolForm, content_of(found))
    if form.is_valid():
        values = form.judge(ProtocolSerializer, user, found)
        if values is not None:
            made = protocols.change_protocol(user, found.pk, values)
            if made.pk == found.pk:
                messages.success(request, _("Saved."))
                return redirect("web:protocol", made.pk)
            return redirect("web:compare-protocols", made.pk)
    status = 400 if form.errors else 200
    return page(request, "protocol_change", status, protocol=found, form=form, **_ways(form))


def _form(request: HttpRequest, form: type[ProtocolForm], content: dict[str, Any]) -> ProtocolForm:
    """The form as it was sent; with a phase more or less, where that was asked for, nothing is judged yet."""
    user = cast("User", request.user)
    if request.method != "POST":
        return form(content, user)
    if "add" in request.POST:
        return form(content, user, typed=with_phase(request.POST, request.POST.get("spaced", "")))
    number = place_number(request.POST.get("remove", ""))
    if number is not None:
        return form(content, user, typed=without_phase(request.POST, number))
    return form(content, user, request.POST)


def _ways(form: ProtocolForm) -> dict[str, Any]:
    """How the visits of one more phase may be spaced."""
    return {"ways": [] if form.full else list(ANCHORS.items())}


@page_for("protocols.partial_update", "GET", "HEAD", "POST")
def decide(request: HttpRequest, protocol: str, what: str) -> HttpResponse:
    """The question before a version is approved or retired (GET), and the answer (POST)."""
    user = cast("User", request.user)
    found = _seen(user, protocol)
    if request.method == "POST":
        try:
            protocols.change_protocol(user, found.pk, {"status": DECISIONS[what]})
            messages.success(request, _("Approved. It can be booked now.") if what == "approve" else _("Retired."))
        except Conflict:
            messages.warning(request, _("Somebody else has decided already. It stands as you see it now."))
        return redirect("web:protocol", found.pk)
    if DECISIONS[what] not in protocols.MOVES[Status(found.status)]:
        return redirect("web:protocol", found.pk)
    before = _other(found, [each for each in _versions(user, found) if each.status == Status.APPROVED])
    shown: dict[str, Any] = {"protocol": found, "before": before, "what": what, "may_decide": _may_decide(user)}
    return page(request, "protocol_decide", **shown, **(_changes(before, found) if before else {}))


def _seen(user: User, protocol: str) -> Protocol:
    found = visible_protocols(user).select_related("approved_by", "organization").filter(pk=protocol).first()
    if found is None:
        raise NotFound
    return found


def _versions(user: User, found: Protocol) -> list[Protocol]:
    same = visible_protocols(user).filter(code=found.code, organization=found.organization_id)
    return list(same.select_related("approved_by").order_by("-version"))


def _other(found: Protocol, others: list[Protocol]) -> Protocol | None:
    """The nearest version before this one, else the nearest after; None for the only one."""
    earlier = [each for each in others if each.version < found.version]
    later = [each for each in reversed(others) if each.version > found.version]
    return next(iter([*earlier, *later]), None)


def _may_decide(user: User) -> bool:
    return user.organization is not None and holds(user, *user.organization.approver_roles)
