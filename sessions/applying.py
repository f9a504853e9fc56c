"""A draft is applied whole, and undone whole.

Applying takes the locks of booking for every patient, the site's row alone (nobody books there meanwhile), its days and
the sessions; what it writes is judged by the rules of supply and spacing and by the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, OperationalError, transaction

from accounts.models import Patient
from accounts.refusals import Conflict, require_version
from scheduler.changes import lock_site
from scheduler.planner import check_spacing
from scheduler.walltime import local_date
from sessions import events
from sessions.course import phases_of_series, standing_dates
from sessions.disruptions import RECORDS, keep
from sessions.door import CLASHES, as_conflict, check_constraints, lock_days, lock_sessions
from sessions.drafting import Missing, times_at
from sessions.facts import zone_of
from sessions.models import (
    TO_COME,
    Disruption,
    DisruptionItem,
    DisruptionKind,
    DisruptionStatus,
    Outcome,
    Series,
    Session,
    SessionStatus,
)
from sessions.rest import in_order
from sessions.supply_changes import stranded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from accounts.models import User
    from scheduler.models import ChairClosure, SiteClosure, TimeOff
    from sessions.lifecycle import Versions

TOLD, UNTOLD = "The clinic had to change its plan.", "The change of plan was undone."


def check_can_be_applied(disruption: Disruption) -> None:
    """Refuse to apply what is no draft any more.

    Raises:
        Conflict: `already_done` with `by` and `at`, `undone`, or `draft_replaced` with the fresh `disruption`.
    """
    if disruption.status == DisruptionStatus.REPLACED:
        fresh = str(disruption.replaced_by_id)
        raise Conflict("draft_replaced", "There is a fresh draft in place of this one.", disruption=fresh)
    if disruption.status == DisruptionStatus.APPLIED:
        at = disruption.applied_at.isoformat() if disruption.applied_at else None
        raise Conflict("already_done", "This has been applied already.", by=str(disruption.applied_by_id), at=at)
    if disruption.status == DisruptionStatus.UNDONE:
        raise Conflict("undone", "This was applied and undone; draft it anew.")


def apply(disruption: Disruption, actor: User, now: datetime, expected: Versions = None) -> Disruption:
    """Record the absence and make the draft's moves, whole.

    Raises:
        Conflict: see `check_can_be_applied`; `draft_stale` where the world has moved on, with the sessions that did
            (`changed`) and a fresh draft (`disruption`). Stale: the version has moved on.
    """
    try:
        with transaction.atomic():
            return _apply(disruption, actor, now, expected)
    except _MovedOn as moved:
        changed = moved.changed
    except Conflict as clash:
        # Somebody who was booked meanwhile has what the draft wanted: the fresh one knows of them.
        if clash.code not in CLASHES:
            raise
        changed = []
    except (IntegrityError, OperationalError) as error:
        if as_conflict(error).code == "try_again":
            raise as_conflict(error) from error
        changed = []
    fresh = _fresh(disruption, actor, now)
    raise Conflict(
        "draft_stale",
        "The bookings have changed since this draft was made. Nothing was changed; here is a fresh one.",
        changed=sorted(map(str, changed)),
        disruption=str(fresh.pk),
    )


class _MovedOn(Exception):  # noqa: N818  (not an error: the world went on)
    """The draft no longer fits; `changed` are the sessions that show it."""

    def __init__(self, changed: Iterable[UUID]) -> None:
        super().__init__()
        self.changed = list(changed)


def recorded(disruption: Disruption) -> TimeOff | ChairClosure | SiteClosure | None:
    """The record of what falls away, once there is one."""
    return disruption.time_off or disruption.chair_closure or disruption.site_closure


def _fresh(old: Disruption, actor: User, now: datetime) -> Disruption:
    """A draft of the same absence as the world stands now, in place of the old one."""
    names = ("site", "kind", "provider", "chair", "during", "reason", "time_off", "chair_closure", "site_closure")
    with transaction.atomic():
        locked = Disruption.objects.select_for_update(of=("self",)).get(pk=old.pk)
        check_can_be_applied(locked)
        values = {name: getattr(locked, name) for name in names}
        record = recorded(locked)
        # Its dates may have been changed since.
        values["during"] = locked.during if record is None else record.during
        fresh = keep(Disruption(**values, created_by=actor, created_at=now), now)
        locked.status, locked.replaced_by = DisruptionStatus.REPLACED, fresh
        locked.save(update_fields=["status", "replaced_by"])
    return fresh


def _lock(disruption: Disruption) -> tuple[Disruption, list[DisruptionItem], dict[UUID, Session]]:
    """Take the door's locks for all that the disruption touches; the sessions as they stand then."""
    items = list(disruption.items.order_by("id"))
    patients = sorted({item.patient_id for item in items})
    list(Patient.objects.select_for_update(no_key=True).filter(pk__in=patients).order_by("pk").values_list("pk"))
    site = lock_site(disruption.site_id)
    zone = zone_of(site)
    ids = [item.session_id for item in items]
    starts = [datetime.fromisoformat(where["start"]) for item in items for where in (item.before, item.after) if where]
    starts += Session.objects.filter(pk__in=ids).values_list("start", flat=True)
    lock_days(site.pk, {local_date(at, zone) for at in starts})
    lock_sessions(ids)
    rows = Session.objects.filter(pk__in=ids).select_related("series__protocol", "series__site", "site")
    locked = Disruption.objects.select_for_update(of=("self",)).select_related("site").get(pk=disruption.pk)
    return locked, items, {row.pk: row for row in rows}


