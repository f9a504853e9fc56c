"""Django's own: the app's name. Its label differs because Django's session framework already holds `sessions`."""

from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions"
    label = "infusion_sessions"
