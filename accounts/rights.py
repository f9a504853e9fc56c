"""Who may do what: one table.

Which records a person sees is in `queries.py`; one that is out of sight is a 404 before this table is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from accounts.models import Role

if TYPE_CHECKING:
    from accounts.models import User

PATIENT, DESK, NURSE, PRESCRIBER = Role.PATIENT, Role.FRONT_DESK, Role.NURSE, Role.PRESCRIBER
MANAGER, AUDITOR, ADMIN = Role.MANAGER, Role.AUDITOR, Role.ADMIN

CARE: Final = frozenset({NURSE, PRESCRIBER})
BOOKERS: Final = frozenset({DESK, NURSE, PRESCRIBER, MANAGER})
READERS: Final = BOOKERS | {AUDITOR}
EVERYBODY: Final = READERS | {PATIENT}
NOBODY: Final[frozenset[Role]] = frozenset()


def _crud(name: str, read: frozenset[Role], write: frozenset[Role]) -> dict[str, frozenset[Role]]:
    """Rights of an ordinary resource: `read` may list and open, `write` may create, change and delete."""
    reading = dict.fromkeys((f"{name}.list", f"{name}.retrieve"), read)
    writing = dict.fromkeys((f"{name}.{verb}" for verb in ("create", "update", "partial_update", "destroy")), write)
    return reading | writing


MANAGERS: Final = frozenset({MANAGER})

# Action ("resource.verb", as the views name it) -> roles. `admin` holds every role and is not listed.
RIGHTS: Final[dict[str, frozenset[Role]]] = {
    **_crud("sites", EVERYBODY, MANAGERS),
    **_crud("site-closures", EVERYBODY, MANAGERS),
    **_crud("chairs", EVERYBODY, MANAGERS),
    **_crud("chair-closures", READERS, MANAGERS),
    **_crud("providers", EVERYBODY, MANAGERS),
    # Nurses and prescribers change their own hours; the view refuses those of others.
    **_crud("availability-rules", READERS, MANAGERS | CARE),
    **_crud("time-off", READERS, MANAGERS | CARE),
    "availability.list": EVERYBODY,
    **_crud("protocols", EVERYBODY, MANAGERS | {PRESCRIBER}),
    **_crud("gate-definitions", READERS, MANAGERS | {PRESCRIBER}),
    **_crud("patients", EVERYBODY, BOOKERS),
    # As who sees scores and answers, without nurses: it is the whole record at once.
    "patients.export": frozenset({PRESCRIBER, PATIENT}),
    # Over whom, and which roles: `accounts.staff`.
    "users.list": MANAGERS | {AUDITOR},
    "users.retrieve": MANAGERS | {AUDITOR},
    "users.partial_update": MANAGERS,
    "users.deactivate": MANAGERS,
    "users.reactivate": MANAGERS,
    "users.send-password-link": MANAGERS,
    "users.reset-second-factor": MANAGERS,
    "invitations.list": MANAGERS | {AUDITOR},
    "invitations.retrieve": MANAGERS | {AUDITOR},
    "invitations.create": MANAGERS,
    "invitations.resend": MANAGERS,
    "invitations.withdraw": MANAGERS,
    **_crud("orders", EVERYBODY, frozenset({PRESCRIBER})),
    "plans.create": BOOKERS | {PATIENT},
    "plans.retrieve": EVERYBODY,
    "plans.hold": BOOKERS | {PATIENT},
    "series.list": EVERYBODY,
    "series.retrieve": EVERYBODY,
    "series.create": BOOKERS | {PATIENT},
    "series.cancel": BOOKERS | {PATIENT},
    "series.release": frozenset({PRESCRIBER}),
    "series.replan": BOOKERS | {PATIENT},
    "series.adjust": frozenset({PRESCRIBER}),
    # A draft changes nothing; who may record an absence applies it, and the view refuses those of others.
    "disruptions.list": READERS,
    "disruptions.retrieve": READERS,
    "disruptions.create": BOOKERS,
    "disruptions.apply": MANAGERS | CARE,
    "disruptions.undo": MANAGERS | CARE,
    **_crud("waitlist-entries", EVERYBODY, BOOKERS | {PATIENT}),
    "offers.list": EVERYBODY,
    "offers.retrieve": EVERYBODY,
    "offers.accept": BOOKERS | {PATIENT},
    "offers.decline": BOOKERS | {PATIENT},
    "sessions.list": EVERYBODY,
    "sessions.retrieve": EVERYBODY,
    "sessions.events": EVERYBODY,
    "sessions.confirm": BOOKERS | {PATIENT},
    "sessions.reschedule": BOOKERS | {PATIENT},
    "sessions.reseat": BOOKERS,
    "sessions.cancel": BOOKERS | {PATIENT},
    "board.list": READERS,
    "reports.utilisation": frozenset({MANAGER, PRESCRIBER, AUDITOR}),
    "sessions.day": CARE | {AUDITOR, PATIENT},
    # What the patient says beforehand, in their own form or to whoever takes it down.
    "sessions.preparation": BOOKERS | {PATIENT},
    "sessions.arrive": BOOKERS,
    "sessions.no-show": BOOKERS,
    "sessions.gates": CARE,
    "sessions.start": CARE,
    "sessions.vitals": CARE,
    "sessions.slow": CARE,
    "sessions.adverse-events": CARE,
    "sessions.pause": CARE,
    "sessions.resume": CARE,
    "sessions.stop": CARE,
    "sessions.finish-infusion": CARE,
    "sessions.discharge": CARE,
    "notifications.list": EVERYBODY,
    "notifications.retrieve": EVERYBODY,
    "notifications.resend": BOOKERS,
    "notifications.export": BOOKERS | {AUDITOR},
    "follow-ups.list": CARE | {PATIENT},
    "follow-ups.retrieve": CARE | {PATIENT},
    "follow-ups.trend": CARE | {PATIENT},
    "follow-ups.revoke-links": CARE,
    **_crud("wordings", READERS, MANAGERS),
    "wordings.preview": MANAGERS,
    # Notes of patients may tell of their health: for those who answer them.
    "replies.list": BOOKERS,
    "replies.retrieve": BOOKERS,
    "replies.close": BOOKERS,
    # Which of them: `notifications.feeds.check_may_give`.
    "calendar-feeds.list": BOOKERS | {PATIENT},
    "calendar-feeds.retrieve": BOOKERS | {PATIENT},
    "calendar-feeds.create": BOOKERS | {PATIENT},
    "calendar-feeds.destroy": BOOKERS | {PATIENT},
    "alerts.list": CARE,
    "alerts.retrieve": CARE,
    "alerts.acknowledge": CARE,
    "alerts.close": CARE,
    "on-call.list": READERS,
    "on-call.retrieve": READERS,
    "on-call.create": MANAGERS | {PRESCRIBER},
    "on-call.now": READERS,
    "on-call.pager": CARE,
    "red-flag-rules.list": CARE | {MANAGER, AUDITOR},
    "red-flag-rules.retrieve": CARE | {MANAGER, AUDITOR},
    "red-flag-rules.in-force": CARE | {MANAGER, AUDITOR},
    "red-flag-rules.create": frozenset({PRESCRIBER}),
    "message-plans.list": READERS,
    "message-plans.retrieve": READERS,
    "message-plans.create": MANAGERS,
}


def holds(user: User, *roles: str) -> bool:
    """Return whether the person holds one of these roles; an admin holds each but that of a patient."""
    return any(role in user.roles for role in roles) or (ADMIN in user.roles and set(roles) != {PATIENT})


def may(user: User, action: str) -> bool:
    """Return whether one of the person's roles allows the action; an action without a row is allowed to nobody."""
    allowed = RIGHTS.get(action, NOBODY)
    return bool(allowed) and user.is_active and holds(user, *allowed)


def is_staff(user: User) -> bool:
    """Return whether the person works at a clinic (any role but patient)."""
    return any(role != PATIENT for role in user.roles)
