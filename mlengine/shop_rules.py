"""What a marketer decides about recommendations, whatever the models say: one row a rule."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class RecommendationRuleQuerySet(models.QuerySet["RecommendationRule"]):
    def active(self) -> Self:
        return self.filter(is_active=True).order_by("pk")


class RecommendationRule(models.Model):
    """One business rule over everything that is recommended: on pages, in messages, by the API."""

    class Does(models.TextChoices):
        EXCLUDE = "exclude", _("leave out")
        STOCK = "stock", _("only what is in stock")
        PRICE = "price", _("only within a price band")
        MARGIN = "margin", _("only with enough margin")
        BOUGHT = "bought", _("not what they bought lately")
        DIVERSE = "diverse", _("more variety")
        FRESH = "fresh", _("give new items a place")

    name = models.CharField(_("name"), max_length=100)
    does = models.CharField(_("what it does"), max_length=16, choices=Does)
    category = models.CharField(
        _("category"), max_length=100, blank=True, help_text=_("Only items of this category; all where empty.")
    )
    brand = models.CharField(_("brand"), max_length=100, blank=True, help_text=_("Only this brand; all where empty."))
    codes = ArrayField(
        models.CharField(max_length=128),
        verbose_name=_("codes of items"),
        default=list,
        blank=True,
        help_text=_("Only these items, separated by commas; all where empty."),
    )
    least = models.DecimalField(
        _("at least"), max_digits=14, decimal_places=2, null=True, blank=True,
        help_text=_("Pieces in stock (1 if empty), the lowest price, or the margin in percent of the price."),
    )  # fmt: skip
    most = models.DecimalField(
        _("at most"), max_digits=14, decimal_places=2, null=True, blank=True, help_text=_("The highest price.")
    )
    days = models.PositiveSmallIntegerField(
        _("days"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text=_("How long ago counts as lately (90 if empty), or how old a new item may be (30 if empty)."),
    )  # fmt: skip
    strength = models.PositiveSmallIntegerField(
        _("strength"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Variety from 1 to 100 (30 if empty), or how many places new items get (1 if empty)."),
    )  # fmt: skip
    is_active = models.BooleanField(_("active"), default=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = RecommendationRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("recommendation rule")
        verbose_name_plural = _("recommendation rules")
        constraints = [
            models.CheckConstraint(
                condition=Q(least__isnull=True) | Q(most__isnull=True) | Q(least__lte=F("most")),
                name="mlengine_rule_band_forwards",
            ),
            models.CheckConstraint(
                condition=(Q(least__isnull=True) | Q(least__gte=0)) & (Q(most__isnull=True) | Q(most__gte=0)),
                name="mlengine_rule_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a rule that says nothing, or would leave out everything."""
        below = [name for name in ("least", "most") if (getattr(self, name) or 0) < 0]
        if below:
            raise ValidationError(dict.fromkeys(below, _("This cannot be below 0.")))
        if self.does == self.Does.EXCLUDE and not (self.category or self.brand or self.codes):
            raise ValidationError({"category": _("Say what is left out: a category, a brand or codes.")})
        if self.does == self.Does.PRICE and self.least is None and self.most is None:
            raise ValidationError({"least": _("Say from which price, or up to which.")})
        if self.does == self.Does.MARGIN and self.least is None:
            raise ValidationError({"least": _("Say which margin, in percent of the price.")})
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValidationError({"most": _("This is below the lowest.")})
