"""Every change leaves an entry, whichever way it is made; none holds a password; nobody can change or remove one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import clock
from accounts.audit import acting, record_reads, set_actor
from accounts.models import AuditEntry, Patient, Role, User
from scheduler.models import Chair
from tests.factories import make_patient, make_user, noon

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.factories import Clinic

pytestmark = pytest.mark.django_db

# Tables that are not in the trail, and why not.
NOT_AUDITED = {
    "accounts_auditentry": "the trail itself",
    "infusion_sessions_sessionevent": "only ever added to, and names the actor",
    "infusion_sessions_disruptionitem": "a proposal; what comes of it is in the trail of its sessions",
    "scheduler_supplyversion": "a number that moves with supply, which is in the trail",
    "infusion_sessions_siteday": "a number that moves with sessions, which are in the trail",
    "accounts_signinlink": "sign-ins",
    "accounts_spentchallenge": "sign-ins",
    "accounts_idempotencykey": "answers, kept for a while",
    "knox_authtoken": "sign-ins",
    "notifications_message": "a log of its own",
    "notifications_followupdraft": "not sent by the patient yet, and gone with the answer (ADR 5)",
    "notifications_followuplink": "that one was sent is in the log of messages; that one was closed is in the trail",
    "notifications_reconciled": "a cache",
    "notifications_heartbeat": "machinery",
    "accounts_user_groups": "unused: roles are in the user's row",
    "accounts_user_user_permissions": "unused: roles are in the user's row",
    "auth_group": "unused",
    "auth_group_permissions": "unused",
    "auth_permission": "made by migrations",
    "django_content_type": "made by migrations",
    "django_migrations": "made by migrations",
    "django_session": "sign-ins",
}


def entries(record: object) -> list[AuditEntry]:
    """The entries about one record, oldest first."""
    return list(AuditEntry.objects.filter(record_id=str(record)).order_by("id"))


def last(record: UUID) -> AuditEntry:
    """The latest entry about one record."""
    return entries(record)[-1]


def test_a_record_made_changed_and_removed_by_the_orm_leaves_three_entries(clinic: Clinic) -> None:
    manager = clinic.users[Role.MANAGER]
    began = clock.now()
    with acting(manager.id):
        chair = Chair.objects.create(site=clinic.site, name="Window", kind="bed")
        identity = chair.id
        chair.name = "Door"
        chair.save()
        chair.delete()
    made, changed, removed = entries(identity)
    assert [made.action, changed.action, removed.action] == ["insert", "update", "delete"]
    assert {made.actor, changed.actor, removed.actor} == {manager.id}
    assert {made.record_type, changed.record_type, removed.record_type} == {"scheduler_chair"}
    assert made.before is None
    assert made.after is not None
    assert made.after["name"] == "Window"
    assert (changed.before, changed.after) == ({"name": "Window"}, {"name": "Door"})
    assert removed.before is not None
    assert removed.before["name"] == "Door"
    assert removed.after is None
    assert made.at >= began


def test_many_at_once_leave_an_entry_each(clinic: Clinic) -> None:
    with acting(clinic.users[Role.MANAGER].id):
        chairs = Chair.objects.bulk_create(
            Chair(site=clinic.site, name=f"Row {number}", kind="recliner") for number in range(3)
        )
        Chair.objects.filter(name__startswith="Row").update(is_active=False)
        Chair.objects.filter(name__startswith="Row").delete()
    for chair in chairs:
        assert [entry.action for entry in entries(chair.id)] == ["insert", "update", "delete"]
        assert {entry.actor for entry in entries(chair.id)} == {clinic.users[Role.MANAGER].id}


def test_raw_sql_leaves_entries_too(clinic: Clinic) -> None:
    desk = clinic.users[Role.FRONT_DESK]
    with acting(desk.id), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_patient SET family_name = 'Hopper' WHERE id = %s", [clinic.patient.id])
    entry = last(clinic.patient.id)
    assert (entry.action, entry.actor, entry.patient_id) == ("update", desk.id, clinic.patient.id)
    assert entry.after is not None
    assert entry.after["family_name"] == "Hopper"


def test_the_system_acts_without_a_name(clinic: Clinic) -> None:
    with acting(clinic.users[Role.FRONT_DESK].id):
        pass
    Patient.objects.filter(id=clinic.patient.id).update(given_name="Grace")
    assert last(clinic.patient.id).actor is None


def test_who_acted_before_a_failure_does_not_act_after_it(clinic: Clinic) -> None:
    desk = clinic.users[Role.FRONT_DESK]
    with pytest.raises(ZeroDivisionError), transaction.atomic(), acting(desk.id):
        raise ZeroDivisionError
    Patient.objects.filter(id=clinic.patient.id).update(given_name="Grace")
    assert last(clinic.patient.id).actor is None
    with pytest.raises(IntegrityError), transaction.atomic(), acting(desk.id):
        User.objects.filter(id=desk.id).update(email="Not Lower Case")
    Patient.objects.filter(id=clinic.patient.id).update(given_name="Ada")
    assert last(clinic.patient.id).actor is None


def test_an_update_that_changes_nothing_leaves_no_entry(clinic: Clinic) -> None:
    number = AuditEntry.objects.count()
    clinic.patient.save()
    Patient.objects.update()
    Chair.objects.filter(id=clinic.bed.id).update(name=clinic.bed.name)
    assert AuditEntry.objects.count() == number


def test_what_belongs_to_a_patient_is_found_by_the_patient(clinic: Clinic) -> None:
    patient = make_patient(clinic.site)
    session = clinic.session(noon(), series=clinic.series(patient))
    clinic.session(noon(8))
    found = set(AuditEntry.objects.filter(patient_id=patient.id).values_list("record_type", "record_id"))
    assert found == {
        ("accounts_patient", str(patient.id)),
        ("infusion_sessions_series", str(session.series_id)),
        ("infusion_sessions_session", str(session.id)),
    }


def test_no_password_reaches_the_trail(clinic: Clinic) -> None:
    user = make_user(clinic.organization, Role.NURSE)
    hashes = [user.password]
    user.set_password("another long word")
    user.save()
    hashes.append(user.password)
    User.objects.filter(id=user.id).update(password="raw-hash-of-something")
    user.delete()
    hashes.append("raw-hash-of-something")
    written = json.dumps(list(AuditEntry.objects.values_list("before", "after")))
    assert str(user.email) in written
    assert not [each for each in hashes if each in written]


def test_that_a_password_was_changed_is_in_the_trail(clinic: Clinic) -> None:
    nurse, admin = clinic.users[Role.NURSE], clinic.users[Role.ADMIN]
    nurse.set_password("another long word")
    with acting(admin.id):
        nurse.save()
    entry = last(nurse.id)
    assert (entry.action, entry.actor) == ("update", admin.id)
    assert (entry.before, entry.after) == ({"password": "former"}, {"password": "changed"})


def test_who_works_where_is_in_the_trail(clinic: Clinic) -> None:
    nurse, admin = clinic.users[Role.NURSE], clinic.users[Role.ADMIN]
    with acting(admin.id):
        nurse.sites.remove(clinic.site)
    entry = AuditEntry.objects.filter(record_type="accounts_user_sites").latest("id")
    assert (entry.action, entry.actor) == ("delete", admin.id)
    assert entry.before is not None
    assert (entry.before["user_id"], entry.before["site_id"]) == (str(nurse.id), str(clinic.site.id))


def test_reads_are_recorded_with_reader_record_and_patient(clinic: Clinic) -> None:
    nurse, session = clinic.users[Role.NURSE], uuid4()
    record_reads(nurse.id, "session", [(session, clinic.patient.id)])
    entry = last(session)
    assert (entry.action, entry.actor, entry.patient_id) == ("read", nurse.id, clinic.patient.id)
    assert (entry.before, entry.after) == (None, None)


def test_an_unknown_actor_cannot_be_slipped_in(clinic: Clinic) -> None:
    """What is not an id at all stops the change rather than leave it without an actor."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.actor', 'somebody', false)")
    with pytest.raises(Exception, match="uuid"), transaction.atomic():
        Patient.objects.filter(id=clinic.patient.id).update(given_name="Grace")
    set_actor(None)
    clinic.patient.refresh_from_db()
    assert clinic.patient.given_name != "Grace"


