"""What a protocol's phases say, as values, and the strict reading of their JSON shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scheduler.missed import REVIEW, Missed, read_missed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SLOT_MINUTES = 5
MAX_SESSIONS = 200
MAX_PHASES = 20
MAX_DAYS = 5 * 366
MAX_MINUTES = 24 * 60
KINDS = ("recliner", "bed", "private_room")
LATE_POLICIES = ("shift_chain", "keep_anchor")
ANCHORS = ("previous", "series_start", "cycle_start")


@dataclass(frozen=True)
class Problem:
    """One fault in a protocol's data; `pointer` is a JSON pointer within the list of phases (/0/spacing/max_days/1)."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True)
class First:
    """When the first session of a later phase falls: days from the session before, from the series' first session, or
    from the latest day 0 of a cycle."""

    anchor: str
    min_days: int
    target_days: int
    max_days: int


@dataclass(frozen=True)
class Previous:
    """Gaps in calendar days, by ordinal of the session that a gap leads to (entry 1 of the first phase is unused)."""

    min_days: tuple[int, ...]
    target_days: tuple[int, ...]
    max_days: tuple[int, ...]


@dataclass(frozen=True)
class SeriesStart:
    """Days from the series' first session, by ordinal."""

    target_days: tuple[int, ...]
    early_days: int
    late_days: int


@dataclass(frozen=True)
class CycleStart:
    """Days from the cycle's day 0, by place in the cycle; day 0 of a later cycle counts from the actual one before."""

    cycle_days: int
    target_days: tuple[int, ...]
    early_days: int
    late_days: int
    cycle_early_days: int
    cycle_late_days: int


Spacing = Previous | SeriesStart | CycleStart


@dataclass(frozen=True)
class ChairNeed:
    """Chair kinds that will do (empty: any) and features that must be there."""

    kinds: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Minutes:
    """Lengths in minutes; infuse and recover by ordinal."""

    prepare: int
    infuse: tuple[int, ...]
    recover: tuple[int, ...]
    turnover: int


@dataclass(frozen=True)
class Phase:
    """A phase. `sessions` None is open-ended; `spacing` None occurs only in a phase of one session."""

    name: str
    sessions: int | None
    spacing: Spacing | None
    minutes: Minutes
    hands_on_minutes: int = 15
    chair: ChairNeed = ChairNeed()
    acuity: int = 1
    first: First | None = None
    max_span_days: int | None = None
    late_policy: str | None = None
    missed: Missed = REVIEW


def by_ordinal(values: Sequence[int], ordinal: int) -> int:
    """The entry for an ordinal from 1; the last one repeats."""
    return values[min(ordinal, len(values)) - 1]


def read_phases(data: object) -> tuple[tuple[Phase, ...], list[Problem]]:
    """The phases from the contract's shape, and every fault found within single phases (then phases are missing)."""
    reader = _Reader()
    if not isinstance(data, list):
        reader.fault("", "invalid", "phases must be a list")
        return (), reader.problems
    if not data:
        reader.fault("", "empty", "a protocol needs at least one phase")
    if len(data) > MAX_PHASES:
        reader.fault("", "out_of_range", f"at most {MAX_PHASES} phases")
    phases = tuple(reader.phase(item, place, len(data)) for place, item in enumerate(data[:MAX_PHASES]))
    return tuple(phase for phase in phases if phase is not None), reader.problems


