"""What should be said about a session, from the session as it stands. Pure: the same facts give the same messages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from notifications import wishes
from scheduler.walltime import DAY, instant, local_date

TO_COME = frozenset({"booked", "confirmed"})
ENDED = frozenset({"completed", "stopped_early"})
# By which a message is listed that cannot be said at all.
FIRST_CHANNEL = "email"
# What is asked once more is of the same kind with this behind it.
AGAIN = "_again"
# News is news for a day: after that the reminders say the same.
NEWS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One entry of a protocol's reminders, by these channels.

    So many hours before the start, counted from the instant; or, with `at`, so many days before at that wall time of
    the site, whatever its clocks do in between.
    """

    hours_before: int
    channels: tuple[str, ...]
    days_before: int = 0
    at: time | None = None

    def due(self, start: datetime, zone: ZoneInfo | tzinfo) -> datetime:
        """The instant at which it is due."""
        if self.at is None:
            return start - timedelta(hours=self.hours_before)
        assert isinstance(zone, ZoneInfo)
        return instant(local_date(start, zone) - self.days_before * DAY, self.at, zone)

    @property
    def kind(self) -> str:
        """`reminder_24h`, or `reminder_1d_1000`."""
        return f"reminder_{self.days_before}d_{self.at:%H%M}" if self.at else f"reminder_{self.hours_before}h"


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One entry of a protocol's follow-ups: this instrument, so many hours after its anchor.

    `discharge`: after this session's. `before_session`: before the start of this one, unless it is the series' first.
    `series_end`: after the discharge from the last session of a series that is over.
    """

    instrument: str
    hours_after: int
    anchor: str = "discharge"


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site says beside its protocols' plans; see `models.MessagePlan`."""

    receipts: bool = True
    changes: bool = True
    cancellations: bool = True
    no_shows: bool = True
    preparation_hours: int | None = 168
    ask_again_hours: int = 4


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """All that decides what is said about one session. Instants are aware.

    `stands_since` is when the session got its present start (booked or moved), `moves` how often it was moved,
    `ended_by` when it was cancelled or marked as missed. `told` is the start that the patient was last told of, None
    while nothing was said. `wished` are the channels that the patient wants, first choice first; `reachable` those for
    which there is an address. `first` and `last`: of its series; `last` only once the series is over.
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
    zone: ZoneInfo | tzinfo = UTC
    moves: int = 0
    told: datetime | None = None
    ended_by: datetime | None = None
    first: bool = True
    last: bool = False
    site: SitePlan = SitePlan()
    quiet: wishes.Hours | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """One message: to be said from `due_at` on and before `not_after`. `instrument` is None where nothing is asked.

    `hindrance` is why it cannot be said as things stand, "" where it can: `no_address`, `no_channel_wanted`. `rule`
    says by which rule it is due.
    """

    kind: str
    channel: str
    speaks_of: datetime
    due_at: datetime
    not_after: datetime
    instrument: str | None = None
    hours_after: int = 0
    hindrance: str = ""
    rule: str = ""
    anchor: str = "discharge"


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What decides how an open offer is told: a place at `start`, offered at `made_at`, answered before `until`."""

    start: datetime
    made_at: datetime
    until: datetime
    wished: tuple[str, ...]
    reachable: frozenset[str]
    quiet: wishes.Hours | None = None


def offer_message(facts: OfferFacts) -> Due:
    """What is said about an open offer: at once, by the patient's first wish, while it can still be answered."""
    channel, hindrance = _channels(facts, ())[0]
    due = Due("offer", channel, facts.start, facts.made_at, facts.until, hindrance=hindrance, rule="site: offers")
    return _quietly(due, facts.made_at, facts.quiet)


def due_messages(facts: SessionFacts) -> tuple[Due, ...]:
    """Everything that is to be said about the session, its windows past or to come, soonest first.

    While it is booked or confirmed: the receipt or the change, the preparation, the reminders, what is asked before it.
    Once it is cancelled or missed, that; once it is discharged, the check-ins. What cannot reach the patient is told
    too, with its hindrance, so that somebody sees it. Asking later gives the same answer: what was past already when
    the session got its start is judged by that instant, not by the present one.
    """
    if facts.status in TO_COME:
        found = (*_news(facts), *_preparation(facts), *_reminders(facts), *_asked_before(facts))
    elif facts.status in ENDED and facts.discharged_at is not None:
        found = _check_ins(facts, facts.discharged_at)
    else:
        found = _ends(facts)
    said = (_outside_quiet_hours(facts, due) for due in found)
    return tuple(sorted(said, key=lambda due: (due.due_at, due.kind)))


def _outside_quiet_hours(facts: SessionFacts, due: Due) -> Due:
    since = due.due_at if due.instrument else min(facts.stands_since, due.due_at)
    return _quietly(due, since, facts.quiet)


def _quietly(due: Due, since: datetime, quiet: wishes.Hours | None) -> Due:
    """A text waits for the end of the quiet hours or, where that is too late, comes before them, or not at all."""
    if quiet is None or due.channel != "sms" or due.hindrance:
        return due
    at = wishes.text_at(due.due_at, due.not_after, since, quiet)
    return replace(due, hindrance="quiet_hours") if at is None else replace(due, due_at=at)


