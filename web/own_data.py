"""The patient's own data, to be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpResponse

from notifications import own_data
from web.pages import page, page_for
from web.people import own_record

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


@page_for("patients.export", "GET", "HEAD", "POST")
def take(request: HttpRequest) -> HttpResponse:
    """What is in it (GET), and the file itself (POST): a ZIP."""
    user = cast("User", request.user)
    patient = own_record(user)
    if request.method != "POST":
        return page(request, "own_data", site=patient.site)
    answer = HttpResponse(own_data.as_zip(own_data.collect(user, patient)), content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="my-data.zip"'
    return answer
