"""What holds for everything that is sent: quiet hours, caps, the permanent holdout; and the emergency stop."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget

from campaigns.guarding import calling
from campaigns.models import FrequencyCap, SendingPolicy
from campaigns.reach import policies
from crm.admin.again import ask_again
from crm.admin.lists import ListAdmin, column, person_of
from crm.finder import masked_text
from crm.models import Channel

STOPS = "campaigns.stop_sending"


@admin.register(SendingPolicy)
class SendingPolicyAdmin(ListAdmin):
    """One row; its list leads to it."""

    change_form_template = "zhiyin/campaign/policy.html"
    fieldsets = (
        (_("Quiet hours, on each person's wall"), {"fields": (("quiet_from", "quiet_until"),)}),
        (_("Permanent holdout"), {"fields": ("holdout",)}),
        (_("When a campaign pauses itself"), {"fields": ("on_call",)}),
    )
    list_display = ("__str__", "quiet_from", "quiet_until", "holdout", "stopped_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("stop/", view(self.stop_view), name="campaigns_stop"),
            path("go-on/", view(self.go_on_view), name="campaigns_go_on"),
            *super().get_urls(),
        ]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # Colleagues who can be written to and could do something about it.
        kwargs["queryset"] = calling.callable_people()
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None:
            field.help_text = db_field.help_text  # without how to choose several in a list
        return field

    def get_queryset(self, request: HttpRequest) -> QuerySet[SendingPolicy]:
        policies.policy()  # there is always one
        rows: QuerySet[SendingPolicy] = super().get_queryset(request)
        return rows

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SendingPolicy | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: SendingPolicy, form: Any, change: bool) -> None:
        obj.save(update_fields=["quiet_from", "quiet_until", "holdout"])  # never the stop

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, stop_facts(request) | (extra_context or {}))

    @method_decorator(require_POST)
    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """Stop everything; nobody is asked for a password or a reason first, for this is an emergency."""
        if not request.user.has_perm(STOPS):
            raise PermissionDenied
        reason = masked_text(request.POST.get("reason", "").strip()) or gettext("no reason given")
        if policies.stop_everything(person_of(request), reason, timezone.now()):
            self.log_change(request, policies.policy(), f"Stopped: {reason}"[:300])
        messages.warning(request, gettext("Everything is stopped: no message leaves on any channel."))
        return redirect(_back(request))

    @method_decorator(require_POST)
    def go_on_view(self, request: HttpRequest) -> HttpResponse:
        """Let messages leave again: fewer may do this than may stop, with a reason, and their password is asked."""
        if not request.user.has_perm(policies.RESTARTS):
            raise PermissionDenied
        ask_again(request)
        reason = masked_text(request.POST.get("reason", "").strip())
        try:
            if policies.go_on(person_of(request), reason, timezone.now()):
                self.log_change(request, policies.policy(), f"Went on: {reason}"[:300])
                messages.success(request, gettext("Messages leave again; what was paused stays paused."))
        except ValueError as error:
            messages.error(request, str(error))
        return redirect(_back(request))


def stop_facts(request: HttpRequest) -> dict[str, Any]:
    """Return what the emergency stop's part of a page wants."""
    return {
        "policy": policies.policy(),
        "may_stop": request.user.has_perm(STOPS),
        "may_restart": request.user.has_perm(policies.RESTARTS),
    }


def _back(request: HttpRequest) -> str:
    may = request.user.has_perm("campaigns.view_campaign")
    return "admin:campaigns_campaign_changelist" if may else "admin:index"


class CapForm(forms.ModelForm):  # type: ignore[type-arg]
    """A cap in days."""

    days = forms.IntegerField(
        label=_("within days"), min_value=1, max_value=365, initial=7, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = FrequencyCap
        fields = ("channel", "most")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["days"] = max(1, self.instance.within.days)

    def _post_clean(self) -> None:
        if "days" in self.cleaned_data:
            self.instance.within = timedelta(days=self.cleaned_data["days"])
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, which its types leave out

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        same = FrequencyCap.objects.filter(
            channel=told.get("channel", ""), within=timedelta(days=told.get("days") or 0)
        ).exclude(pk=self.instance.pk)
        if same.exists():
            raise forms.ValidationError(gettext("There is a cap for this channel and time already."))
        return told


@admin.register(FrequencyCap)
class FrequencyCapAdmin(ListAdmin):
    """The most that one person gets."""

    form = CapForm
    fields = (("channel", "most", "days"),)
    list_display = ("said", "most", "days")
    ordering = ("channel", "within")

    nothing_yet = _("A cap says how many messages one person gets at most, as three in seven days on all channels.")

    @column(_("channel"), ordering="channel")
    def said(self, cap: FrequencyCap) -> str:
        return str(Channel(cap.channel).label) if cap.channel else gettext("all channels together")

    @column(_("within days"), ordering="within")
    def days(self, cap: FrequencyCap) -> int:
        return cap.within.days

    def title_of(self, obj: FrequencyCap) -> str:
        return f"{self.said(obj)}: {obj.most} / {obj.within.days}"
