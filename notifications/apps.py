"""Django's own: the app's name."""

from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        """Let what happened to a visit be shown with what its patient was told."""
        from notifications import told
        from sessions import events

        events.tell_with(told.of_session)
