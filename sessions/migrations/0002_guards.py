"""What the database itself keeps about sessions: capacity, the states' order, versions, history."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import append_only, audited, fixed

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

# Deferred to commit, like the exclusion constraints: sessions may swap within one transaction.
# Every change touches the row of its site's day first. Two that meet there go one after the other: at READ COMMITTED the
# second then sees the first, at REPEATABLE READ it fails. So the peak below is always taken over all that counts.
GUARD = """
-- A plan made anew for each row would cost more than the row, and would pick an index by yesterday's figures.
CREATE FUNCTION sessions_guard() RETURNS trigger LANGUAGE plpgsql
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
CREATE CONSTRAINT TRIGGER guard AFTER INSERT OR UPDATE ON infusion_sessions_session
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sessions_guard();
"""

# A peak is always reached at some session's start, so only the starts need to be looked at. No session takes more than a
# day (`session_within_a_day`), so whom somebody has is found by starts (ADR 18). Of the two parts, the one of another
# role is never looked at.
PEAK = """
CREATE FUNCTION sessions_peak(provider uuid, role text, since timestamptz, until timestamptz)
RETURNS TABLE (sessions bigint, acuity bigint) LANGUAGE sql STABLE AS $$
    WITH near AS (
        SELECT id, start AS begins, "end" AS ends, s.acuity FROM infusion_sessions_session s
        WHERE role = 'nurse' AND nurse_id = provider AND start < until AND start > since - interval '24 hours'
          AND "end" > since AND status NOT IN ('cancelled', 'no_show')
        UNION ALL
        SELECT id, infuse_start, "end", s.acuity FROM infusion_sessions_session s
        WHERE role = 'prescriber' AND prescriber_id = provider AND start < until AND start > since - interval '24 hours'
          AND infuse_start < until AND "end" > since AND status NOT IN ('cancelled', 'no_show')
    )
    SELECT coalesce(max(n), 0), coalesce(max(points), 0) FROM (
        SELECT count(*) AS n, sum(b.acuity) AS points
        FROM near a JOIN near b ON b.begins <= a.begins AND b.ends > a.begins GROUP BY a.id
    ) at_starts
$$;
"""

# Lowering a provider's limits below what is booked is refused like any other overbooking.
# Only at READ COMMITTED does such a check see what was booked while it waited for the provider's row.
LIMITS = """
CREATE FUNCTION sessions_at_read_committed() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'what a provider may do is narrowed at READ COMMITTED only'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'provider_at_read_committed';
    END IF;
END $$;
CREATE FUNCTION sessions_provider_limits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    peak record;
BEGIN
    IF NEW.capacity < OLD.capacity OR coalesce(NEW.max_acuity < coalesce(OLD.max_acuity, 'infinity'::real), false) THEN
        PERFORM sessions_at_read_committed();
    END IF;
    SELECT * INTO peak FROM sessions_peak(NEW.id, NEW.role, now(), 'infinity');
    IF peak.sessions > NEW.capacity OR (NEW.role = 'nurse' AND peak.acuity > NEW.max_acuity) THEN
        RAISE EXCEPTION 'more is booked than the new limits allow'
            USING ERRCODE = 'check_violation', CONSTRAINT = NEW.role || '_capacity';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER limits AFTER UPDATE OF capacity, max_acuity ON scheduler_provider
    FOR EACH ROW EXECUTE FUNCTION sessions_provider_limits();

CREATE FUNCTION sessions_provider_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sessions_at_read_committed();
    IF EXISTS (SELECT 1 FROM infusion_sessions_session
               WHERE status NOT IN ('cancelled', 'no_show', 'completed', 'stopped_early')
               AND ((nurse_id = NEW.id AND NEW.role <> 'nurse') OR (prescriber_id = NEW.id AND NEW.role <> 'prescriber')))
    THEN
        RAISE EXCEPTION 'the provider has sessions in the former role'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'provider_role_in_use';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER role AFTER UPDATE OF role ON scheduler_provider DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION sessions_provider_role();
"""

# The same table as sessions.lifecycle.MOVES, kept here too so that no path can skip a state; a test compares them.
STATES = """
CREATE FUNCTION sessions_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('booked', 'confirmed'), ('booked', 'arrived'), ('booked', 'cancelled'), ('booked', 'no_show'),
        ('confirmed', 'booked'), ('confirmed', 'arrived'), ('confirmed', 'cancelled'), ('confirmed', 'no_show'),
        ('arrived', 'infusing'), ('arrived', 'cancelled'),
        ('infusing', 'recovering'),
        ('recovering', 'completed'), ('recovering', 'stopped_early')
    ) THEN
        RAISE EXCEPTION 'a session does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'session_moves';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER move BEFORE UPDATE OF status ON infusion_sessions_session
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION sessions_move();
"""

# The wall between organizations, where a series joins a patient, a protocol and a site.
WALL = """
CREATE FUNCTION sessions_wall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM accounts_site here JOIN scheduler_protocol p ON p.organization_id = here.organization_id
        JOIN accounts_site home ON home.organization_id = here.organization_id
        JOIN accounts_patient who ON who.site_id = home.id
        WHERE here.id = NEW.site_id AND p.id = NEW.protocol_id AND who.id = NEW.patient_id
    ) THEN
        RAISE EXCEPTION 'patient, protocol and site are not of one organization'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'series_of_one_organization';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wall BEFORE INSERT OR UPDATE OF protocol_id ON infusion_sessions_series
    FOR EACH ROW EXECUTE FUNCTION sessions_wall();
"""

VERSIONS = """
CREATE TRIGGER bump_version BEFORE UPDATE ON infusion_sessions_session
    FOR EACH ROW EXECUTE FUNCTION accounts_bump_version();
CREATE FUNCTION sessions_bump_series() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.row_version := OLD.row_version + (NEW IS DISTINCT FROM OLD)::int;
    RETURN NEW;
END $$;
CREATE TRIGGER bump_version BEFORE UPDATE ON infusion_sessions_series
    FOR EACH ROW EXECUTE FUNCTION sessions_bump_series();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0001_initial"), ("scheduler", "0003_supply_versions")]
    operations: ClassVar = [
        migrations.RunSQL(
            TOUCH + PEAK + GUARD + LIMITS + STATES + WALL + VERSIONS,
            "DROP TRIGGER guard ON infusion_sessions_session; DROP TRIGGER removed ON infusion_sessions_session; DROP TRIGGER limits ON scheduler_provider;"
            "DROP TRIGGER role ON scheduler_provider;"
            "DROP TRIGGER move ON infusion_sessions_session; DROP TRIGGER bump_version ON infusion_sessions_session;"
            "DROP TRIGGER bump_version ON infusion_sessions_series; DROP TRIGGER wall ON infusion_sessions_series;"
            "DROP FUNCTION sessions_guard, sessions_provider_limits, sessions_move, sessions_bump_series, sessions_peak, sessions_wall,"
            " sessions_provider_role, sessions_at_read_committed, sessions_removed, sessions_days_move",
        ),
        append_only("infusion_sessions_sessionevent"),
        # What the guard looked up for a session must stay as it was.
        fixed("scheduler_chair", "chair_fixed", "site_id"),
        fixed("scheduler_provider", "provider_fixed", "site_id"),
        fixed("infusion_sessions_series", "series_fixed", "patient_id", "site_id"),
        audited(
            "infusion_sessions_order",
            "infusion_sessions_plan",
            "infusion_sessions_series",
            "infusion_sessions_session",
        ),
    ]
