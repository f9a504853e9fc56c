"""Visits as iCalendar (RFC 5545): invitations that come with mails (RFC 5546), feeds that calendars read. Pure.

Times are UTC, so no calendar needs a table of zones. A visit keeps its UID for ever and its SEQUENCE rises with every
change, so that whatever comes late or twice finds that it is older. Nothing in it tells of health.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINE_BYTES = 75
Method = Literal["REQUEST", "CANCEL", "PUBLISH"]


@dataclass(frozen=True, slots=True)
class Event:
    """A visit. `organizer` and `attendee` are addresses of mail, both empty in a feed; `version` only ever rises."""

    uid: str
    version: int
    start: datetime
    end: datetime
    summary: str
    location: str = ""
    description: str = ""
    cancelled: bool = False
    organizer: str = ""
    attendee: str = ""


def calendar(events: Iterable[Event], method: Method, stamp: datetime, name: str = "") -> str:
    """The events as one calendar; `stamp` is when it was written, `name` what a feed is called."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Visits//EN", f"METHOD:{method}"]
    if name:
        lines += [f"NAME:{_text(name)}", f"X-WR-CALNAME:{_text(name)}", "REFRESH-INTERVAL;VALUE=DURATION:PT1H"]
    for event in events:
        lines += _event(event, stamp)
    lines.append("END:VCALENDAR")
    return "\r\n".join([part for line in lines for part in _folded(line)]) + "\r\n"


def _event(event: Event, stamp: datetime) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{event.uid}",
        f"DTSTAMP:{_instant(stamp)}",
        f"SEQUENCE:{event.version}",
        f"DTSTART:{_instant(event.start)}",
        f"DTEND:{_instant(event.end)}",
        f"SUMMARY:{_text(event.summary)}",
        f"STATUS:{'CANCELLED' if event.cancelled else 'CONFIRMED'}",
        "CLASS:PRIVATE",
    ]
    lines += [f"LOCATION:{_text(event.location)}"] if event.location else []
    lines += [f"DESCRIPTION:{_text(event.description)}"] if event.description else []
    lines += [f"ORGANIZER:mailto:{event.organizer}"] if event.organizer else []
    # Nobody reads answers of calendars: patients confirm by text, or call.
    lines += [f"ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{event.attendee}"] if event.attendee else []
    return [*lines, "END:VEVENT"]


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    for character in "\\;,":
        value = value.replace(character, f"\\{character}")
    return "\\n".join(value.splitlines())


def _folded(line: str) -> Iterable[str]:
    """The line in parts of at most 75 bytes, none of which cuts a letter; all but the first begin with a space."""
    return (line,) if len(line) <= LINE_BYTES and line.isascii() else _parts(line)


def _parts(line: str) -> Iterator[str]:
    part = b""
    for letter in line:
        encoded = letter.encode()
        if len(part) + len(encoded) > LINE_BYTES:
            yield part.decode()
            part = b" "
        part += encoded
    yield part.decode()
