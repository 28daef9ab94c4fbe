from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    """Whom to reach, with what, and what became of it."""

    name = "campaigns"
    verbose_name = _("Campaigns")
