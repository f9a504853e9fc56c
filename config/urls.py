"""Every address of the service."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from accounts.http import problems
from accounts.http.schema import docs_view, schema_view
from notifications.metrics import metrics

api: list[URLPattern | URLResolver] = [
    path("", include("accounts.api.urls")),
    path("", include("scheduler.api.urls")),
    path("", include("sessions.api.urls")),
    path("", include("notifications.api.urls")),
    path("schema/", schema_view, name="schema"),
    path("docs/", docs_view, name="docs"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api)),
    path("metrics", metrics, name="metrics"),
    path("healthz/", include("notifications.health_urls")),
    path("", include("web.urls")),
]

handler400 = problems.handler400
handler403 = problems.handler403
handler404 = problems.handler404
handler500 = problems.handler500
