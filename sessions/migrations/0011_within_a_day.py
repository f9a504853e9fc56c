"""No session takes more than a day; so what a person has at a time is found by starts, and two GiST indexes are gone.

They were most of what it cost to insert a session and to judge capacity (ADR 18).
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import ClassVar

from django.db import migrations, models
from django.db.models.lookups import LessThanOrEqual

# As it was, but for how sessions are found. Of the two parts, the one of another role is never looked at.
PEAK = """
CREATE OR REPLACE FUNCTION sessions_peak(provider uuid, role text, since timestamptz, until timestamptz)
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
FORMER = import_module("sessions.migrations.0002_guards").PEAK.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("infusion_sessions", "0010_numbers_of_plans")]
    operations: ClassVar = [
        migrations.AddConstraint(
            model_name="session",
            constraint=models.CheckConstraint(
                condition=LessThanOrEqual(
                    models.F("turnover_end") - models.F("start"), models.Value(timedelta(days=1))
                ),
                name="session_within_a_day",
            ),
        ),
        migrations.AddIndex(
            model_name="session", index=models.Index(fields=["nurse", "start"], name="session_by_nurse")
        ),
        migrations.AddIndex(
            model_name="session", index=models.Index(fields=["prescriber", "start"], name="session_by_prescriber")
        ),
        migrations.RunSQL(PEAK, FORMER),
        migrations.RemoveIndex(model_name="session", name="session_of_nurse"),
        migrations.RemoveIndex(model_name="session", name="session_of_prescriber"),
    ]
