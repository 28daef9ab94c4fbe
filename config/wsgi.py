"""The web application for any WSGI server."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.join(settings.EMBEDDED)
application = get_wsgi_application()
