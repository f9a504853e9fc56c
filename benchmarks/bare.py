"""An empty view and nothing else: no middleware, no sign-in, no database. The limit of what we serve by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        SECRET_KEY="for-benchmarks-only",  # noqa: S106
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="benchmarks.bare",
        MIDDLEWARE=[],
        INSTALLED_APPS=["rest_framework"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
    )
    django.setup()

from django.core.wsgi import get_wsgi_application
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

if TYPE_CHECKING:
    from rest_framework.request import Request


class Empty(APIView):
    """Says that it is there."""

    def get(self, request: Request) -> Response:
        """Answer with next to nothing."""
        return Response({"ok": True})


# The first is for whoever waits for the server.
urlpatterns = [path("healthz/live", Empty.as_view()), path("empty", Empty.as_view())]
application = get_wsgi_application()
