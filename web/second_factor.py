"""The second step of signing in: a code or a passkey, or setting one up where the organization demands it.

Between the right password and the code a session knows who is at the door (`DOOR`) and lets nobody in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import audit, clock, sealing, second_factor, signed_in
from accounts.models import Role, Site, User
from accounts.queries import staffed_sites
from accounts.refusals import Refusal
from accounts.rights import holds, is_staff
from web.navigation import first_page
from web.pages import page, page_for
from web.words import refusal_words

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

DOOR, SECRET = "at_the_door", "factor_to_be"
WAITS: Final = timedelta(minutes=10)
CODE_AT_MOST: Final = 40


def let_in(request: HttpRequest, user: User, wanted: str) -> HttpResponse:
    """After the right password: in, or on to the second step."""
    step = second_factor.next_step(user)
    if step == "in":
        login(request, user)
        signed_in.begin(request.session, clock.now())
        return redirect(wanted or first_page(user))
    request.session.flush()
    request.session[DOOR] = {"user": str(user.pk), "at": clock.now().isoformat(), "next": wanted}
    return redirect("web:set-up-factor" if step == "set_up" else "web:code")


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Asks for the code (GET) and takes it (POST): 401 for a wrong or used one, 429 for too many."""
    user = at_the_door(request)
    if user is None:
        return redirect("web:sign-in")
    if request.method != "POST":
        return page(request, "code", has_codes=second_factor.has_codes(user))
    try:
        with audit.acting(user.pk):
            second_factor.require(user, request.POST.get("code", "")[:CODE_AT_MOST].replace("\0", ""), clock.now())
    except Refusal as refusal:
        told: dict[str, Any] = {"wrong": refusal_words(refusal), "has_codes": second_factor.has_codes(user)}
        return page(request, "code", refusal.status, **told)
    return in_by_two(request, user)


@sensitive_variables("secret", "codes")
@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """A picture for the telephone (GET); the code that shows that it has read it (POST), and the codes for paper."""
    waiting = at_the_door(request)
    user = waiting or (request.user if isinstance(request.user, User) else None)
    if user is None:
        return redirect("web:sign-in")
    if not waiting and not signed_in.may_change_ways(user, request.session, clock.now()):
        return sign_in_again(request)
    if second_factor.has_codes(user) or (waiting and second_factor.next_step(user) != "set_up"):
        return redirect("web:code" if waiting else "web:security")
    secret = sealing.unseal(request.session.get(SECRET, "")) or second_factor.new_secret()
    request.session[SECRET] = sealing.seal(secret)
    wrong = ""
    if request.method == "POST":
        try:
            with audit.acting(user.pk):
                codes = second_factor.set_up(user, secret, request.POST.get("code", "")[:CODE_AT_MOST], clock.now())
        except Refusal as refusal:
            wrong = refusal_words(refusal)
        else:
            go_on = in_by_two(request, user)["Location"]
            return page(request, "recovery_codes", codes=codes, go_on=go_on)
    picture = segno.make(second_factor.address(user, secret), error="m").svg_data_uri(scale=5, border=3, light="#fff")
    spelled = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    context: dict[str, Any] = {
        "picture": picture,
        "secret": spelled,
        "wrong": wrong,
        "demanded": second_factor.is_demanded(user),
    }
    return page(request, "set_up_factor", 400 if wrong else 200, **context)


@page_for("")
def security(request: HttpRequest) -> HttpResponse:
    """How the reader signs in; for an admin, what the organization demands."""
    return security_page(request)


@sensitive_post_parameters("code")
@page_for("", "POST")
def renew(request: HttpRequest) -> HttpResponse:
    """Fresh codes for paper, for a code."""
    user = cast("User", request.user)
    wrong = _refused(user, request)
    if wrong:
        return wrong
    return page(request, "recovery_codes", codes=second_factor.renew_codes(user), go_on="")


@sensitive_post_parameters("code")
@page_for("", "POST")
def take_off(request: HttpRequest) -> HttpResponse:
    """Go without from now on, for a code."""
    user = cast("User", request.user)
    wrong = _refused(user, request)
    if wrong:
        return wrong
    second_factor.take_off(user)
    messages.success(request, _("Taken off. Your password alone signs you in."))
    return redirect("web:security")


@page_for("", "POST")
def demand(request: HttpRequest) -> HttpResponse:
    """Whether the organization demands it."""
    if not signed_in.is_fresh(request.session, clock.now()):
        return sign_in_again(request)
    on = request.POST.get("demand") == "yes"
    second_factor.demand(cast("User", request.user), on)
    if on:
        messages.success(request, _("From now on your staff sign in with a second factor."))
    else:
        messages.warning(request, _("From now on a password alone lets your staff in."))
    return redirect("web:security")


def sign_in_again(request: HttpRequest, to: str = "web:security") -> HttpResponse:
    """What changes how people sign in, or takes all away, is for whoever has just signed in: a screen left alone does
    not do."""
    logout(request)
    messages.warning(request, _("Sign in once more for this."))
    return redirect(f"{reverse('web:sign-in')}?{urlencode({'next': reverse(to)})}")


def _refused(user: User, request: HttpRequest) -> HttpResponse | None:
    """The page again where the code that was sent does not open what needs one."""
    try:
        second_factor.check(user, request.POST.get("code", "")[:CODE_AT_MOST].replace("\0", ""), clock.now())
    except Refusal as refusal:
        return security_page(request, refusal.status, wrong=refusal_words(refusal))
    return None


def security_page(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    """How the reader signs in, after what was asked for."""
    user = cast("User", request.user)
    found: dict[str, Any] = {
        "has_codes": second_factor.has_codes(user),
        "passkeys": user.passkeys.order_by("added_at"),
        "zone": _zone(user),
        "demanded": second_factor.is_demanded(user),
        "organization": user.organization if holds(user, Role.ADMIN) else None,
    }
    return page(request, "security", status, **found, **context)


def _zone(user: User) -> str:
    """The clock by which the person is told when."""
    places = staffed_sites(user) if is_staff(user) else Site.objects.filter(patients__user=user)
    site = places.order_by("name", "id").first()
    return site.time_zone if site is not None else "UTC"


def at_the_door(request: HttpRequest) -> User | None:
    """Who has given the right password and waits for the second step; None after ten minutes."""
    door = request.session.get(DOOR)
    if not door or clock.now() > datetime.fromisoformat(door["at"]) + WAITS:
        return None
    return User.objects.select_related("organization").filter(pk=door["user"], is_active=True).first()


def in_by_two(request: HttpRequest, user: User, wanted: str = "") -> HttpResponse:
    """Sign in who has shown both, or note it for who is in already, on the way to where they wanted to."""
    door = request.session.pop(DOOR, None)
    request.session.pop(SECRET, None)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    signed_in.begin(request.session, clock.now(), by_two=True)
    return redirect(wanted or (door or {}).get("next") or first_page(user))
