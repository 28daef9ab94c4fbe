"""Settings, read from the environment (and from ``.env`` beside ``manage.py``); README.md lists them."""

import os
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from config.embedded import Servers
from crm import working_days

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")
# Read when the science is loaded, which is later. Threads of a training that wait for one another spin otherwise:
# beside a process that keeps a core busy, one that takes 2 seconds took 99.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

DEBUG = env.bool("DEBUG", default=True)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()


def _kept_secret_key() -> str:
    """Return the key kept in ``var``, made at the first start, so that sessions outlive a restart."""
    path = VAR_DIR / "secret-key"
    try:
        return path.read_text()
    except FileNotFoundError:
        key = token_urlsafe(48)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(key)
    except OSError:  # not writable: the entry point says so in its own words (config.embedded)
        return key
    return path.read_text()


SECRET_KEY = env.str("SECRET_KEY", default="") or _kept_secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# -- where things run ------------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
BROKER_URL = env.str("BROKER_URL", default="")
EMBEDDED = Servers(var=VAR_DIR, postgres=not DATABASE_URL, valkey=not BROKER_URL)

EMBEDDED_DATABASE = {
    "HOST": str(EMBEDDED.run),
    "USER": EMBEDDED.application_role,
    "NAME": "zhiyin",
}


def _database(name: str, url: str) -> dict[str, Any]:
    """Return what a URL says of a database, without repeating it in an error: it may hold a password."""
    found: dict[str, Any] = env.db_url_config(url)
    if found["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured(f"{name} begins with {urlsplit(url).scheme!r}; it must begin with postgres://.")
    return found


DATABASES = {"default": _database("DATABASE_URL", DATABASE_URL) if DATABASE_URL else EMBEDDED_DATABASE}
DATABASES["default"] |= {
    "ENGINE": "config.postgresql",
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=600),
    "CONN_HEALTH_CHECKS": True,
}
# Who owns the tables, where that is not the application's role: migrations run so (crm/database_roles.py).
MIGRATE_DATABASE_URL = env.str("MIGRATE_DATABASE_URL", default="")
OWNER_DATABASE: dict[str, Any] = {} if DATABASE_URL else {"USER": EMBEDDED.owner_role}
if MIGRATE_DATABASE_URL:
    OWNER_DATABASE = _database("MIGRATE_DATABASE_URL", MIGRATE_DATABASE_URL)
    OWNER_DATABASE.pop("NAME")  # the same database, whichever that is: tests have one of their own
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHE_URL = env.str("CACHE_URL", default="" if BROKER_URL else EMBEDDED.cache_url)
CACHES: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if CACHE_URL:
    CACHES["default"] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}

CELERY_BROKER_URL = BROKER_URL or EMBEDDED.broker_url
CELERY_TASK_IGNORE_RESULT = True  # the truth about work is a JobRun row
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "crm.tasks.sequence_ledger": {"queue": "ledger"},
    "crm.tasks.carry_out": {"queue": "default"},
    "crm.tasks.work_on_requests": {"queue": "default"},
    "crm.tasks.retain": {"queue": "default"},
    "crm.tasks.send_mails": {"queue": "default"},
    "crm.tasks.write_to_guardian": {"queue": "default"},
    "crm.tasks.rehearse_retention": {"queue": "default"},
    "crm.tasks.export_bundle": {"queue": "default"},
    "crm.tasks.check_ledger": {"queue": "default"},
    "crm.tasks.remove_bundles": {"queue": "default"},
    "crm.tasks.publish_checkpoints": {"queue": "default"},  # it waits for others' servers
    "crm.tasks.*": {"queue": "ingest"},
    "campaigns.tasks.welcome": {"queue": "welcome"},  # twenty seconds: nothing may be before it
    "campaigns.tasks.walk": {"queue": "journeys"},  # each second: what somebody did just now may let her in
    "campaigns.tasks.send": {"queue": "send"},
    "campaigns.tasks.send_many": {"queue": "send"},
    "campaigns.tasks.recover": {"queue": "send"},
    "campaigns.tasks.*": {"queue": "default"},
    "mlengine.tasks.explain": {"queue": "online"},
    "mlengine.tasks.tick": {"queue": "default"},
    "mlengine.tasks.*": {"queue": "ml"},
}
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 6 * 3600}

