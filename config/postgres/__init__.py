"""Django's way to PostgreSQL, with two things cheaper that every request pays for. Named by `settings.DATABASES`."""
