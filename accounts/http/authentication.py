"""Who asks: a bearer token (RFC 6750), or the session of a page with its CSRF token."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import clock
from accounts.models import Sight, User
from accounts.prepared import first_row

if TYPE_CHECKING:
    from uuid import UUID

    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request

CHALLENGE: Final = 'Bearer realm="api"'
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,200}=*)", re.ASCII | re.IGNORECASE)


# What every request with a token begins with: whose it is and what they may see, in one statement. The digest is the
# key of its row; knox's own look-up reads every token of the person. The sites are those of `staffed_sites`.
CALLER: Final = """
SELECT {token}, {user},
    ARRAY(SELECT s.id FROM accounts_site s WHERE s.organization_id = u.organization_id AND 'admin' = ANY(u.roles)
          UNION
          SELECT s.id FROM accounts_site s JOIN accounts_user_sites m ON m.site_id = s.id
          WHERE m.user_id = u.id AND s.organization_id = u.organization_id AND NOT u.roles <@ '{{patient}}'),
    p.id, p.site_id
FROM knox_authtoken t JOIN accounts_user u ON u.id = t.user_id LEFT JOIN accounts_patient p ON p.user_id = u.id
WHERE t.digest = %s
"""


def read_token(digest: str) -> Any:
    """The token of this digest with its user, who knows their `sight`; None where there is none."""
    statement, tokens, users = _statement()
    row = first_row(statement, [digest])
    if row is None:
        return None
    *columns, sites, patient, treated_at = row
    token = get_token_model().from_db(connection.alias, tokens, columns[: len(tokens)])
    token.user = User.from_db(connection.alias, users, columns[len(tokens) :])
    token.user.sight = Sight(frozenset(sites), _known(patient), _known(treated_at))
    return token


def _known(found: UUID | None) -> frozenset[UUID]:
    return frozenset() if found is None else frozenset((found,))


@cache
def _statement() -> tuple[str, list[str], list[str]]:
    """The statement, and the names of the token's and the user's columns in the order it gives them."""
    tokens = [field.attname for field in get_token_model()._meta.concrete_fields]
    users = [field.attname for field in User._meta.concrete_fields]
    named = {"token": ", ".join(f"t.{name}" for name in tokens), "user": ", ".join(f"u.{name}" for name in users)}
    return CALLER.format(**named), tokens, users


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
        token = read_token(hash_token(text))
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
        name = settings.SESSION_COOKIE_NAME
        return {"type": "apiKey", "in": "cookie", "name": name, "description": "A page's session, with CSRF."}
