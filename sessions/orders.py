"""Orders: a prescriber lets a patient have sessions under a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.refusals import RuleBroken
from scheduler.models import Protocol
from scheduler.walltime import local_date
from sessions.facts import zone_of
from sessions.models import Order

if TYPE_CHECKING:
    from datetime import date, datetime

    from accounts.models import Patient, User


def prescribe(
    patient: Patient, protocol: Protocol, sessions: int, valid_until: date, prescriber: User, now: datetime
) -> Order:
    """Write an order.

    Raises:
        RuleBroken: `protocol_not_approved`, or `in_past` for a last day that has gone by.
    """
    if protocol.status != Protocol.Status.APPROVED:
        raise RuleBroken("protocol_not_approved", "Only an approved protocol can be ordered.")
    if valid_until < local_date(now, zone_of(patient.site)):
        raise RuleBroken("in_past", "An order has to be good for today at least.")
    return Order.objects.create(
        patient=patient,
        protocol=protocol,
        sessions=sessions,
        valid_until=valid_until,
        prescribed_by=prescriber,
        created_at=now,
    )
