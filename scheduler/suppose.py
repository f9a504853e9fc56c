"""What could be planned if a rule did not hold, or if there were one chair or one person more.

The planner says what is possible, one session on one day at a time; `reach` says whether such days make a series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler.day import timely
from scheduler.facts import ChairFacts, Day, Need, StaffFacts
from scheduler.phases import KINDS, ChairNeed
from scheduler.planner import plan
from scheduler.plans import Wishes
from scheduler.reach import chain
from scheduler.search import permitted
from scheduler.slots import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from scheduler.treatment import Visit

# So many days are looked at first.
FIRST_DAYS = 28
# More than any window has days.
ANY_GAP = 10_000

# Rules on a session's day, on the days between sessions, and on the whole request.
DAY_RULES = ("patient_busy", "closures", "opening_hours", "chair_need", "chairs", "nurses", "prescribers", "bookings")
SPACING_RULES = ("max_gap", "window", "span", "min_gap")
_RESOURCES = {
    "chairs": {"chairs", "one_chair"},
    "nurses": {"nurses", "one_nurse"},
    "prescribers": {"prescribers", "one_prescriber"},
}
WISH_RULES = ("chair_kind", "provider", "time_windows", "weekdays", "earliest_date", "latest_date")


@dataclass(frozen=True)
class Rule:
    """A rule by its code; of one session (its number in the series) or, without, of all that it speaks of."""

    code: str
    session: int | None = None


@dataclass(frozen=True)
class Opening:
    """Why a day is open as it is: slots in which its weekday's hours say open, and slots of closures."""

    hours: int
    closed: int = 0


@dataclass(frozen=True)
class More:
    """What there is besides on the days `on` (a set): `one_nurse`, `one_prescriber`, `one_chair` of a kind, all of
    them while the site is open; or `no_closure`."""

    code: str
    on: int
    kind: str | None = None


@dataclass(frozen=True)
class Supposition:
    """What is supposed: the visits, the wishes, rules that do not hold, what there is besides."""

    visits: tuple[Visit, ...]
    wishes: Wishes
    lifted: frozenset[Rule] = frozenset()
    more: tuple[More, ...] = ()


@dataclass(frozen=True)
class _View:
    """One session's look at one day: what it needs, the rules that do not hold, what there is besides."""

    need: Need
    windows: tuple[tuple[int, int], ...]
    lifted: frozenset[str]
    more: frozenset[tuple[str, str | None]]


