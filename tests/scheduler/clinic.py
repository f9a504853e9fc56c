"""Small clinics for the planner's tests, and the rules told again without bit sets: slot by slot, person by person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING

from scheduler.day import ChairFacts, Day, Need, StaffFacts, Taken, mask
from scheduler.facts import Seat

if TYPE_CHECKING:
    from random import Random

    from scheduler.planner import Wishes

MONDAY = date(2027, 3, 1)
KINDS = ("recliner", "bed", "private_room")


def wall_from(minute: int, slots: int) -> tuple[int, ...]:
    return tuple((minute + 5 * slot) % 1440 for slot in range(slots))


def day(
    on: date = MONDAY,
    slots: int = 24,
    *,
    opens: tuple[int, int] | None = None,
    chairs: tuple[ChairFacts, ...] | None = None,
    nurses: tuple[StaffFacts, ...] | None = None,
    prescribers: tuple[StaffFacts, ...] | None = None,
    taken: tuple[Taken, ...] = (),
    patient_free: int | None = None,
    from_slot: int = 0,
    wall: tuple[int, ...] | None = None,
) -> Day:
    """A day from 08:00 with one recliner, one nurse for two patients and one prescriber, unless told otherwise."""
    whole = mask(0, slots, slots)
    return Day(
        date=on,
        first_instant=datetime(on.year, on.month, on.day, 8, tzinfo=UTC),
        slots=slots,
        open=whole if opens is None else mask(*opens, slots),
        wall=wall or wall_from(480, slots),
        chairs=(chair(),) if chairs is None else chairs,
        nurses=(staff("nurse-a"),) if nurses is None else nurses,
        prescribers=(staff("prescriber-a", role="prescriber"),) if prescribers is None else prescribers,
        taken=taken,
        patient_free=whole if patient_free is None else patient_free,
        from_slot=from_slot,
    )


def chair(name: str = "chair-a", kind: str = "recliner", features: tuple[str, ...] = (), free: int = -1) -> ChairFacts:
    return ChairFacts(name, kind, frozenset(features), (1 << 300) - 1 if free == -1 else free)


def staff(
    name: str, role: str = "nurse", on_duty: int = -1, capacity: int = 2, max_acuity: int | None = None
) -> StaffFacts:
    return StaffFacts(name, role, (1 << 300) - 1 if on_duty == -1 else on_duty, capacity, max_acuity)


def taken(
    start: int,
    end: int,
    *,
    infuse_start: int | None = None,
    turnover: int = 0,
    hands_on: int = 0,
    acuity: int = 1,
    chair: str | None = None,
    nurse: str | None = None,
    prescriber: str | None = None,
) -> Taken:
    infusing = start if infuse_start is None else infuse_start
    name = f"{start}-{end}-{chair}-{nurse}-{prescriber}"
    return Taken(name, start, infusing, end, end + turnover, start + hands_on, acuity, chair, nurse, prescriber)


def need(
    prepare: int = 1,
    infuse: int = 2,
    recover: int = 1,
    turnover: int = 1,
    hands_on: int = 1,
    acuity: int = 1,
    kinds: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    chair_kind: str | None = None,
    provider: str | None = None,
) -> Need:
    lengths = (prepare, infuse, recover, turnover, hands_on, acuity)
    return Need(*lengths, frozenset(kinds), frozenset(features), chair_kind, provider)


def has(slots: int, slot: int) -> bool:
    return slots >> slot & 1 == 1


def inside(slots: int, first: int, end: int, length: int) -> bool:
    return first >= 0 and end <= length and all(has(slots, slot) for slot in range(first, end))


# -- The pools, told slot by slot and by trying everything -------------------------------------------------------------


def slots_of(on: Day, item: Taken, pool: str) -> range:
    """The slots of the day in which a session takes somebody of a pool."""
    first, end = {
        "chair": (item.start, item.turnover_end),
        "nurse": (item.start, item.end),
        "prescriber": (item.infuse_start, item.end),
    }[pool]
    return range(max(0, first), min(end, on.slots))


def hands_of(on: Day, item: Taken) -> range:
    return range(max(0, item.start), min(item.hands_on_until, on.slots))


def members(on: Day, pool: str) -> list[ChairFacts | StaffFacts]:
    lists: dict[str, tuple[ChairFacts | StaffFacts, ...]] = {
        "chair": on.chairs,
        "nurse": on.nurses,
        "prescriber": on.prescribers,
    }
    return sorted(lists[pool], key=lambda each: each.id)


def asked_for(on: Day, item: Taken, pool: str, who: ChairFacts | StaffFacts) -> bool:
    """Whether somebody is what a session asks for, were they free."""
    if isinstance(who, ChairFacts):
        kinds, features, wished = item.seat
        return (
            (not kinds or who.kind in kinds) and wished in (None, who.kind) and all(f in who.features for f in features)
        )
    a_prescriber = any(person.id == item.provider for person in on.prescribers)
    return item.provider is None or a_prescriber != (pool == "prescriber") or item.provider == who.id


def alone(on: Day, item: Taken, pool: str, who: ChairFacts | StaffFacts) -> bool:
    """Whether somebody could have a session, were nobody else there."""
    free = who.free if isinstance(who, ChairFacts) else who.on_duty
    return asked_for(on, item, pool, who) and all(has(free, slot) for slot in slots_of(on, item, pool))


def bearable(on: Day, items: list[Taken], pool: str, who: ChairFacts | StaffFacts, within: range) -> bool:
    """Whether these sessions are not too many for somebody in any of these slots of the last of them.

    Where others clash hands on already, that is no matter of one who is there without.
    """
    for slot in within:
        there = [item for item in items if slot in slots_of(on, item, pool)]
        if isinstance(who, ChairFacts):
            if len(there) > 1:
                return False
            continue
        if len(there) > who.capacity:
            return False
        if pool == "nurse" and who.max_acuity is not None and sum(item.acuity for item in there) > who.max_acuity:
            return False
        hands = [item for item in there if slot in hands_of(on, item)]
        if pool == "nurse" and items[-1] in hands and len(hands) > 1:
            return False
    return True


def stands_well(on: Day, item: Taken, pool: str, who: ChairFacts | StaffFacts) -> bool:
    """Whether a session that is there may be with whom it is, beside all the others as they lie."""
    others = [each for each in on.taken if getattr(each, pool) == who.id]
    if not alone(on, item, pool, who):
        return False
    if pool == "nurse" and any(
        slot in hands_of(on, each) for each in others if each is not item for slot in hands_of(on, item)
    ):
        return False
    careless = [replace(each, hands_on_until=each.start) for each in others]
    return bearable(on, careless, pool, who, slots_of(on, item, pool))


def is_bound(on: Day, item: Taken) -> bool:
    """Whether a session has begun or reaches over the day's ends."""
    return item.pinned or item.start < 0 or item.turnover_end > on.slots


