"""A patient as staff see them: who it is, their courses, and for those who treat, how they are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.db.models import Count
from django.utils.translation import gettext

from accounts import clock
from accounts.audit import record_reads
from accounts.patients import contact_as_seen
from accounts.rights import is_staff, may
from notifications.instruments import INSTRUMENTS
from notifications.models import AlertStatus, FollowUp
from notifications.queries import trend, visible_alerts, visible_follow_ups
from sessions.models import GONE, TO_COME, AdverseEvent, Session
from sessions.queries import visible_series, visible_sessions
from web.charts import Chart, chart
from web.pages import page, page_for
from web.people import patient_seen_by
from web.words import ACTIONS, GRADES, OUTCOMES, alert_words

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Patient, User

SHOWN_AT_MOST = 50


@page_for("patients.retrieve")
def patient(request: HttpRequest, patient: str) -> HttpResponse:
    """One patient."""
    user = cast("User", request.user)
    about = patient_seen_by(user, patient)
    found = visible_series(user).filter(patient=about).select_related("protocol").order_by("-created_at", "-id")
    coming = visible_sessions(user).filter(patient=about, status__in=TO_COME, end__gt=clock.now()).order_by("start")
    return page(
        request,
        "patient",
        site=about.site,
        patient=about,
        contact=contact_as_seen(user, about),
        found=found,
        coming=coming.first(),
        may_book=may(user, "plans.create"),
        for_other=is_staff(user),
        happened=_happened(user, about),
        **_care(user, about),
    )


def _happened(user: User, about: Patient) -> list[dict[str, Any]]:
    """What went ill in the patient's visits, latest first, for who may see the day; what was corrected is gone."""
    if not may(user, "sessions.day"):
        return []
    rows = AdverseEvent.objects.filter(session__in=visible_sessions(user).filter(patient=about))
    stand = rows.exclude(pk__in=rows.filter(amends__isnull=False).values("amends"))
    found = list(stand.select_related("session", "reported_by").order_by("-onset", "-id")[:SHOWN_AT_MOST])
    record_reads(user.pk, AdverseEvent._meta.db_table, [(each.pk, about.pk) for each in found])
    words = ((each, GRADES[each.grade], ACTIONS[each.action], OUTCOMES[each.outcome]) for each in found)
    return [
        {"event": each, "grade": gettext(grade), "action": gettext(action), "outcome": gettext(outcome)}
        for each, grade, action, outcome in words
    ]


def _care(user: User, about: Patient) -> dict[str, Any]:
    """Scores and alerts, for those who may see them; each look is in the audit trail."""
    if not may(user, "follow-ups.trend"):
        return {}
    waiting = []
    if may(user, "alerts.list"):
        open_alerts = visible_alerts(user).filter(patient=about, status=AlertStatus.OPEN).order_by("-created_at")
        waiting = [(each, alert_words(each.kind)) for each in open_alerts]
    return {"charts": progress(user, about), "alerts": waiting}


def progress(user: User, about: Patient) -> list[Chart]:
    """The patient's scores over time, an instrument each; those answered once only are left out."""
    visits = list(
        Session.objects.filter(patient=about)
        .exclude(status__in=GONE)
        .order_by("start")
        .values_list("sequence", "start")
    )
    answered = visible_follow_ups(user).filter(patient=about, answered_at__isnull=False)
    often = set(
        answered.values("instrument")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
        .values_list("instrument", flat=True)
    )
    charts = []
    for code in (each for each in INSTRUMENTS if each in often):
        answers = list(trend(user, about, code))
        record_reads(user.pk, FollowUp._meta.db_table, [(each.pk, about.pk) for each in answers])
        drawn = chart(code, answers, visits)
        if drawn is not None:
            charts.append(drawn)
    return charts
