"""What is told of a place on offer from the waitlist: once, by the patient's first wish, while the offer is open.

Offers change by themselves (they run out, their place goes), so each tick looks at those that are open and at those
that still have something to be said of them. Each is told at most once; what is gone before it was told is not told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db import transaction

from notifications.facts import facts_of_offer
from notifications.models import Message, MessageStatus
from notifications.reconcile import Changes, new_message
from notifications.reminders import Due, offer_message
from sessions.models import Offer, OfferStatus

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


def reconcile(now: datetime) -> int:
    """Make the messages agree with the offers as they stand; how many offers there were.

    An offer's row is locked meanwhile, as it is by everything that answers it or takes it back. One that somebody
    holds just now is left for the next tick.
    """
    with transaction.atomic():
        offers = _of_interest(now)
        rows: dict[UUID | None, list[Message]] = defaultdict(list)
        for row in Message.objects.filter(offer__in=offers, resend_of=None):
            rows[row.offer_id].append(row)
        changes = Changes()
        for offer in offers:
            for row in rows[offer.id]:
                row.offer = offer
            for due in changes.compare(_dues(offer), rows[offer.id], now):
                changes.messages.append(new_message(due, offer=offer, patient=offer.patient))
        changes.write()
    return len(offers)


def _of_interest(now: datetime) -> list[Offer]:
    """Offers that are open, and those of which something is still to be said."""
    standing = Offer.objects.filter(status=OfferStatus.OPEN, expires_at__gt=now).values("id")
    spoken_of = Message.objects.filter(status=MessageStatus.DUE, offer__isnull=False).values("offer")
    found = Offer.objects.filter(id__in=standing.union(spoken_of)).order_by("id")
    found = found.select_related("patient", "site__message_plan")
    return list(found.select_for_update(of=("self",), no_key=True, skip_locked=True))


def _dues(offer: Offer) -> tuple[Due, ...]:
    plan = getattr(offer.site, "message_plan", None)
    told = offer.status == OfferStatus.OPEN and (plan is None or plan.offers)
    return (offer_message(facts_of_offer(offer)),) if told else ()
