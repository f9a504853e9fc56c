"""A day's sessions have a number that each change of them moves, so that a copy of the day can be known stale."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar

from django.db import migrations, models

# The days that a session touches, as it was and as it is: whatever was known of them no longer holds.
TOUCH = """
CREATE FUNCTION sessions_days_move(site uuid, spans tstzrange[]) RETURNS void LANGUAGE sql
SET plan_cache_mode = force_generic_plan AS $$
    INSERT INTO infusion_sessions_siteday (site_id, date, version, booked)
        SELECT site, day, 1, nextval('scheduler_versions') FROM (
            SELECT DISTINCT each::date AS day FROM accounts_site a, unnest(spans) span, generate_series(
                (lower(span) AT TIME ZONE a.time_zone)::date, (upper(span) AT TIME ZONE a.time_zone)::date,
                interval '1 day') each
            WHERE a.id = site ORDER BY 1
        ) days
        ON CONFLICT (site_id, date) DO UPDATE
            SET version = infusion_sessions_siteday.version + 1, booked = nextval('scheduler_versions')
$$;
CREATE FUNCTION sessions_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sessions_days_move(OLD.site_id, ARRAY[tstzrange(OLD.start, OLD.turnover_end, '[]')]);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER removed AFTER DELETE ON infusion_sessions_session
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sessions_removed();
"""

# As it was, but for the days, and with one look where there were three.
GUARD = """
CREATE OR REPLACE FUNCTION sessions_guard() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    s infusion_sessions_session%ROWTYPE;
    fits record;
    who record;
    peak record;
BEGIN
    SELECT * INTO s FROM infusion_sessions_session WHERE id = NEW.id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM sessions_days_move(s.site_id, ARRAY[tstzrange(s.start, s.turnover_end, '[]')]
        || CASE WHEN TG_OP = 'UPDATE' THEN ARRAY[tstzrange(OLD.start, OLD.turnover_end, '[]')] END);

    IF TG_OP = 'UPDATE' AND (OLD.start, OLD.infuse_start, OLD."end", OLD.acuity, OLD.chair_id, OLD.nurse_id,
            OLD.prescriber_id, OLD.site_id, OLD.patient_id, OLD.series_id)
        IS NOT DISTINCT FROM (s.start, s.infuse_start, s."end", s.acuity, s.chair_id, s.nurse_id,
            s.prescriber_id, s.site_id, s.patient_id, s.series_id) THEN
        RETURN NULL;
    END IF;
    IF s.status IN ('cancelled', 'no_show') THEN RETURN NULL; END IF;

    SELECT EXISTS (SELECT 1 FROM infusion_sessions_series r
                   WHERE r.id = s.series_id AND r.patient_id = s.patient_id AND r.site_id = s.site_id) AS series,
           EXISTS (SELECT 1 FROM scheduler_chair c WHERE c.id = s.chair_id AND c.site_id = s.site_id) AS chair
      INTO fits;
    IF NOT fits.series THEN
        RAISE EXCEPTION 'the series is another patient''s or another site''s'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'session_of_its_series';
    END IF;
    IF NOT fits.chair THEN
        RAISE EXCEPTION 'the chair is another site''s'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'session_chair_of_its_site';
    END IF;

    FOR who IN SELECT p.* FROM scheduler_provider p WHERE p.id IN (s.nurse_id, s.prescriber_id) ORDER BY p.id FOR SHARE
    LOOP
        IF s.nurse_id = s.prescriber_id OR who.site_id <> s.site_id
            OR who.role <> (CASE WHEN who.id = s.nurse_id THEN 'nurse' ELSE 'prescriber' END) THEN
            RAISE EXCEPTION 'the provider has another role or site'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'session_provider_fits';
        END IF;
        SELECT * INTO peak FROM sessions_peak(who.id, who.role, s.start, s."end");
        IF peak.sessions > who.capacity OR (who.role = 'nurse' AND peak.acuity > who.max_acuity) THEN
            RAISE EXCEPTION 'the provider is beyond capacity'
                USING ERRCODE = 'check_violation', CONSTRAINT = who.role || '_capacity';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""
FORMER = import_module("sessions.migrations.0002_guards").GUARD.split("CREATE CONSTRAINT TRIGGER")[0]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0006_day_guards"), ("scheduler", "0005_supply_versions")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="siteday",
            name="booked",
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.RunSQL(
            TOUCH + GUARD,
            FORMER.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
            + "DROP TRIGGER removed ON infusion_sessions_session; DROP FUNCTION sessions_removed, sessions_days_move",
        ),
    ]
