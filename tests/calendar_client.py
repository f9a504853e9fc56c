"""A calendar as RFC 5546 wants one: it takes invitations, changes and cancellations from mails in whatever order.

It reads with `icalendar`, shows with `recurring_ical_events`, and knows nothing of how this service writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import icalendar
import recurring_ical_events

if TYPE_CHECKING:
    from datetime import datetime


class CalendarClient:
    """Holds the last word about each UID: the highest SEQUENCE, of equal ones the latest DTSTAMP."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def take(self, text: bytes | str) -> None:
        """One calendar object of METHOD REQUEST or CANCEL, as it came with a mail."""
        calendar: Any = icalendar.Calendar.from_ical(text)
        assert calendar["METHOD"] in {"REQUEST", "CANCEL"}
        for event in calendar.walk("VEVENT"):
            assert not event.errors, event.errors
            assert (event["STATUS"] == "CANCELLED") is (calendar["METHOD"] == "CANCEL")
            known = self.known.get(event["UID"])
            if known is None or self._rank(event) > self._rank(known):
                self.known[event["UID"]] = event

    def visits(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime, str]]:
        """What the calendar shows in a span of time."""
        shown = icalendar.Calendar()
        for event in self.known.values():
            if event["STATUS"] != "CANCELLED":
                shown.add_component(event)
        found = recurring_ical_events.of(shown).between(begin, end)
        return sorted((event["DTSTART"].dt, event["DTEND"].dt, str(event["SUMMARY"])) for event in found)

    @staticmethod
    def _rank(event: Any) -> tuple[int, datetime]:
        return int(event["SEQUENCE"]), event["DTSTAMP"].dt
