"""Keys of people."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from crm.models.profiles import Profile


class PersonKey(models.Model):
    """The key that seals one profile's values, wrapped by the key ring; to delete this row is to shred them all.

    ``crm.encryption`` reads and writes it. A merged profile keeps its own, so that a merge can be undone.
    """

    profile = models.OneToOneField(
        Profile, models.CASCADE, primary_key=True, related_name="key", verbose_name=_("profile")
    )
    key_id = models.CharField(_("wrapped by"), max_length=16, db_index=True)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("key of a person")
        verbose_name_plural = _("keys of people")

    def __str__(self) -> str:
        return f"#{self.profile_id} ({self.key_id})"
