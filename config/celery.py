"""The Celery application, and the one schedule: it ticks, while what is due are rows."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("zhiyin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
