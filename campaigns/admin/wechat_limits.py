"""Limits of the platforms: what is shipped, and the rows that put another number in its place."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.channels.wechat import limits
from campaigns.models import ChannelAccount, ChannelLimit
from crm.admin.lists import ListAdmin, column

PROVIDERS = {"wechat_official": _("Official accounts"), "wechat_mini": _("Mini programs"), "wecom": _("WeCom")}


def _offered() -> list[tuple[Any, list[tuple[str, str]]]]:
    """Return all limits that there are, by platform, each with what is shipped."""
    return [
        (
            title,
            [(f"{provider}/{name}", f"{name} ({shown(provider, name)})") for name in sorted(limits.LIMITS[provider])],
        )
        for provider, title in PROVIDERS.items()
    ]


def shown(provider: str, name: str) -> str:
    """Return what is shipped, as a page says it."""
    told = limits.alternatives(provider, name)
    return " / ".join(gettext("not in force") if one.value is None else f"{one.value:,}" for one in told) or "–"


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which limit, for which account, how much, and who says so."""

    limit = forms.ChoiceField(
        label=_("Limit"), choices=lazy(_offered, list)(), widget=UnfoldAdminSelectWidget,
        help_text=_("In brackets: what is shipped."),
    )  # fmt: skip
    account = forms.ModelChoiceField(
        ChannelAccount.objects.filter(provider__in=PROVIDERS), label=_("Account"), required=False,
        widget=UnfoldAdminSelectWidget, help_text=_("Empty: all accounts of the platform."),
    )  # fmt: skip
    value = forms.IntegerField(label=_("At most"), min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    source = forms.CharField(
        label=_("Source"), max_length=300, widget=UnfoldAdminTextInputWidget, help_text=_("Who says so, and when.")
    )

    class Meta:
        model = ChannelLimit
        fields = ("account", "value", "source")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "limit" in self.fields:
            self.fields["limit"].initial = f"{self.instance.provider}/{self.instance.name}"

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        provider, _slash, name = str(told.get("limit", "")).partition("/")
        self.instance.provider, self.instance.name = provider, name
        account = told.get("account")
        if account is not None and account.provider != provider:
            raise forms.ValidationError(_("The account belongs to another platform."))
        same = ChannelLimit.objects.filter(provider=provider, name=name, account=account)
        if same.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is a row for this limit already: change that one."))
        return told


@admin.register(ChannelLimit)
class ChannelLimitAdmin(ListAdmin):
    """Rows in the place of what is shipped: the platforms change their limits without notice."""

    form = LimitForm
    fields = ("limit", "account", "value", "source")
    list_display = ("name", "platform", "account_or_all", "value", "shipped", "source", "changed_at")
    list_filter = (("account", RelatedDropdownFilter),)
    list_select_related = ("account",)
    ordering = ("provider", "name")
    nothing_yet = _(
        "What the platforms allow is shipped with its sources; a row here puts another number in its place."
    )

    @column(_("platform"), ordering="provider")
    def platform(self, one: ChannelLimit) -> str:
        return str(PROVIDERS.get(one.provider, one.provider))

    @column(_("account"))
    def account_or_all(self, one: ChannelLimit) -> str:
        return str(one.account) if one.account else gettext("all")

    @column(_("shipped"))
    def shipped(self, one: ChannelLimit) -> str:
        return shown(one.provider, one.name)

    def save_model(self, request: HttpRequest, obj: ChannelLimit, form: Any, change: bool) -> None:
        obj.changed_at = timezone.now()
        super().save_model(request, obj, form, change)
