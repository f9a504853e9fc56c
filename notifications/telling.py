"""Messages with all that decides whether they are still to be said, to which address and in which words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects

from accounts import clock, prepared
from accounts.models import Channel, Patient, Site
from notifications import pacing, staff_texts, texts, together
from notifications.facts import address, why_not
from notifications.models import AlertStatus, FollowUp, Message, MessageStatus
from sessions.models import Session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from notifications.channels import Text


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
    rows = [_read(list(row)) for row in prepared.all_rows(_statement(), [list(ids)])]
    # What few have, and what many share, is read once beside them.
    for path in ("offer__site", "alert", "recipient__pager"):
        if having := [row for row in rows if getattr(row, f"{path.partition('__')[0]}_id")]:
            prefetch_related_objects(having, path)
    sites = Site.objects.in_bulk({row.session.site_id for row in rows if row.session})
    for row in rows:
        if row.session:
            row.session._state.fields_cache["site"] = sites[row.session.site_id]
    own = texts.own_wordings({row.site.id for row in rows})
    along = _along([row for row in rows if row.tells])
    return Batch({row.id: Telling(row, own, tuple(along[row.id])) for row in rows}, pacing.texted(rows, clock.now()))


@cache
def _statement() -> str:
    return f"""
        SELECT {prepared.columns(Message, "m")}, {prepared.columns(Patient, "p")},
               {prepared.columns(Session, "s")}, {prepared.columns(FollowUp, "f")}
          FROM notifications_message m JOIN accounts_patient p ON p.id = m.patient_id
          LEFT JOIN infusion_sessions_session s ON s.id = m.session_id
          LEFT JOIN notifications_followup f ON f.id = m.follow_up_id
         WHERE m.id = ANY(%s)"""  # noqa: S608  (names of ours)


def _read(row: list[Any]) -> Message:
    """The message of a row, with its patient, session and follow-up; what it has not is known not to be there."""
    message = prepared.take(Message, row)
    assert message is not None
    known = message._state.fields_cache
    known["patient"], known["session"] = prepared.take(Patient, row), prepared.take(Session, row)
    known["follow_up"] = prepared.take(FollowUp, row)
    known |= {name: None for name in ("offer", "alert", "recipient") if getattr(message, f"{name}_id") is None}
    return message


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
