"""What a message says, in each language and on each channel."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Template(models.Model):
    """A message under one name; what it says stands in its versions."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.CharField(_("description"), max_length=500, blank=True)
    current = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("current version")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"))
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """What a template says, as it was saved once; a campaign keeps the version that was approved.

    ``forms`` holds, by channel and then by language, what that channel's form asks for (``campaigns.forms``):
    ``{"email": {"en": {"subject": …, "html": …, "text": …}}, "sms": {"zh-hans": {"text": …}}}``.
    """

    template = models.ForeignKey(Template, models.CASCADE, related_name="versions", verbose_name=_("template"))
    number = models.PositiveIntegerField(_("version"))
    forms = models.JSONField(_("forms"))
    fallbacks = models.JSONField(_("fallbacks"), default=dict, blank=True, help_text=_("By variable."))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="campaigns_template_version_once")]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"
