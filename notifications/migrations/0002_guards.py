"""Answers and alerts are in the audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0001_initial"), ("infusion_sessions", "0002_guards")]
    operations: ClassVar = [audited("notifications_followup", "notifications_alert")]
