"""Tags of customers in WeCom: made there, read from there, and given to a segment's people."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Func, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.admin.wecom_parts import account_field, accounts, need, tried
from campaigns.models import (
    ChannelAccount,
    CustomerTag,
    Segment,
    StaffContact,
)
from campaigns.wechat import customer_tags
from crm.admin.lists import ListAdmin, column

PROVIDER = "wecom"
THIS = Func(OuterRef("tag_id"), template="ARRAY[%(expressions)s]::varchar[]")  # a list of this one tag


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tag: its group and name at the platform, and the segment whose people get it."""

    account = account_field(PROVIDER)
    group = forms.CharField(label=_("Group of tags"), max_length=30, widget=UnfoldAdminTextInputWidget)
    name = forms.CharField(label=capfirst(_("name")), max_length=30, widget=UnfoldAdminTextInputWidget)
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, widget=UnfoldAdminSelectWidget,
        help_text=_("Who is in it gets the tag, who leaves it loses it; empty: staff give it by hand."),
    )  # fmt: skip

    class Meta:
        model = CustomerTag
        fields = ("account", "group", "name", "segment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "segment" in self.fields:
            rows = Segment.objects.filter(archived_at=None).order_by("name")
            self.fields["segment"].queryset = rows  # type: ignore[attr-defined]


@admin.register(CustomerTag)
class CustomerTagAdmin(ListAdmin):
    """Tags that the corporation gives to customers."""

    form = TagForm
    change_list_template = "zhiyin/wechat/houses_list.html"
    list_display = ("name", "group", "segment", "customers", "state", "synced_at")
    list_filter = (("account", RelatedDropdownFilter),)
    list_select_related = ("account", "segment")
    search_fields = ("name", "group")
    ordering = ("group", "name")
    nothing_yet = _("Read the tags that the corporation has, or make one and give it to a segment's people.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.read_view)
        return [path("<int:pk>/read/", view, name="campaigns_customertag_read"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomerTag]:
        having = StaffContact.objects.filter(staff__account=OuterRef("account"), ended_at=None, tags__contains=THIS)
        counted = having.order_by().values("staff__account").annotate(n=Count("pk")).values("n")
        rows: QuerySet[CustomerTag] = super().get_queryset(request)
        return rows.annotate(of_customers=Subquery(counted))

    @column(_("customers"))
    def customers(self, one: Any) -> str:
        return f"{one.of_customers or 0:,}" if one.tag_id else "–"

    @column(_("status"), label={"there": "success", "gone": "warning", "unmade": "danger"})
    def state(self, one: CustomerTag) -> tuple[str, Any]:
        if one.gone_at:
            return "gone", _("gone at the platform")
        return ("there", _("there")) if one.tag_id else ("unmade", _("not made yet"))

    def get_fields(self, request: HttpRequest, obj: CustomerTag | None = None) -> Any:
        return TagForm.Meta.fields if obj is None else ("segment",)

    def has_delete_permission(self, request: HttpRequest, obj: CustomerTag | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: CustomerTag, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        now = timezone.now()
        if not change:
            tried(request, lambda: customer_tags.make(obj, now), gettext("The tag is made."), KeyError)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = request.user.has_perm("campaigns.change_customertag")
        told = {"houses": accounts(PROVIDER), "may_read": may, "read": "admin:campaigns_customertag_read"}
        return super().changelist_view(request, (extra_context or {}) | told | {"button": gettext("Read the tags")})

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read the tags of an account."""
        need(request, "campaigns.change_customertag")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        tried(request, lambda: customer_tags.sync(account, timezone.now()), gettext("The tags were read."))
        return redirect("admin:campaigns_customertag_changelist")