EVENT_LAKE_URL = env.str("EVENT_LAKE_URL", default=str(VAR_DIR / "lake"))
ENGINE = env.str("ENGINE", default="polars")  # or "spark": the same frames on a cluster
LEARNED_ATTRIBUTES = env.list(  # traits that models may see; coarse ones only, all others stay in the record
    "LEARNED_ATTRIBUTES",
    default=["income", "home_ownership", "marital_status", "household_size", "household_composition", "kids"],
)
# What people are grouped by when models are asked whether they treat groups alike (and names of learned attributes).
FAIRNESS_ATTRIBUTES = env.list("FAIRNESS_ATTRIBUTES", default=["age_band", "gender", "province"])
# -- the ledger: who signs, with what, and where checkpoints go that we cannot rewrite ---------------------------------
LEDGER_ORIGIN = env.str("LEDGER_ORIGIN", default="zhiyin.local/ledger")
LEDGER_KEY = env.str("LEDGER_KEY", default="")
LEDGER_KEY_FILE = Path(env.str("LEDGER_KEY_FILE", default=str(VAR_DIR / "keys" / "ledger.key")))
LEDGER_OLD_KEYS = env.list("LEDGER_OLD_KEYS", default=[])
LEDGER_PUBLISH_DIR = env.str("LEDGER_PUBLISH_DIR", default="")
LEDGER_PUBLISH_EMAILS = env.list("LEDGER_PUBLISH_EMAILS", default=[])
LEDGER_TSA_URL = env.str("LEDGER_TSA_URL", default="")
LEDGER_TSA_ROOTS = env.str("LEDGER_TSA_ROOTS", default="")
AUDIT_DIR = Path(
    env.str("AUDIT_DIR", default=str(VAR_DIR / "audit"))
)  # bundles that were ordered in the admin, for days

# What people who may see no rows can learn of groups in a month (differential privacy), and each API client too.
PRIVATE_FIGURES_EPSILON = env.float("PRIVATE_FIGURES_EPSILON", default=10.0)
PRIVATE_FIGURES_DELTA = env.float("PRIVATE_FIGURES_DELTA", default=1e-6)  # well below one in the number of people
PRIVATE_FIGURES_WEEKLY_VALUE = env.int("PRIVATE_FIGURES_WEEKLY_VALUE", default=200)  # of one person in a sum
INGEST_CONCURRENCY = env.int("INGEST_CONCURRENCY", default=8)  # of each web process; more are answered 429
PREDICTION_RUNS_KEPT = env.int("PREDICTION_RUNS_KEPT", default=12)
PRIVACY_REQUEST_DAYS = env.int("PRIVACY_REQUEST_DAYS", default=15)  # working days to answer a person's request
SHRED_JOURNAL = env.str("SHRED_JOURNAL", default=str(VAR_DIR / "keys" / "shred-journal"))  # outside the database
PREFERENCE_SEGMENTS = ["mlengine.disclosure.SEGMENTS"]  # who finds segments that people see and delete
# What other packages add to the answer to a person's request.
PACK_SECTIONS = ["mlengine.disclosure.SECTIONS", "campaigns.disclosure.SECTIONS"]
_calendar = env.str("WORKING_CALENDAR", default="")
WORKING_CALENDAR = working_days.load(Path(_calendar)) if _calendar else {}
ARTIFACT_DIR = Path(env.str("ARTIFACT_DIR", default=str(VAR_DIR / "artifacts")))
# What is too large for memory while it comes in waits on the disk: sealed, since it may be a list of people.
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "crm.upload_handling.SealedUploadHandler",
]
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "files")))

# -- personal data at rest: which key ring wraps the keys of people (the first of these that is set) ------------------
# Modules that hold what the key ring sealed, beside the sealed columns of models: rotation asks and rewraps them, too.
KEY_HOLDERS = ["crm.imports.uploads", "config.authenticators"]
KEY_RING_HOOK = env.str("KEY_RING_HOOK", default="")  # dotted path of a function that returns the ring's JSON (a KMS)
KEY_RING = env.str("KEY_RING", default="")  # the ring's JSON itself
KEY_RING_FILE = env.str("KEY_RING_FILE", default=str(VAR_DIR / "keys" / "ring.json"))
PHONE_REGION = env.str("PHONE_REGION", default="CN")  # of phone numbers that name no country

