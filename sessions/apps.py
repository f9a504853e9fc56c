"""Django's own: the app's name. Its label differs because Django's session framework already holds `sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.db.models.signals import pre_delete

if TYPE_CHECKING:
    from scheduler.models import ChairClosure, SiteClosure, TimeOff


class SessionsConfig(AppConfig):
    name = "sessions"
    label = "infusion_sessions"

    def ready(self) -> None:
        """Let changes of supply and of people be checked against what is booked here."""
        from accounts import staff
        from scheduler import changes
        from scheduler.models import ChairClosure, SiteClosure, TimeOff
        from sessions import disruptions, queries, supply_changes

        changes.watch(supply_changes.left_silently)
        for record in (TimeOff, ChairClosure, SiteClosure):
            pre_delete.connect(_taken_back, sender=record)
        changes.mend_with(disruptions.open_draft)
        staff.count_with(queries.with_visits_to_come)


def _taken_back(instance: TimeOff | ChairClosure | SiteClosure, **_: Any) -> None:
    """Whoever removes an absence, by whichever way, leaves no draft that would mend it."""
    from sessions.disruptions import drop_drafts

    drop_drafts(instance)
