"""All that a booking locks, in one question."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# The order of sessions/door.py. Each statement sees what was committed while the one before it waited.
LOCK = """
CREATE FUNCTION sessions_lock_days(site uuid, days date[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO infusion_sessions_siteday (site_id, date, version)
        SELECT DISTINCT site, day, 1 FROM unnest(days) day
        WHERE NOT EXISTS (SELECT 1 FROM infusion_sessions_siteday d WHERE d.site_id = site AND d.date = day)
        ORDER BY day ON CONFLICT DO NOTHING;
    PERFORM 1 FROM infusion_sessions_siteday d WHERE d.site_id = site AND d.date = ANY(days) ORDER BY d.date FOR UPDATE;
END $$;
CREATE FUNCTION sessions_lock(patient uuid, site uuid, days date[], sessions uuid[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM 1 FROM accounts_patient p WHERE p.id = patient FOR NO KEY UPDATE;
    PERFORM 1 FROM accounts_site s WHERE s.id = site FOR SHARE;
    PERFORM sessions_lock_days(site, days);
    PERFORM 1 FROM infusion_sessions_session s WHERE s.id = ANY(sessions) ORDER BY s.id FOR NO KEY UPDATE;
END $$;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0004_day_guards")]
    operations: ClassVar = [migrations.RunSQL(LOCK, "DROP FUNCTION sessions_lock, sessions_lock_days")]
