"""Signing in to the pages: a session for those who have a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import login, logout
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http.signing_in import check_credentials
from accounts.refusals import Refusal
from web.pages import page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

# What a form may hold; longer or stranger input belongs to nobody and is not looked up.
EMAIL_AT_MOST, PASSWORD_AT_MOST = 254, 4096


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form, and the session it leads to. 401 for what does not belong together, 429 for too many tries."""
    if request.method != "POST":
        return page(request, "sign_in", next=_wanted(request))
    email, password = request.POST.get("email", "").strip(), request.POST.get("password", "")
    if "\0" in email + password or len(email) > EMAIL_AT_MOST or len(password) > PASSWORD_AT_MOST:
        return page(request, "sign_in", 400, wrong="This e-mail address and password do not belong together.")
    try:
        user = check_credentials(request, email, password)
    except Refusal as refusal:
        return page(request, "sign_in", refusal.status, wrong=refusal.detail, email=email, next=_wanted(request))
    login(request, user)
    return redirect(_wanted(request) or "web:home")


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("web:home")


def _wanted(request: HttpRequest) -> str:
    """The page of ours that the person was on the way to; "" where none is named."""
    path = request.POST.get("next") or request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(path, {request.get_host()}, require_https=request.is_secure())
    return path if ours and path.startswith("/") else ""
