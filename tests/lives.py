"""What happens in a month to the patients of a clinic, from chance: visits, moves, answers, and how each is reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHICAGO = ZoneInfo("America/Chicago")
# The clocks go back on 7 November 2027.
DAY_OF_CHANGE = datetime(2027, 11, 7, 6, tzinfo=UTC)
FIRST_DAY = datetime(2027, 10, 20, 14, tzinfo=UTC)
STEP = timedelta(minutes=5)
ZONES = [CHICAGO, CHICAGO, ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Europe/Madrid")]
# Asked how long after what: going home, the last visit's going home, or before a visit that is not the first.
FORMS = {"side-effects": (4, "home"), "phq-2": (72, "home"), "peg": (720, "end"), "nrs": (24, "before")}


@dataclass(frozen=True, slots=True)
class Person:
    """How a patient is reached. `prepares`: the site says how to prepare. `consent` None: nobody asked about texts."""

    wished: tuple[str, ...]
    language: str
    zone: ZoneInfo
    quiet: tuple[time, time]
    consent: bool | None
    prepares: bool

    def is_quiet(self, at: datetime) -> bool:
        """Whether nobody is to be texted then."""
        clock, (begin, end) = at.astimezone(self.zone).time(), self.quiet
        return begin <= clock < end if begin < end else not end <= clock < begin

    def end_of_quiet(self, at: datetime) -> datetime:
        """The instant itself, or the end of the quiet hours that it lies in."""
        zone = self.zone
        if not self.is_quiet(at):
            return at
        day = at.astimezone(zone).date()
        ends = (datetime.combine(day + n * DAY, self.quiet[1], zone).astimezone(at.tzinfo) for n in (0, 1))
        return next(end for end in ends if end > at)


@dataclass(frozen=True, slots=True)
class Event:
    """What happens: `booked`, `moved`, `cancelled`, `missed`, `home`, `answered` (a form), `stopped` (all texts)."""

    at: datetime
    what: str
    visit: int = 0
    start: datetime | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: when, by which channel, and all that it says: visit, kind, and the start that it speaks of."""

    at: datetime
    channel: str
    what: frozenset[tuple[int, str, datetime]]


class Life(NamedTuple):
    """One patient, and what happens to them."""

    person: Person
    events: list[Event]


def lived(chance: random.Random) -> Life:
    """One patient of one to three visits, and what happens in order."""
    person = _somebody(chance)
    # One in four on the very day of the change.
    first = FIRST_DAY + chance.randrange(30 * 24 * 12) * STEP
    if chance.random() < 0.25:
        first = DAY_OF_CHANGE + chance.randrange(24 * 12) * STEP
    booked = first - chance.randrange(1, 12 * 24 * 20) * STEP
    starts = [first + number * chance.randrange(2, 8) * DAY for number in (0, 1)]
    starts = [*starts, starts[1] + chance.randrange(2, 8) * DAY][: chance.choice([1, 2, 3])]
    taken = dict(enumerate([start] for start in starts))
    events = [event for number in taken for event in _visit(chance, number, taken, booked)]
    if chance.random() < 0.1:
        events.append(Event(first - chance.randrange(1, 600) * STEP, "stopped"))
    return Life(person, sorted((event for event in events if event.at >= booked), key=lambda event: event.at))


def _somebody(chance: random.Random) -> Person:
    prepares = chance.random() < 0.5
    wished = chance.choice([("sms",), ("sms", "email"), ("email", "sms"), ("sms",)])
    if prepares and chance.random() < 0.5:
        wished = ("email",)
    quiet = chance.choice([(time(20), time(9)), (time(20), time(9)), (time(21, 30), time(7)), (time(13), time(15))])
    consent = chance.choice([True, True, None, None, False])
    return Person(wished, chance.choice(["en", "es"]), chance.choice(ZONES), quiet, consent, prepares)


def _visit(chance: random.Random, number: int, taken: dict[int, list[datetime]], booked: datetime) -> Iterator[Event]:
    """One visit; nobody is at two within a day."""
    first, at = taken[number][0], booked
    yield Event(at, "booked", number, first)
    start, others = first, [each for other, starts in taken.items() if other != number for each in starts]
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        at += chance.randrange(1, 12 * 24 * 3) * STEP
        if at >= start:
            break
        place = chance.choice((first, first + chance.randrange(-200, 2000) * STEP))
        if place > at and place != start and all(abs(place - other) > DAY for other in others):
            start = place
            taken[number].append(start)
            yield Event(at, "moved", number, start)
    if number and chance.random() < 0.5:
        yield Event(start - chance.randrange(1, 280) * STEP, "answered", number, form="nrs")
    yield from _end(chance, number, at, start)


def _end(chance: random.Random, number: int, at: datetime, start: datetime) -> Iterator[Event]:
    ends = at + chance.randrange(1, 800) * STEP
    if chance.random() < 0.2 and ends < start:
        yield Event(ends, "cancelled", number)
    elif chance.random() < 0.15:
        yield Event(start + 6 * STEP, "missed", number)
    else:
        home = start + chance.randrange(20, 50) * STEP
        yield Event(home, "home", number)
        for form in ("side-effects", "phq-2", "peg"):
            if chance.random() < 0.6:
                hours = FORMS[form][0] + chance.choice([1, 5, 30, 100])
                yield Event(home + hours * HOUR + chance.randrange(40) * STEP, "answered", number, form=form)
