"""Who asks: a bearer token (RFC 6750), or the session of a page with its CSRF token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import clock

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request

    from accounts.models import User

CHALLENGE: Final = 'Bearer realm="api"'
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,200}=*)", re.ASCII | re.IGNORECASE)


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. Any other use of that header is a 401: nobody is let in on a second scheme."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        match = _BEARER.fullmatch(header.strip())
        token = self._find(match[1]) if match else None
        if token is None:
            raise AuthenticationFailed("This token is not valid, or no longer.", code="bad_token")
        return token.user, token

    def _find(self, text: str) -> Any:
        # The digest is the key of the row, so this is one read; knox's own look-up reads every token of the person.
        token = get_token_model().objects.select_related("user").filter(digest=hash_token(text)).first()
        if token is None or not token.user.is_active:
            return None
        return token if token.expiry is None or token.expiry > clock.now() else None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class PageAuthentication(SessionAuthentication):
    """The signed-in session of a page; every unsafe request needs its CSRF token (403 `csrf_failed`)."""

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BearerScheme(OpenApiAuthenticationExtension):
    """The token in the OpenAPI document."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "The `token` that `auth/login/` gives."}


class PageScheme(OpenApiAuthenticationExtension):
    """The session cookie in the OpenAPI document."""

    target_class = PageAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A page's session, with CSRF."}
