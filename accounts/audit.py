"""The audit trail: who acts in this transaction, and which patient records were read.

Changes are not written here: a trigger on each audited table does it, so that a bulk update and raw SQL are seen too.
The trigger takes the actor from the connection's setting `app.actor`, which `acting` sets.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, migrations

from accounts import clock
from accounts.models import AuditEntry
from accounts.prepared import change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID


# Every list of patients' records ends here, so it is one statement however long the list.
READS = """
INSERT INTO accounts_auditentry (at, actor, action, record_type, record_id, patient_id)
SELECT %s, %s, 'read', %s, record_id, patient_id FROM unnest(%s::text[], %s::uuid[]) AS shown (record_id, patient_id)
"""


def set_actor(actor: UUID | None) -> None:
    """Name the person who acts on this connection from here on; None for the system itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.actor', %s, false)", [str(actor or "")])


@contextmanager
def acting(actor: UUID | None) -> Iterator[None]:
    """Name the person who acts on this connection, for the length of the block."""
    set_actor(actor)
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            set_actor(None)


def read_of(reader: UUID | None, record: Any, at: datetime) -> AuditEntry:
    """The entry, not saved yet, that says that the person was shown a patient's record."""
    of = {"record_type": record._meta.db_table, "record_id": str(record.pk), "patient_id": record.patient_id}
    return AuditEntry(at=at, actor=reader, action="read", **of)


def record_reads(actor: UUID | None, record_type: str, rows: Iterable[tuple[UUID, UUID]]) -> None:
    """Write one entry for each (record id, patient id) whose patient's details the person was shown."""
    shown = list(rows)
    if not shown:
        return
    records, patients = [str(record) for record, _ in shown], [patient for _, patient in shown]
    change(READS, [clock.now(), actor, record_type, records, patients])


class Reading(NamedTuple):
    """Who is shown records of which table, of what a statement finds at most so many, the first ones (None: all)."""

    actor: UUID | None
    record_type: str
    at_most: int | None = None


# Finding and noting down as one statement: shown is what has been committed. A page's first rows are in its order.
SHOWN = """
WITH found AS MATERIALIZED ({statement}), noted AS (
    INSERT INTO accounts_auditentry (at, actor, action, record_type, record_id, patient_id)
    SELECT %s, %s, 'read', %s, id::text, patient_id FROM (SELECT id, patient_id FROM found LIMIT %s) AS shown
    WHERE patient_id IS NOT NULL
)
SELECT * FROM found
"""


def noting(statement: str, values: Sequence[Any], reading: Reading) -> tuple[str, list[Any]]:
    """The statement, which gives `id` and `patient_id` among others, such that it writes down who is shown what."""
    told = [clock.now(), reading.actor, reading.record_type, reading.at_most]
    return SHOWN.format(statement=statement), [*values, *told]


# A screen that stays open shows the same again and again: who saw whom is told once in a while.
SIGHT = """
INSERT INTO accounts_auditentry (at, actor, action, record_type, record_id, patient_id)
SELECT %(at)s, %(actor)s, 'read', %(type)s, record_id, patient_id
FROM unnest(%(records)s::text[], %(patients)s::uuid[]) AS shown (record_id, patient_id)
WHERE NOT EXISTS (
    SELECT 1 FROM accounts_auditentry e
    WHERE e.at > %(since)s AND e.actor = %(actor)s AND e.action = 'read' AND e.record_type = %(type)s
      AND e.record_id = shown.record_id)
"""
SIGHT_LASTS = timedelta(minutes=15)


def record_sight(actor: UUID | None, record_type: str, rows: Iterable[tuple[UUID, UUID]]) -> None:
    """Like `record_reads`, for a screen that reads itself anew: one entry a record and a quarter of an hour."""
    shown = list(rows)
    if not shown:
        return
    now = clock.now()
    records, patients = [str(record) for record, _ in shown], [patient for _, patient in shown]
    told = {"at": now, "since": now - SIGHT_LASTS, "actor": actor, "type": record_type}
    with connection.cursor() as cursor:
        cursor.execute(SIGHT, {**told, "records": records, "patients": patients})


def audited(*tables: str) -> migrations.RunSQL:
    """Return the migration step that puts the audit trigger on these tables."""
    make = (
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION accounts_audit();"
        # Emptying a table passes by every row's trigger.
        "CREATE TRIGGER not_emptied BEFORE TRUNCATE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION accounts_not_emptied()"
    )
    drop = "DROP TRIGGER audit ON {0}; DROP TRIGGER not_emptied ON {0}"
    return migrations.RunSQL(
        [make.format(table) for table in tables], [drop.format(table) for table in reversed(tables)]
    )


def fixed(table: str, name: str, *columns: str) -> migrations.RunSQL:
    """Return the migration step after which these columns of a row keep the value that they were made with.

    A change is refused by the rule `name`.
    """
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return migrations.RunSQL(
        f"CREATE TRIGGER fixed BEFORE UPDATE OF {', '.join(columns)} ON {table} "
        f"FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION accounts_fixed('{name}')",
        f"DROP TRIGGER fixed ON {table}",
    )


def append_only(table: str) -> migrations.RunSQL:
    """Return the migration step after which rows of the table can be added, and neither changed nor removed."""
    return migrations.RunSQL(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION accounts_append_only();"
        f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION accounts_append_only();",
        f"DROP TRIGGER append_only ON {table}; DROP TRIGGER append_only_truncate ON {table};",
    )
