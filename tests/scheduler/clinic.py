"""Small clinics for the planner's tests, and the rules told again without bit sets: slot by slot, person by person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING

from scheduler.day import ChairFacts, Day, Need, StaffFacts, Taken, mask

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


def chair_will_do(on: Day, asked: Need, start: int, seat: ChairFacts) -> bool:
    end = start + asked.prepare + asked.infuse + asked.recover + asked.turnover
    if asked.kinds and seat.kind not in asked.kinds:
        return False
    if asked.chair_kind is not None and seat.kind != asked.chair_kind:
        return False
    if not all(feature in seat.features for feature in asked.features) or not inside(seat.free, start, end, on.slots):
        return False
    return not any(t.chair == seat.id and t.start < end and start < t.turnover_end for t in on.taken)


def others_at(on: Day, slot: int, nurse: str) -> list[Taken]:
    return [t for t in on.taken if t.nurse == nurse and t.start <= slot < t.end]


def nurse_will_do(on: Day, asked: Need, start: int, nurse: StaffFacts) -> bool:
    end = start + asked.prepare + asked.infuse + asked.recover
    if not inside(nurse.on_duty, start, end, on.slots):
        return False
    for slot in range(start, start + asked.hands_on):
        if any(t.nurse == nurse.id and t.start <= slot < t.hands_on_until for t in on.taken):
            return False
    for slot in range(start, end):
        others = others_at(on, slot, nurse.id)
        if len(others) + 1 > nurse.capacity:
            return False
        if nurse.max_acuity is not None and sum(t.acuity for t in others) + asked.acuity > nurse.max_acuity:
            return False
    return True


def prescriber_will_do(on: Day, asked: Need, start: int, person: StaffFacts) -> bool:
    first, end = start + asked.prepare, start + asked.prepare + asked.infuse + asked.recover
    if not inside(person.on_duty, first, end, on.slots):
        return False
    for slot in range(first, end):
        others = [t for t in on.taken if t.prescriber == person.id and t.infuse_start <= slot < t.end]
        if len(others) + 1 > person.capacity:
            return False
    return True


def time_will_do(on: Day, asked: Need, start: int) -> bool:
    stay = start + asked.prepare + asked.infuse + asked.recover
    return (
        on.wall[start] % 5 == 0
        and start >= on.from_slot
        and inside(on.open, start, stay + asked.turnover, on.slots)
        and inside(on.patient_free, start, stay, on.slots)
    )


def people_for(on: Day, asked: Need) -> tuple[list[StaffFacts], list[StaffFacts]]:
    wished, nurses, prescribers = asked.provider, list(on.nurses), list(on.prescribers)
    if wished is None:
        return nurses, prescribers
    if any(person.id == wished for person in prescribers):
        return nurses, [person for person in prescribers if person.id == wished]
    return [person for person in nurses if person.id == wished], prescribers


def side_gaps(on: Day, asked: Need, start: int, seat: ChairFacts) -> int:
    """Sides on which the chair keeps free time too short for another session like it."""
    length = asked.prepare + asked.infuse + asked.recover + asked.turnover

    def usable(slot: int) -> bool:
        occupied = any(t.chair == seat.id and t.start <= slot < t.turnover_end for t in on.taken)
        return 0 <= slot < on.slots and has(seat.free, slot) and has(on.open, slot) and not occupied

    before = after = 0
    while usable(start - 1 - before):
        before += 1
    while usable(start + length + after):
        after += 1
    return (0 < before < length) + (0 < after < length)


def late(on: Day, asked: Need, start: int) -> int:
    length = asked.prepare + asked.infuse + asked.recover + asked.turnover
    possible = [s for s in range(on.slots) if on.wall[s] % 5 == 0 and inside(on.open, s, s + length, on.slots)]
    return int(start > max(possible) - 12)


def oracle(on: Day, asked: Need) -> dict[int, tuple[int, int, str, str, str]]:
    """For each feasible start: level, fragments, chair, nurse, prescriber, the best by the objective."""
    found = {}
    nurses, prescribers = people_for(on, asked)
    for start in range(on.slots):
        if not time_will_do(on, asked, start):
            continue
        end = start + asked.prepare + asked.infuse + asked.recover
        seats = [(side_gaps(on, asked, start, c), c.id) for c in on.chairs if chair_will_do(on, asked, start, c)]
        carers = [
            (max(len(others_at(on, slot, n.id)) for slot in range(start, end)), n.id)
            for n in nurses
            if nurse_will_do(on, asked, start, n)
        ]
        doctors = [p.id for p in prescribers if prescriber_will_do(on, asked, start, p)]
        if seats and carers and doctors:
            (gaps, seat), (peak, carer) = min(seats), min(carers)
            found[start] = (peak + late(on, asked, start), gaps, seat, carer, min(doctors))
    return found


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
    sessions = []
    for _ in range(rng.randint(0, busy)):
        start = rng.randint(-3, slots)
        end = start + rng.randint(1, 6)
        sessions.append(
            taken(
                start,
                end,
                infuse_start=rng.randint(start, end),
                turnover=rng.randint(0, 2),
                hands_on=rng.randint(0, 2),
                acuity=rng.randint(1, 4),
                chair=rng.choice([*(c.id for c in chairs), None]),
                nurse=rng.choice([*(n.id for n in nurses), None]),
                prescriber=rng.choice([*(p.id for p in prescribers), None]),
            )
        )
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
    options: dict[tuple[date, Need], dict[int, tuple[int, int, str, str, str]]] = {}
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
