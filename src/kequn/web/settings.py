"""Django settings of the workbench. Everything that varies comes from the environment or the workspace."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from csp.constants import NONE, SELF

from kequn.web import environment

# names and titles are spelt sign by sign; what whole phrases sound like takes 34 MB in each process
os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")

BASE = Path(__file__).resolve().parent
WORKSPACE = environment.workspace_path()
PRIVATE = environment.private_folder(WORKSPACE)
FACTS = environment.workspace_facts(WORKSPACE)

# --- who we are ------------------------------------------------------------------------------------------------------
SECRET_KEY = environment.secret_key(WORKSPACE)
SECRET_KEY_FALLBACKS = environment.words("KEQUN_SECRET_KEY_FALLBACKS")
DEBUG = environment.flag("KEQUN_DEBUG")
ALLOWED_HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    socket.gethostname(),
    *environment.words("KEQUN_ALLOWED_HOSTS"),
]
CSRF_TRUSTED_ORIGINS = environment.words("KEQUN_TRUSTED_ORIGINS")
ROOT_URLCONF = "kequn.web.urls"
WSGI_APPLICATION = "kequn.web.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "rules",
    "kequn.web.audit",
    "kequn.web.accounts",
    "kequn.web.jobs",
    "kequn.web.definitions",
    "kequn.web.tags",
    "kequn.web.ui",
]
MIDDLEWARE = [
    "kequn.web.middleware.health",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kequn.web.middleware.headers",
    "kequn.web.middleware.Compressed",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "kequn.web.middleware.person",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "kequn.web.middleware.one_snapshot",
    "kequn.web.middleware.errors",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # a page brings its own templates: pages/<page>/templates/<page>/…
        "DIRS": [BASE / "templates", *sorted((BASE / "pages").glob("*/templates"))],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "kequn.web.ui.context.shell",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "kequn.web.ui.templatetags.kequn",
                "kequn.web.ui.templatetags.steady",
            ],
        },
    }
]

# --- state -----------------------------------------------------------------------------------------------------------
DATABASES = {"default": environment.database(WORKSPACE)}
CACHES = {
    # shared by all processes: throttles and API rates
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "kequn_cache"},
    # one per process: exact counts of this snapshot
    "counts": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 4096},
        "TIMEOUT": None,
    },
}

# --- people ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "kequn.web.accounts.passwords.PasswordBackend",
]
PASSWORD_HASHERS = [
    "kequn.web.accounts.passwords.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login:index"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login:index"
PASSWORD_RESET_TIMEOUT = 60 * 60 * 24
REQUIRE_TOTP_ROLES = environment.words("KEQUN_REQUIRE_TOTP")
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "kequn.web.pages.login.views.locked_out"
AXES_VERBOSE = False
SESSION_COOKIE_NAME = "kequn_session"
SESSION_COOKIE_AGE = 60 * 60 * 8  # idle time; `person` middleware ends a session after a week in any case
SESSION_SAVE_EVERY_REQUEST = False
SESSION_ABSOLUTE_AGE = 60 * 60 * 24 * 7

# --- transport and browser -------------------------------------------------------------------------------------------
HTTPS = environment.flag("KEQUN_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "kequn_csrf"
CSRF_FAILURE_VIEW = "kequn.web.middleware.csrf_failure"
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_TEMP_DIR = None

# --- language --------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"  # the language of the source strings
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "kequn_language"
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
LOCALE_PATHS = [BASE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = FACTS.time_zone

# --- files -----------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE / "static"]
STATIC_ROOT = PRIVATE / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
MEDIA_ROOT = PRIVATE / "uploads"

# --- mail ------------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = os.environ.get("KEQUN_MAIL_FROM", "kequn@localhost")
if os.environ.get("KEQUN_SMTP_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = os.environ["KEQUN_SMTP_HOST"]
    EMAIL_PORT = int(os.environ.get("KEQUN_SMTP_PORT", "587"))
    EMAIL_HOST_USER = os.environ.get("KEQUN_SMTP_USER", "")
    EMAIL_HOST_PASSWORD = os.environ.get("KEQUN_SMTP_PASSWORD", "")
    EMAIL_USE_TLS = EMAIL_PORT == 587
    EMAIL_USE_SSL = EMAIL_PORT == 465
    EMAIL_TIMEOUT = 20
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = PRIVATE / "mail"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("KEQUN_LOG_LEVEL", "WARNING")},
}
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # TLS ends at the reverse proxy, which redirects
