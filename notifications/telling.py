"""Messages with all that decides whether they are still to be said, to which address and in which words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects

from accounts import clock
from accounts.models import Channel
from notifications import pacing, staff_texts, texts, together
from notifications.facts import address, why_not
from notifications.models import AlertStatus, Message, MessageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from notifications.channels import Text

ALONG = ("session", "offer", "patient", "follow_up", "alert", "recipient__pager")


@dataclass(frozen=True, slots=True)
class Telling:
    """A message as it was read, whole, with those that it says `along`.

    `own` are the wordings of the clinics of all that were read with it.
    """

    message: Message
    own: texts.OwnWordings
    along: tuple[Message, ...] = ()

    @property
    def seen(self) -> dict[str, Any]:
        """The versions it was read with, as the mark of the hand-over compares them."""
        session, offer, patient = self.message.session, self.message.offer, self.message.patient
        about = session or offer
        assert about is not None
        if self.along:
            versions = {each.visit.id: each.visit.version for each in (self.message, *self.along)}
            named: dict[str, Any] = {"sessions": list(versions), "versions": list(versions.values())}
            return {**named, "tells": len(self.along), "patient_version": patient.version}
        named = {"session": session and session.id, "offer": offer and offer.id}
        return {**named, "version": about.version, "patient_version": patient.version}

    def why_not(self) -> str:
        """Why it is not to be said any more; "" where it is."""
        if self.message.alert is not None:
            return "" if self.message.alert.status == AlertStatus.OPEN else self.message.alert.status
        return why_not(self.message)

    @property
    def address(self) -> str:
        """Where its channel reaches whom it is for; "" where it does not."""
        person = self.message.recipient
        if person is None:
            return address(self.message.patient, self.message.channel)
        if self.message.channel == Channel.EMAIL:
            return str(person.email) if person.is_active else ""
        return str(person.pager.phone) if hasattr(person, "pager") and person.is_active else ""

    def text(self) -> Text:
        """Its words."""
        if self.message.alert_id:
            return staff_texts.compose(self.message)
        return texts.compose(self.message, self.own, self.along)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that were read in one go, by id, and when texts went to their numbers."""

    tellings: dict[UUID, Telling]
    texted: pacing.Texted


def load(ids: Sequence[UUID]) -> Batch:
    """These messages. What was to be said along in them and is not wanted any more is let go."""
    rows = list(Message.objects.select_related(*ALONG).filter(id__in=ids))
    # A batch is of a few sites: each is read once, not with each row.
    prefetch_related_objects(rows, "session__site", "offer__site")
    own = texts.own_wordings({row.site.id for row in rows})
    along = _along([row for row in rows if row.tells])
    return Batch({row.id: Telling(row, own, tuple(along[row.id])) for row in rows}, pacing.texted(rows, clock.now()))


def _along(rows: Sequence[Message]) -> dict[UUID, list[Message]]:
    """What is said along in these messages, by who says it."""
    found: dict[UUID, list[Message]] = defaultdict(list)
    if not rows:
        return found
    others = Message.objects.filter(told_with__in=rows, status__in=(MessageStatus.DUE, MessageStatus.SENDING))
    reasons = {}
    for row in others.select_related("session__site", "patient", "follow_up").order_by("speaks_of", "due_at", "id"):
        assert row.told_with_id is not None
        if reason := why_not(row):
            reasons[row.id] = reason
        else:
            found[row.told_with_id].append(row)
    if reasons:
        together.let_go(reasons)
    return found
