"""Answers, alerts, and messages that somebody had sent once more are in the audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited

# What the system says by itself has its own log; what a person repeats is theirs to answer for.
RESENT = """
CREATE TRIGGER resent AFTER INSERT ON notifications_message
    FOR EACH ROW WHEN (NEW.resend_of_id IS NOT NULL) EXECUTE FUNCTION accounts_audit()
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0001_initial"), ("infusion_sessions", "0002_guards")]
    operations: ClassVar = [
        audited("notifications_followup", "notifications_alert"),
        migrations.RunSQL(RESENT, "DROP TRIGGER resent ON notifications_message"),
    ]
