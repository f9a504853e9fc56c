"""The link in a mail to staff: choosing a password, and so taking up an invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock, invitations
from accounts.refusals import Gone, Refusal
from web.link_cookies import LinkCookie
from web.pages import page
from web.second_factor import let_in
from web.words import refusal_words

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Letter

COOKIE = LinkCookie("join")
PASSWORD_AT_MOST = 4096


@never_cache
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address and into a cookie, changing nothing."""
    return COOKIE.keep(redirect("web:join"), token, reverse("web:join"), max(settings.STAFF_LINK_SECONDS.values()))


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Asks for a password (GET), sets it and goes on to sign in (POST). 410 for a link that is spent."""
    token = COOKIE.read(request)
    try:
        letter = invitations.look(token, clock.now())
    except Gone as gone:
        return page(request, "join", gone.status, letter=None)
    if request.method != "POST":
        return _ask(request, letter)
    password = request.POST.get("password", "")
    if "\0" in password or len(password) > PASSWORD_AT_MOST:
        return _ask(request, letter, 400, wrong=_("Choose another password."))
    try:
        user = invitations.use(token, password, clock.now())
    except Gone as gone:
        return page(request, "join", gone.status, letter=None)
    except Refusal as refusal:
        return _ask(request, letter, refusal.status, wrong=refusal_words(refusal))
    messages.success(request, _("Your password is set."))
    return COOKIE.forget(let_in(request, user, ""), reverse("web:join"))


def _ask(request: HttpRequest, letter: Letter, status: int = 200, **context: Any) -> HttpResponse:
    """The page that asks; it says for which clinic and which address, which the link's owner knows."""
    whom = letter.invitation or letter.user
    assert whom is not None
    shown: dict[str, Any] = {"letter": letter, "email": whom.email, "clinic": whom.organization}
    shown["invited"] = letter.invitation is not None
    return page(request, "join", status, **shown, **context)
