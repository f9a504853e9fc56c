"""Signing in to the pages: by a link in the mail for patients, by password for whoever has one.

By a passkey: `web/passkeys.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import login, logout
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import clock, sign_in_links, signed_in
from accounts.http.signing_in import check_credentials
from accounts.http.throttles import LinkGuard
from accounts.refusals import Refusal
from web.booking import begins_with
from web.link_cookies import LinkCookie
from web.pages import page
from web.second_factor import let_in
from web.words import refusal_words

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

# What a form may hold; longer or stranger input belongs to nobody and is not looked up.
EMAIL_AT_MOST, PASSWORD_AT_MOST = 254, 4096
LINK_COOKIE = LinkCookie("sign_in_link")


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form, and the session it leads to. 401 for what does not belong together, 429 for too many tries."""
    if request.method != "POST":
        return page(request, "sign_in", next=wanted_page(request))
    email, password = request.POST.get("email", "").strip(), request.POST.get("password", "")
    if "\0" in email + password or len(email) > EMAIL_AT_MOST or len(password) > PASSWORD_AT_MOST:
        return page(request, "sign_in", 400, wrong=gettext("This e-mail address and password do not belong together."))
    try:
        user = check_credentials(request, email, password)
    except Refusal as refusal:
        return page(
            request, "sign_in", refusal.status, wrong=refusal_words(refusal), email=email, next=wanted_page(request)
        )
    return let_in(request, user, wanted_page(request))


@never_cache
@require_POST
def ask_for_link(request: HttpRequest) -> HttpResponse:
    """Send a patient a link. Known and unknown addresses get the same answer."""
    email = request.POST.get("email", "").strip()
    if not email or "\0" in email or len(email) > EMAIL_AT_MOST or "@" not in email:
        return page(request, "sign_in", 400, wrong_email=True, email=email[:EMAIL_AT_MOST].replace("\0", ""))
    try:
        LinkGuard(request, email.lower()).begin()
    except Refusal as refusal:
        return page(request, "sign_in", refusal.status, wrong=refusal_words(refusal), email=email)
    sign_in_links.ask_for_link(email, clock.now())
    return page(request, "link_sent", email=email, minutes=settings.SIGN_IN_LINK_SECONDS // 60)


@never_cache
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address and into a cookie, changing nothing: mail scanners open links."""
    return LINK_COOKIE.keep(redirect("web:use-link"), token, reverse("web:sign-in"), settings.SIGN_IN_LINK_SECONDS)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def use_link(request: HttpRequest) -> HttpResponse:
    """The button (GET), and signing in by it (POST): the link opens nothing afterwards. 410 for one that is spent."""
    if request.method != "POST":
        return page(request, "use_link", waiting=bool(LINK_COOKIE.read(request)))
    try:
        user = sign_in_links.use(LINK_COOKIE.read(request), clock.now())
    except Refusal as refusal:
        return page(request, "use_link", refusal.status, waiting=False)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    signed_in.begin(request.session, clock.now())
    return LINK_COOKIE.forget(redirect(begins_with(user)), reverse("web:sign-in"))


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("web:home")


def wanted_page(request: HttpRequest) -> str:
    """The page of ours that the person was on the way to; "" where none is named."""
    path = request.POST.get("next") or request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(path, {request.get_host()}, require_https=request.is_secure())
    return path if ours and path.startswith("/") else ""
