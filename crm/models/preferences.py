"""What a person does on the preference page that is no consent: tags to be without, links to end, a guardian named."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.encryption.fields import EncryptedTextField
from crm.models.ledger import BytesField, has_bytes
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


class GuardianLinkQuerySet(models.QuerySet["GuardianLink"]):
    def open(self, now: datetime) -> Self:
        return self.filter(expires_at__gt=now)


class GuardianLink(models.Model):
    """A parent or guardian whom a child under 14 named, and the link that was sent there (PIPL 31).

    Who opens the link has shown control of the address; what is decided there goes into the consent events, so this row
    can go soon after its time. Only the hash of the link is kept.
    """

    class Relation(models.TextChoices):
        MOTHER = "mother", _("mother")
        FATHER = "father", _("father")
        OTHER = "other", _("another legal guardian")

    reference = models.UUIDField(unique=True, default=uuid4, editable=False)
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="guardian_links", verbose_name=_("profile"))
    relation = models.CharField(_("relation"), max_length=8, choices=Relation)
    contact = EncryptedTextField(_("contact"), max_length=255, person="profile_id", row="reference")
    digest = BytesField(max_length=32, unique=True, editable=False)
    language = models.CharField(_("language"), max_length=16)
    asked_at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    sent_at = models.DateTimeField(_("sent"), null=True)

    objects = GuardianLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("link for a guardian")
        verbose_name_plural = _("links for guardians")
        constraints = [has_bytes("digest", 32, name="crm_guardian_link_is_a_hash")]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.relation}"
