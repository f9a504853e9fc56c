"""Settings, URLs, the Celery app and the embedded servers."""
