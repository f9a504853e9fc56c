"""The entry point of the web server."""

from __future__ import annotations

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# Loaded before the server's processes are made, so that these share it; the collector would write on each page of it.
import_module(settings.ROOT_URLCONF)
gc.freeze()
