"""The Celery app: workers and beat start from here (`celery -A config.celery`)."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import beat_init, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("infusion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: object) -> None:
    """Leave logging as the settings have it: Celery sets up its own only where nobody listens to this signal."""


@beat_init.connect
def ask_at_once(**_: object) -> None:
    """Ask for everything that beat asks for as soon as it starts; by itself it would first wait an interval."""
    for entry in app.conf.beat_schedule.values():
        app.send_task(entry["task"], retry=False, **entry["options"])
