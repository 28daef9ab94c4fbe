"""Requests that may be sent again: what was asked by which key, and what was answered."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.ledger import BytesField


class AnsweredRequest(models.Model):
    """The answer to a request with an idempotency key, kept for a week; nothing personal is in it."""

    key = models.UUIDField(primary_key=True, editable=False, help_text=_("Of the client, the address and its key."))
    request = BytesField(max_length=32, editable=False)  # SHA-256 of what was asked
    status = models.PositiveSmallIntegerField(_("status"))
    answer = models.JSONField(_("answer"))
    answered_at = models.DateTimeField(_("answered"), db_index=True)

    class Meta:
        verbose_name = _("answered request")
        verbose_name_plural = _("answered requests")

    def __str__(self) -> str:
        return str(self.key)
