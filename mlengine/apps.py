from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MlengineConfig(AppConfig):
    """What can be learned from the log."""

    name = "mlengine"
    verbose_name = _("Learning")
