"""What an API client may ask; its id and hashed secret are rows of django-oauth-toolkit."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import Application


class ApiAccess(models.Model):
    """The scopes that one client may ask for; a client without this row may ask for nothing.

    A row of our own beside the application, not a swapped application model: that could never be swapped back.
    """

    application = models.OneToOneField(
        Application, models.CASCADE, primary_key=True, related_name="access", verbose_name=_("application")
    )
    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"), default=list, blank=True)

    class Meta:
        verbose_name = _("API access")
        verbose_name_plural = _("API access")

    def __str__(self) -> str:
        return str(self.application)
