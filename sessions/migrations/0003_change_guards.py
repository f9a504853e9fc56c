"""What the database itself keeps about disruptions, the waitlist and its offers: their states, their walls, their trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited, fixed

# An answer once given stands; so does a disruption's end. A draft that was replaced or applied is never applied again.
STATES = """
CREATE FUNCTION sessions_change_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.status, NEW.status) IN (
        ('draft', 'applied'), ('draft', 'replaced'), ('applied', 'undone'),
        ('open', 'accepted'), ('open', 'declined'), ('open', 'expired'), ('open', 'gone'),
        ('waiting', 'filled'), ('waiting', 'withdrawn'), ('waiting', 'expired')
    ) THEN
        RAISE EXCEPTION 'a row of % does not go from % to %', TG_TABLE_NAME, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'change_moves';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER move BEFORE UPDATE OF status ON infusion_sessions_disruption
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION sessions_change_moves();
CREATE TRIGGER move BEFORE UPDATE OF status ON infusion_sessions_waitlistentry
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION sessions_change_moves();
CREATE TRIGGER move BEFORE UPDATE OF status ON infusion_sessions_offer
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION sessions_change_moves();
"""

WALL = """
CREATE FUNCTION sessions_disruption_wall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM scheduler_provider p WHERE p.id = NEW.provider_id AND p.site_id = NEW.site_id)
        AND NEW.provider_id IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM scheduler_chair c WHERE c.id = NEW.chair_id AND c.site_id = NEW.site_id)
        AND NEW.chair_id IS NOT NULL THEN
        RAISE EXCEPTION 'what falls away is another site''s'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'disruption_of_its_site';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wall BEFORE INSERT ON infusion_sessions_disruption
    FOR EACH ROW EXECUTE FUNCTION sessions_disruption_wall();
CREATE FUNCTION sessions_offer_wall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM infusion_sessions_waitlistentry e
        WHERE e.id = NEW.entry_id AND e.patient_id = NEW.patient_id AND e.site_id = NEW.site_id
          AND e.session_id IS NOT DISTINCT FROM NEW.session_id
    ) THEN
        RAISE EXCEPTION 'the offer is for another wish' USING ERRCODE = 'check_violation', CONSTRAINT = 'offer_of_its_entry';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wall BEFORE INSERT ON infusion_sessions_offer FOR EACH ROW EXECUTE FUNCTION sessions_offer_wall();
"""

VERSIONS = "".join(
    f"CREATE TRIGGER bump_version BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION accounts_bump_version();"
    for table in ("infusion_sessions_disruption", "infusion_sessions_waitlistentry", "infusion_sessions_offer")
)
UNDO = "".join(
    f"DROP TRIGGER {name} ON {table};"
    for table in ("infusion_sessions_disruption", "infusion_sessions_waitlistentry", "infusion_sessions_offer")
    for name in ("move", "bump_version")
)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0002_guards")]
    operations: ClassVar = [
        migrations.RunSQL(
            STATES + WALL + VERSIONS,
            UNDO + "DROP TRIGGER wall ON infusion_sessions_disruption; DROP TRIGGER wall ON infusion_sessions_offer;"
            "DROP FUNCTION sessions_change_moves, sessions_disruption_wall, sessions_offer_wall",
        ),
        fixed(
            "infusion_sessions_disruption", "disruption_fixed", "site_id", "kind", "provider_id", "chair_id", "during"
        ),
        fixed("infusion_sessions_waitlistentry", "entry_fixed", "patient_id", "site_id", "protocol_id", "session_id"),
        fixed("infusion_sessions_offer", "offer_fixed", "entry_id", "patient_id", "session_id", "start", "expires_at"),
        audited("infusion_sessions_disruption", "infusion_sessions_waitlistentry", "infusion_sessions_offer"),
    ]
