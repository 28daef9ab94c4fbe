"""Handovers: whose customers go to whom, and who of them went along."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.admin.wecom_parts import accounts, need
from campaigns.models import ChannelAccount, HandedOver, Handover, Staff
from campaigns.wechat import departures, handovers, wecom_jobs
from crm.admin.lists import ListAdmin, column, person_of

PROVIDER = "wecom"


class StaffChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Staff by name, with a word where somebody has left."""

    def label_from_instance(self, obj: Any) -> str:
        return gettext("%(name)s (has left)") % {"name": obj} if obj.left_at else str(obj)


class HandoverForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whose customers go to whom, and what they are told."""

    from_staff = StaffChoice(
        Staff.objects.none(), label=_("From"), widget=UnfoldAdminSelectWidget, help_text=_("All her customers.")
    )
    to_staff = forms.ModelChoiceField(Staff.objects.none(), label=_("To"), widget=UnfoldAdminSelectWidget)
    message = forms.CharField(
        label=_("Message to the customers"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Empty: the platform's own. Of who has left the platform takes no words."),
    )  # fmt: skip

    class Meta:
        model = Handover
        fields = ("from_staff", "to_staff", "message")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"from_staff", "to_staff"} & set(self.fields):
            self.fields[name].queryset = Staff.objects.order_by("account", "userid")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        giver, taker = told.get("from_staff"), told.get("to_staff")
        if giver and taker and (giver == taker or giver.account_id != taker.account_id or not taker.active):
            raise forms.ValidationError(_("Choose another, active member of staff of the same account."))
        return told


@admin.register(Handover)
class HandoverAdmin(ListAdmin):
    """Handovers, with who went along: a customer may refuse for a day."""

    form = HandoverForm
    change_list_template = "zhiyin/wechat/handovers_list.html"
    change_form_template = "zhiyin/wechat/handover.html"
    list_display = ("from_staff", "to_staff", "customers", "done", "refused", "waiting", "created_at")
    list_select_related = ("from_staff", "to_staff", "account")
    ordering = ("-created_at",)
    nothing_yet = _("Customers of somebody who leaves, or moves to another shop, are handed over here.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.read_view)
        return [path("<int:pk>/read/", view, name="campaigns_handover_read"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Handover]:
        rows: QuerySet[Handover] = super().get_queryset(request)
        status = HandedOver.Status
        refused = [status.REFUSED, status.LIMIT, status.FAILED]
        return rows.annotate(
            of_all=Count("customers"),
            of_done=Count("customers", filter=Q(customers__status=status.DONE)),
            of_refused=Count("customers", filter=Q(customers__status__in=refused)),
        )

    @column(_("customers"))
    def customers(self, one: Any) -> int:
        return int(one.of_all)

    @column(_("taken over"))
    def done(self, one: Any) -> int:
        return int(one.of_done)

    @column(_("not taken over"))
    def refused(self, one: Any) -> int:
        return int(one.of_refused)

    @column(_("open"))
    def waiting(self, one: Any) -> int:
        return int(one.of_all - one.of_done - one.of_refused)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = request.user.has_perm("campaigns.add_handover")
        told = {"houses": accounts(PROVIDER), "may_read": may, "read": "admin:campaigns_handover_read"}
        told |= {"button": gettext("Ask who has left"), "left": departures.waiting()}
        return super().changelist_view(request, (extra_context or {}) | told)

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order that the platform is asked who has left, and whose customers wait."""
        need(request, "campaigns.add_handover")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        wecom_jobs.order(departures.KIND, account, person_of(request), timezone.now())
        messages.success(request, gettext("WeCom is being asked who has left."))
        return redirect("admin:campaigns_handover_changelist")

    def has_change_permission(self, request: HttpRequest, obj: Handover | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Handover | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Handover, form: Any, change: bool) -> None:
        now = timezone.now()
        told = form.cleaned_data
        made = handovers.order(told["from_staff"], told["to_staff"], told["message"], person_of(request), now)
        obj.pk, obj._state.adding = made.pk, False
        obj.account_id = made.account_id

    def response_add(self, request: HttpRequest, obj: Handover, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, gettext("They are handed over within minutes; who goes along stands here."))
        return redirect("admin:campaigns_handover_change", obj.pk)

    def facts_of(self, request: HttpRequest, one: Handover) -> Mapping[str, Any]:
        rows = one.customers.values("status").annotate(n=Count("pk")).order_by("status")
        told = [(HandedOver.Status(row["status"]).label, row["n"], row["status"]) for row in rows]
        return {"counts": told, "handover": one}
