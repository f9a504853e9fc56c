"""A series as a treatment: its protocol with what a prescriber changed for it, and what a lost session means for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from accounts.refusals import Conflict
from scheduler.treatment import Gap, Phase, Visit, every_visit, parse_phases
from scheduler.walltime import local_date
from sessions.facts import zone_of
from sessions.models import GONE, TO_COME, Series, SeriesStatus, Session, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

ENDED = (*GONE, SessionStatus.COMPLETED, SessionStatus.STOPPED_EARLY)


def phases_of_series(series: Series) -> tuple[Phase, ...]:
    """The phases that this series follows: the protocol's, with the prescriber's adjustments."""
    return parse_phases(adjusted(series.protocol.phases, series.adjustments))


def adjusted(phases: list[dict[str, Any]], adjustments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The phases' JSON after each adjustment, oldest first; one speaks of a phase by its name."""
    found = [dict(phase) for phase in phases]
    for change in adjustments:
        for phase in found:
            if phase["name"] == change["phase"]:
                phase |= {name: change[name] for name in ("sessions", "spacing") if name in change}
    return found


def visit_at(series: Series, sequence: int) -> Visit:
    """What the treatment says of the session at this place: its lengths, needs and window.

    Raises:
        Conflict: `beyond_treatment` where a prescriber has ended the phase before it.
    """
    found = next(islice(every_visit(phases_of_series(series)), sequence - 1, None), None)
    if found is None:
        raise Conflict("beyond_treatment", "The treatment no longer has this session: plan the rest of it anew.")
    return found


def standing_dates(series: Series) -> dict[int, date]:
    """Site-local date by sequence number: of the live session there, else of the one lost last, where it stood."""
    zone = zone_of(series.site)
    # Ids are in the order in which sessions were made: one that replaces another comes after it, wherever it stands.
    rows = sorted(series.sessions.all(), key=lambda row: (row.status not in GONE, row.pk))
    return {row.sequence: local_date(row.start, zone) for row in rows}


@dataclass(frozen=True)
class Consequence:
    """What a lost session means: the protocol's `rule`, the series' `status` now, and in words.

    `earliest` and `latest` are the dates between which it can be given again; None where it is not to be.
    """

    rule: str
    status: str
    detail: str
    earliest: date | None = None
    latest: date | None = None


def consequence(session: Session, now: datetime) -> Consequence:
    """What the protocol makes of this lost session, as the series stands."""
    series = Series.objects.select_related("protocol", "site").get(pk=session.series_id)
    rule = rule_of(series, session.sequence)
    window = _window(series, session, now) if rule == "replace" else None
    details = {
        "continue": "The course goes on without this session.",
        "replace": "This session can be given again within its window.",
        "review": "A clinician has to decide how the course goes on.",
    }
    said = "review" if series.status == SeriesStatus.NEEDS_REVIEW else rule
    ended = series.status in (SeriesStatus.COMPLETED, SeriesStatus.CANCELLED)
    detail = "The course has ended." if ended else details[said]
    return Consequence(rule, series.status, detail, *(window or (None, None)) if said == "replace" else (None, None))


def settle(session: Session, now: datetime) -> None:
    """Let the series say what its sessions come to: over, to be completed by a replacement, or for a clinician."""
    series = Series.objects.select_for_update(no_key=True, of=("self",)).select_related("protocol", "site")
    found = series.get(pk=session.series_id)
    statuses = set(found.sessions.values_list("status", flat=True))
    over = statuses <= set(ENDED)
    if found.status == SeriesStatus.ON_HOLD:
        # Only a prescriber ends that, whatever becomes of the sessions: see `release_series`.
        found.replace_by = None if over else found.replace_by
    elif over and statuses <= set(GONE):
        found.status, found.replace_by = SeriesStatus.CANCELLED, None
    elif session.status in GONE and found.status == SeriesStatus.ACTIVE:
        _lose(found, session, over, now)
    elif over and found.replace_by is None and found.status == SeriesStatus.ACTIVE:
        found.status = SeriesStatus.COMPLETED
    found.save(update_fields=["status", "replace_by"])


def _lose(series: Series, session: Session, over: bool, now: datetime) -> None:
    rule = rule_of(series, session.sequence)
    window = _window(series, session, now) if rule == "replace" else None
    if window is not None:
        latest = window[1]
        series.replace_by = latest if series.replace_by is None else min(latest, series.replace_by)
    elif rule != "continue":
        series.status = SeriesStatus.NEEDS_REVIEW
    elif over:
        series.status = SeriesStatus.COMPLETED


def rule_of(series: Series, sequence: int) -> str:
    """The protocol's rule for a lost session at this place of the series: see `scheduler.missed`."""
    phases = phases_of_series(series)
    visit = next(islice(every_visit(phases), sequence - 1, None), None)
    return next((phase.missed.rule for phase in phases if visit is not None and phase.name == visit.phase), "review")


def _window(series: Series, session: Session, now: datetime) -> tuple[date, date] | None:
    """The dates from today on at which the session keeps its distance from its neighbours; None where there is none."""
    dates, gap_of = standing_dates(series), _gaps(series)
    low = max(local_date(now, zone_of(series.site)), dates.get(session.sequence - 1, date.min) + timedelta(days=1))
    high: date | None = None
    own = gap_of.get(session.sequence)
    if own is not None and own.after in dates:
        after = dates[own.after]
        low, high = max(low, after + timedelta(days=own.min_days)), after + timedelta(days=own.max_days)
    following = series.sessions.filter(sequence=session.sequence + 1).exclude(status__in=GONE).first()
    if following is not None:
        gap, day = gap_of.get(following.sequence), dates[following.sequence]
        counted = gap is not None and gap.after == session.sequence
        last = day - timedelta(days=gap.min_days if gap is not None and counted else 1)
        low = max(low, day - timedelta(days=gap.max_days)) if gap is not None and counted else low
        high = last if high is None else min(high, last)
    return None if high is None or high < low else (low, high)


def _gaps(series: Series) -> dict[int, Gap | None]:
    """The rule for each session's day, by sequence."""
    most = max(series.sessions.values_list("sequence", flat=True))
    return {visit.sequence: visit.gap for visit in islice(every_visit(phases_of_series(series)), most)}


def close_windows(now: datetime) -> int:
    """Mark the series whose lost session can no longer be given again within its window; how many there were."""
    count = 0
    overdue = Series.objects.filter(status=SeriesStatus.ACTIVE, replace_by__isnull=False).select_related("site")
    for series in overdue:
        if series.replace_by is not None and series.replace_by < local_date(now, zone_of(series.site)):
            still = Series.objects.filter(pk=series.pk, status=SeriesStatus.ACTIVE, replace_by=series.replace_by)
            count += still.update(status=SeriesStatus.NEEDS_REVIEW, replace_by=None)
    return count


def is_over(series: Series) -> bool:
    """Whether nothing of the series is to come or under way."""
    return not series.sessions.exclude(status__in=ENDED).exists()


def without_hold(series: Series) -> str:
    """The status of a series that nothing keeps from going on: what its sessions say."""
    if not is_over(series):
        return SeriesStatus.ACTIVE
    given = series.sessions.exclude(status__in=GONE).exists()
    return SeriesStatus.COMPLETED if given else SeriesStatus.CANCELLED


def pinned(session: Session, now: datetime) -> bool:
    """Whether the session stays where it is whatever is planned: begun, ended and not lost, or overdue."""
    return session.status not in (*TO_COME, *GONE) or (session.status in TO_COME and session.start <= now)
