"""What one day at one site looks like to one patient, as values, and what its sessions leave free.

Time is counted in slots of five minutes of elapsed time from the day's first instant, so a day with a clock change has
276 or 300 slots and none is skipped or doubled. A set of slots is an int: bit i stands for slot i.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from scheduler.treatment import Visit

    Mentions = Callable[[frozenset[str]], bool]


class Seat(NamedTuple):
    """What a session asks of a chair: one of these kinds (none: any), these features, the kind wished for."""

    kinds: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    chair_kind: str | None = None

    def fits(self, kind: str, features: frozenset[str]) -> bool:
        """Whether a chair of this kind with these features will do."""
        allowed = (not self.kinds or kind in self.kinds) and self.chair_kind in (None, kind)
        return allowed and self.features <= features


ANY_SEAT = Seat()


@dataclass(frozen=True)
class Taken:
    """A session already on the day, in slots; what lies off the grid was rounded outward.

    `pinned` marks one that has begun or is overdue: it keeps chair, nurse and prescriber. The others may be laid anew
    within what they ask for: a `seat`, and the `provider` wished for. Slots outside the day do not count, and what
    reaches over the day's ends is pinned.
    """

    id: str
    start: int
    infuse_start: int
    end: int
    turnover_end: int
    hands_on_until: int
    acuity: int
    chair: str | None
    nurse: str | None
    prescriber: str | None
    pinned: bool = False
    seat: Seat = ANY_SEAT
    provider: str | None = None


@dataclass(frozen=True)
class ChairFacts:
    """A chair; `free` holds the slots in which it is not closed (sessions are not taken off here)."""

    id: str
    kind: str
    features: frozenset[str]
    free: int


@dataclass(frozen=True)
class StaffFacts:
    """A nurse or a prescriber; at most `capacity` sessions and `max_acuity` points (None: no limit) at once."""

    id: str
    role: str
    on_duty: int
    capacity: int
    max_acuity: int | None = None


@dataclass(frozen=True)
class Day:
    """Everything that bears on one patient's session on one day. `patient_free`, `open` and `from_slot` are in slots.

    `wall[i]` is the minute of the wall clock (0..1439) at which slot i begins. `from_slot` is the first slot that is
    not in the past (0 on a day to come, `slots` on a day gone by).
    `numbers` are those of the site's supply and of the day's sessions where both are as they were written (ADR 10);
    None where holds have been laid among them, or some are left out.
    """

    date: date
    first_instant: datetime
    slots: int
    open: int
    wall: tuple[int, ...]
    chairs: tuple[ChairFacts, ...]
    nurses: tuple[StaffFacts, ...]
    prescribers: tuple[StaffFacts, ...]
    taken: tuple[Taken, ...]
    patient_free: int
    from_slot: int = 0
    numbers: tuple[int, int] | None = field(default=None, compare=False)

    @classmethod
    def later(cls, rest: Callable[[], dict[str, Any]], mentions: Mentions | None = None, **known: Any) -> Day:
        """A day of which only `known` fields are worked out; `rest` gives the others when one is asked for first.

        Of a window few days are looked at. `mentions` says by less work whether a session of some ids may be on it.
        """
        made = object.__new__(cls)
        made.__dict__.update(known, _rest=rest, _mentions=mentions)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """A field that is not there yet. In threads each may work it out, to the same end."""
            rest = self.__dict__.get("_rest")
            if rest is not None and name in LATER:
                self.__dict__.update(rest(), _rest=None, _mentions=None)
            if name in self.__dict__:
                return self.__dict__[name]
            raise AttributeError(name)

    @cached_property
    def load(self) -> Load:
        """What the sessions already there leave; worked out once."""
        whole = self.__dict__.get("_whole")
        return Load(self) if whole is None else whole.load

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether one of these sessions is on the day."""
        mentions = self.__dict__.get("_mentions")
        return (mentions is None or mentions(names)) and any(item.id in names for item in self.taken)

    def seen_by(self, patient_free: int, from_slot: int) -> Day:
        """The day as one patient finds it at one time. The load, which knows of neither, is worked out once for all."""
        seen = object.__new__(Day)
        # Field by field, as `replace` does it, a hundred days take longer than the search over them.
        seen.__dict__.update(self.__dict__, _whole=self, patient_free=patient_free, from_slot=from_slot)
        if self.__dict__.get("_rest") is not None:
            seen.__dict__["_rest"] = self._settled
        return seen

    def _settled(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in LATER}


# What `Day.later` may leave out.
LATER = ("open", "chairs", "nurses", "prescribers", "taken")


@dataclass(frozen=True)
class Need:
    """What one session asks of a day: lengths in slots, and hard wishes for a chair kind and a provider's id."""

    prepare: int
    infuse: int
    recover: int
    turnover: int
    hands_on: int
    acuity: int
    kinds: frozenset[str]
    features: frozenset[str]
    chair_kind: str | None = None
    provider: str | None = None

    @classmethod
    def of(cls, visit: Visit, chair_kind: str | None = None, provider: str | None = None) -> Need:
        """The need of a visit under the wishes given."""
        return cls(
            visit.prepare,
            visit.infuse,
            visit.recover,
            visit.turnover,
            visit.hands_on,
            visit.acuity,
            visit.chair.kinds,
            visit.chair.features,
            chair_kind,
            provider,
        )

    @property
    def stay(self) -> int:
        """Slots from start to end, without turnover."""
        return self.prepare + self.infuse + self.recover

    @property
    def sitting(self) -> int:
        """Slots for which the chair is taken: the stay and the turnover."""
        return self.stay + self.turnover

    @property
    def seat(self) -> Seat:
        """What it asks of a chair."""
        return Seat(self.kinds, self.features, self.chair_kind)

    def at(self, start: int, name: str = "") -> Taken:
        """The session of this need that starts at a slot, with nobody assigned yet."""
        infuse, end = start + self.prepare, start + self.stay
        return Taken(
            name,
            start,
            infuse,
            end,
            end + self.turnover,
            start + self.hands_on,
            self.acuity,
            None,
            None,
            None,
            False,
            self.seat,
            self.provider,
        )
