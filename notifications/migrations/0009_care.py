"""Alerts about what was read and what went ill at a visit."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

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
UNDO = """
DROP TRIGGER look_again ON infusion_sessions_vitalsigns; DROP TRIGGER look_again ON infusion_sessions_adverseevent;
DROP FUNCTION notifications_look_again;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0006_plan_weights"),
        ("infusion_sessions", "0010_numbers_of_plans"),
        ("notifications", "0008_offers_and_together"),
    ]

    operations: ClassVar = [
        migrations.RunSQL(LOOK_AGAIN, UNDO),
        migrations.RemoveConstraint(
            model_name="alert",
            name="alert_has_a_cause",
        ),
        migrations.AddField(
            model_name="alert",
            name="adverse_event",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="infusion_sessions.adverseevent",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="reading",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="infusion_sessions.vitalsigns",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("reading", "kind"), name="alert_of_reading_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(fields=("adverse_event", "kind"), name="alert_of_adverse_event_once"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("follow_up__isnull", False),
                    ("message__isnull", False),
                    ("reading__isnull", False),
                    ("adverse_event__isnull", False),
                    _connector="OR",
                ),
                name="alert_has_a_cause",
            ),
        ),
    ]
