"""Purposes in the admin: what personal data may be used for; what people already decided on keeps its meaning."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from crm import purposes
from crm.admin.embeds import embed_view
from crm.admin.lists import ListAdmin, column
from crm.models import ConsentEvent, Purpose
from crm.models.purposes import ASK_AGAIN_AFTER, in_language

LANGUAGES = (("en", "en"), ("zh", "zh-hans"))
DAYS = {"valid_for": "valid_days", "ask_again_after": "ask_again_days", "retention": "retention_days"}
# Once somebody has decided, these say what was decided on: another meaning is another purpose.
MEANING = ("code", "kind", "channel", "recipient", "basis", "separate")


def _days(label: Any, *, required: bool, least: int, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=required,
        min_value=least,
        max_value=36_500,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class PurposeForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A purpose in both languages, with its times in days."""

    name_en = forms.CharField(label=_("Name, English"), max_length=120, widget=UnfoldAdminTextInputWidget)
    name_zh = forms.CharField(label=_("Name, Chinese"), max_length=120, widget=UnfoldAdminTextInputWidget)
    description_en = forms.CharField(
        label=_("Description, English"), max_length=2000, required=False, widget=UnfoldAdminTextareaWidget
    )
    description_zh = forms.CharField(
        label=_("Description, Chinese"), max_length=2000, required=False, widget=UnfoldAdminTextareaWidget
    )
    valid_days = _days(_("A consent is valid for, days"), required=False, least=1, help_text=_("Empty: no end."))
    ask_again_days = _days(
        _("Ask again after, days"),
        required=True,
        least=ASK_AGAIN_AFTER.days,
        help_text=_("After a refusal. At least 180; can only be made longer."),
    )
    retention_days = _days(_("Data are kept for, days"), required=False, least=1)

    class Meta:
        model = Purpose
        fields = ["code", "kind", "channel", "recipient", "basis", "separate", "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        one = self.instance
        for field, language in LANGUAGES:
            self.initial[f"name_{field}"] = one.name.get(language, "") if one.pk else ""
            self.initial[f"description_{field}"] = one.description.get(language, "") if one.pk else ""
        for name, field in DAYS.items():
            held: timedelta | None = getattr(one, name)
            self.initial[field] = held.days if held else None

    def clean_ask_again_days(self) -> int:
        days: int = self.cleaned_data["ask_again_days"]
        if self.instance.pk and timedelta(days=days) < self.instance.ask_again_after:
            raise forms.ValidationError(
                gettext("People were promised %(days)s days of peace: this can only be made longer.")
                % {"days": self.instance.ask_again_after.days}
            )
        return days

    def _post_clean(self) -> None:
        """Put what the form has apart where the model keeps it, before the model checks itself."""
        told = self.cleaned_data
        for name, field in DAYS.items():
            if field in told:
                setattr(self.instance, name, timedelta(days=told[field]) if told[field] else None)
        self.instance.name = {language: told.get(f"name_{field}", "") for field, language in LANGUAGES}
        said = {language: told.get(f"description_{field}", "") for field, language in LANGUAGES}
        self.instance.description = {language: text for language, text in said.items() if text}
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, unknown to the stubs


@admin.register(Purpose)
class PurposeAdmin(ListAdmin):
    """Purposes. Each change is noted in the ledger; none is ever deleted, an old one is switched off."""

    form = PurposeForm
    change_list_template = "zhiyin/consent/purposes.html"
    list_display = ("title", "kind", "channel", "basis", "separate", "peace", "is_active")
    list_filter = (("kind", ChoicesDropdownFilter), ("channel", ChoicesDropdownFilter), "separate", "is_active")
    search_fields = ("code",)
    ordering = ("pk",)
    fieldsets = (
        (None, {"fields": (("name_en", "name_zh"), ("description_en", "description_zh"), ("code", "is_active"))}),
        (
            _("What it is"),
            {"fields": (("kind", "channel"), ("basis", "recipient"), "separate")},
        ),
        (_("Times"), {"fields": (("valid_days", "ask_again_days"), "retention_days")}),
    )

    def get_urls(self) -> list[URLPattern]:
        return [path("embed/", self.admin_site.admin_view(embed_view), name="crm_consent_embed"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Purpose | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Purpose | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        decided = ConsentEvent.objects.filter(purpose__code=obj.code).exists()
        return MEANING if decided else ("code",)

    @column(_("purpose"), ordering="code", header=True)
    def title(self, purpose: Purpose) -> list[str]:
        return [in_language(purpose.name) or purpose.code, purpose.code]

    @column(_("peace after a no"), ordering="ask_again_after")
    def peace(self, purpose: Purpose) -> str:
        return gettext("%(days)s days") % {"days": purpose.ask_again_after.days}

    def save_model(self, request: HttpRequest, obj: Purpose, form: Any, change: bool) -> None:
        purposes.declare(obj, now=timezone.now())
