"""What the database keeps of who works here.

Somebody who decides over people always remains, and somebody who is told of alerts. Who is sent away is out at once:
the round that sessions name goes on, and tokens end. The trail of letters holds what was asked for, and no link.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited

# The organization's row is locked, so that of two at once the second sees what the first has done.
REMAINS = """
CREATE FUNCTION accounts_somebody_remains() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    had text[] := OLD.roles;
    has text[] := '{}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.is_active AND NEW.organization_id = OLD.organization_id THEN has := NEW.roles; END IF;
    END IF;
    PERFORM 1 FROM accounts_organization WHERE id = OLD.organization_id FOR NO KEY UPDATE;
    IF 'admin' = ANY (had) AND NOT 'admin' = ANY (has) AND NOT EXISTS (
        SELECT 1 FROM accounts_user
        WHERE organization_id = OLD.organization_id AND is_active AND 'admin' = ANY (roles)
    ) THEN
        RAISE EXCEPTION 'the last admin of an organization stays' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'last_admin';
    END IF;
    IF NOT has && '{admin,manager}' AND NOT EXISTS (
        SELECT 1 FROM accounts_user
        WHERE organization_id = OLD.organization_id AND is_active AND roles && '{admin,manager}'
    ) THEN
        RAISE EXCEPTION 'the last manager of an organization stays' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'last_manager';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER somebody_remains AFTER UPDATE OF roles, is_active, organization_id ON accounts_user
    FOR EACH ROW WHEN (OLD.is_active AND OLD.organization_id IS NOT NULL AND OLD.roles && '{admin,manager}'
        AND (OLD.roles IS DISTINCT FROM NEW.roles OR NOT NEW.is_active
             OR OLD.organization_id IS DISTINCT FROM NEW.organization_id))
    EXECUTE FUNCTION accounts_somebody_remains();
CREATE TRIGGER somebody_remains_after_removal AFTER DELETE ON accounts_user
    FOR EACH ROW WHEN (OLD.is_active AND OLD.organization_id IS NOT NULL AND OLD.roles && '{admin,manager}')
    EXECUTE FUNCTION accounts_somebody_remains();
"""
NOT_REMAINS = """
DROP TRIGGER somebody_remains_after_removal ON accounts_user;
DROP TRIGGER somebody_remains ON accounts_user;
DROP FUNCTION accounts_somebody_remains;
"""

LEAVES = """
CREATE FUNCTION accounts_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM accounts_site WHERE on_call_id = NEW.id) THEN
        RAISE EXCEPTION 'a site would tell nobody of its alerts' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'on_call';
    END IF;
    NEW.session_round := OLD.session_round + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER leaves BEFORE UPDATE OF is_active ON accounts_user
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION accounts_leaves();
CREATE TRIGGER round_ends AFTER UPDATE ON accounts_user
    FOR EACH ROW WHEN (NEW.session_round <> OLD.session_round) EXECUTE FUNCTION accounts_end_tokens();
CREATE FUNCTION accounts_on_call_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM accounts_user WHERE id = NEW.on_call_id AND is_active FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'who is told of alerts is somebody who is here' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'on_call_active';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER on_call_active BEFORE INSERT OR UPDATE OF on_call_id ON accounts_site
    FOR EACH ROW EXECUTE FUNCTION accounts_on_call_active();
"""
NOT_LEAVES = """
DROP TRIGGER on_call_active ON accounts_site;
DROP FUNCTION accounts_on_call_active;
DROP TRIGGER round_ends ON accounts_user;
DROP TRIGGER leaves ON accounts_user;
DROP FUNCTION accounts_leaves;
"""

# As it is asked for, a letter has no link yet.
LETTERS = """
ALTER TABLE accounts_invitation ADD CONSTRAINT invitation_roles CHECK (
    cardinality(roles) > 0 AND roles <@ '{front_desk,nurse,prescriber,manager,auditor,admin}');
CREATE TRIGGER audit AFTER INSERT ON accounts_letter FOR EACH ROW EXECUTE FUNCTION accounts_audit();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON accounts_letter
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_not_emptied();
"""
NO_LETTERS = """
DROP TRIGGER not_emptied ON accounts_letter;
DROP TRIGGER audit ON accounts_letter;
ALTER TABLE accounts_invitation DROP CONSTRAINT invitation_roles;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0004_staff")]
    operations: ClassVar = [
        migrations.RunSQL(REMAINS, NOT_REMAINS),
        migrations.RunSQL(LEAVES, NOT_LEAVES),
        audited("accounts_invitation", "accounts_invitation_sites"),
        migrations.RunSQL(LETTERS, NO_LETTERS),
    ]
