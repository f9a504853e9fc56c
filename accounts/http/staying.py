"""Ends a page's session when its time is over, before anything is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import SESSION_KEY, logout

from accounts import clock, signed_in
from accounts.models import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class StaySignedIn:
    """Middleware: whose session is over asks as nobody, so pages lead to the sign-in and the API answers 401."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session and isinstance(request.user, User):
            now = clock.now()
            if signed_in.why_over(request.user, request.session, now):
                logout(request)
            else:
                signed_in.go_on(request.session, now, _by_a_person(request))
        return self.get_response(request)


def _by_a_person(request: HttpRequest) -> bool:
    """Whether somebody asks; a page that reads itself anew does not keep its reader signed in (Fetch Metadata)."""
    return request.method != "GET" or request.headers.get("Sec-Fetch-Dest") != "empty"
