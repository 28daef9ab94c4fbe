"""The product's own application, as gunicorn serves it, over the benchmark's database."""

import os

from django.conf import settings

settings.DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
settings.ALLOWED_HOSTS = ["127.0.0.1"]

from config.wsgi import application  # noqa: E402

__all__ = ["application"]
