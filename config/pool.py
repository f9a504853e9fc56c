"""Loaded by the worker that `bin/run` starts: the processes of its pool end with it, whatever they are doing."""

from __future__ import annotations

import signal

from celery.signals import worker_process_init

from config.lifeline import end_with_parent


@worker_process_init.connect
def end_with_worker(**_: object) -> None:
    """Runs in each process of the pool as it starts."""
    end_with_parent(signal.SIGKILL)
