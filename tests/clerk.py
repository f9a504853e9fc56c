"""The rules of messages read once more, as a clerk would by hand, for one patient: what is said when, and how.

Shares nothing with the service but the words for what happened. The clerk keeps a tray of slips, one for each thing to
be said. Whenever something happens to a visit its slips are written anew; whenever time has come, slips are taken out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from tests.lives import CHICAGO, DAY, FORMS, HOUR, Said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.lives import Event, Person

LIFE = timedelta(days=7)
CONSENTED, NOT_ASKED = (5, 20), (1, 3)
AGAIN, TOGETHER = 4 * HOUR, timedelta(minutes=10)
ENDINGS = {"home": "", "end": "_series_end", "before": "_before"}
NEWS = ("receipt", "change", "cancellation", "preparation", "reminder")


@dataclass(slots=True)
class _Visit:
    start: datetime
    since: datetime
    moves: int = 0
    became: str = ""
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Slip:
    visit: int
    kind: str
    channel: str
    start: datetime
    due: datetime
    until: datetime
    form: str = ""

    @property
    def once(self) -> tuple[int, str, datetime]:
        return (self.visit, self.kind, self.start)

    @property
    def order(self) -> tuple[datetime, datetime, str, datetime]:
        """What closes first goes first; of those, what was due first, then by name, then the sooner visit."""
        return (self.until, self.due, self.kind, self.start)

    @property
    def is_again(self) -> bool:
        """Whether it asks what was asked before."""
        return self.kind.endswith("_again")

    @property
    def stack(self) -> tuple[str, str]:
        """What may be said as one: by mail all news or all questions, by text one kind of news; "" for nothing."""
        kind = next((kind for kind in NEWS if self.kind.startswith(kind)), "")
        if self.channel == "sms":
            return (self.channel, "" if kind == "preparation" else kind)
        return (self.channel, "questions" if self.form else "news" if kind else "")


class Clerk:
    """Reads what happened to one patient, in order; `said` is then what is to be said, `tasks` what nobody answered."""

    def __init__(self, person: Person, events: Sequence[Event]) -> None:
        self.said: list[Said] = []
        self.tasks: set[tuple[int, str]] = set()
        self._person, self._agenda = person, sorted(events, key=lambda event: event.at)
        self._visits: dict[int, _Visit] = {}
        self._tray: set[_Slip] = set()
        self._spoken: dict[tuple[int, str, datetime], datetime] = {}
        self._told: dict[int, datetime] = {}
        self._texts: list[datetime] = []
        # For each question: when it was due first, when it was asked, and until when it can be answered.
        self._due: dict[tuple[int, str], datetime] = {}
        self._asked: dict[tuple[int, str], datetime] = {}
        self._ends: dict[tuple[int, str], datetime] = {}
        self._answered: set[tuple[int, str]] = set()
        self._stopped = False
        while (now := self._next()) is not None:
            touched: set[int] = set()
            while self._agenda and self._agenda[0].at <= now:
                touched |= self._happens(self._agenda.pop(0))
            for number in touched:
                self._write(number, now)
            self._say(now)
        for question, asked in self._asked.items():
            if question not in self._answered:
                self._nobody_answered(question, asked)

    # What happens.

    def _happens(self, event: Event) -> set[int]:
        """The visits that are to be looked at anew."""
        if event.what == "stopped":
            self._stopped = True
            return set(self._visits)
        if event.what == "booked":
            assert event.start is not None
            self._visits[event.visit] = _Visit(event.start, event.at)
            return {event.visit}
        visit = self._visits[event.visit]
        if event.what == "answered":
            self._answer(event)
            return set()
        if event.what == "moved":
            assert event.start is not None
            visit.start, visit.since, visit.moves = event.start, event.at, visit.moves + 1
            return {event.visit}
        visit.became, visit.ended = event.what, event.at
        return set(self._visits) if self._is_over() else {event.visit}

    def _answer(self, event: Event) -> None:
        question = (event.visit, event.form)
        if question not in self._asked or question in self._answered or event.at >= self._ends[question]:
            return
        if FORMS[event.form][1] == "before" and self._visits[event.visit].became:
            return
        self._nobody_answered(question, self._asked[question], event.at)
        self._answered.add(question)
        self._tray = {slip for slip in self._tray if (slip.visit, slip.form) != question}

    def _nobody_answered(self, question: tuple[int, str], asked: datetime, at: datetime | None = None) -> None:
        """A task once the time is over: after a first visit twice the pause, else the end of the questions."""
        if FORMS[question[1]][1] == "before":
            return
        over = min(self._due[question] + 2 * AGAIN, self._ends[question]) if question[0] == 0 else self._ends[question]
        if at is None or max(over, asked) <= at:
            self.tasks.add(question)

    def _is_over(self) -> bool:
        found = {visit.became for visit in self._visits.values()}
        return "" not in found and "home" in found

    # What is on the slips.

    def _write(self, number: int, now: datetime) -> None:
        """A visit's slips anew; what was said by one way is not said by another that is only wished for now."""
        before = {(slip.once, slip.channel) for slip in self._tray if slip.visit == number}
        self._tray = {slip for slip in self._tray if slip.visit != number}
        for slip in self._wanted(number):
            lives = slip.until > now and (slip.visit, slip.form) not in self._answered
            if lives and (slip.once not in self._spoken or (slip.once, slip.channel) in before):
                self._tray.add(slip)

    def _wanted(self, number: int) -> Iterator[_Slip]:
        visit = self._visits[number]
        if visit.became == "home":
            yield from self._questions(number, visit)
            return
        found = self._of_its_end(visit) if visit.became else self._of_what_comes(number, visit)
        told = self._told.get(number)
        for kind, due, until, named, form in found:
            for way in self._ways(named) if until > due else ():
                start = told if kind == "cancellation" and told else visit.start
                since = due if form else min(due, visit.since)
                slip = self._quietly(_Slip(number, kind, way, start, due, until, form), since)
                if slip:
                    self._note(slip)
                    yield slip

    def _of_its_end(self, visit: _Visit) -> Iterator[tuple[str, datetime, datetime, tuple[str, ...], str]]:
        assert visit.ended is not None
        told = self._told.get(next(number for number, each in self._visits.items() if each is visit))
        if visit.became == "missed":
            yield "no_show", visit.ended, visit.ended + DAY, (), ""
        elif told is not None:
            yield "cancellation", visit.ended, min(visit.ended + DAY, told), (), ""

    def _of_what_comes(
        self, number: int, visit: _Visit
    ) -> Iterator[tuple[str, datetime, datetime, tuple[str, ...], str]]:
        start, since, told = visit.start, visit.since, self._told.get(number)
        if told in (None, start):
            news = "" if told == start and visit.moves else "receipt"
        else:
            news = f"change_{visit.moves}"
        if news:
            yield news, since, min(since + DAY, start), (), ""
        last = start - HOUR / 2
        if self._person.prepares:
            yield "preparation", max(start - 7 * DAY, since), last, (), ""
        eve = datetime.combine(start.astimezone(CHICAGO).date() - DAY, time(10), CHICAGO)
        calendar = sorted(
            [
                (start - 72 * HOUR, "reminder_72h", ("email",)),
                (eve.astimezone(start.tzinfo), "reminder_1d_1000", ("email", "sms")),
                (start - 2 * HOUR, "reminder_2h", ("sms",)),
            ]
        )
        for (at, kind, named), end in zip(calendar, [*(at for at, _, _ in calendar[1:]), last], strict=True):
            if end > since:
                yield kind, max(at, since), end, named, ""
        if number:
            yield "follow_up_nrs_24h_before", max(start - DAY, since), start, (), "nrs"

    def _questions(self, number: int, visit: _Visit) -> Iterator[_Slip]:
        assert visit.ended is not None
        home = [n for n, each in self._visits.items() if each.became == "home"]
        last = self._is_over() and number == max(home, key=lambda n: self._visits[n].start)
        for form, (hours, anchor) in FORMS.items():
            if anchor == "before" or (anchor == "end" and not last):
                continue
            at = visit.ended + hours * HOUR
            for way in self._ways(()):
                kind = f"follow_up_{form}_{hours}h{ENDINGS[anchor]}"
                first = self._quietly(_Slip(number, kind, way, visit.start, at, at + LIFE, form), at)
                assert first is not None, "seven days have an hour that is not quiet"
                self._note(first)
                yield first
                again = replace(first, kind=f"{kind}_again", due=first.due + AGAIN)
                later = self._quietly(again, again.due)
                if later is not None:
                    yield later

    def _note(self, slip: _Slip) -> None:
        if slip.form:
            self._due.setdefault((slip.visit, slip.form), slip.due)
            self._ends[slip.visit, slip.form] = slip.until

    def _ways(self, named: tuple[str, ...]) -> list[str]:
        no_texts = self._stopped or self._person.consent is False
        open_ways = [way for way in self._person.wished if way == "email" or not no_texts]
        return [way for way in open_ways if way in named] or open_ways[:1]

    # When a slip is taken out.

    def _next(self) -> datetime | None:
        times = [event.at for event in self._agenda[:1]]
        for slips, at in self._messages():
            ready = self._ready(slips, at)
            times.append(ready if ready < min(slip.until for slip in slips) else at)
        return min(times, default=None)

    def _say(self, now: datetime) -> None:
        while True:
            self._tray = {slip for slip in self._tray if slip.until > now}
            come = [(slips, self._ready(slips, at)) for slips, at in self._messages() if at <= now]
            for slips, ready in come:
                lead = min(slips, key=lambda slip: slip.order)
                if ready >= lead.until:
                    # Its time is over before it may go; the rest goes without it.
                    self._tray.remove(lead)
                    break
            else:
                may = [each for each in come if each[1] <= now]
                first = min(may, key=lambda each: min(slip.order for slip in each[0]), default=None)
                if first is None:
                    return
                self._utter(first[0], now)

    def _utter(self, slips: Sequence[_Slip], now: datetime) -> None:
        self._tray -= set(slips)
        channel = slips[0].channel
        self.said.append(Said(now, channel, frozenset(slip.once for slip in slips)))
        if channel == "sms":
            self._texts.append(now)
        for slip in slips:
            self._spoken.setdefault(slip.once, now)
            if slip.form:
                self._asked.setdefault((slip.visit, slip.form), now)
            elif slip.kind not in ("cancellation", "no_show"):
                self._told[slip.visit] = slip.start

    def _messages(self) -> Iterator[tuple[list[_Slip], datetime]]:
        """Slips that are said as one, and when the last of them is due; the first to close must still be open then."""
        ripe = [slip for slip in self._tray if not slip.is_again or (slip.visit, slip.form) in self._asked]
        for (_, family), stack in groupby(sorted(ripe, key=lambda s: (s.stack, s.due, s.once)), lambda s: s.stack):
            for slips in _at_once(stack) if family else ([slip] for slip in stack):
                at = slips[-1].due
                yield from (([slip], slip.due) for slip in slips if slip.until <= at)
                if still := [slip for slip in slips if slip.until > at]:
                    yield still, at

    def _ready(self, slips: Sequence[_Slip], at: datetime) -> datetime:
        """When they may go: what is asked again, a pause after it was asked; a text when the person takes one."""
        for slip in slips:
            if slip.is_again:
                at = max(at, self._asked[slip.visit, slip.form] + AGAIN)
        return self._text_time(at) if slips[0].channel == "sms" else at

    def _text_time(self, at: datetime) -> datetime:
        """The first instant from then on that is not quiet and at which one more text keeps to both caps."""
        zone = self._person.zone
        days = [datetime.combine(at.astimezone(zone).date() + n * DAY, time(0), zone) for n in range(1, 9)]
        ends = [self._person.end_of_quiet(day) for day in (at, *days)]
        hours = [at, *(day.astimezone(at.tzinfo) for day in days), *ends, *(text + LIFE for text in self._texts)]
        hours += [self._person.end_of_quiet(text + LIFE) for text in self._texts]
        hours = [hour.astimezone(UTC) for hour in hours]
        return min(
            hour for hour in hours if hour >= at and not self._person.is_quiet(hour) and self._keeps_to_caps(hour)
        )

    def _keeps_to_caps(self, at: datetime) -> bool:
        a_day, a_week = CONSENTED if self._person.consent else NOT_ASKED
        day = at.astimezone(self._person.zone).date()
        today = [text for text in self._texts if text.astimezone(self._person.zone).date() == day]
        return len(today) < a_day and len([text for text in self._texts if at - LIFE < text <= at]) < a_week

    def _quietly(self, slip: _Slip, since: datetime) -> _Slip | None:
        """A text waits for the end of the quiet hours; where that is too late it comes a minute before them, or not."""
        if slip.channel != "sms" or not self._person.is_quiet(slip.due):
            return slip if slip.due < slip.until else None
        if (later := self._person.end_of_quiet(slip.due)) < slip.until:
            return replace(slip, due=later)
        minute = slip.due.replace(second=0, microsecond=0)
        while self._person.is_quiet(minute):
            minute -= timedelta(minutes=1)
        return replace(slip, due=minute) if minute >= since else None


def _at_once(slips: Iterable[_Slip]) -> list[list[_Slip]]:
    found: list[list[_Slip]] = []
    for slip in slips:
        if found and slip.due - found[-1][0].due <= TOGETHER and len(found[-1]) < 12:
            found[-1].append(slip)
        else:
            found.append([slip])
    return found
