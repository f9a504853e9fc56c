"""What the database keeps of passkeys: whose it is and its key never change, what it counts never goes back."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from accounts.audit import audited, fixed

COUNTER = """
CREATE TRIGGER goes_on BEFORE UPDATE OF sign_count ON accounts_passkey
    FOR EACH ROW WHEN (NEW.sign_count < OLD.sign_count) EXECUTE FUNCTION accounts_fixed('passkey_counter');
CREATE TRIGGER stays_stopped BEFORE UPDATE OF stopped_at ON accounts_passkey
    FOR EACH ROW WHEN (OLD.stopped_at IS NOT NULL) EXECUTE FUNCTION accounts_fixed('passkey_stopped');
"""
NO_COUNTER = """
DROP TRIGGER stays_stopped ON accounts_passkey;
DROP TRIGGER goes_on ON accounts_passkey;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0006_passkeys")]
    operations: ClassVar = [
        audited("accounts_passkey"),
        fixed("accounts_passkey", "passkey_fixed", "user_id", "credential_id", "public_key"),
        migrations.RunSQL(COUNTER, NO_COUNTER),
    ]
