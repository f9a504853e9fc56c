"""`manage.py demo`: set up the demo clinic where there is none yet."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from web import demo


class Command(BaseCommand):
    """Makes the demo clinic of development; production has no demo sign-ins."""

    help = "Set up the demo clinic, its sign-ins and some weeks of bookings, unless it is there already."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the clinic; an existing one is left as it is."""
        if not settings.DEVELOPMENT:
            raise CommandError("The demo clinic has well-known passwords: it is made only with development settings.")
        self.stdout.write("The demo clinic is ready." if demo.make() else "The demo clinic is there already.")
