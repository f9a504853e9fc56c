"""`manage.py clock`: the second clock, beside beat."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from notifications import clock


class Command(BaseCommand):
    help = "Compares, escalates and sends what is due, beside beat and workers, until it is asked to stop."
    # They would load every view, for a second and 40 MB.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        clock.main()
