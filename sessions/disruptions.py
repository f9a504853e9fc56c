"""A provider, a chair or a site falls away: a draft says what that does, apply does it whole, undo puts it back.

A draft changes nothing. Applying takes the locks of booking for every patient, the site's row alone (nobody books there
meanwhile), its days and the sessions; what it writes is judged by the rules of supply and spacing and by the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, OperationalError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts import clock
from accounts.models import Patient, Role
from accounts.refusals import Conflict, Forbidden, RuleBroken, require_version
from accounts.rights import holds
from scheduler.changes import lock_site
from scheduler.models import ChairClosure, SiteClosure, TimeOff
from scheduler.planner import check_spacing
from scheduler.walltime import local_date
from sessions import events
from sessions.course import phases_of_series, standing_dates
from sessions.door import CLASHES, as_conflict, check_constraints, lock_days, lock_sessions
from sessions.drafting import Missing, draft_items, times_at
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

    from accounts.models import Site, User
    from scheduler.models import Chair, Provider
    from sessions.lifecycle import Versions

MOST_DAYS = 400
RECORDS: Final[dict[DisruptionKind, tuple[str, type[Any], str]]] = {
    DisruptionKind.PROVIDER_ABSENCE: ("time_off", TimeOff, "provider"),
    DisruptionKind.CHAIR_CLOSURE: ("chair_closure", ChairClosure, "chair"),
    DisruptionKind.SITE_CLOSURE: ("site_closure", SiteClosure, "site"),
}
TOLD, UNTOLD = "The clinic had to change its plan.", "The change of plan was undone."


def draft(
    kind: str,
    site: Site,
    during: tuple[datetime, datetime],
    reason: str,
    actor: User,
    now: datetime,
    *,
    provider: Provider | None = None,
    chair: Chair | None = None,
) -> Disruption:
    """Say what it would do if this fell away; nothing is changed.

    Raises:
        RuleBroken: `in_past` for what is over, `too_long`. Conflict: `overlapping_absence` with the `record` of an
            absence that has part of that time already.
    """
    start, end = during
    if end <= now:
        raise RuleBroken("in_past", "This time has passed.")
    if (end - start).days > MOST_DAYS:
        raise RuleBroken("too_long", f"At most {MOST_DAYS} days at once.")
    _, model, name = RECORDS[DisruptionKind(kind)]
    subject = {"provider": provider, "chair": chair, "site": site}[name]
    other = model.objects.filter(**{name: subject, "during__overlap": during}).first()
    if other is not None:
        raise Conflict("overlapping_absence", "Part of that time is recorded as away already.", record=str(other.pk))
    found = Disruption(
        site=site, kind=kind, provider=provider, chair=chair, during=DateTimeTZRange(*during), reason=reason,
        created_by=actor, created_at=now,
    )  # fmt: skip
    return _keep(found, now)


def draft_for(record: TimeOff | ChairClosure | SiteClosure, actor: User, now: datetime) -> Disruption | None:
    """The draft that mends what an absence, recorded just now, does to bookings; None where it hits none."""
    kind = next(kind for kind, (_, model, _) in RECORDS.items() if isinstance(record, model))
    column, _, name = RECORDS[kind]
    subject = getattr(record, name)
    site = subject if kind == DisruptionKind.SITE_CLOSURE else subject.site
    found = Disruption(
        site=site, kind=kind, during=record.during, reason=record.reason, created_by=actor, created_at=now,
        **({} if name == "site" else {name: subject}), **{column: record},
    )  # fmt: skip
    during = record.during
    missing = Missing(site, kind, found.provider_id, found.chair_id, during.lower, during.upper)
    return _keep(found, now) if during.upper > now and missing.affected() else None


def open_draft(record: TimeOff | ChairClosure | SiteClosure, actor: User) -> UUID | None:
    """The id of `draft_for` as of now."""
    found = draft_for(record, actor, clock.now())
    return None if found is None else found.pk


def _keep(disruption: Disruption, now: datetime) -> Disruption:
    items = draft_items(Missing.of(disruption), now)
    with transaction.atomic():
        disruption.save()
        for item in items:
            item.disruption = disruption
        DisruptionItem.objects.bulk_create(items)
    return disruption


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


def may_record(disruption: Disruption, actor: User) -> bool:
    """Whether the absence is the person's own, recorded already, or theirs to record as a manager."""
    recorded = disruption.time_off_id or disruption.chair_closure_id or disruption.site_closure_id
    own = disruption.provider is not None and disruption.provider.user_id == actor.pk
    return bool(holds(actor, Role.MANAGER) or recorded or own)


def check_may_record(disruption: Disruption, actor: User) -> None:
    """Refuse to apply or undo the absence of another to whoever is no manager; what is recorded is only mended.

    Raises:
        Forbidden: `not_your_hours`.
    """
    if not may_record(disruption, actor):
        raise Forbidden("not_your_hours", "You may record only your own absence; a manager records others.")


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


def _fresh(old: Disruption, actor: User, now: datetime) -> Disruption:
    """A draft of the same absence as the world stands now, in place of the old one."""
    names = ("site", "kind", "provider", "chair", "during", "reason", "time_off", "chair_closure", "site_closure")
    with transaction.atomic():
        locked = Disruption.objects.select_for_update(of=("self",)).get(pk=old.pk)
        check_can_be_applied(locked)
        values = {name: getattr(locked, name) for name in names}
        fresh = _keep(Disruption(**values, created_by=actor, created_at=now), now)
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
    if changed:
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
