"""The pages that people see without signing in: home, and the follow-up check-in behind its link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock
from accounts.refusals import Invalid, Refusal
from notifications import follow_ups, instruments
from web.pages import page
from web.questions import questions, sent_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

    from notifications.models import FollowUp


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this service is and where its documentation stands."""
    return page(request, "home")


# The link is the whole credential: no cookie is read here, so a forged request can do nothing that whoever forges it
# could not do by opening the link. A token against forgery would only turn away phones that refuse cookies.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def check_in(request: HttpRequest, token: str) -> HttpResponse:
    """A follow-up's questions (GET changes nothing: mail scanners open links), and its answers (POST).

    200 questions, or thanks after sending; 400 the questions again with what is missing; 404 no such link; 409 nothing
    to answer; 410 answered or expired. Thanks are the answer to the POST itself: on an address of their own they would
    tell later readers of the link what was answered. The same form sent again is thanked again, so reloading is safe.
    """
    try:
        if request.method == "POST":
            return _receive(request, token)
        return _ask(request, follow_ups.open_follow_up(token, clock.now()))
    except Refusal as refusal:
        # Whoever comes back to a closed check-in still finds the site's own crisis line; a false link learns nothing.
        site = follow_ups.site_behind(token)
        return page(request, "closed", refusal.status, site=site, code=refusal.code)


def _receive(request: HttpRequest, token: str) -> HttpResponse:
    answers = sent_answers(request.POST)
    try:
        follow_up = follow_ups.answer_follow_up(token, answers, clock.now())
    except Invalid as refusal:
        return _ask(request, follow_ups.open_follow_up(token, clock.now()), answers, refusal)
    raised = {flag.kind for flag in instruments.flags(follow_up.instrument, follow_up.answers or {})}
    return page(request, "thanks", site=follow_up.session.site, raised=raised)


def _ask(
    request: HttpRequest,
    follow_up: FollowUp,
    answers: Mapping[str, object] | None = None,
    refusal: Invalid | None = None,
) -> HttpResponse:
    instrument = instruments.INSTRUMENTS[follow_up.instrument]
    shown = questions(instrument, answers, refusal.errors if refusal else ())
    return page(
        request,
        "check_in",
        400 if refusal else 200,
        site=follow_up.session.site,
        stem=instrument.stem,
        asked=[question for question in shown if question.required],
        optional=[question for question in shown if not question.required],
        wrong=[question for question in shown if question.wrong],
        refused=refusal is not None,
    )
