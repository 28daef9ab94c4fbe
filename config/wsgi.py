"""The web application for any WSGI server."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.join(settings.EMBEDDED)
application = get_wsgi_application()

# What start-up made lives as long as the process: the collector need not walk it again in the middle of a request. All
# views are imported before, or the first request would do that, after the collector was told.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
# An answer makes a few thousand objects, hardly any of which are left after it, or know of themselves in a circle:
# looking through them after each 700, which is the default, is looking in vain.
gc.set_threshold(10_000)
