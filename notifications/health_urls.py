"""Addresses for probes, below `/healthz/`."""

from __future__ import annotations

from django.urls import path

from notifications import health

urlpatterns = [path("live", health.live, name="live"), path("ready", health.ready, name="ready")]
