"""Sites: who sets one up belongs to it and is on call there; opening hours are replaced whole."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import Site
from accounts.refusals import Forbidden
from scheduler.changes import keeping_bookings
from scheduler.models import OpeningHours

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import time
    from uuid import UUID

    from accounts.models import User

Hours = dict[str, Any]  # {"weekday": 0..6, "opens": time, "closes": time}


def overlapping(hours: Iterable[tuple[int, time, time]]) -> bool:
    """Whether two spans (weekday, opens, closes) of one weekday share time; spans that only meet do not."""
    return any(one[0] == two[0] and two[1] < one[2] for one, two in pairwise(sorted(hours)))


@transaction.atomic
def create_site(user: User, values: dict[str, Any]) -> Site:
    """Save a site in the user's organization; `values` are its fields and maybe `opening_hours`.

    Raises Forbidden for a user without an organization.
    """
    if user.organization_id is None:
        raise Forbidden("no_organization", "You belong to no organization.")
    hours = values.pop("opening_hours", [])
    site = Site.objects.create(organization_id=user.organization_id, on_call=user, **values)
    site.staff.add(user)
    # What the request found out about the user no longer holds.
    user.sight = None
    _write_hours(site, hours)
    return site


@transaction.atomic
def change_site(site: UUID, values: dict[str, Any]) -> Site:
    """Change the fields given; `opening_hours`, where given, replace those that were.

    Raises Conflict `bookings_affected` where booked sessions would lie outside the new hours or shifts.
    """
    values = dict(values)
    hours = values.pop("opening_hours", None)
    with keeping_bookings(site):
        row = Site.objects.get(pk=site)
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
        if hours is not None:
            row.opening_hours.all().delete()
            _write_hours(row, hours)
    return row


def _write_hours(site: Site, hours: Iterable[Hours]) -> None:
    OpeningHours.objects.bulk_create(OpeningHours(site=site, **span) for span in hours)
