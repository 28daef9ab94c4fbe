from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    """Who we know, what they did, what they allow."""

    name = "crm"
    verbose_name = _("Record")
