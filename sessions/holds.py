"""Holds: a plan is kept for some minutes while a person decides. A hold ends by itself; nothing sweeps it away."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from accounts.refusals import TooMany
from sessions.booking import check_plan_is_open, find_room, plan_dates
from sessions.door import lock_for_booking
from sessions.models import Plan


def hold(plan: Plan, user: User, now: datetime) -> Plan:
    """Keep a plan for its holder for some minutes; holding it again starts the minutes anew.

    Raises:
        Conflict: `plan_booked`, `plan_expired`, `plan_held` by somebody else, or what was taken meanwhile.
        TooMany: `too_many_holds` are open for this patient or caller.
    """
    with transaction.atomic():
        lock_for_booking(plan.patient_id, plan.site_id, plan_dates(plan))
        plan = (
            Plan.objects.select_for_update(of=("self",)).select_related("site", "protocol", "patient").get(pk=plan.pk)
        )
        check_plan_is_open(plan, user, now)
        _refuse_too_many(plan, user, now)
        room = find_room(plan, plan.patient, user, now)
        plan.sessions, plan.numbers = room.rows, room.numbers
        plan.held_by = user
        plan.held_until = now + timedelta(minutes=plan.site.hold_life_minutes)
        plan.save(update_fields=["sessions", "numbers", "held_by", "held_until"])
    return plan


def _refuse_too_many(plan: Plan, user: User, now: datetime) -> None:
    """Count open holds of the caller and of the patient; the caller's row is locked, so two calls count in turn."""
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk").first()
    theirs = Q(held_by=user) if plan.patient_id is None else Q(held_by=user) | Q(patient=plan.patient_id)
    open_holds = Plan.objects.filter(theirs, held_until__gt=now, booked_as=None).exclude(pk=plan.pk)
    if open_holds.count() >= settings.HOLDS_AT_MOST:
        raise TooMany("too_many_holds", f"At most {settings.HOLDS_AT_MOST} plans can be held at once.")