class Question:
    """A request and the days that bear on it, within its window and around it. Days are numbered from 1.

    `openings` tells hours and closures apart, by date; a day without one is taken to have no closure.
    """

    def __init__(
        self,
        visits: Sequence[Visit],
        days: Iterable[Day],
        wishes: Wishes,
        before: Sequence[date] = (),
        openings: Mapping[date, Opening] | None = None,
    ) -> None:
        known = list(days)
        self.base = min([day.date.toordinal() for day in known] + [on.toordinal() for on in before], default=1) - 1
        self.days = {self.number(day.date): day for day in known}
        self.before = before
        self.openings = openings or {}
        self.asked = Supposition(tuple(visits), wishes)
        self.nurses = {nurse.id for day in known for nurse in day.nurses}
        self.prescribers = {person.id for day in known for person in day.prescribers}
        self.by_weekday = [self._set(day for day in known if day.date.weekday() == n) for n in range(7)]
        self.variants: dict[tuple[int, frozenset[str]], Day] = {}
        self.by_resource: dict[tuple[str, int, frozenset[str], Need], int] = {}
        self.hopeful: dict[_View, tuple[int, int]] = {}
        self.sure: dict[tuple[_View, int], bool] = {}

    def number(self, on: date) -> int:
        """The number of a date."""
        return on.toordinal() - self.base

    def _set(self, days: Iterable[Day]) -> int:
        return sum(1 << self.number(day.date) for day in days)

    def window(self, wishes: Wishes, lifted: frozenset[Rule] = frozenset()) -> int:
        """The days within a window and on the weekdays wished for."""
        weekdays = range(7) if wishes.weekdays is None or Rule("weekdays") in lifted else wishes.weekdays
        days = 0
        for weekday in weekdays:
            days |= self.by_weekday[weekday]
        if Rule("earliest_date") not in lifted:
            days &= -1 << max(0, self.number(wishes.earliest))
        if Rule("latest_date") not in lifted:
            days &= (1 << max(0, self.number(wishes.latest) + 1)) - 1
        return days

    def possible(self, supposed: Supposition) -> bool:
        """Whether there is a plan under what is supposed."""
        window = self.window(supposed.wishes, supposed.lifted)
        visits = [_spaced(visit, supposed.lifted) for visit in supposed.visits]
        views = [self._views(visit, supposed) for visit in supposed.visits]
        # Where there is a plan, the first days mostly hold one; only where they do not are all days looked at.
        first = window & mask(0, (window & -window).bit_length() + FIRST_DAYS, window.bit_length())
        return self._chosen(visits, views, first) or (first != window and self._chosen(visits, views, window))

    def _chosen(self, visits: list[Visit], views: list[list[tuple[int, _View]]], window: int) -> bool:
        """Whether days of the window can be chosen: hopeful ones, then the planner is asked about those chosen."""
        places = [self.number(on) for on in self.before]
        while True:
            found = chain(visits, [self._hopeful(looks, window) for looks in views], places)
            if found is None:
                return False
            sure = [
                self._is_sure(view, visit, day)
                for visit, looks, day in zip(visits, views, found, strict=True)
                for days, view in looks
                if days >> day & 1
            ]
            if all(sure):
                return True

    def planned(self, supposed: Supposition) -> bool:
        """The same by one call of the planner for the whole series; nothing may be lifted."""
        days = [self._with_more(day, number, supposed.more) for number, day in self.days.items()]
        return bool(plan(supposed.visits, days, supposed.wishes, before=self.before))

    def _views(self, visit: Visit, supposed: Supposition) -> list[tuple[int, _View]]:
        """The looks that a session has at days, each with the days on which it is this one."""
        wishes, rules = supposed.wishes, supposed.lifted
        lifted = {code for code in DAY_RULES if Rule(code) in rules or Rule(code, visit.sequence) in rules}
        provider = None if Rule("provider") in rules or self._is_moot(wishes.provider, lifted) else wishes.provider
        need = Need.of(visit, None if Rule("chair_kind") in rules else wishes.chair_kind, provider)
        if "chair_need" in lifted:
            need = replace(need, kinds=frozenset(), features=frozenset())
        windows = () if Rule("time_windows") in rules else wishes.time_windows
        looks = [(-1, frozenset[tuple[str, str | None]]())]
        for more in supposed.more:
            beside = [(days & more.on, has | {(more.code, more.kind)}) for days, has in looks if days & more.on]
            looks = [(days & ~more.on, has) for days, has in looks if days & ~more.on] + beside
        return [(days, _View(need, windows, frozenset(lifted - {"chair_need"}), has)) for days, has in looks]

    def _is_moot(self, provider: str | None, lifted: set[str]) -> bool:
        """Whether the wish for a person falls with the rule on nurses or prescribers."""
        return "prescribers" in lifted if provider in self.prescribers else "nurses" in lifted

    def _hopeful(self, looks: list[tuple[int, _View]], window: int) -> int:
        """The days of the window that no single resource keeps from taking the session."""
        found = 0
        for days, view in looks:
            known, good = self.hopeful.get(view, (0, 0))
            wanted = days & window
            missing = wanted & ~known
            while missing:
                lowest = missing & -missing
                good |= lowest if self._may(view, lowest.bit_length() - 1) else 0
                missing ^= lowest
            self.hopeful[view] = (known | wanted, good)
            found |= good & wanted
        return found

    def _is_sure(self, view: _View, visit: Visit, number: int) -> bool:
        """Whether the planner finds room for the session on a day; where it does not, there is no more hope for it."""
        key = (view, number)
        if key not in self.sure:
            alone = replace(visit, sequence=1, ordinal=1, gap=None, span=None)
            alone = replace(alone, chair=ChairNeed(view.need.kinds, view.need.features))
            day = self._whole(view, number)
            wishes = Wishes(day.date, day.date, None, view.windows, view.need.provider, view.need.chair_kind)
            self.sure[key] = bool(plan((alone,), (day,), wishes))
            if not self.sure[key]:
                known, good = self.hopeful[view]
                self.hopeful[view] = (known, good & ~(1 << number))
        return self.sure[key]

    def _variant(self, number: int, lifted: frozenset[str]) -> Day:
        """A day without its bookings, hours or closures, as far as these are among the rules that do not hold."""
        day = self.days[number]
        opening = self.openings.get(day.date, Opening(day.open))
        changes = lifted & {"opening_hours"}
        changes |= lifted & {"closures"} if opening.closed else frozenset()
        changes |= lifted & {"bookings"} if day.taken else frozenset()
        if not changes:
            return day
        if (number, changes) not in self.variants:
            hours = (1 << day.slots) - 1 if "opening_hours" in changes else opening.hours
            closed = 0 if "closures" in changes else opening.closed
            taken = () if "bookings" in changes else day.taken
            self.variants[number, changes] = replace(day, open=hours & ~closed, taken=taken)
        return self.variants[number, changes]

    def _may(self, view: _View, number: int) -> bool:
        """Whether some start is left by the clock and by each resource by itself, as far as its rule holds."""
        need, free = view.need, view.lifted | {code for code, _ in view.more}
        day = self._variant(number, free | {"closures"} if "no_closure" in free else free)
        if "patient_busy" in free:
            day = replace(day, patient_free=(1 << day.slots) - 1)
        starts = timely(day, need) & permitted(day, need, Wishes(day.date, day.date, None, view.windows))
        # Whoever comes besides may free others: then the sums say nothing, and the planner has to be asked.
        if free & {"chairs", "one_chair"} and not any(serves(need, kind) for kind in KINDS):
            return False
        for name, codes in _RESOURCES.items():
            if starts and not free & codes:
                starts &= self._starts_by(name, number, free & {"bookings"}, need)
        return bool(starts)

    def _starts_by(self, name: str, number: int, lifted: frozenset[str], need: Need) -> int:
        """The starts that one resource may allow; hours do not matter to it."""
        key = (name, number, lifted, need)
        if key not in self.by_resource:
            load = self._variant(number, lifted).load
            self.by_resource[key] = {
                "chairs": load.chair_starts,
                "nurses": load.nurse_starts,
                "prescribers": load.prescriber_starts,
            }[name](need)
        return self.by_resource[key]

    def _whole(self, view: _View, number: int) -> Day:
        """The day of a view: always free chairs and people for rules that do not hold, and what is there besides."""
        lifted = view.lifted | ({"closures"} if ("no_closure", None) in view.more else set())
        day = self._variant(number, frozenset(lifted))
        whole = (1 << day.slots) - 1
        if "patient_busy" in lifted:
            day = replace(day, patient_free=whole)
        if "chairs" in lifted:
            day = replace(day, chairs=(*day.chairs, *_chairs(view.need, KINDS, whole)))
        room = len(day.taken) + 1
        if "nurses" in lifted:
            day = replace(day, nurses=(*day.nurses, StaffFacts("~any", "nurse", whole, room)))
        if "prescribers" in lifted:
            day = replace(day, prescribers=(*day.prescribers, StaffFacts("~any-", "prescriber", whole, room)))
        for code, kind in sorted(view.more, key=str):
            day = _one_more(day, code, kind, view.need.features)
        return day

    def _with_more(self, day: Day, number: int, more: Sequence[More]) -> Day:
        """A day with what is there besides, for all sessions alike."""
        features = frozenset[str]().union(*(visit.chair.features for visit in self.asked.visits))
        here = [each for each in more if each.on >> number & 1]
        # First the hours, which say when those who come besides are there.
        if any(each.code == "no_closure" for each in here):
            day = replace(day, open=self.openings.get(day.date, Opening(day.open)).hours)
        for each in here:
            day = _one_more(day, each.code, each.kind, features)
        return day