def _apply(disruption: Disruption, actor: User, now: datetime, expected: Versions) -> Disruption:
    disruption, items, rows = _lock(disruption)
    require_version(expected, disruption.version)
    check_can_be_applied(disruption)
    _check_still_so(disruption, items, rows, now)
    before = stranded(disruption.site)
    series = {row.series_id: row.series for row in rows.values()}
    kept = {pk: _problems(row) for pk, row in series.items()}
    _record(disruption)
    for item in items:
        if item.after is not None:
            _move(rows[item.session_id], item.after, SessionStatus.BOOKED, actor, now, disruption, TOLD)
    check_constraints()
    left = {item.session_id for item in items if item.outcome == Outcome.UNRESOLVED}
    placed = {item.session_id for item in items} - left
    # Whom the draft gives a place has one, however they stood before: who takes over may be away by now.
    wrong = stranded(disruption.site) - (before - placed) - left
    wrong |= {pk for pk, row in rows.items() if _problems(series[row.series_id]) - kept[row.series_id]}
    if wrong:
        raise _MovedOn(wrong)
    _note_versions(items)
    disruption.status, disruption.applied_by, disruption.applied_at = DisruptionStatus.APPLIED, actor, now
    disruption.save()
    return disruption


def _check_still_so(
    disruption: Disruption, items: list[DisruptionItem], rows: dict[UUID, Session], now: datetime
) -> None:
    """Whether the draft speaks of the sessions as they stand: none has changed since, none has come, none has begun."""
    changed = {item.session_id for item in items if rows[item.session_id].version != item.session_version}
    changed |= {item.session_id for item in items if item.after and rows[item.session_id].start <= now}
    known = {item.session_id for item in items}
    changed |= {session.pk for session in Missing.of(disruption).affected() if session.pk not in known}
    record = recorded(disruption)
    if changed or (record is not None and record.during != disruption.during):
        raise _MovedOn(changed)


def _problems(series: Series) -> set[tuple[int, str]]:
    found = check_spacing(phases_of_series(series), in_order(standing_dates(series)))
    return {(each.sequence, each.code) for each in found}


def _record(disruption: Disruption) -> None:
    """Write the absence where it is not written yet."""
    column, model, name = RECORDS[DisruptionKind(disruption.kind)]
    if getattr(disruption, column) is None:
        values = {name: getattr(disruption, name), "during": disruption.during, "reason": disruption.reason}
        setattr(disruption, column, model.objects.create(**values))


