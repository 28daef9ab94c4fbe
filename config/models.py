"""What an API client may ask; its id and hashed secret are rows of django-oauth-toolkit."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AccessToken, Application


class ApiAccessQuerySet(models.QuerySet["ApiAccess"]):
    def in_force(self) -> Self:
        """Return those whose client belongs to nobody, or to somebody who still works here."""
        return self.filter(Q(application__user=None) | Q(application__user__is_active=True))


class ApiAccess(models.Model):
    """The scopes that one client may ask for; a client without this row may ask for nothing.

    A row of our own beside the application, not a swapped application model: that could never be swapped back.
    ``epoch`` goes up whenever everything that the client holds must end: person tokens name the epoch they were made
    in. Triggers of the database do that (``config/migrations``), so that no way to change a password forgets it.
    """

    application = models.OneToOneField(
        Application, models.CASCADE, primary_key=True, related_name="access", verbose_name=_("application")
    )
    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"), default=list, blank=True)
    epoch = models.PositiveIntegerField(_("epoch"), default=0, editable=False)

    objects = ApiAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("API access")
        verbose_name_plural = _("API access")

    def __str__(self) -> str:
        return str(self.application)

    def revoke(self, now: datetime) -> None:
        """End every token of the client, its persons' too; it can ask for new ones."""
        with transaction.atomic():
            AccessToken.objects.filter(application=self.application_id, expires__gt=now).update(expires=now)
            ApiAccess.objects.filter(pk=self.pk).update(epoch=F("epoch") + 1)