# -- consent: how people of unknown age are treated; "minor" forbids profiling and marketing until it is known --------
PREFERENCE_LINK_DAYS = env.int("PREFERENCE_LINK_DAYS", default=365)  # how long a link in a message opens the page
PREFERENCE_RATES = {  # of one address on links that open nothing, and of one link that opens
    "wrong": env.str("PREFERENCE_RATE_WRONG", default="60/minute"),
    "link": env.str("PREFERENCE_RATE_LINK", default="120/minute"),
}
PUBLIC_URL = env.str("PUBLIC_URL", default="")  # where people reach this server, for links in messages
# Hosts in a network of our own that channels may call all the same ("host" or "host:port"), and the ports of others.
EGRESS_HOSTS = env.list("EGRESS_HOSTS", default=[])
EGRESS_PORTS = env.list("EGRESS_PORTS", cast=int, default=[80, 443, 8443])
# Where WeChat's platforms are, and the imitation of them that an account may be connected to in their place.
WECHAT_API_BASE = env.str("WECHAT_API_BASE", default="https://api.weixin.qq.com")
WECOM_API_BASE = env.str("WECOM_API_BASE", default="https://qyapi.weixin.qq.com")
WECHAT_STUB_URL = env.str("WECHAT_STUB_URL", default="http://127.0.0.1:8901")
WECHAT_CALLBACK_SKEW = env.int("WECHAT_CALLBACK_SKEW", default=300)  # seconds that a callback's time may be off
AGE_UNKNOWN = env.str("AGE_UNKNOWN", default="adult", choices=["adult", "minor"])

# -- mail of the system itself: checkpoints, notices to staff; until a server is named it is printed -------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="zhiyin@localhost")

# -- what is installed -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "crm",
    "mlengine",
    "campaigns",
    "config",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.accounts.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it replaces the answer of a login that is locked out
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.accounts.minutes_until_asked_again",
            ]
        },
    }
]

# -- people ----------------------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesBackend", "allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
NUM_PROXIES = env.int("NUM_PROXIES", default=int(BEHIND_PROXY))  # of ours, in front: whose word on addresses counts
MFA_REQUIRED = env.bool("MFA_REQUIRED", default=not DEBUG)
SESSION_COOKIE_AGE = env.int("SESSION_HOURS", default=12) * 3600

ALLAUTH_TRUSTED_PROXY_COUNT = NUM_PROXIES
ACCOUNT_ADAPTER = "config.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False  # a session ends with the browser
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds in which what is sensitive asks nobody again who it is
# Slow guessing from many addresses, and guesses of the second factor; axes (below) locks one address out earlier.
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip,10/300s/key"}
MFA_ADAPTER = "config.accounts.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Zhiyin"
MFA_TOTP_TOLERANCE = 0  # a code is remembered as used for one period: with more it could be used again
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # not the name alone: anybody could lock a colleague out
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "config.accounts.client_address"
AXES_USERNAME_CALLABLE = "config.accounts.attempted_name"
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_ENABLE_ADMIN = False  # config/admin.py has a page in our own look
AXES_VERBOSE = False  # names of users are no business of the log

# -- words and times -------------------------------------------------------------------------------------------------
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Shanghai")  # the organisation's; the database keeps UTC
USE_TZ = True
CURRENCY = env.str("CURRENCY", default="CNY")

# -- files -----------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS: list[Path] = []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 600_000  # the ingestion API refuses above 500 kB itself, with its own error shape