def _move(
    session: Session,
    where: dict[str, Any],
    status: SessionStatus,
    actor: User,
    now: datetime,
    disruption: Disruption,
    reason: str,
) -> None:
    """Put a locked session at an item's place, with this status if that is another start; nothing if it is there."""
    before, start = events.standing(session), session.start
    for name, at in times_at(session, datetime.fromisoformat(where["start"])).items():
        setattr(session, name, at)
    session.chair_id, session.nurse_id, session.prescriber_id = where["chair"], where["nurse"], where["prescriber"]
    moved = session.start != start
    if moved:
        session.status = status
    if events.standing(session) == before:
        return
    session.save()
    also = {"disruption": str(disruption.pk)}
    kind = "rescheduled" if moved else "laid_anew"
    events.record(session, kind, actor, now, before=before, reason=reason, also=also)


def _note_versions(items: list[DisruptionItem]) -> None:
    """Remember how each session was left, so that an undo sees whether anything has happened since."""
    versions = dict(Session.objects.filter(pk__in=[item.session_id for item in items]).values_list("pk", "version"))
    for item in items:
        item.session_version = versions[item.session_id]
    DisruptionItem.objects.bulk_update(items, ["session_version"])


def check_can_be_undone(disruption: Disruption) -> None:
    """Refuse to undo what is not applied.

    Raises:
        Conflict: `already_done`, `not_applied`.
    """
    if disruption.status == DisruptionStatus.UNDONE:
        at = disruption.undone_at.isoformat() if disruption.undone_at else None
        raise Conflict("already_done", "This has been undone already.", by=str(disruption.undone_by_id), at=at)
    if disruption.status != DisruptionStatus.APPLIED:
        raise Conflict("not_applied", "Only what was applied can be undone.")


def undo(disruption: Disruption, actor: User, now: datetime, expected: Versions = None) -> Disruption:
    """Withdraw the absence and put every session back where it was, whole.

    Raises:
        Conflict: see `check_can_be_undone`; `cannot_undo` with what stands `in_the_way`, a list of `{session, code}`:
            `changed` since, `begun`, `passed` (its former start), or the code of what is taken there now.
    """
    try:
        with transaction.atomic():
            return _undo(disruption, actor, now, expected)
    except (IntegrityError, OperationalError) as error:
        raise as_conflict(error) from error


def _undo(disruption: Disruption, actor: User, now: datetime, expected: Versions) -> Disruption:
    disruption, items, rows = _lock(disruption)
    require_version(expected, disruption.version)
    check_can_be_undone(disruption)
    changed = [item for item in items if item.after is not None and item.after != item.before]
    way = [{"session": str(item.session_id), "code": code} for item in changed if (code := _obstacle(item, rows, now))]
    if way:
        raise Conflict("cannot_undo", "Something has happened since that cannot be undone.", in_the_way=way)
    before = stranded(disruption.site)
    for column, _, _ in RECORDS.values():
        record = getattr(disruption, column)
        if record is not None:
            record.delete()
            setattr(disruption, column, None)
    for item in changed:
        status = SessionStatus(item.status_before)
        _move(rows[item.session_id], item.before, status, actor, now, disruption, UNTOLD)
    try:
        check_constraints()
    except Conflict as clash:
        raise Conflict("cannot_undo", clash.detail, in_the_way=[{"session": None, "code": clash.code}]) from clash
    lost = stranded(disruption.site) - (before - {item.session_id for item in changed})
    if lost:
        way = [{"session": str(pk), "code": "supply_changed"} for pk in sorted(lost)]
        raise Conflict("cannot_undo", "What some of them need is no longer there.", in_the_way=way)
    disruption.status, disruption.undone_by, disruption.undone_at = DisruptionStatus.UNDONE, actor, now
    disruption.save()
    return disruption


def _obstacle(item: DisruptionItem, rows: dict[UUID, Session], now: datetime) -> str | None:
    session = rows[item.session_id]
    if session.status not in TO_COME:
        return "begun"
    if session.version != item.session_version:
        return "changed"
    return "passed" if datetime.fromisoformat(item.before["start"]) <= now else None
