"""What the database keeps of the day: a held series stays held, readings stay as written, boards learn of every change."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import append_only, audited

# A series on hold gets no further sessions and starts none; its patient gets no other series. What runs may end.
HOLD = """
CREATE FUNCTION sessions_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM infusion_sessions_series WHERE id = NEW.series_id AND status = 'on_hold') THEN
        RAISE EXCEPTION 'the series is on hold' USING ERRCODE = 'check_violation', CONSTRAINT = 'series_on_hold';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_new BEFORE INSERT ON infusion_sessions_session
    FOR EACH ROW EXECUTE FUNCTION sessions_hold();
CREATE TRIGGER hold_start BEFORE UPDATE OF status ON infusion_sessions_session
    FOR EACH ROW WHEN (NEW.status = 'infusing' AND OLD.status <> 'infusing') EXECUTE FUNCTION sessions_hold();
CREATE FUNCTION sessions_hold_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM infusion_sessions_series WHERE patient_id = NEW.patient_id AND status = 'on_hold') THEN
        RAISE EXCEPTION 'a series of the patient is on hold'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'patient_on_hold';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_patient BEFORE INSERT ON infusion_sessions_series
    FOR EACH ROW EXECUTE FUNCTION sessions_hold_patient();
"""

# A day's board is known by its version alone, so whatever the board shows has to move it. Changes of a session do by
# the guard; these do for what stands beside it. A change of supply moves the days around now; it holds the site's row.
BOARD = """
CREATE FUNCTION sessions_day_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE infusion_sessions_siteday d SET version = d.version + 1
    FROM infusion_sessions_session s JOIN accounts_site a ON a.id = s.site_id
    WHERE s.id = NEW.session_id AND d.site_id = s.site_id AND d.date = (s.start AT TIME ZONE a.time_zone)::date;
    RETURN NULL;
END $$;
CREATE TRIGGER day_moves AFTER INSERT ON infusion_sessions_vitalsigns
    FOR EACH ROW EXECUTE FUNCTION sessions_day_moves();
CREATE TRIGGER day_moves AFTER INSERT ON infusion_sessions_adverseevent
    FOR EACH ROW EXECUTE FUNCTION sessions_day_moves();
CREATE TRIGGER day_moves AFTER INSERT ON infusion_sessions_sessionevent
    FOR EACH ROW WHEN (NEW.system <> '') EXECUTE FUNCTION sessions_day_moves();

CREATE FUNCTION sessions_near_days_move(at uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE infusion_sessions_siteday d SET version = d.version + 1
    FROM (SELECT id FROM infusion_sessions_siteday
          WHERE site_id = at AND date BETWEEN current_date - 1 AND current_date + 1 ORDER BY date FOR UPDATE) near
    WHERE d.id = near.id
$$;
CREATE FUNCTION sessions_series_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sessions_near_days_move(NEW.site_id);
    RETURN NULL;
END $$;
CREATE TRIGGER day_moves AFTER UPDATE OF status ON infusion_sessions_series
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND 'on_hold' IN (OLD.status, NEW.status))
    EXECUTE FUNCTION sessions_series_moves();
CREATE FUNCTION sessions_supply_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(coalesce(NEW, OLD));
BEGIN
    PERFORM sessions_near_days_move(coalesce(
        (changed ->> 'site_id')::uuid,
        (SELECT site_id FROM scheduler_chair WHERE id = (changed ->> 'chair_id')::uuid),
        (SELECT site_id FROM scheduler_provider WHERE id = (changed ->> 'provider_id')::uuid)
    ));
    RETURN NULL;
END $$;
"""
SUPPLY = (
    "scheduler_openinghours",
    "scheduler_siteclosure",
    "scheduler_chair",
    "scheduler_chairclosure",
    "scheduler_provider",
    "scheduler_availabilityrule",
    "scheduler_timeoff",
)
SUPPLY_MOVES = "".join(
    f"CREATE TRIGGER day_moves AFTER INSERT OR UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION sessions_supply_moves();"
    for table in SUPPLY
)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0003_change_guards")]
    operations: ClassVar = [
        migrations.RunSQL(
            HOLD,
            "DROP TRIGGER hold_new ON infusion_sessions_session; DROP TRIGGER hold_start ON infusion_sessions_session;"
            "DROP TRIGGER hold_patient ON infusion_sessions_series;"
            "DROP FUNCTION sessions_hold, sessions_hold_patient",
        ),
        migrations.RunSQL(
            BOARD + SUPPLY_MOVES,
            "DROP FUNCTION sessions_day_moves, sessions_near_days_move, sessions_series_moves, sessions_supply_moves"
            " CASCADE",
        ),
        append_only("infusion_sessions_vitalsigns"),
        append_only("infusion_sessions_adverseevent"),
        audited("infusion_sessions_vitalsigns", "infusion_sessions_adverseevent"),
    ]
