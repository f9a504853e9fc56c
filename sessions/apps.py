"""Django's own: the app's name. Its label differs because Django's session framework already holds `sessions`."""

from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions"
    label = "infusion_sessions"

    def ready(self) -> None:
        """Let changes of supply and of people be checked against what is booked here."""
        from accounts import staff
        from scheduler import changes
        from sessions import disruptions, queries, supply_changes

        changes.watch(supply_changes.stranded)
        changes.mend_with(disruptions.open_draft)
        staff.count_with(queries.with_visits_to_come)
