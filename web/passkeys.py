"""Passkeys on the pages: asked for, added, named, removed, and signing in with one (`static/web/passkeys.js`).

A form is sent with what the browser made of a challenge. The challenge is in the session that asked for it; it is taken
out as the form comes, whatever comes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from rest_framework.exceptions import ValidationError

from accounts import audit, clock, passkeys, second_factor, signed_in, webauthn
from accounts.http.texts import TextField
from accounts.http.throttles import PasskeyGuard
from accounts.models import User
from accounts.refusals import Refusal
from web.pages import page, page_for
from web.second_factor import at_the_door, in_by_two, security_page, sign_in_again
from web.signing_in import wanted_page
from web.words import refusal_words

if TYPE_CHECKING:
    from django.http import HttpRequest

CHALLENGE, TO_USE, TO_MAKE = "passkey_challenge", "use", "make"
NAME: Final = TextField(max_length=60)


@never_cache
@require_POST
def ask_to_use(request: HttpRequest) -> HttpResponse:
    """What the browser is to sign for signing in, as JSON; nobody is named by it."""
    try:
        PasskeyGuard(request).ask()
        asked = webauthn.to_use(passkeys.party(), _new_challenge(request, TO_USE))
    except Refusal as refusal:
        return JsonResponse({}, status=refusal.status)
    return JsonResponse(asked)


@never_cache
@require_POST
def use(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey, which is both factors: 401 for one that opens nothing, 410 for a spent challenge."""
    guard, wanted = PasskeyGuard(request), wanted_page(request)
    try:
        guard.begin()
        user = passkeys.sign_in(_challenge(request, TO_USE), request.POST.get("credential", ""), clock.now())
    except Refusal as refusal:
        return page(request, "sign_in", refusal.status, wrong=refusal_words(refusal), next=wanted)
    guard.succeeded()
    return in_by_two(request, user, wanted)


@never_cache
@require_POST
def ask_to_make(request: HttpRequest) -> HttpResponse:
    """What the browser is to make a passkey of, as JSON, for whoever may add one."""
    user = _who_adds(request)
    if isinstance(user, HttpResponse):
        return JsonResponse({}, status=403)
    try:
        return JsonResponse(passkeys.to_make(user, _new_challenge(request, TO_MAKE)))
    except Refusal as refusal:
        return JsonResponse({}, status=refusal.status)


@never_cache
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser has made: for who has just signed in, or is about to set up a second factor."""
    user = _who_adds(request)
    if isinstance(user, HttpResponse):
        return user
    name, at_door = _name(request) or _("Passkey"), not request.user.is_authenticated
    try:
        with audit.acting(user.pk):
            passkeys.add(user, _challenge(request, TO_MAKE), request.POST.get("credential", ""), name, clock.now())
    except Refusal as refusal:
        if not at_door:
            return security_page(request, refusal.status, wrong=refusal_words(refusal))
        messages.warning(request, refusal_words(refusal))
        return redirect("web:set-up-factor")
    messages.success(request, _("Your passkey is added. From now on it signs you in by itself."))
    if at_door:
        return in_by_two(request, user)
    request.session[signed_in.BY_TWO] = True
    return redirect("web:security")


@page_for("", "POST")
def rename(request: HttpRequest, passkey: str) -> HttpResponse:
    """Call a passkey by another name."""
    name = _name(request)
    if not name:
        return security_page(request, 400, wrong=_("A name of up to 60 letters is needed."))
    passkeys.rename(cast("User", request.user), passkey, name)
    messages.success(request, _("Saved."))
    return redirect("web:security")


@page_for("", "POST")
def remove(request: HttpRequest, passkey: str) -> HttpResponse:
    """Let a passkey open nothing from now on."""
    user = cast("User", request.user)
    if not signed_in.may_change_ways(user, request.session, clock.now()):
        return sign_in_again(request)
    try:
        passkeys.remove(user, passkey)
    except Refusal as refusal:
        if refusal.code != "demanded":
            raise
        return security_page(request, refusal.status, wrong=refusal_words(refusal))
    messages.success(request, _("Removed. It opens nothing here any more; you may delete it on the device too."))
    return redirect("web:security")


def _who_adds(request: HttpRequest) -> User | HttpResponse:
    """Who may add a passkey here and now; else the way to sign in for it."""
    waiting = at_the_door(request)
    if waiting is not None and second_factor.next_step(waiting) == "set_up":
        return waiting
    user = request.user
    if not isinstance(user, User):
        return redirect("web:sign-in")
    if not signed_in.may_change_ways(user, request.session, clock.now()):
        return sign_in_again(request)
    return user


def _new_challenge(request: HttpRequest, purpose: str) -> str:
    challenge = passkeys.new_challenge()
    request.session[CHALLENGE] = {"text": challenge, "for": purpose, "at": clock.now().isoformat()}
    return challenge


def _challenge(request: HttpRequest, purpose: str) -> str:
    """The session's challenge for this, taken out of it; "" for none or an old one."""
    kept = request.session.pop(CHALLENGE, None)
    if kept is None or kept["for"] != purpose:
        return ""
    return kept["text"] if clock.now() < datetime.fromisoformat(kept["at"]) + passkeys.LASTS else ""


def _name(request: HttpRequest) -> str:
    """The name that was sent; "" for one that is none."""
    try:
        return str(NAME.run_validation(request.POST.get("name", "")))
    except ValidationError:
        return ""
