"""The settings of the product in production, with somebody to whom errors are mailed."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as OURS
from config.settings import STORAGES as STORED

INSTALLED_APPS = [*OURS, "tests.config.canary_house"]
ROOT_URLCONF = "tests.config.canary_house.urls"
ADMINS = [("", "ops@example.com")]
# Compressing every style and script would take longer than the test.
STORAGES = STORED | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
