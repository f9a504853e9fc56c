"""The pages that people see without signing in: home, and the follow-up check-in behind its link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock
from accounts.refusals import Invalid, Refusal
from notifications import alerts, follow_ups, instruments, red_flags, stopping
from web.navigation import first_page
from web.pages import page
from web.questions import questions, sent_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

    from notifications.models import FollowUp

# What a form sends besides answers: by which button, and of which version it is.
SAVE, FORM = "save", "form"


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The printed address: to the page that the signed-in begin with, and the sign-in for everybody else."""
    name = first_page(request.user) if request.user.is_authenticated else "web:home"
    return page(request, "home") if name == "web:home" else redirect(name)


# The link is the whole credential: no cookie is read here, so a forged request can do nothing that whoever forges it
# could not do by opening the link. A token against forgery would only turn away phones that refuse cookies.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def check_in(request: HttpRequest, token: str) -> HttpResponse:
    """A follow-up's questions (GET changes nothing: mail scanners open links), and its answers (POST).

    200 questions, or thanks after sending; 400 the questions again with what is missing; 404 no such link; 409 nothing
    to answer, or the questions have changed; 410 answered, expired or revoked. A POST with `save` keeps what is filled
    in and sends nothing: a button does it, and the page's script after each answer. Thanks are the answer to the POST
    itself: on an address of their own they would tell later readers of the link what was answered. The same form sent
    again is thanked again, so reloading is safe.
    """
    try:
        if request.method == "POST":
            return _receive(request, token)
        return _ask(request, follow_ups.open_follow_up(token, clock.now()))
    except Refusal as refusal:
        # Whoever comes back to a closed check-in still finds the site's own crisis line; a false link learns nothing.
        asked = follow_ups.behind(token)
        if asked is None:
            return page(request, "closed", refusal.status, code=refusal.code)
        return asked_page(asked, request, "closed", refusal.status, code=refusal.code)


# Mail programs send the click by themselves (RFC 8058): without a cookie, so without a token against forgery.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_mails(request: HttpRequest, token: str) -> HttpResponse:
    """Asks whether mails shall end (GET changes nothing), and ends them (POST, of the page or of a mail program)."""
    patient = stopping.behind(token)
    if patient is None:
        return page(request, "stop_mails", 404)
    if request.method == "POST":
        stopping.stop(patient, clock.now())
    stopped = request.method == "POST"
    return page(request, "stop_mails", language=patient.language, site=patient.site, stopped=stopped)


def _receive(request: HttpRequest, token: str) -> HttpResponse:
    answers = sent_answers(request.POST)
    save, version = answers.pop(SAVE, None) is not None, request.POST.get(FORM)
    answers.pop(FORM, None)
    try:
        if save:
            follow_ups.save_draft(token, answers, clock.now())
            return _ask(request, follow_ups.open_follow_up(token, clock.now()), saved=True)
        follow_up = follow_ups.answer_follow_up(token, answers, clock.now(), version)
    except Invalid as refusal:
        return _ask(request, follow_ups.open_follow_up(token, clock.now()), answers, refusal)
    # By the rules of the house: whatever an organization makes of them, whom to call in need is said.
    raised = red_flags.raised(alerts.answered(follow_up), list(red_flags.rules().values()))
    following = follow_ups.ask_next(follow_up, clock.now())
    more = follow_ups.next_path(token, following) if following and following.answered_at is None else ""
    return asked_page(follow_up, request, "thanks", said={rule.page for rule in raised}, more=more)


def _ask(
    request: HttpRequest,
    follow_up: FollowUp,
    answers: Mapping[str, object] | None = None,
    refusal: Invalid | None = None,
    *,
    saved: bool = False,
) -> HttpResponse:
    instrument = instruments.INSTRUMENTS[follow_up.instrument]
    drafted = follow_ups.drafted(follow_up)
    shown = questions(instrument, drafted if answers is None else answers, refusal.errors if refusal else ())
    return asked_page(
        follow_up,
        request,
        "check_in",
        400 if refusal else 200,
        stem=instrument.stem,
        version=instrument.version,
        asked_in=instruments.LANGUAGE,
        saved=saved,
        resumed=bool(drafted),
        asked=[question for question in shown if question.required],
        optional=[question for question in shown if not question.required],
        wrong=[question for question in shown if question.wrong],
        refused=refusal is not None,
    )


def asked_page(follow_up: FollowUp, request: HttpRequest, name: str, status: int = 200, **context: Any) -> HttpResponse:
    """The page `name` of a check-in, in its patient's language."""
    site, language = follow_up.session.site, follow_up.patient.language
    return page(request, name, status, language=language, site=site, **context)
