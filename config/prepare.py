"""Collects static files, brings the database up to date and makes the demo clinic, in one process.

`python -m config.prepare [--demo]`
"""

from __future__ import annotations

import os
import sys
import time

import django
from django.core.management import call_command, get_commands
from django.db import OperationalError, connection

WAIT_SECONDS = 60  # a database that was killed first reads its log again


def wait_for_database() -> None:
    """Returns once the database answers; OperationalError when it does not in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main() -> None:
    """Migrations, then the demo clinic where it is asked for (the command leaves an existing one alone).

    Static files of our own pages only: those of packages are served from where they are.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    wait_for_database()
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["drf_spectacular_sidecar"])
    call_command("migrate", interactive=False, verbosity=0)
    if "--demo" in sys.argv[1:] and "demo" in get_commands():
        call_command("demo")


if __name__ == "__main__":
    main()
