"""What personal data may be used for, and what people are told of it."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

ASK_AGAIN_AFTER = timedelta(days=180)  # Net-Data Regulation 22(5): no frequent asking after a refusal


class Channel(models.TextChoices):
    """A way on which a message reaches a person."""

    WECHAT = "wechat", _("WeChat official account")
    MINI_PROGRAM = "mini_program", _("WeChat mini program")
    WECOM = "wecom", _("WeCom")
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("SMS")
    PHONE = "phone", _("phone call")
    APP = "app", _("app push")
    POST = "post", _("letter")
    WEBHOOK = "webhook", _("webhook")


class PurposeQuerySet(models.QuerySet["Purpose"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def profiling(self) -> Self:
        """Return the purposes that all have to cover a person who is learned from, scored or recommended something."""
        return self.active().filter(kind=Purpose.Kind.PROFILING)

    def covering(self, channel: str) -> Self:
        """Return the purposes that a message on the channel could serve."""
        return self.filter(channel__in=["", channel])


class Purpose(models.Model):
    """One thing that personal data may be used for: the unit in which people consent, refuse and withdraw.

    A marketing purpose without a channel covers all of them, and a person may allow each apart.
    """

    class Kind(models.TextChoices):
        MARKETING = "marketing", _("marketing")
        SERVICE = "service", _("service")
        PROFILING = "profiling", _("profiling")
        AUTOMATED_DECISIONS = "automated_decisions", _("automated decisions")
        SHARING = "sharing", _("sharing with a recipient")
        SENSITIVE = "sensitive", _("sensitive data")
        CROSS_BORDER = "cross_border", _("transfer abroad")
        STORAGE = "storage", _("storage and security")

    class Basis(models.TextChoices):
        """Why the law allows it: PIPL 13, and what other laws add."""

        CONSENT = "consent", _("consent")
        CONTRACT = "contract", _("contract")
        LEGAL_OBLIGATION = "legal_obligation", _("legal obligation")
        VITAL_INTEREST = "vital_interest", _("vital interest")
        PUBLIC_INTEREST = "public_interest", _("public interest")
        LEGITIMATE_INTEREST = "legitimate_interest", _("legitimate interest")

    # No name in the ledger changes its meaning: the code of a used purpose is what its events refer to.
    code = models.CharField(
        _("code"),
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$", _("Small letters, digits, and _ . - between them."))],
    )
    kind = models.CharField(_("kind"), max_length=32, choices=Kind)
    name = models.JSONField(_("name"), help_text=_('By language: {"en": …, "zh-hans": …}.'))
    description = models.JSONField(_("description"), default=dict, blank=True, help_text=_("By language."))
    channel = models.CharField(
        _("channel"), max_length=16, choices=Channel, blank=True, help_text=_("Empty: every channel.")
    )
    recipient = models.CharField(
        _("recipient"), max_length=200, blank=True, help_text=_("Who else receives the data, by name.")
    )
    basis = models.CharField(_("legal basis"), max_length=32, choices=Basis, default=Basis.CONSENT)
    separate = models.BooleanField(
        _("separate consent"),
        default=False,
        help_text=_("PIPL 23, 25, 26, 29, 39: asked for by itself, never bundled."),
    )
    valid_for = models.DurationField(_("a consent is valid for"), null=True, blank=True)
    ask_again_after = models.DurationField(
        _("ask again after"), default=ASK_AGAIN_AFTER, help_text=_("After a refusal; 180 days at least.")
    )
    retention = models.DurationField(_("data are kept for"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = PurposeQuerySet.as_manager()

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")
        permissions = [("view_data_map", _("Can see the data map, the record of processing"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(ask_again_after__gte=ASK_AGAIN_AFTER),
                name="crm_purpose_asks_again_late",
                violation_error_message=_("The time until people are asked again can only be made longer."),
            ),
            models.CheckConstraint(
                condition=Q(valid_for__isnull=True) | Q(valid_for__gt=timedelta(0)), name="crm_purpose_valid_forwards"
            ),
            models.CheckConstraint(
                condition=~Q(kind="sharing") | ~Q(recipient=""),
                name="crm_sharing_names_recipient",
                violation_error_message=_("Say by name who receives the data."),
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.name) or self.code


class NoticeQuerySet(models.QuerySet["Notice"]):
    def published(self, now: datetime) -> Self:
        return self.filter(published_at__lte=now)

    def covering(self, purpose: str) -> Self:
        return self.filter(items__contains=[{"purpose": purpose}])

    def current(self, code: str, now: datetime) -> "Notice | None":
        """Return the latest published version."""
        return self.published(now).filter(code=code).order_by("-version").first()


class Notice(models.Model):
    """One version of what people are told before they decide; a published one never changes (a trigger sees to it).

    ``items`` is the list that PIPL 17 and Net-Data Regulation 21 ask for: objects with ``purpose`` (a code),
    ``data_types``, ``recipients``, ``retention_days`` and ``methods``. ``texts`` is by language: ``title``, ``body``,
    ``withdraw``. A material change makes consents to earlier versions stale.
    """

    code = models.CharField(
        _("code"),
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$")],
        help_text=_("Same for all versions."),
    )
    version = models.PositiveIntegerField(_("version"))
    # What consent events refer to: they can be read, hashed and exported without this row.
    reference = models.CharField(_("reference"), max_length=80, unique=True, editable=False)
    is_material = models.BooleanField(
        _("material change"), default=True, help_text=_("Consents to earlier versions no longer count.")
    )
    items = models.JSONField(_("items"), default=list, help_text=_("Purpose, data types, recipients, retention."))
    texts = models.JSONField(_("texts"), default=dict, help_text=_("By language: title, body, withdraw."))
    digest = models.CharField(_("digest"), max_length=64, blank=True, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False, db_index=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,  # who answers for it stays known: staff who leave are deactivated
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("published by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="crm_notice_version_once"),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | ~Q(digest=""), name="crm_published_notice_has_digest"
            ),
        ]
        indexes = [GinIndex(fields=["items"], opclasses=["jsonb_path_ops"], name="crm_notice_items")]

    def __str__(self) -> str:
        return self.reference

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.reference = f"{self.code}/{self.version}"
        super().save(*args, **kwargs)

    def clean(self) -> None:
        from crm.notice_content import flaws  # noqa: PLC0415

        if found := flaws(self.items, self.texts):
            raise ValidationError(found)

    @property
    def purposes(self) -> list[str]:
        """The codes of the purposes that it tells of."""
        return [str(item["purpose"]) for item in self.items]


def in_language(texts: dict[str, Any], language: str | None = None) -> str:
    """Return the text in a language (the reader's where none is named), or else in the first there is."""
    wanted = (language or get_language() or "en").lower()
    found = texts.get(wanted) or texts.get(wanted.partition("-")[0]) or next(iter(texts.values()), "")
    return str(found)