def _chairs(need: Need, kinds: Iterable[str | None], free: int) -> tuple[ChairFacts, ...]:
    return tuple(ChairFacts(f"~{kind}", kind, need.features, free) for kind in kinds if kind)


def _one_more(day: Day, code: str, kind: str | None, features: frozenset[str]) -> Day:
    """A day with one chair or person more while the site is open."""
    match code:
        case "one_chair" if kind:
            return replace(day, chairs=(*day.chairs, ChairFacts("~one", kind, features, day.open)))
        case "one_nurse":
            return replace(day, nurses=(*day.nurses, StaffFacts("~one", "nurse", day.open, 1)))
        case "one_prescriber":
            return replace(day, prescribers=(*day.prescribers, StaffFacts("~one-", "prescriber", day.open, 1)))
    return day


def serves(need: Need, kind: str) -> bool:
    """Whether a chair of this kind, with all features, will do."""
    return (not need.kinds or kind in need.kinds) and need.chair_kind in (None, kind)


def _spaced(visit: Visit, lifted: frozenset[Rule]) -> Visit:
    """A visit without the rules on its day that do not hold."""

    def off(code: str) -> bool:
        return Rule(code) in lifted or Rule(code, visit.sequence) in lifted

    gap, span = visit.gap, None if off("span") else visit.span
    if gap and gap.after != visit.sequence - 1:
        gap = None if off("window") else gap
    elif gap:
        gap = replace(gap, min_days=1) if off("min_gap") else gap
        gap = replace(gap, max_days=ANY_GAP) if off("max_gap") else gap
    return replace(visit, gap=gap, span=span)
