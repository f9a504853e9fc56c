"""What the database keeps of answers, alerts and rosters: their trail; no roster with a gap while suicide is asked about."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited, fixed

# What the system says by itself has its own log; what a person repeats is theirs to answer for.
RESENT = """
CREATE TRIGGER resent AFTER INSERT ON notifications_message
    FOR EACH ROW WHEN (NEW.resend_of_id IS NOT NULL) EXECUTE FUNCTION accounts_audit()
"""

# That somebody closed a link is theirs to answer for; that one was sent stands in the log of messages.
REVOKED = """
CREATE TRIGGER revoked AFTER UPDATE OF revoked_at ON notifications_followuplink
    FOR EACH ROW EXECUTE FUNCTION accounts_audit()
"""

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

# A reading or an adverse event leaves its session's version where it was; the next tick looks at the session again.
LOOK_AGAIN = """
CREATE FUNCTION notifications_look_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM notifications_reconciled WHERE session_id = NEW.session_id;
    RETURN NEW;
END $$;
CREATE TRIGGER look_again AFTER INSERT ON infusion_sessions_vitalsigns
    FOR EACH ROW EXECUTE FUNCTION notifications_look_again();
CREATE TRIGGER look_again AFTER INSERT ON infusion_sessions_adverseevent
    FOR EACH ROW EXECUTE FUNCTION notifications_look_again();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0001_initial"), ("infusion_sessions", "0004_day_guards")]
    operations: ClassVar = [
        audited(
            "notifications_followup",
            "notifications_alert",
            "notifications_flagrule",
            "notifications_messageplan",
            "notifications_roster",
            "notifications_oncallshift",
            "notifications_pager",
            "notifications_wording",
            "notifications_calendarfeed",
            "notifications_reply",
        ),
        migrations.RunSQL(RESENT, "DROP TRIGGER resent ON notifications_message"),
        migrations.RunSQL(REVOKED, "DROP TRIGGER revoked ON notifications_followuplink"),
        fixed("notifications_followuplink", "link_opens_one_form", "follow_up_id", "token_hash"),
        migrations.RunSQL(
            ROSTER,
            "DROP TRIGGER roster_whole ON notifications_oncallshift; DROP FUNCTION notifications_roster_whole",
        ),
        migrations.RunSQL(
            LOOK_AGAIN,
            "DROP TRIGGER look_again ON infusion_sessions_vitalsigns;"
            "DROP TRIGGER look_again ON infusion_sessions_adverseevent; DROP FUNCTION notifications_look_again",
        ),
    ]