def as_things_lie(on: Day, item: Taken, pool: str, name: str) -> bool:
    """Whether a new session may have just this one of a pool while all others stay as they lie."""
    for who in members(on, pool):
        if who.id == name:
            there = [each for each in on.taken if getattr(each, pool) == name]
            return alone(on, item, pool, who) and bearable(on, [*there, item], pool, who, slots_of(on, item, pool))
    return False


def assigned(on: Day, pool: str, added: list[Taken], most: int = 10**6) -> dict[str, str] | None:
    """Whom each session that may be laid anew, and each added, gets; by trying everything, with at most `most` changes.

    Pinned ones, those that reach over the day's ends and those that break a rule where they stand keep whom they have.
    """
    known = {who.id: who for who in members(on, pool)}
    fixed: dict[str, list[Taken]] = {name: [] for name in known}
    free = list(added)
    for item in on.taken:
        at = getattr(item, pool)
        if at not in known:
            continue
        if is_bound(on, item) or not stands_well(on, item, pool, known[at]):
            fixed[at].append(item)
        else:
            free.append(item)

    def attempt(place: int, changes: int) -> dict[str, str] | None:
        if place == len(free):
            return {}
        item = free[place]
        for name, who in known.items():
            more = place >= len(added) and getattr(item, pool) != name
            if changes + more > most or not alone(on, item, pool, who):
                continue
            if not bearable(on, [*fixed[name], item], pool, who, slots_of(on, item, pool)):
                continue
            fixed[name].append(item)
            rest = attempt(place + 1, changes + more)
            fixed[name].remove(item)
            if rest is not None:
                return {item.id: name, **rest}
        return None

    return attempt(0, 0)