def _news(facts: SessionFacts) -> tuple[Due, ...]:
    """The receipt of a booking; or where the patient was told of another start, the change."""
    until = min(facts.stands_since + NEWS, facts.start)
    if facts.told == facts.start and facts.moves:
        # The change was told, or a reminder told of the new start; a receipt of it would be one word too many.
        return ()
    if facts.told in (None, facts.start):
        kind, wanted, rule = "receipt", facts.site.receipts, "site: receipts"
    else:
        # Numbered: moved there, back, and there again is news each time.
        kind, wanted, rule = f"change_{facts.moves}", facts.site.changes, "site: changes"
    return _said(facts, kind, facts.stands_since, until, rule) if wanted else ()


def _preparation(facts: SessionFacts) -> tuple[Due, ...]:
    """How to prepare; said at once where the visit is nearer than that."""
    hours = facts.site.preparation_hours
    if hours is None:
        return ()
    due_at = max(facts.start - timedelta(hours=hours), facts.stands_since)
    return _said(facts, "preparation", due_at, facts.start - facts.last_reminder, "site: preparation_hours")


def _ends(facts: SessionFacts) -> tuple[Due, ...]:
    """That a visit of which the patient was told is cancelled; that it was missed."""
    if facts.ended_by is None:
        return ()
    if facts.status == "cancelled" and facts.site.cancellations and facts.told is not None:
        until = min(facts.ended_by + NEWS, facts.told)
        return _said(facts, "cancellation", facts.ended_by, until, "site: cancellations", facts.told)
    if facts.status == "no_show" and facts.site.no_shows:
        return _said(facts, "no_show", facts.ended_by, facts.ended_by + NEWS, "site: no_shows")
    return ()


def _said(
    facts: SessionFacts, kind: str, due_at: datetime, until: datetime, rule: str, of: datetime | None = None
) -> tuple[Due, ...]:
    """By the patient's first wish, if there is a window at all."""
    if until <= due_at:
        return ()
    channel, hindrance = _channels(facts, ())[0]
    return (Due(kind, channel, of or facts.start, due_at, until, hindrance=hindrance, rule=rule),)


def _reminders(facts: SessionFacts) -> tuple[Due, ...]:
    last_call = facts.start - facts.last_reminder
    by_time: dict[datetime, tuple[str, tuple[str, ...]]] = {}
    for reminder in facts.reminders:
        at = reminder.due(facts.start, facts.zone)
        # Two entries for one instant are one reminder by the channels of both.
        kind, channels = by_time.get(at, (reminder.kind, ()))
        by_time[at] = (kind, channels + reminder.channels)
    # One that would come after the last call can never be said, so it does not shorten the window of the one before it.
    times = sorted(at for at in by_time if at < last_call)
    ends = [*times, last_call][1:]
    return tuple(
        Due(
            by_time[at][0],
            channel,
            facts.start,
            max(at, facts.stands_since),
            not_after,
            hindrance=hindrance,
            rule=f"protocol: {by_time[at][0]}",
        )
        for at, not_after in zip(times, ends, strict=True)
        # Windows follow one another: of those past at booking or moving at most one is still open, the latest.
        if not_after > facts.stands_since
        for channel, hindrance in _channels(facts, by_time[at][1])
    )


def _asked_before(facts: SessionFacts) -> tuple[Due, ...]:
    """What is asked before a session that is not the first: an answer after it has begun would come too late."""
    wanted = [check_in for check_in in _distinct(facts) if check_in.anchor == "before_session" and not facts.first]
    dues = [
        (check_in, max(facts.start - timedelta(hours=check_in.hours_after), facts.stands_since)) for check_in in wanted
    ]
    return tuple(
        due
        for check_in, at in dues
        if at < facts.start
        for due in _asked(facts, check_in, at, facts.start, again=False)
    )


def _check_ins(facts: SessionFacts, discharged_at: datetime) -> tuple[Due, ...]:
    return tuple(
        due
        for check_in in _distinct(facts)
        if check_in.anchor == "discharge" or (check_in.anchor == "series_end" and facts.last)
        for at in [discharged_at + timedelta(hours=check_in.hours_after)]
        for due in _asked(facts, check_in, at, at + facts.follow_up_life, again=True)
    )


def _distinct(facts: SessionFacts) -> tuple[CheckIn, ...]:
    return tuple(dict.fromkeys(facts.follow_ups))


def _asked(facts: SessionFacts, check_in: CheckIn, at: datetime, until: datetime, *, again: bool) -> list[Due]:
    """The question, by one channel only, the first wish; and once more where no answer came."""
    channel, hindrance = _channels(facts, ())[0]
    name = _plain(check_in.instrument)
    suffix = {"before_session": "_before", "series_end": "_series_end"}.get(check_in.anchor, "")
    kind = f"follow_up_{name}_{check_in.hours_after}h{suffix}"
    values = (check_in.instrument, check_in.hours_after, hindrance, f"protocol: {kind}", check_in.anchor)
    found = [Due(kind, channel, facts.start, at, until, *values)]
    pause = timedelta(hours=facts.site.ask_again_hours)
    if again and pause and at + pause < until:
        found.append(Due(f"{kind}{AGAIN}", channel, facts.start, at + pause, until, *values))
    return found


def _channels(facts: SessionFacts | OfferFacts, named: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Channels that the patient wants and can be reached by: those named, or where none of them is, the first.

    Each with its hindrance; where there is none to be reached by, the one that would have been taken, with the reason.
    """
    usable = [channel for channel in dict.fromkeys(facts.wished) if channel in facts.reachable]
    taken = [channel for channel in usable if channel in named] or usable[:1]
    if taken:
        return tuple((channel, "") for channel in taken)
    return (((*facts.wished, *named, FIRST_CHANNEL)[0], "no_address" if facts.wished else "no_channel_wanted"),)


def _plain(instrument: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", instrument.lower())
