"""What our stack does with nothing of ours in it: an empty view, and six rows inserted in one transaction.

No middleware, no sign-in; of the booking, no rule, history or trail either. The limits of what we serve by HTTP.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import django
import environ
from django.conf import settings

if not settings.configured:
    # The same way to the database as in config/settings.py.
    database = environ.Env.db_url_config(os.environ["DATABASE_URL"])
    database |= {"ENGINE": "config.postgres", "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    settings.configure(
        SECRET_KEY="for-benchmarks-only",  # noqa: S106
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="benchmarks.bare",
        MIDDLEWARE=[],
        DATABASES={"default": database},
        USE_TZ=True,
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
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
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


ROWS = """
INSERT INTO benchmark_session (chair, nurse, patient, taken, stay, hands_on)
SELECT %s, %s, %s, tstzrange(t, t + interval '165 min'), tstzrange(t, t + interval '150 min'),
    tstzrange(t, t + interval '15 min')
FROM unnest(%s::bigint[]) second CROSS JOIN LATERAL (SELECT to_timestamp(second) AS t) at
"""


def book(request: HttpRequest) -> JsonResponse:
    """Insert the six rows that the body names."""
    body: dict[str, Any] = json.loads(request.body)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ROWS, [body["chair"], body["nurse"], body["patient"], body["seconds"]])
    return JsonResponse({"ok": True}, status=201)


# The first is for whoever waits for the server.
urlpatterns = [path("healthz/live", Empty.as_view()), path("empty", Empty.as_view()), path("book", book)]
application = get_wsgi_application()
