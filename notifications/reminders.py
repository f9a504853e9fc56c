"""What should be said about a session, from the session as it stands. Pure: the same facts give the same messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

TO_COME = frozenset({"booked", "confirmed"})
ENDED = frozenset({"completed", "stopped_early"})
# By which a message is listed that cannot be said at all.
FIRST_CHANNEL = "email"


@dataclass(frozen=True, slots=True)
class Reminder:
    """One entry of a protocol's reminders: so many hours before the start, by these channels."""

    hours_before: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One entry of a protocol's follow-ups: this instrument so many hours after the discharge."""

    instrument: str
    hours_after: int


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """All that decides what is said about one session. Instants are aware.

    `stands_since` is when the session got its present start (booked or moved). `wished` are the channels that the
    patient wants, first choice first; `reachable` those for which there is an address.
    """

    status: str
    start: datetime
    discharged_at: datetime | None
    stands_since: datetime
    reminders: tuple[Reminder, ...]
    follow_ups: tuple[CheckIn, ...]
    wished: tuple[str, ...]
    reachable: frozenset[str]
    last_reminder: timedelta
    follow_up_life: timedelta


@dataclass(frozen=True, slots=True)
class Due:
    """One message: to be said from `due_at` on and before `not_after`. `instrument` is None for a reminder.

    `hindrance` is why it cannot be said as things stand, "" where it can: `no_address`, `no_channel_wanted`.
    """

    kind: str
    channel: str
    speaks_of: datetime
    due_at: datetime
    not_after: datetime
    instrument: str | None = None
    hours_after: int = 0
    hindrance: str = ""


def due_messages(facts: SessionFacts) -> tuple[Due, ...]:
    """Everything that is to be said about the session, its windows past or to come, soonest first.

    Reminders while it is booked or confirmed, follow-up check-ins once it is discharged. What cannot reach the patient
    is told too, with its hindrance, so that somebody sees it. Asking later gives the same answer: what was past already
    when the session got its start is judged by that instant, not by the present one.
    """
    if facts.status in TO_COME:
        return _reminders(facts)
    if facts.status in ENDED and facts.discharged_at is not None:
        return _check_ins(facts, facts.discharged_at)
    return ()


def _reminders(facts: SessionFacts) -> tuple[Due, ...]:
    last_call = facts.start - facts.last_reminder
    by_hours: dict[int, tuple[str, ...]] = {}
    for reminder in facts.reminders:
        by_hours[reminder.hours_before] = by_hours.get(reminder.hours_before, ()) + reminder.channels
    # One that would come after the last call can never be said, so it does not shorten the window of the one before it.
    times = [(facts.start - timedelta(hours=hours), hours) for hours in sorted(by_hours, reverse=True)]
    times = [(at, hours) for at, hours in times if at < last_call]
    ends = [*(at for at, _ in times), last_call][1:]
    return tuple(
        Due(f"reminder_{hours}h", channel, facts.start, max(at, facts.stands_since), not_after, hindrance=hindrance)
        for (at, hours), not_after in zip(times, ends, strict=True)
        # Windows follow one another: of those past at booking or moving at most one is still open, the latest.
        if not_after > facts.stands_since
        for channel, hindrance in _channels(facts, by_hours[hours])
    )


def _check_ins(facts: SessionFacts, discharged_at: datetime) -> tuple[Due, ...]:
    # A question is asked once, so by one channel only: the first wish.
    channels = _channels(facts, ())[:1]
    dues = [
        Due(
            f"follow_up_{_plain(check_in.instrument)}_{check_in.hours_after}h",
            channel,
            facts.start,
            discharged_at + timedelta(hours=check_in.hours_after),
            discharged_at + timedelta(hours=check_in.hours_after) + facts.follow_up_life,
            check_in.instrument,
            check_in.hours_after,
            hindrance,
        )
        for check_in in dict.fromkeys(facts.follow_ups)
        for channel, hindrance in channels
    ]
    return tuple(sorted(dues, key=lambda due: (due.due_at, due.kind)))


def _channels(facts: SessionFacts, offered: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Channels that the patient wants and can be reached by: those offered, or where none of them is, the first.

    Each with its hindrance; where there is none to be reached by, the one that would have been taken, with the reason.
    """
    usable = [channel for channel in dict.fromkeys(facts.wished) if channel in facts.reachable]
    taken = [channel for channel in usable if channel in offered] or usable[:1]
    if taken:
        return tuple((channel, "") for channel in taken)
    return (((*facts.wished, *offered, FIRST_CHANNEL)[0], "no_address" if facts.wished else "no_channel_wanted"),)


def _plain(instrument: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", instrument.lower())
