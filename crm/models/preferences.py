"""What a person decided on the preference page that is no consent: which tags to be without, which links to end."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.profiles import Profile


class TagObjection(models.Model):
    """A tag or segment that a person deleted, and that nothing may give back (Net-Data Regulation 42).

    ``name`` is a trait's name, or for a segment the name of the model that finds it. Every writer of traits and of
    segments leaves out what is named here; it goes with the person's other rows.
    """

    class Kind(models.TextChoices):
        TRAIT = "trait", _("trait")
        SEGMENT = "segment", _("segment")

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="tag_objections", verbose_name=_("profile"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("name"), max_length=200)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("deleted tag")
        verbose_name_plural = _("deleted tags")
        constraints = [models.UniqueConstraint(fields=["profile", "kind", "name"], name="crm_tag_objected_once")]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.kind} {self.name}"


class LinkEpoch(models.Model):
    """How often a person's preference links were revoked: those of an earlier epoch open nothing any more."""

    profile = models.OneToOneField(
        Profile, models.CASCADE, primary_key=True, related_name="link_epoch", verbose_name=_("profile")
    )
    epoch = models.PositiveIntegerField(_("epoch"))

    class Meta:
        verbose_name = _("epoch of preference links")
        verbose_name_plural = _("epochs of preference links")

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.epoch}"
