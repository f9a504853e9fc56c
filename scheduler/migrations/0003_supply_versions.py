"""What a site has to offer has a number that each change of it moves, whoever makes it, so that a copy can be known stale."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# The column of each table that leads to its site.
TABLES = {
    "scheduler_openinghours": "site_id",
    "scheduler_siteclosure": "site_id",
    "scheduler_chair": "site_id",
    "scheduler_provider": "site_id",
    "scheduler_chairclosure": "chair_id",
    "scheduler_availabilityrule": "provider_id",
    "scheduler_timeoff": "provider_id",
}
# Who changes a site's supply waits here for who changed it before: so the number that is committed last is of the last
# change. A sequence never gives a number again.
MOVES = """
CREATE SEQUENCE scheduler_versions;
CREATE FUNCTION scheduler_supply_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    way text := TG_ARGV[0];
    changed uuid[] := ARRAY[
        CASE WHEN TG_OP <> 'INSERT' THEN (to_jsonb(OLD) ->> way)::uuid END,
        CASE WHEN TG_OP <> 'DELETE' THEN (to_jsonb(NEW) ->> way)::uuid END
    ];
BEGIN
    INSERT INTO scheduler_supplyversion (site_id, version)
    SELECT id, nextval('scheduler_versions') FROM accounts_site WHERE id IN (
        SELECT unnest(changed) WHERE way IN ('id', 'site_id')
        UNION SELECT site_id FROM scheduler_chair WHERE way = 'chair_id' AND id = ANY(changed)
        UNION SELECT site_id FROM scheduler_provider WHERE way = 'provider_id' AND id = ANY(changed)
    ) ORDER BY id
    ON CONFLICT (site_id) DO UPDATE SET version = nextval('scheduler_versions');
    RETURN NULL;
END $$;
CREATE TRIGGER supply_moves AFTER UPDATE OF time_zone ON accounts_site
    FOR EACH ROW EXECUTE FUNCTION scheduler_supply_moves('id');
""" + "".join(
    f"CREATE TRIGGER supply_moves AFTER INSERT OR UPDATE OR DELETE ON {table} "
    f"FOR EACH ROW EXECUTE FUNCTION scheduler_supply_moves('{way}');"
    for table, way in TABLES.items()
)
UNDO = (
    "".join(f"DROP TRIGGER supply_moves ON {table};" for table in ("accounts_site", *TABLES))
    + "DROP FUNCTION scheduler_supply_moves; DROP SEQUENCE scheduler_versions"
)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("scheduler", "0002_guards")]
    operations: ClassVar = [migrations.RunSQL(MOVES, UNDO)]
