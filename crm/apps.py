from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class CrmConfig(AppConfig):
    """Who we know, what they did, what they allow."""

    name = "crm"
    verbose_name = _("Record")

    def ready(self) -> None:
        from crm.database_checks import server_is_safe  # noqa: PLC0415 (settings are read)
        from crm.deploy_checks import address_is_public, owners_differ  # noqa: PLC0415

        register(owners_differ, Tags.security, deploy=True)
        register(address_is_public, Tags.compatibility, deploy=True)
        register(server_is_safe, Tags.database, deploy=True)