# -- HTTPS and headers: everything on unless this is a development machine -------------------------------------------
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=not DEBUG)
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SESSION_COOKIE_SECURE:  # a cookie of this name can be set by no other host and over no plain connection
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
X_FRAME_OPTIONS = "DENY"
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- REST ------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["crm.api.access.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["config.throttles.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {  # requests of one client, of one person's browser, and for tokens from one address
        "client": env.str("API_RATE_CLIENT", default="12000/minute"),
        "person": env.str("API_RATE_PERSON", default="120/minute"),
        "token": env.str("API_RATE_TOKEN", default="30/minute"),
    },
    "NUM_PROXIES": NUM_PROXIES,
    "DEFAULT_PAGINATION_CLASS": "crm.api.pages.KeysetPagination",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.negotiation.FirstForAnybody",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.api.parsing.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.Description",
    "DEFAULT_METADATA_CLASS": None,  # the schema says what OPTIONS would
    "EXCEPTION_HANDLER": "config.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
API_BROWSER_ORIGINS = env.list("API_BROWSER_ORIGINS", default=[])  # pages that may use person tokens from elsewhere
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Zhiyin",
    "VERSION": "1",
    "DESCRIPTION": "Who we know, what they did, and what was learned from it.",
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]+",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",  # from our own static files, never from a CDN
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.schema.add_errors"],
    "ENUM_NAME_OVERRIDES": {
        "EventKind": "crm.models.Event.Kind",
        "ItemKind": "crm.models.Item.Kind",
        "MetricKind": "mlengine.models.Metric.Kind",
        "IdentifierType": "crm.models.Identifier.Type",
        "JobStatus": "crm.models.JobRun.Status",
        "PrivacyRequestKind": "crm.models.PrivacyRequest.Kind",
        "PrivacyRequestStatus": "crm.models.PrivacyRequest.Status",
        "PrivacyRequestRefusal": "crm.models.PrivacyRequest.Refusal",
        "ConsentEventState": "crm.models.ConsentEvent.State",
        "ConsentKind": "crm.models.ConsentEvent.ConsentKind",
        "ConsentMethod": "crm.models.ConsentEvent.Method",
        "ConsentMethodOfApplications": "crm.api.consent_shapes.BY_APPLICATIONS",
        "ConsentReason": "crm.consent_rules.Reason",
        "CampaignKind": "campaigns.models.Campaign.Kind",
        "CampaignKindOfDrafts": "campaigns.api.campaign_shapes.KINDS",
        "CampaignStatus": "campaigns.models.Campaign.Status",
        "RunStatus": "campaigns.models.Run.Status",
        "DeliveryStatus": "campaigns.models.Delivery.Status",
        "SegmentKind": "campaigns.models.Segment.Kind",
        "Channel": "crm.models.Channel",
        "LegalBasis": "crm.models.Purpose.Basis",
        "PurposeKind": "crm.models.Purpose.Kind",
        "ModelStage": "mlengine.models.ModelVersion.Stage",
    },
}
OAUTH2_PROVIDER: dict[str, Any] = {
    "REFRESH_TOKEN_EXPIRE_SECONDS": 24 * 3600,
    "SCOPES_BACKEND_CLASS": "config.scopes.ClientScopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["client_credentials"],
    # What RFC 9700 asks for; access tokens are stored as hashes only.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
}

# -- admin -----------------------------------------------------------------------------------------------------------
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Zhiyin"),
    "SITE_HEADER": _("Zhiyin"),
    "SITE_SUBHEADER": _("the one who understands"),
    "SITE_SYMBOL": "graphic_eq",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("zhiyin/icon.svg")}],
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "config.admin.dashboard_context",
    "ACCOUNT": {
        "navigation": [
            {"title": _("Second factor"), "link": reverse_lazy("mfa_index")},
            {"title": _("Password"), "link": reverse_lazy("account_change_password")},
            {"title": _("Programs that act for me"), "link": reverse_lazy("admin:oauth2_provider_application_mine")},
        ]
    },
    "SIDEBAR": {"show_search": True, "navigation": "config.menu.menu"},
    "STYLES": [lambda request: static("zhiyin/zhiyin.css")],
    "SCRIPTS": [lambda request: static("zhiyin/zhiyin.js")],
    # Jade; 600 is dark enough for white letters on it (contrast 4.9 : 1).
    "COLORS": {
        "primary": {
            "50": "oklch(98% .014 180)",
            "100": "oklch(95% .04 180)",
            "200": "oklch(89% .07 181)",
            "300": "oklch(82% .1 182)",
            "400": "oklch(74% .12 183)",
            "500": "oklch(66% .115 184)",
            "600": "oklch(52% .095 186)",
            "700": "oklch(45% .08 187)",
            "800": "oklch(38% .066 188)",
            "900": "oklch(32% .054 189)",
            "950": "oklch(23% .04 191)",
        }
    },
}

# -- logs and reports of errors: no personal data in any ---------------------------------------------------------------
LOGGING_CONFIG = "config.logs.configure"
DEFAULT_EXCEPTION_REPORTER = "config.logs.PrivateReporter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"axes": {"level": "WARNING"}},  # each failed login is a row already
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
