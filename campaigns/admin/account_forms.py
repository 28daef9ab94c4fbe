"""The form of a channel account: what its provider asks for; a secret can be written, and is never shown."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.channels import ChannelError, adapter
from campaigns.channels.fields import FIELDS, Field
from campaigns.models import ChannelAccount

LIMITS = ("per_second", "per_day", "per_person_month", "cost", "currency")
KINDS: dict[str, tuple[type[forms.Field], type[forms.Widget]]] = {
    "text": (forms.CharField, UnfoldAdminTextInputWidget),
    "lines": (forms.CharField, UnfoldAdminTextareaWidget),
    "number": (forms.IntegerField, UnfoldAdminIntegerFieldWidget),
    "email": (forms.EmailField, UnfoldAdminEmailInputWidget),
    "url": (forms.URLField, UnfoldAdminURLInputWidget),
}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """The base of every provider's form; the provider's own fields are ``own_<name>``."""

    provider = ""
    channel = ""

    class Meta:
        model = ChannelAccount
        fields = ("name", "preferred", "status", *LIMITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account: ChannelAccount = self.instance
        for field in FIELDS[self.provider]:
            shown = self.fields[f"own_{field.name}"]
            if not field.secret:
                shown.initial = (account.settings or {}).get(field.name)
            elif account.pk:
                is_set = bool((account.secrets or {}).get(field.name))
                shown.widget.attrs["placeholder"] = str(_("set; write to replace it") if is_set else _("not set"))
                shown.required = field.needed and not is_set

    def clean(self) -> dict[str, Any]:
        """Refuse what the provider's adapter cannot work with."""
        told: dict[str, Any] = super().clean() or self.cleaned_data
        account: ChannelAccount = self.instance
        account.provider, account.channel = self.provider, self.channel
        settings, secrets = dict(account.settings or {}), dict(account.secrets or {})
        for field in FIELDS[self.provider]:
            value = told.get(f"own_{field.name}")
            if field.secret and value:
                secrets[field.name] = value
            elif not field.secret:
                settings[field.name] = value
                if value in (None, ""):
                    del settings[field.name]
        account.settings = settings
        if secrets != (account.secrets or {}) or not account.pk:
            account.secrets = secrets
        if not self.errors:
            try:
                adapter(account).check_account(account)
            except ChannelError as error:
                raise ValidationError(str(error)) from error
        return told


def form_of(provider: str, channel: str) -> type[AccountForm]:
    """Return the form of accounts at a provider for a channel."""
    own = {f"own_{field.name}": _made(field) for field in FIELDS[provider]}
    return type("ProvidersForm", (AccountForm,), own | {"provider": provider, "channel": channel})


def _made(field: Field) -> forms.Field:
    facts: dict[str, Any] = {"label": field.label, "required": field.needed, "help_text": field.help}
    if field.kind == "choice":
        return forms.ChoiceField(choices=field.choices, widget=UnfoldAdminSelectWidget, **facts | {"required": True})
    if field.kind == "switch":
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget(), **facts | {"required": False})
    if field.secret:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
        return forms.CharField(widget=widget, strip=True, **facts)
    kind, drawn = KINDS[field.kind]
    if kind is forms.URLField:
        facts["assume_scheme"] = "https"
    return kind(widget=drawn(attrs={"placeholder": field.example}), **facts)
