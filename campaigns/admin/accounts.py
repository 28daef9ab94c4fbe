"""Channel accounts: through which providers messages leave, how much they may be given, and whether they work."""

from typing import Any
from uuid import uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns.admin.account_forms import LIMITS, form_of
from campaigns.channels import CHANNELS, trying
from campaigns.channels.fields import FIELDS
from campaigns.channels.wechat import rights
from campaigns.models import AccountUse, ChannelAccount, Inbound
from campaigns.reach import quotas
from crm.admin.again import AsksAgain, ask_again
from crm.admin.lists import ListAdmin, column
from crm.models import Channel

LABELS = {"active": "success", "paused": "warning", "refused": "danger"}
ICONS = {
    "email": "mail",
    "sms": "sms",
    "webhook": "webhook",
    "wechat": "chat",
    "mini_program": "apps",
    "wecom": "support_agent",
}
FORECASTS = (1_000, 10_000, 100_000)


@admin.register(ChannelAccount)
class ChannelAccountAdmin(AsksAgain, ListAdmin):
    """Accounts. What is secret can be written and is never shown."""

    change_form_template = "zhiyin/account/change_form.html"
    list_display = ("name", "provider_name", "channel", "status_label", "used_today", "rate", "preferred")
    list_filter = (("channel", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("name",)
    ordering = ("name",)
    nothing_yet = _("Nothing can be sent yet: add an account at a provider.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", view(self.test_view), name="campaigns_channelaccount_test"),
            path("<int:pk>/rights/", view(self.rights_view), name="campaigns_channelaccount_rights"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChannelAccount]:
        today = AccountUse.objects.filter(account=OuterRef("pk"), day=quotas.today(timezone.now()))
        rows: QuerySet[ChannelAccount] = super().get_queryset(request)
        return rows.annotate(used=Subquery(today.values("used")))

    def has_delete_permission(self, request: HttpRequest, obj: ChannelAccount | None = None) -> bool:
        return False  # its deliveries name it: an account that is gone is paused

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask which provider it is first: each has a form of its own."""
        if self.has_add_permission(request) and _chosen(request) is None:
            return self._choice(request)
        return super().add_view(request, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: ChannelAccount | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        provider, channel = (obj.provider, obj.channel) if obj else _chosen(request) or ("stub", "sms")
        # Who may only look gets no field to write in: all of them are shown as texts.
        writes = obj is None or self.has_change_permission(request, obj)
        kwargs |= {"form": form_of(provider, channel), "fields": None if writes else []}
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: ChannelAccount | None = None) -> Any:
        provider, _channel = (obj.provider, obj.channel) if obj else _chosen(request) or ("stub", "sms")
        own = [f"own_{field.name}" for field in FIELDS[provider]]
        if not self.has_change_permission(request, obj):
            own = []
        return [
            (None, {"fields": ["name", "status", "preferred"]}),
            *([(CHANNELS[provider].name, {"fields": own})] if own else []),
            (_("Limits and costs"), {"fields": list(LIMITS)}),
        ]

    def save_model(self, request: HttpRequest, obj: ChannelAccount, form: Any, change: bool) -> None:
        if not change:
            obj.hook, obj.created_at = uuid4(), timezone.now()
        if "status" in form.changed_data:
            obj.status_reason = ""
        super().save_model(request, obj, form, change)
        if change and any(name.startswith("own_") for name in form.changed_data):
            transaction.on_commit(lambda: trying.forget(obj), robust=True)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        account = self.get_object(request, object_id)
        if account is not None:
            extra_context = (extra_context or {}) | _facts(account)
        return super().change_view(request, object_id, form_url, extra_context)

    @method_decorator(require_POST)
    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try the account out: its settings, and its server's door; no message is sent."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        ask_again(request)
        account = get_object_or_404(ChannelAccount, pk=pk)
        problem = trying.problem(account)
        if problem:
            messages.error(request, problem)
        elif account.provider in trying.PROVEN:
            messages.success(request, _("This account works: nothing was sent, and its server lets us in."))
            if rights.let_in(account):
                messages.success(request, _("It had been refused, and is used again."))
        else:
            said = _("Its settings are sound; nothing was sent, so its keys are proven by the first message.")
            messages.success(request, said)
        return redirect("admin:campaigns_channelaccount_change", pk)

    @method_decorator(require_POST)
    def rights_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget that the platform refused calls of an account: the next of them asks it again."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        account = get_object_or_404(ChannelAccount, pk=pk)
        rights.ask_again(account, request.POST.get("api", ""))
        self.log_change(request, account, "Refused rights are asked for again")
        messages.success(request, _("The next call asks the platform again."))
        return redirect("admin:campaigns_channelaccount_change", pk)

    def _choice(self, request: HttpRequest) -> HttpResponse:
        offered = [
            {
                "provider": code,
                "channel": channel,
                "name": one.name,
                "icon": ICONS[channel],
                "label": Channel(channel).label,
            }
            for code, one in CHANNELS.items()
            for channel in one.channels
        ]
        context = self.admin_site.each_context(request) | {
            "title": _("Which provider?"),
            "offered": offered,
            "opts": ChannelAccount._meta,
        }
        return TemplateResponse(request, "zhiyin/account/choice.html", context)

    @column(_("provider"), ordering="provider")
    def provider_name(self, account: ChannelAccount) -> str:
        known = CHANNELS.get(account.provider)
        return str(known.name) if known else account.provider

    @column(_("status"), ordering="status", label=LABELS)
    def status_label(self, account: ChannelAccount) -> tuple[str, Any]:
        return account.status, account.get_status_display()

    @column(_("used today"))
    def used_today(self, account: Any) -> str:
        return f"{account.used or 0:,}" + (f" / {account.per_day:,}" if account.per_day is not None else "")

    @column(_("a second"), ordering="per_second")
    def rate(self, account: ChannelAccount) -> str:
        return f"{account.per_second:,}" if account.per_second else "–"


def _chosen(request: HttpRequest) -> tuple[str, str] | None:
    provider, channel = request.GET.get("provider", ""), request.GET.get("channel", "")
    known = CHANNELS.get(provider)
    return (provider, channel) if known and channel in known.channels else None


def _facts(account: ChannelAccount) -> dict[str, Any]:
    now = timezone.now()
    used = quotas.use(account, now)
    return {
        "used": used,
        "share": min(100, round(100 * used.used / used.most)) if used.most else 0,
        "forecasts": [(count, quotas.forecast(account, count, now)) for count in FORECASTS],
        "callback": trying.callback_address(account) if account.provider != "smtp" else "",
        "console": account.provider if account.provider in trying.WECHAT else "",
        "refused_rights": account.refused_rights.order_by("api"),
        "heard_at": Inbound.objects.filter(account=account).aggregate(at=Max("received_at"))["at"],
        "provider_name": CHANNELS[account.provider].name if account.provider in CHANNELS else account.provider,
    }
