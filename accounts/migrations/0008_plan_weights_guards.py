"""What a site lets each term of a plan's cost count is nothing, or a whole number within bounds for each of the five."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

FORWARD = """
-- The bounds are those of scheduler/plans.py: with them every score fits 64 bits.
CREATE FUNCTION accounts_are_weights(weights jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_typeof(weights) = 'object' AND (
        SELECT count(*) = 5 AND bool_and(
            key IN ('deviation', 'same_time', 'first_day', 'level', 'fragments')
            AND CASE WHEN jsonb_typeof(value) = 'number'
                THEN value::numeric BETWEEN 0 AND CASE key WHEN 'deviation' THEN 1e14 ELSE 1e9 END
                    AND value::numeric % 1 = 0
                ELSE false END)
        FROM jsonb_each(CASE WHEN jsonb_typeof(weights) = 'object' THEN weights ELSE '{}' END))
$$;
ALTER TABLE accounts_site ADD CONSTRAINT site_plan_weights
    CHECK (plan_weights = '{}' OR accounts_are_weights(plan_weights));
"""
BACK = """
ALTER TABLE accounts_site DROP CONSTRAINT site_plan_weights;
DROP FUNCTION accounts_are_weights(jsonb);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0007_second_factor")]
    operations: ClassVar = [migrations.RunSQL(FORWARD, BACK)]
