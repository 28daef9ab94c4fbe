"""What is shown or sold."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ItemQuerySet(models.QuerySet["Item"]):
    def available(self, now: datetime) -> Self:
        begun = Q(available_from__isnull=True) | Q(available_from__lte=now)
        not_ended = Q(available_to__isnull=True) | Q(available_to__gt=now)
        return self.filter(begun & not_ended)


class Item(models.Model):
    """Anything shown or sold: an article, a product, an activity."""

    class Kind(models.TextChoices):
        PRODUCT = "product", _("product")
        ARTICLE = "article", _("article")
        ACTIVITY = "activity", _("activity")
        COUPON = "coupon", _("coupon")
        OTHER = "other", _("other")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.PRODUCT)
    code = models.CharField(_("code"), max_length=128, help_text=_("How the shop or the CMS calls it."))
    title = models.CharField(_("title"), max_length=300)
    body = models.TextField(_("body"), blank=True)
    categories = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("categories"),
        default=list,
        blank=True,
        help_text=_("Broadest first."),
    )
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    available_from = models.DateTimeField(_("available from"), null=True, blank=True)
    available_to = models.DateTimeField(_("available to"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        constraints = [
            models.UniqueConstraint(fields=["kind", "code"], name="crm_item_code_means_one_item"),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gte=0), name="crm_item_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(available_from__isnull=True)
                | Q(available_to__isnull=True)
                | Q(available_from__lt=models.F("available_to")),
                name="crm_item_available_forwards",
            ),
        ]
        indexes = [
            GinIndex(fields=["categories"], name="crm_item_categories"),
            models.Index(fields=["created_at"], name="crm_item_newest"),  # new items for everybody who is shown some
        ]

    def __str__(self) -> str:
        return self.title or self.code

    def is_available(self, now: datetime) -> bool:
        """Return whether it is one of ``Item.objects.available(now)``."""
        begun = self.available_from is None or self.available_from <= now
        return begun and (self.available_to is None or self.available_to > now)
