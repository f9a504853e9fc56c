"""What the database itself keeps: the audit trail, versions that move with every change, what is known of addresses."""

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

# Before every other trigger of the row, by its name, so that the version moves with what changes here.
KNOWN = """
CREATE FUNCTION accounts_known_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(array_agg(channel ORDER BY channel) FILTER (WHERE stopped_at IS NOT NULL), '{}'),
           coalesce(array_agg(channel ORDER BY channel) FILTER (WHERE dead_at IS NOT NULL), '{}')
      INTO NEW.stopped_channels, NEW.dead_channels
      FROM accounts_contact
     WHERE address <> '' AND (channel, address) IN (('email', NEW.email), ('sms', NEW.phone));
    RETURN NEW;
END $$;
CREATE TRIGGER a_known_addresses BEFORE INSERT OR UPDATE ON accounts_patient
    FOR EACH ROW EXECUTE FUNCTION accounts_known_addresses();
CREATE FUNCTION accounts_tell_patients() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_patient SET stopped_channels = stopped_channels
     WHERE (NEW.channel = 'email' AND email = NEW.address AND email <> '')
        OR (NEW.channel = 'sms' AND phone = NEW.address AND phone <> '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_patients AFTER INSERT OR UPDATE ON accounts_contact
    FOR EACH ROW EXECUTE FUNCTION accounts_tell_patients();
"""
NOT_KNOWN = """
DROP TRIGGER tell_patients ON accounts_contact;
DROP FUNCTION accounts_tell_patients;
DROP TRIGGER a_known_addresses ON accounts_patient;
DROP FUNCTION accounts_known_addresses;
"""

# Nothing, or a whole number within bounds for each of the five.
WEIGHTS = """
-- The bounds are those of scheduler/plans.py: with them every score fits 64 bits.
CREATE FUNCTION accounts_are_weights(weights jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_typeof(weights) = 'object' AND (
        SELECT count(*) = 5 AND bool_and(
            key IN ('deviation', 'same_time', 'first_day', 'level', 'fragments')
            AND CASE WHEN jsonb_typeof(value) = 'number'
                THEN value::numeric BETWEEN 0 AND CASE key WHEN 'deviation' THEN 1e14 ELSE 1e9 END
                    AND value::numeric % 1 = 0
                ELSE false END)
        FROM jsonb_each(CASE WHEN jsonb_typeof(weights) = 'object' THEN weights ELSE '{}' END))
$$;
ALTER TABLE accounts_site ADD CONSTRAINT site_plan_weights
    CHECK (plan_weights = '{}' OR accounts_are_weights(plan_weights));
"""
NO_WEIGHTS = """
ALTER TABLE accounts_site DROP CONSTRAINT site_plan_weights;
DROP FUNCTION accounts_are_weights(jsonb);
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
        audited(
            "accounts_organization",
            "accounts_site",
            "accounts_user",
            "accounts_user_sites",
            "accounts_patient",
            "accounts_contact",
        ),
        fixed("accounts_site", "site_fixed", "organization_id"),
        migrations.RunSQL(KNOWN, NOT_KNOWN),
        migrations.RunSQL(WEIGHTS, NO_WEIGHTS),
    ]