@dataclass
class _Reader:
    """Collects every fault; after a fault a reading method returns a stand-in, so that the rest is read too."""

    problems: list[Problem] = field(default_factory=list)

    def fault(self, pointer: str, code: str, detail: str) -> None:
        problem = Problem(pointer, code, detail)
        if problem not in self.problems:
            self.problems.append(problem)

    def fields(
        self, data: object, pointer: str, required: Iterable[str], optional: Iterable[str] = ()
    ) -> dict[str, object]:
        if not isinstance(data, dict):
            self.fault(pointer, "invalid", "must be an object")
            return {}
        known = {*required, *optional}
        for name in data:
            if name not in known:
                self.fault(f"{pointer}/{_escaped(name)}", "unknown_field", "no such field")
        for name in required:
            if name not in data:
                self.fault(f"{pointer}/{name}", "required", "this field is required")
        return {name: value for name, value in data.items() if name in known}

    def whole(self, value: object, pointer: str, low: int, high: int, step: int = 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(pointer, "invalid", "must be a whole number")
        elif not low <= value <= high:
            self.fault(pointer, "out_of_range", f"must be from {low} to {high}")
        elif value % step:
            self.fault(pointer, "off_grid", f"must be a multiple of {step}")
        else:
            return value
        return low

    def wholes(self, value: object, pointer: str, low: int, high: int, step: int = 1) -> tuple[int, ...]:
        if not isinstance(value, list):
            return (self.whole(value, pointer, low, high, step),)
        if not value:
            self.fault(pointer, "empty", "needs at least one entry")
        if len(value) > MAX_SESSIONS:
            self.fault(pointer, "out_of_range", f"at most {MAX_SESSIONS} entries")
        entries = enumerate(value[:MAX_SESSIONS])
        return tuple(self.whole(item, f"{pointer}/{i}", low, high, step) for i, item in entries) or (low,)

    def text(self, value: object, pointer: str) -> str:
        if isinstance(value, str) and value.strip() and len(value) <= 100 and value.isprintable():
            return value
        self.fault(pointer, "invalid", "must be a text of 1 to 100 printable characters")
        return ""

    def one_of(self, value: object, pointer: str, allowed: Sequence[str]) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        self.fault(pointer, "invalid", f"must be one of {', '.join(allowed)}")
        return allowed[0]

    def phase(self, data: object, place: int, phases: int) -> Phase | None:
        at, before = f"/{place}", len(self.problems)
        optional = ("spacing", "hands_on_minutes", "chair", "acuity", "missed")
        given = self.fields(data, at, ("name", "sessions", "minutes"), optional)
        if not isinstance(data, dict):
            return None
        name = self.text(given["name"], f"{at}/name") if "name" in given else ""
        sessions = self.sessions(given.get("sessions", 1), f"{at}/sessions", last=place == phases - 1)
        minutes = self.minutes(given["minutes"], f"{at}/minutes") if "minutes" in given else Minutes(0, (5,), (0,), 0)
        hands_on = self.hands_on(given.get("hands_on_minutes", 15), f"{at}/hands_on_minutes", minutes)
        chair = self.chair(given.get("chair", {}), f"{at}/chair")
        acuity = self.whole(given.get("acuity", 1), f"{at}/acuity", 1, 100)
        spacing, first, span, policy = self.spacing(given, at, place, sessions)
        missed = read_missed(self, given.get("missed"), f"{at}/missed")
        if len(self.problems) > before:
            return None
        return Phase(name, sessions, spacing, minutes, hands_on, chair, acuity, first, span, policy, missed)

    def sessions(self, value: object, pointer: str, last: bool) -> int | None:
        if value is None:
            if not last:
                self.fault(pointer, "open_ended_not_last", "only the last phase may be open-ended")
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(pointer, "invalid", "must be a whole number or null")
        elif value > MAX_SESSIONS:
            self.fault(pointer, "too_many_sessions", f"at most {MAX_SESSIONS} sessions a phase")
        elif value < 1:
            self.fault(pointer, "out_of_range", f"must be from 1 to {MAX_SESSIONS}")
        else:
            return value
        return 1

    def minutes(self, data: object, pointer: str) -> Minutes:
        given = self.fields(data, pointer, ("prepare", "infuse", "recover", "turnover"))
        prepare = self.whole(given.get("prepare", 0), f"{pointer}/prepare", 0, MAX_MINUTES, SLOT_MINUTES)
        infuse = self.wholes(given.get("infuse", 5), f"{pointer}/infuse", SLOT_MINUTES, MAX_MINUTES, SLOT_MINUTES)
        recover = self.wholes(given.get("recover", 0), f"{pointer}/recover", 0, MAX_MINUTES, SLOT_MINUTES)
        turnover = self.whole(given.get("turnover", 0), f"{pointer}/turnover", 0, MAX_MINUTES, SLOT_MINUTES)
        for i in range(1, max(len(infuse), len(recover)) + 1):
            if prepare + by_ordinal(infuse, i) + by_ordinal(recover, i) + turnover > MAX_MINUTES:
                self.fault(pointer, "out_of_range", "a session with its turnover cannot be longer than a day")
        return Minutes(prepare, infuse, recover, turnover)

    def hands_on(self, value: object, pointer: str, minutes: Minutes) -> int:
        hands_on = self.whole(value, pointer, SLOT_MINUTES, MAX_MINUTES, SLOT_MINUTES)
        if hands_on > minutes.prepare + min(minutes.infuse) and not self.faulty(pointer.rsplit("/", 1)[0] + "/minutes"):
            self.fault(pointer, "hands_on_too_long", "must be at most prepare and infuse together")
        return hands_on

    def faulty(self, pointer: str) -> bool:
        return any(p.pointer == pointer or p.pointer.startswith(pointer + "/") for p in self.problems)

    def chair(self, data: object, pointer: str) -> ChairNeed:
        given = self.fields(data, pointer, (), ("kinds", "features"))
        lists: dict[str, list[object]] = {}
        for name in ("kinds", "features"):
            value = given.get(name, [])
            if not isinstance(value, list) or len(value) > 50:
                self.fault(f"{pointer}/{name}", "invalid", "must be a list of at most 50 entries")
            lists[name] = value[:50] if isinstance(value, list) else []
        kinds = [self.one_of(item, f"{pointer}/kinds/{i}", KINDS) for i, item in enumerate(lists["kinds"])]
        features = [self.text(item, f"{pointer}/features/{i}") for i, item in enumerate(lists["features"])]
        return ChairNeed(frozenset(kinds), frozenset(features))

    def spacing(
        self, phase: dict[str, object], at: str, place: int, sessions: int | None
    ) -> tuple[Spacing | None, First | None, int | None, str | None]:
        pointer, data = f"{at}/spacing", phase.get("spacing")
        if data is None:
            if sessions != 1:
                self.fault(pointer, "required", "a phase of several sessions needs a spacing")
            return None, None, None, None
        anchor = data.get("anchor") if isinstance(data, dict) else None
        if not isinstance(data, dict) or "anchor" not in data:
            self.fields(data, pointer, ("anchor",), data if isinstance(data, dict) else ())
            return None, None, None, None
        common = ("first", "max_span_days", "late_policy")
        reading: dict[str, Callable[..., Spacing]] = {
            "previous": self.previous,
            "series_start": self.series_start,
            "cycle_start": self.cycle_start,
        }
        if not isinstance(anchor, str) or anchor not in reading:
            self.one_of(anchor, f"{pointer}/anchor", ANCHORS)
            return None, None, None, None
        spacing = reading[anchor](data, pointer, common, place, sessions)
        first = self.first(data["first"], f"{pointer}/first", place) if data.get("first") is not None else None
        span, policy = data.get("max_span_days"), data.get("late_policy")
        return (
            spacing,
            first,
            None if span is None else self.whole(span, f"{pointer}/max_span_days", 0, MAX_DAYS),
            None if policy is None else self.one_of(policy, f"{pointer}/late_policy", LATE_POLICIES),
        )

    def previous(
        self, data: dict[str, object], pointer: str, common: Iterable[str], place: int, sessions: int | None
    ) -> Previous:
        names = ("min_days", "target_days", "max_days")
        given = self.fields(data, pointer, ("anchor", *names), common)
        low, target, high = (self.wholes(given.get(name, 1), f"{pointer}/{name}", 1, MAX_DAYS) for name in names)
        if not any(self.faulty(f"{pointer}/{name}") for name in names):
            for i in range(1, max(len(low), len(target), len(high)) + 1):
                self.ordered(given, pointer, i, (low, target, high))
        return Previous(low, target, high)

    def ordered(self, given: dict[str, object], pointer: str, ordinal: int, lists: tuple[tuple[int, ...], ...]) -> None:
        """Least, wanted and most days of one ordinal must ascend; the pointer names the entry at fault."""
        low, target, high = (by_ordinal(values, ordinal) for values in lists)

        def entry(name: str, values: tuple[int, ...]) -> str:
            place = f"/{min(ordinal, len(values)) - 1}" if isinstance(given.get(name), list) else ""
            return f"{pointer}/{name}{place}"

        if high < low:
            self.fault(entry("max_days", lists[2]), "max_below_min", f"the most ({high}) is below the least ({low})")
        elif not low <= target <= high:
            self.fault(entry("target_days", lists[1]), "target_outside", f"{target} is not from {low} to {high}")

    def series_start(
        self, data: dict[str, object], pointer: str, common: Iterable[str], place: int, sessions: int | None
    ) -> SeriesStart:
        given = self.fields(data, pointer, ("anchor", "target_days"), (*common, "early_days", "late_days"))
        targets = self.wholes(given.get("target_days", 0), f"{pointer}/target_days", 0, MAX_DAYS)
        early, late = (self.tolerance(given, pointer, name) for name in ("early_days", "late_days"))
        if not self.faulty(f"{pointer}/target_days") and "target_days" in given:
            self.ascending(targets, f"{pointer}/target_days")
            if place == 0 and targets[0] != 0:
                self.fault(f"{pointer}/target_days/0", "first_target_not_zero", "the series starts on day 0")
            if place > 0 and targets[0] == 0:
                self.fault(f"{pointer}/target_days/0", "targets_out_of_order", "day 0 belongs to the first phase")
            if sessions is None or len(targets) < sessions:
                self.fault(f"{pointer}/target_days", "targets_out_of_order", "every session needs a target of its own")
        return SeriesStart(targets, early, late)

    def cycle_start(
        self, data: dict[str, object], pointer: str, common: Iterable[str], place: int, sessions: int | None
    ) -> CycleStart:
        tolerances = ("early_days", "late_days", "cycle_early_days", "cycle_late_days")
        given = self.fields(data, pointer, ("anchor", "cycle_days", "target_days"), (*common, *tolerances))
        cycle = self.whole(given.get("cycle_days", 1), f"{pointer}/cycle_days", 1, MAX_DAYS)
        targets = self.wholes(given.get("target_days", 0), f"{pointer}/target_days", 0, MAX_DAYS)
        early, late, cycle_early, cycle_late = (self.tolerance(given, pointer, name) for name in tolerances)
        if not self.faulty(f"{pointer}/target_days") and "target_days" in given:
            self.ascending(targets, f"{pointer}/target_days")
            if targets[0] != 0:
                self.fault(f"{pointer}/target_days/0", "first_target_not_zero", "a cycle starts on day 0")
            if "cycle_days" in given and not self.faulty(f"{pointer}/cycle_days") and cycle <= targets[-1]:
                self.fault(
                    f"{pointer}/cycle_days", "cycle_too_short", f"the cycle must be longer than {targets[-1]} days"
                )
        return CycleStart(cycle, targets, early, late, cycle_early, cycle_late)

    def tolerance(self, given: dict[str, object], pointer: str, name: str) -> int:
        """Days early or late; what is not said is not allowed (0)."""
        return self.whole(given.get(name, 0), f"{pointer}/{name}", 0, MAX_DAYS)

    def ascending(self, targets: tuple[int, ...], pointer: str) -> None:
        for i in range(1, len(targets)):
            if targets[i] <= targets[i - 1]:
                self.fault(f"{pointer}/{i}", "targets_out_of_order", "targets must ascend day by day")

    def first(self, data: object, pointer: str, place: int) -> First:
        names = ("min_days", "target_days", "max_days")
        given = self.fields(data, pointer, ("anchor", *names))
        anchor = self.one_of(given.get("anchor", "previous"), f"{pointer}/anchor", ANCHORS)
        low, target, high = (self.whole(given.get(name, 1), f"{pointer}/{name}", 1, MAX_DAYS) for name in names)
        if place == 0:
            self.fault(pointer, "invalid", "only a later phase has a rule for its first session")
        if not any(self.faulty(f"{pointer}/{name}") for name in names):
            self.ordered(given, pointer, 1, ((low,), (target,), (high,)))
        return First(anchor, low, target, high)


def _escaped(name: object) -> str:
    """A member's name within a JSON pointer (RFC 6901)."""
    return str(name).replace("~", "~0").replace("/", "~1")
