"""What an API client may ask; its id and hashed secret are rows of django-oauth-toolkit."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
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
    ``agreed_by`` is the member of staff in whose name the client may do, with ``agreed_scopes``, what needs a person:
    only the application's own user can agree, and only to the scopes that stood there then.
    """

    application = models.OneToOneField(
        Application, models.CASCADE, primary_key=True, related_name="access", verbose_name=_("application")
    )
    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"), default=list, blank=True)
    epoch = models.PositiveIntegerField(_("epoch"), default=0, editable=False)
    agreed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("may act for"),
    )
    agreed_scopes = ArrayField(
        models.CharField(max_length=64), verbose_name=_("agreed scopes"), default=list, blank=True, editable=False
    )

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

    def asks_of(self, user: User) -> bool:
        """Tell whether somebody could agree to what the client may ask for now, and has not."""
        mine = self.application.user_id == user.pk
        return mine and (self.agreed_by_id != user.pk or bool(set(self.scopes) - set(self.agreed_scopes)))

    def agree(self, user: User) -> None:
        """Let the client act for somebody, by her own word, with the scopes that it has now."""
        if self.application.user_id != user.pk:
            raise PermissionError("Nobody agrees for somebody else.")
        ApiAccess.objects.filter(pk=self.pk).update(agreed_by=user, agreed_scopes=self.scopes)

    def take_back(self, user: User) -> None:
        """Let the client act for her no longer, from its next request on."""
        ApiAccess.objects.filter(pk=self.pk, agreed_by=user).update(agreed_by=None, agreed_scopes=[])
