"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from drf_spectacular.utils import OpenApiExample, extend_schema
from knox.models import get_token_model
from rest_framework.response import Response

from accounts import audit, clock, second_factor
from accounts.api.serializers import Credentials, Me, Token
from accounts.http.signing_in import check_credentials
from accounts.http.views import ApiView

if TYPE_CHECKING:
    from rest_framework.request import Request


class LoginView(ApiView):
    """Sign in with an e-mail address and a password, and a code where a second factor is set up or demanded."""

    public = True
    also_answers = frozenset({"401"})
    # The answer holds a token, of which nothing but a hash may be stored: a repeat makes another token.
    replayable = False
    # A page's session is of no matter here, nor is its CSRF token; only failures are counted.
    authentication_classes = ()
    throttle_classes = ()

    @extend_schema(
        operation_id="login",
        tags=["auth"],
        request=Credentials,
        responses={200: Token},
        examples=[
            OpenApiExample(
                "The demo's nurse",
                value={"email": "nurse@demo.example", "password": "demo-demo-demo"},
                request_only=True,
            ),
            OpenApiExample(
                "With a code",
                description="Where a second factor is set up; without the code it is a 401 `second_factor_required`.",
                value={"email": "nurse@clinic.example", "password": "correct horse battery", "code": "482913"},
                request_only=True,
            ),
            OpenApiExample(
                "A token",
                value={"token": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "expires_at": "2027-01-04T21:00:00Z"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        said = self.body(Credentials)
        user = check_credentials(request._request, said["email"], said["password"])
        second_factor.require(user, said.get("code", ""), clock.now())
        audit.set_actor(user.pk)
        token, text = get_token_model().objects.create(user=user)
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        return Response(Token({"token": text, "expires_at": token.expiry}).data)


class LogoutView(ApiView):
    """End the token that this call is made with, or the page's session."""

    signed_in_suffices = True
    replayable = False

    @extend_schema(operation_id="logout", tags=["auth"], request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        user = request.user
        if request.auth is None:
            logout(request._request)
        else:
            request.auth.delete()
            user_logged_out.send(sender=type(user), request=request._request, user=user)
        return Response(status=204)


class MeView(ApiView):
    """Who is signed in, with which roles and where."""

    signed_in_suffices = True

    @extend_schema(operation_id="me", tags=["auth"], responses=Me)
    def get(self, request: Request) -> Response:
        return Response(Me(request.user).data)
