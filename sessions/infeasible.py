"""Why no plan was found for a request, and the smallest changes that would help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.reasons import Reason, why_not
from scheduler.relaxations import Relaxation, relaxations
from scheduler.supply import closed_days
from scheduler.suppose import Question
from sessions.facts import site_days

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from accounts.models import Patient, Site, User
    from scheduler.day import Day
    from scheduler.plans import Wishes
    from scheduler.treatment import Visit


@dataclass(frozen=True)
class Asked:
    """What found no plan: `before` are the dates of the series' sessions before the visits, `leaving_out` sessions
    that do not count as taken."""

    site: Site
    visits: Sequence[Visit]
    wishes: Wishes
    patient: Patient | None
    before: Sequence[date] = ()
    leaving_out: Collection[UUID] = ()


def explain(
    asked: Asked, days: Sequence[Day], around: Collection[date], user: User, now: datetime
) -> tuple[tuple[Reason, ...], tuple[Relaxation, ...]]:
    """Reasons and relaxations for a request that found no plan on `days`, the days of its window.

    Of the dates `around` the window what `days` do not say is read once, as many queries for many as for few; what
    they say is not read again, so that the answer speaks of the same world as the search before it.
    """
    known = {day.date for day in days}
    missing = [on for on in around if on not in known]
    beyond = site_days(asked.site, missing, asked.patient, user, now, asked.leaving_out) if missing else ()
    question = Question(asked.visits, [*days, *beyond], asked.wishes, asked.before, closed_days(asked.site, around))
    reasons = why_not(question)
    return reasons, relaxations(question) if reasons else ()
