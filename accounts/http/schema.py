"""The OpenAPI document and the page to read it on. `openapi.py` has what its operations share."""

from __future__ import annotations

import hashlib
from functools import cache

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView


@cache
def document() -> bytes:
    """The whole OpenAPI document as JSON; written once a process, for it depends on nothing but the code."""
    found = SchemaGenerator().get_schema(request=None, public=True)
    return bytes(OpenApiJsonRenderer().render(found))


@require_safe
def schema_view(request: HttpRequest) -> HttpResponse:
    """`/api/v1/schema/`: the document, open to all."""
    tag = f'"{hashlib.sha256(document()).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    return HttpResponse(document(), content_type="application/json", headers=headers)


# Swagger UI sets the style of a few elements in its markup; scripts stay as strict as everywhere.
docs_view = csp_update({"style-src": ["'unsafe-inline'"]})(SpectacularSwaggerSplitView.as_view(url_name="schema"))
