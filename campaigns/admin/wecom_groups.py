"""Groups of customers in WeCom, counted."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter

from campaigns.admin.wecom_parts import accounts, need
from campaigns.models import (
    ChannelAccount,
    CustomerGroup,
)
from campaigns.wechat import customer_groups, wecom_jobs
from crm.admin.lists import ListAdmin, column, person_of

PROVIDER = "wecom"


@admin.register(CustomerGroup)
class CustomerGroupAdmin(ListAdmin):
    """Groups of customers, counted; who is in them is not kept."""

    change_list_template = "zhiyin/wechat/houses_list.html"
    list_display = ("name_or_number", "owner", "members", "customers", "ways", "state", "synced_at")
    list_filter = (("account", RelatedDropdownFilter), ("owner", RelatedDropdownFilter))
    list_select_related = ("account", "owner")
    fields = ("name", "owner", "members", "customers", "ways", "opened_at", "synced_at", "dismissed_at")
    readonly_fields = fields
    search_fields = ("name",)
    ordering = ("-members",)
    nothing_yet = _("Read the groups that staff have with customers: how many are in each, and by which way they came.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.read_view)
        return [path("<int:pk>/read/", view, name="campaigns_customergroup_read"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomerGroup]:
        rows: QuerySet[CustomerGroup] = super().get_queryset(request)
        return rows.prefetch_related("account__ways")

    @column(_("name"), ordering="name")
    def name_or_number(self, one: CustomerGroup) -> str:
        return str(one)

    @column(_("by way of arrival"))
    def ways(self, one: CustomerGroup) -> str:
        names = {way.state: way.name for way in one.account.ways.all()}
        return ", ".join(f"{names.get(state, state)}: {count}" for state, count in one.by_way.items()) or "–"

    @column(_("status"), ordering="dismissed_at", label={"open": "success", "gone": "warning"})
    def state(self, one: CustomerGroup) -> tuple[str, Any]:
        return ("gone", _("dismissed")) if one.dismissed_at else ("open", _("not dismissed"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CustomerGroup | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = request.user.has_perm("campaigns.change_customergroup")
        told = {"houses": accounts(PROVIDER), "may_read": may, "read": "admin:campaigns_customergroup_read"}
        return super().changelist_view(request, (extra_context or {}) | told | {"button": gettext("Count the groups")})

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order that the groups of an account are counted."""
        need(request, "campaigns.change_customergroup")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        wecom_jobs.order(customer_groups.KIND, account, person_of(request), timezone.now())
        messages.success(request, gettext("The groups are being counted."))
        return redirect("admin:campaigns_customergroup_changelist")
