"""What the database keeps of the second factor.

A trail of its own: secrets and the hashes of codes stay out of it. Where a demand begins, or somebody becomes
staff of an organization, tokens that were given without a second factor end.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

TRAIL = """
CREATE FUNCTION accounts_audit_factor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept text[] := ARRAY['secret', 'recovery_hashes'];
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - kept END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - kept END;
BEGIN
    INSERT INTO accounts_auditentry (at, actor, action, record_type, record_id, before, after)
    VALUES (
        clock_timestamp(), nullif(current_setting('app.actor', true), '')::uuid, lower(TG_OP), TG_TABLE_NAME,
        coalesce(new_row, old_row) ->> 'id', old_row, new_row
    );
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON accounts_secondfactor
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_factor();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON accounts_secondfactor
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_not_emptied();
"""
NO_TRAIL = """
DROP TRIGGER not_emptied ON accounts_secondfactor;
DROP TRIGGER audit ON accounts_secondfactor;
DROP FUNCTION accounts_audit_factor;
"""

TOKENS_END = """
CREATE FUNCTION accounts_end_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts_organization' THEN
        DELETE FROM knox_authtoken t USING accounts_user u
        WHERE u.id = t.user_id AND u.organization_id = NEW.id AND NOT u.roles <@ '{patient}';
    ELSE
        DELETE FROM knox_authtoken WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER demand_begins AFTER UPDATE OF demands_second_factor ON accounts_organization
    FOR EACH ROW WHEN (NEW.demands_second_factor AND NOT OLD.demands_second_factor)
    EXECUTE FUNCTION accounts_end_tokens();
CREATE TRIGGER becomes_staff AFTER UPDATE OF roles, organization_id ON accounts_user
    FOR EACH ROW WHEN (NOT NEW.roles <@ '{patient}'
        AND (OLD.roles <@ '{patient}' OR OLD.organization_id IS DISTINCT FROM NEW.organization_id))
    EXECUTE FUNCTION accounts_end_tokens();
"""
TOKENS_STAY = """
DROP TRIGGER becomes_staff ON accounts_user;
DROP TRIGGER demand_begins ON accounts_organization;
DROP FUNCTION accounts_end_tokens;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0002_guards"), ("knox", "0009_extend_authtoken_field")]
    operations: ClassVar = [migrations.RunSQL(TRAIL, NO_TRAIL), migrations.RunSQL(TOKENS_END, TOKENS_STAY)]
