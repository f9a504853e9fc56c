"""The patient's own data, to be taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpResponse

from accounts import clock, signed_in
from notifications import own_data
from web.pages import page, page_for
from web.people import own_record
from web.second_factor import sign_in_again

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


@page_for("patients.export", "GET", "HEAD", "POST")
def take(request: HttpRequest) -> HttpResponse:
    """What is in it (GET), and the file itself (POST): a ZIP, for who has just signed in."""
    user = cast("User", request.user)
    patient = own_record(user)
    if request.method != "POST":
        return page(request, "own_data", site=patient.site)
    if not signed_in.is_fresh(request.session, clock.now()):
        return sign_in_again(request, "web:own-data")
    answer = HttpResponse(own_data.as_zip(own_data.collect(user, patient)), content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="my-data.zip"'
    return answer
