"""Rosters, rules and plans are in the audit trail; while a questionnaire asks about suicide, no roster leaves a gap."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited

# Judged at commit, when a roster is whole. The week has 10,080 minutes; a shift over Sunday's end has two spans.
ROSTER = """
CREATE FUNCTION notifications_roster_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid := coalesce(NEW.roster_id, OLD.roster_id);
    covered int4multirange;
BEGIN
    SELECT range_agg(part) INTO covered FROM (
        SELECT weekday * 1440 + extract(hour FROM start_time)::int * 60 + extract(minute FROM start_time)::int AS begins,
               weekday * 1440 + extract(hour FROM end_time)::int * 60 + extract(minute FROM end_time)::int
                   + CASE WHEN end_time <= start_time THEN 1440 ELSE 0 END AS ends
          FROM notifications_oncallshift WHERE roster_id = changed
    ) shift, LATERAL (VALUES (int4range(begins, least(ends, 10080))),
                             (int4range(0, greatest(ends - 10080, 0)))) AS split (part);
    IF covered IS NULL OR covered @> int4range(0, 10080) THEN RETURN NULL; END IF;
    IF EXISTS (
        SELECT 1 FROM notifications_roster r JOIN accounts_site s ON s.id = r.site_id
          JOIN scheduler_protocol p ON p.organization_id = s.organization_id AND p.status = 'approved',
               LATERAL jsonb_array_elements(p.follow_ups) AS asked
         WHERE r.id = changed AND asked ->> 'instrument' IN ('PHQ-9', 'ASQ')
    ) THEN
        RAISE EXCEPTION 'a roster leaves an hour empty while a questionnaire asks about suicide'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'roster_gap';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER roster_whole AFTER INSERT OR UPDATE OR DELETE ON notifications_oncallshift
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notifications_roster_whole();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0004_engine")]
    operations: ClassVar = [
        audited(
            "notifications_flagrule", "notifications_messageplan", "notifications_roster", "notifications_oncallshift"
        ),
        migrations.RunSQL(
            ROSTER,
            "DROP TRIGGER roster_whole ON notifications_oncallshift; DROP FUNCTION notifications_roster_whole",
        ),
    ]