ATTEMPTS = {
    "update": lambda: AuditEntry.objects.update(actor=None),
    "delete": lambda: AuditEntry.objects.all().delete(),
    "save": lambda: AuditEntry(id=AuditEntry.objects.earliest("id").id, at=clock.now(), action="read").save(),
    "truncate": lambda: connection.cursor().execute("TRUNCATE accounts_auditentry CASCADE"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_nobody_changes_or_shortens_the_trail(attempt: Callable[[], object], clinic: Clinic) -> None:
    entry = AuditEntry.objects.earliest("id")
    number = AuditEntry.objects.count()
    with pytest.raises(IntegrityError, match="only ever added"), transaction.atomic():
        attempt()
    assert AuditEntry.objects.count() == number
    assert AuditEntry.objects.get(id=entry.id).action == "insert"


def tables_with(trigger: str) -> set[str]:
    """Names of the tables that bear a trigger of this name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s", [trigger])
        return {row[0] for row in cursor.fetchall()}


def test_every_table_is_audited_or_says_why_not() -> None:
    tables = {table for table in connection.introspection.table_names() if not table.startswith("pg_")}
    assert tables - tables_with("audit") == set(NOT_AUDITED)


def test_no_audited_table_can_be_emptied() -> None:
    audited = tables_with("audit")
    assert len(audited) >= 15
    for table in sorted(audited):
        with pytest.raises(IntegrityError, match=r"never emptied|only ever added"), transaction.atomic():
            connection.cursor().execute(f"TRUNCATE {table} CASCADE")
