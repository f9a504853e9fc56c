"""What the database itself keeps: the audit trail, and versions that move with every change."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations

from accounts.audit import append_only, audited, fixed

# Passwords never reach the trail, only that one was changed. An update that changes nothing leaves no entry.
AUDIT = """
CREATE FUNCTION accounts_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - 'password' END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - 'password' END;
    row_now jsonb := coalesce(new_row, old_row);
    old_part jsonb := old_row;
    new_part jsonb := new_row;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(OLD) -> 'password' IS DISTINCT FROM to_jsonb(NEW) -> 'password' THEN
            old_row := old_row || '{"password": "former"}';
            new_row := new_row || '{"password": "changed"}';
        END IF;
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
          INTO old_part, new_part
          FROM jsonb_each(old_row) o WHERE o.value IS DISTINCT FROM new_row -> o.key;
        IF old_part IS NULL THEN RETURN NULL; END IF;
    END IF;
    INSERT INTO accounts_auditentry (at, actor, action, record_type, record_id, patient_id, before, after)
    VALUES (
        clock_timestamp(), nullif(current_setting('app.actor', true), '')::uuid, lower(TG_OP), TG_TABLE_NAME,
        row_now ->> 'id',
        CASE WHEN TG_TABLE_NAME = 'accounts_patient' THEN row_now ->> 'id' ELSE row_now ->> 'patient_id' END::uuid,
        old_part, new_part
    );
    RETURN NULL;
END $$;
"""

APPEND_ONLY = """
CREATE FUNCTION accounts_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'append_only';
END $$;
"""

FIXED = """
CREATE FUNCTION accounts_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this part of a row of % never changes', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0];
END $$;
CREATE FUNCTION accounts_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % is never emptied', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'not_emptied';
END $$;
"""

BUMP = """
CREATE FUNCTION accounts_bump_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + (NEW IS DISTINCT FROM OLD)::int;
    RETURN NEW;
END $$;
CREATE TRIGGER bump_version BEFORE UPDATE ON accounts_patient FOR EACH ROW EXECUTE FUNCTION accounts_bump_version();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0001_initial")]
    operations: ClassVar = [
        BtreeGistExtension(),
        migrations.RunSQL(AUDIT, "DROP FUNCTION accounts_audit"),
        migrations.RunSQL(APPEND_ONLY, "DROP FUNCTION accounts_append_only"),
        migrations.RunSQL(BUMP, "DROP TRIGGER bump_version ON accounts_patient; DROP FUNCTION accounts_bump_version"),
        migrations.RunSQL(FIXED, "DROP FUNCTION accounts_fixed, accounts_not_emptied"),
        append_only("accounts_auditentry"),
        audited("accounts_organization", "accounts_site", "accounts_user", "accounts_user_sites", "accounts_patient"),
        fixed("accounts_site", "site_fixed", "organization_id"),
    ]
