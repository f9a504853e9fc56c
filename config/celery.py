"""The Celery app: workers and beat start from here (`celery -A config.celery`)."""

from __future__ import annotations

import gc
import logging
import os

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_before_create_process

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Checks belong to `bin/check` and to deploying. Here they would load every view, for a second and 40 MB a process.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

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
        logger.info("asked at once for %s", entry["task"])


@worker_before_create_process.connect
def share_what_is_loaded(**_: object) -> None:
    """Let the processes of a pool share what was loaded before them: the collector would write on each page of it."""
    gc.freeze()
