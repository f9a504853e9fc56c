"""What a link in a mail opens, out of the address: links are opened by scanners too, and addresses are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

TOKEN_AT_MOST: Final = 100


class LinkCookie:
    """A link's token in a cookie that goes to the pages below `path` alone."""

    def __init__(self, name: str) -> None:
        self.name = f"__Secure-{name}" if settings.SESSION_COOKIE_SECURE else name

    def keep(self, response: HttpResponse, token: str, path: str, seconds: int) -> HttpResponse:
        """Have the browser keep the token."""
        response.set_cookie(
            self.name,
            token[:TOKEN_AT_MOST],
            max_age=seconds,
            path=path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response

    def read(self, request: HttpRequest) -> str:
        """The token; "" where there is none."""
        return request.COOKIES.get(self.name, "")

    def forget(self, response: HttpResponse, path: str) -> HttpResponse:
        """Have the browser forget it."""
        response.delete_cookie(self.name, path=path)
        return response
