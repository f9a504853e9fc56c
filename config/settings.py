"""Settings, from the environment only. `ENVIRONMENT=development` relaxes what a laptop cannot have: TLS, a set key."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import reset_tzpath

import environ
from django.core.exceptions import ImproperlyConfigured

# Zones come from the locked `tzdata` alone, so that a clinic's clock does not depend on the machine it runs on.
reset_tzpath(to=[])

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

ENVIRONMENT = env("ENVIRONMENT", default="production")
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = False

SECRET_KEY = env("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Production needs one of at least 50 random characters; bin/run makes one by itself."
    )
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "accounts",
    "scheduler",
    "sessions.apps.SessionsConfig",
    "notifications",
    "web",
]

MIDDLEWARE = [
    "config.logs.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.http.staying.StaySignedIn",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]

ROOT_URLCONF = "config.urls"
# A POST without the last slash is a 404, not a redirect that loses its body.
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "accounts.http.problems.csrf_failed"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Where the truth lives. A short lock wait turns a stuck neighbour into an answer instead of a hanging request.
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db("DATABASE_URL", default="postgresql://postgres:@/postgres?host=/var/run/postgresql")
}
DATABASES["default"]["ENGINE"] = "config.postgres"
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    "options", "-c lock_timeout=5s -c statement_timeout=15s -c idle_in_transaction_session_timeout=60s"
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "infusion",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.signed_in.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English"), ("es", "Español")]

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=BASE_DIR / "static").__str__()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static.StaticFiles"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Mail and texts. `consolemail://` and `smtp://` are understood by EMAIL_URL; SMS_URL is `file:///path/to/folder`.
# Never the console in production: mails would count as sent, and the log would hold addresses and links.
EMAIL_URL = env("EMAIL_URL", default="consolemail://" if DEVELOPMENT else "smtp://localhost:25")
# `anymail+resend://?API_KEY=...`: a provider's HTTP interface by django-anymail, its settings as the query names them.
if EMAIL_URL.startswith("anymail+"):
    _provider, _query = urlsplit(EMAIL_URL).scheme.removeprefix("anymail+"), urlsplit(EMAIL_URL).query
    EMAIL_BACKEND = f"anymail.backends.{_provider}.EmailBackend"
    ANYMAIL = {f"{_provider}_{name}".upper(): values[0] for name, values in parse_qs(_query).items()}
    ANYMAIL |= {"REQUESTS_TIMEOUT": 5, "WEBHOOK_SECRET": env("MAIL_WEBHOOK_SECRET", default="")}
else:
    vars().update(env.email_url_config(EMAIL_URL))
# Four steps of a delivery fit into one lease.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="clinic@localhost.localdomain")
# `twilio://ACCOUNT_SID:AUTH_TOKEN@api.twilio.com?from=+13125550100` in production.
SMS_URL = env("SMS_URL", default="")
# Nobody is texted between these, by the patient's own clock, unless the patient says other hours; twice the same hour
# switches them off. The law's hours are 8 to 21, in some states 8 to 20 or 9 to 18, and about marketing; these are a
# clinic's policy, to be reviewed by each clinic.
QUIET_HOURS = (env("QUIET_FROM", default="20:00"), env("QUIET_UNTIL", default="09:00"))
# Without a recorded consent: what the exemption for health care allows (FCC 2015). With it: a guard against a fault.
# To one number, by its owner's days; a day's cap of 0 switches both off.
TEXTS_WITHOUT_CONSENT = {
    "day": env.int("TEXTS_A_DAY_WITHOUT_CONSENT", default=1),
    "week": env.int("TEXTS_A_WEEK_WITHOUT_CONSENT", default=3),
}
TEXTS_AT_MOST = {"day": env.int("TEXTS_A_DAY", default=5), "week": env.int("TEXTS_A_WEEK", default=20)}

REST_FRAMEWORK: dict[str, Any] = {
    "EXCEPTION_HANDLER": "accounts.http.problems.handle",
    "DEFAULT_SCHEMA_CLASS": "accounts.http.openapi.HouseSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.http.authentication.BearerAuthentication",
        "accounts.http.authentication.PageAuthentication",
    ],
    "DEFAULT_PARSER_CLASSES": ["accounts.http.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["accounts.http.rendering.JSONRenderer"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": env.int("TRUSTED_PROXIES", default=0),
}
CALLS_PER_MINUTE = {"user": 6000, "anonymous": 600}
SIGN_IN_FAILURES = {"account": 10, "address": 100, "seconds": 300}
# How often a link to sign in with may be asked for, and for how long it is good.
SIGN_IN_LINKS = {"account": 5, "address": 50, "seconds": 900}
SIGN_IN_LINK_SECONDS = 900
# How often an address may begin to sign in with a passkey: each leaves a session behind.
PASSKEY_CHALLENGES = {"address": 200, "seconds": 300}
# How long mails to staff may be sent, and the links in them used: over a weekend to come in, a day for a new password.
STAFF_LINK_SECONDS = {"invitation": 3 * 86_400, "password": 86_400, "factor_reset": 86_400, "passkey_added": 86_400}
# Whether a new organization lets its staff in only with a second factor; each may say otherwise for itself.
SECOND_FACTOR_DEMANDED = env.bool("SECOND_FACTOR_DEMANDED", default=not DEVELOPMENT)
# Staff who do nothing for so long sign in again, and in any case after SESSION_COOKIE_AGE; 0 switches it off.
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", default=15)
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Infusion session scheduling",
    "DESCRIPTION": "Plans, books and runs series of infusions; sends reminders and follow-up check-ins.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "PATH_CONVERTER_OVERRIDES": {"record_id": {"type": "string", "format": "uuid"}},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "SessionStatus": "sessions.models.SessionStatus",
        "SeriesStatus": "sessions.models.SeriesStatus",
        "ProtocolStatus": "scheduler.models.Protocol.Status",
        "MessageStatus": "notifications.models.MessageStatus",
        "AlertStatus": "notifications.models.AlertStatus",
        "Channel": "accounts.models.Channel",
        "ReplyKind": "notifications.models.ReplyKind",
        "ReplyStatus": "notifications.models.ReplyStatus",
        "WordingKind": "notifications.api.talk_shapes.KINDS",
        "ChairKind": "scheduler.models.ChairKind",
        "ProviderRole": "scheduler.models.ProviderRole",
        "LimitAction": "scheduler.gates.ACTIONS",
        "AdverseAction": "sessions.adverse_events.ACTIONS",
        "AdverseOutcome": "sessions.adverse_events.OUTCOMES",
        "GateOutcome": "sessions.api.day_serializers.OUTCOMES",
        "ScoreInstrument": "scheduler.api.day_serializers.INSTRUMENTS",
    },
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(hours=12), "AUTO_REFRESH": False}

# The broker carries work, never truth: tasks have row ids or no arguments, and nothing waits in it for long.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 2}
TICK_SECONDS = env.float("TICK_SECONDS", default=5.0)
SWEEP_SECONDS = 600
CLOCK_SECONDS = env.float("CLOCK_SECONDS", default=1.0)
CELERY_BEAT_SCHEDULE = {
    "idempotency-keys": {"task": "accounts.forget_expired_keys", "schedule": 3600.0, "options": {"expires": 600}},
    "changes": {"task": "sessions.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS * 0.9}},
    # `expires` below the tick: a worker that was away does not come back to a heap of old ticks.
    "messages": {"task": "notifications.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS * 0.9}},
}

HOLDS_AT_MOST = 5
FOLLOW_UP_LIFE_DAYS = 7
MESSAGE_HORIZON_DAYS = 400
METRICS_TOKEN = env("METRICS_TOKEN", default="")
LEASE_SECONDS = env.int("LEASE_SECONDS", default=30)
SEND_ATTEMPTS_AT_MOST = 8
# By one process. So many mails may be `unknown` after it was killed.
SENDING_AT_ONCE = env.int("SENDING_AT_ONCE", default=4)

if not DEVELOPMENT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    # A browser takes such a cookie from this host alone and sends it nowhere else.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = "__Host-session", "__Host-csrf", "__Host-language"
    LANGUAGE_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.JsonLines"}},
    "filters": {"hide_tokens": {"()": "config.logs.HideTokens"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["hide_tokens"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR"},
        # It would log each request's address, which holds the carrier's account.
        "httpx2": {"level": "WARNING"},
        # It would log the ids of passkeys.
        "fido2": {"level": "WARNING"},
        # These have handlers of their own, which would write other lines.
        "gunicorn.error": {"handlers": ["stderr"]},
        "gunicorn.access": {"handlers": ["stderr"]},
    },
}
logging.captureWarnings(True)