def time_will_do(on: Day, asked: Need, start: int) -> bool:
    stay = start + asked.prepare + asked.infuse + asked.recover
    return (
        on.wall[start] % 5 == 0
        and start >= on.from_slot
        and inside(on.open, start, stay + asked.turnover, on.slots)
        and inside(on.patient_free, start, stay, on.slots)
    )


def level(on: Day, asked: Need, start: int) -> int:
    """The most others a nurse has, were work spread evenly, in quarters of a session; 2 more in the last hour."""
    peak = 0
    for slot in range(start, start + asked.prepare + asked.infuse + asked.recover):
        others = sum(slot in slots_of(on, item, "nurse") for item in on.taken)
        peak = max(peak, 4 * others // sum(has(nurse.on_duty, slot) for nurse in on.nurses))
    return peak + 2 * late(on, asked, start)


def fragments(on: Day, asked: Need, start: int) -> int:
    """Sides with a gap too short for another session like it, to what could share its chair or to the opening hours."""
    length = asked.prepare + asked.infuse + asked.recover + asked.turnover
    mine = {seat.id for seat in on.chairs if asked_for(on, asked.at(0), "chair", seat)}
    sharing = [t for t in on.taken if any(seat.id in mine and asked_for(on, t, "chair", seat) for seat in on.chairs)]
    edges = range(on.slots + 1)
    ends = {t.turnover_end for t in sharing} | {s for s in edges if is_open(on, s) and not is_open(on, s - 1)}
    begins = {t.start for t in sharing} | {s for s in edges if not is_open(on, s) and is_open(on, s - 1)}
    before = min((start - end for end in ends if 0 <= end <= start), default=0)
    after = min((begin - start - length for begin in begins if begin >= start + length), default=0)
    return (0 < before < length) + (0 < after < length)


def is_open(on: Day, slot: int) -> bool:
    return 0 <= slot < on.slots and has(on.open, slot)


def late(on: Day, asked: Need, start: int) -> int:
    length = asked.prepare + asked.infuse + asked.recover + asked.turnover
    possible = [s for s in range(on.slots) if on.wall[s] % 5 == 0 and inside(on.open, s, s + length, on.slots)]
    return int(start > max(possible) - 12)


def in_disorder(on: Day) -> bool:
    """Whether some session breaks a rule where it stands."""
    return any(
        not any(who.id == getattr(item, pool) and stands_well(on, item, pool, who) for who in members(on, pool))
        for pool in POOLS
        for item in on.taken
    )


POOLS = ("chair", "nurse", "prescriber")


def oracle(on: Day, asked: Need) -> dict[int, tuple[int, int]]:
    """For each feasible start: level and fragments."""
    found = {}
    for start in range(on.slots):
        new = asked.at(start, "new")
        if time_will_do(on, asked, start) and all(assigned(on, pool, [new]) is not None for pool in POOLS):
            found[start] = (level(on, asked, start), fragments(on, asked, start))
    return found


def random_session(rng: Random, on: Day, there: list[Taken], name: str) -> list[Taken]:
    """A session where it may stand, if it finds a place; now and then one that breaks some rule."""
    people = [p.id for p in (*on.nurses, *on.prescribers)]
    for _ in range(6):
        start = rng.randint(-1, on.slots)
        end = start + rng.randint(1, 6)
        new = Taken(
            id=name,
            start=start,
            infuse_start=rng.randint(start, end),
            end=end,
            turnover_end=end + rng.randint(0, 2),
            hands_on_until=min(end, start + rng.randint(0, 2)),
            acuity=rng.randint(1, 4),
            chair=rng.choice(on.chairs).id,
            nurse=rng.choice(on.nurses).id,
            prescriber=rng.choice(on.prescribers).id,
            pinned=rng.random() < 0.15,
            seat=Seat(
                frozenset(rng.sample(KINDS, rng.choice([0, 0, 2]))),
                frozenset(["monitor"] if rng.random() < 0.2 else []),
                rng.choice([None, None, None, None, "recliner"]),
            ),
            provider=rng.choice([*[None] * 6, rng.choice(people)]),
        )
        whole = replace(on, taken=(*there, new))
        fine = all(
            stands_well(whole, item, pool, who)
            for pool in ("chair", "nurse", "prescriber")
            for who in members(whole, pool)
            for item in whole.taken
            if getattr(item, pool) == who.id
        )
        if fine or rng.random() < 0.02:
            return [new]
    return []


def random_day(rng: Random, on: date, slots: int, busy: int, whole: float = 0.55) -> Day:
    """A small day with anything in it: odd hours, closures, short shifts, clocks that jump, sessions that run over.

    `whole` is how often hours, chairs, shifts and the patient's time are the whole day.
    """

    def stretch() -> int:
        if rng.random() < whole:
            return mask(0, slots, slots)
        first = rng.randrange(slots)
        cut = mask(first, first + rng.randint(1, slots), slots)
        return cut if rng.random() < 0.6 else mask(0, slots, slots) & ~cut

    chairs = tuple(
        ChairFacts(
            f"chair-{i}",
            rng.choice(KINDS),
            frozenset(rng.sample(["monitor", "quiet"], rng.randint(0, 2))),
            stretch(),
        )
        for i in range(rng.randint(1, 3))
    )
    nurses = tuple(
        StaffFacts(f"nurse-{i}", "nurse", stretch(), rng.randint(1, 3), rng.choice([None, 2, 3, 5, 8]))
        for i in range(rng.randint(1, 3))
    )
    prescribers = tuple(
        StaffFacts(f"prescriber-{i}", "prescriber", stretch(), rng.randint(1, 3)) for i in range(rng.randint(1, 2))
    )
    sessions: list[Taken] = []
    bare = Day(
        on,
        datetime(on.year, on.month, on.day, 6, tzinfo=UTC),
        slots,
        0,
        (0,) * slots,
        chairs,
        nurses,
        prescribers,
        (),
        0,
    )
    for number in range(rng.randint(0, busy)):
        sessions += random_session(rng, bare, sessions, str(number))
    clock = 480 if rng.random() < 0.7 else rng.choice([0, 675, 1380])
    wall = list(wall_from(clock, slots))
    if rng.random() < 0.2:
        jump = rng.randrange(slots)
        wall[jump:] = [(minute + rng.choice([-60, 60])) % 1440 for minute in wall[jump : jump + 1]] * (slots - jump)
        wall = [m if i <= jump else (wall[jump] + 5 * (i - jump)) % 1440 for i, m in enumerate(wall)]
    if rng.random() < 0.05:
        wall = [minute + 2 for minute in wall]
    opening = stretch()
    return Day(
        on,
        datetime(on.year, on.month, on.day, 6, tzinfo=UTC),
        slots,
        opening,
        tuple(wall),
        chairs,
        nurses,
        prescribers,
        tuple(sessions),
        stretch(),
        0 if rng.random() < 0.8 else rng.randrange(slots),
    )


def random_need(rng: Random, on: Day) -> Need:
    people = [p.id for p in (*on.nurses, *on.prescribers)]
    prepare, infuse = rng.randint(0, 2), rng.randint(1, 3)
    return Need(
        prepare,
        infuse,
        rng.randint(0, 2),
        rng.randint(0, 2),
        rng.randint(1, prepare + infuse),
        rng.randint(1, 4),
        frozenset(rng.sample(KINDS, rng.choice([0, 0, 2, 3]))),
        frozenset(["monitor"] if rng.random() < 0.2 else []),
        rng.choice([None, None, None, "recliner"]),
        rng.choice([None, None, None, None, rng.choice(people), "somebody else"]),
    )


def within_wishes(on: Day, asked: Need, wishes: Wishes, start: int) -> bool:
    if not wishes.earliest <= on.date <= wishes.latest:
        return False
    if wishes.weekdays is not None and on.date.weekday() not in wishes.weekdays:
        return False
    stay = range(start, start + asked.prepare + asked.infuse + asked.recover)
    return not wishes.time_windows or any(
        all(opens <= on.wall[slot] and on.wall[slot] + 5 <= closes for slot in stay)
        for opens, closes in wishes.time_windows
    )


def keeps_spacing(phases: list[dict], dates: list[date]) -> int | None:
    """Days off target of the dates of a whole series under the protocol's own words; None where a rule is broken."""
    off, number = 0, 0
    cycle_zero: date | None = None
    for place, phase in enumerate(phases):
        spacing = phase.get("spacing") or {}
        mine = dates[number : number + (phase["sessions"] or len(dates))]
        for i, on in enumerate(mine):
            at = number + i
            low, target, high, since = 1, None, 10**6, dates[at - 1] if at else on
            if at and on <= dates[at - 1]:
                return None

            def entry(name: str, i: int = i, spacing: dict = spacing) -> int:
                values = spacing[name] if isinstance(spacing[name], list) else [spacing[name]]
                return values[i] if i < len(values) else values[-1]

            if at and i == 0 and place and "first" in spacing:
                first = spacing["first"]
                anchors = {"previous": dates[at - 1], "series_start": dates[0], "cycle_start": cycle_zero or dates[0]}
                since = anchors[first["anchor"]]
                low, target, high = first["min_days"], first["target_days"], first["max_days"]
            elif at and spacing.get("anchor") == "previous":
                low, target, high = entry("min_days"), entry("target_days"), entry("max_days")
            elif at and spacing.get("anchor") == "series_start":
                since, target = dates[0], entry("target_days")
                low, high = target - spacing["early_days"], target + spacing["late_days"]
            elif at and spacing.get("anchor") == "cycle_start":
                slot = i % len(spacing["target_days"])
                if slot:
                    since, target = mine[i - slot], spacing["target_days"][slot]
                    low, high = target - spacing["early_days"], target + spacing["late_days"]
                else:
                    since = cycle_zero if i and cycle_zero else dates[at - 1]
                    target = spacing["cycle_days"]
                    low, high = target - spacing["cycle_early_days"], target + spacing["cycle_late_days"]
            days = (on - since).days
            if target is not None:
                if not low <= days <= high:
                    return None
                off += abs(days - target)
            if spacing.get("anchor") == "cycle_start" and i % len(spacing["target_days"]) == 0:
                cycle_zero = on
            if "max_span_days" in spacing and (on - mine[0]).days > spacing["max_span_days"]:
                return None
        number += len(mine)
    return off


def best_by_hand(
    phases: list[dict],
    days: list[Day],
    needs: list[Need],
    wishes: Wishes,
    before: list[date],
    first: date | None = None,
) -> tuple[tuple[int, int, int, int, int], tuple[date, ...], tuple[int, ...]] | None:
    """The optimum by trying every choice of days and starts: cost, dates, starts, smallest in that order.

    Where `first` is given, only of those that begin on that day.
    """
    options: dict[tuple[date, Need], dict[int, tuple[int, int]]] = {}
    for on, asked in product(days, set(needs)):
        found = oracle(on, asked)
        options[on.date, asked] = {s: v for s, v in found.items() if within_wishes(on, asked, wishes, s)}
    wall = {on.date: on.wall for on in days}
    best = None
    for dates in combinations(sorted(on.date for on in days), len(needs)):
        everything = keeps_spacing(phases, [*before, *dates])
        settled = keeps_spacing(phases, before) if before else 0
        if first is not None and dates[0] != first:
            continue
        if everything is None or settled is None or not all(options[d, n] for d, n in zip(dates, needs, strict=True)):
            continue
        for slots in product(*(options[d, n] for d, n in zip(dates, needs, strict=True))):
            minutes = [wall[d][s] for d, s in zip(dates, slots, strict=True)]
            same = sum(abs(a - b) for a, b in pairwise(minutes)) * wishes.same_time_of_day
            each = [options[d, n][s] for d, n, s in zip(dates, needs, slots, strict=True)]
            level, gaps = sum(e[0] for e in each), sum(e[1] for e in each)
            cost = (everything - settled, same, (dates[0] - wishes.earliest).days, level, gaps)
            if best is None or (cost, dates, slots) < best:
                best = (cost, dates, slots)
    return best


def dates_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=i) for i in range(count)]
