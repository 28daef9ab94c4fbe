from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    """Who we know, what they did, what they allow."""

    name = "crm"
    verbose_name = _("Record")

    def ready(self) -> None:
        from crm.deploy_checks import address_is_public, owners_differ  # noqa: PLC0415 (settings are read)

        register(owners_differ, Tags.security, deploy=True)
        register(address_is_public, Tags.compatibility, deploy=True)
