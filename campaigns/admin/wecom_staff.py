"""Staff in WeCom and the customers whom they know: read from the platform, with the tasks that wait for each."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from campaigns.admin.wecom_parts import accounts, need, tried, without_restricted
from campaigns.models import ChannelAccount, Staff, StaffContact, StaffTask
from campaigns.wechat import customer_remarks, staff_sync, wecom_jobs
from campaigns.wechat.customer_remarks import NoRemark
from crm import access_log
from crm.admin.again import ask_again
from crm.admin.identities import profile_link
from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column, person_of
from crm.models import JobRun
from crm.privacy import masked

PROVIDER, SHOWN = "wecom", 20
OPEN = Q(contacts__ended_at=None)


@admin.register(Staff)
class StaffAdmin(ListAdmin):
    """Staff who may have customers; who of them is a user here can be said."""

    change_list_template = "zhiyin/wechat/staff_list.html"
    change_form_template = "zhiyin/wechat/staff.html"
    fields = ("name", "user")
    autocomplete_fields = ()
    list_display = ("shown_name", "account", "state", "customers", "left", "waiting_tasks", "synced_at")
    list_filter = (("account", RelatedDropdownFilter), "active")
    list_select_related = ("account",)
    search_fields = ("name", "told_name", "userid")
    ordering = ("account", "userid")
    nothing_yet = _("Connect a WeCom account and read its staff and customers.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.read_view)
        return [path("<int:pk>/read/", view, name="campaigns_staff_read"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Staff]:
        rows: QuerySet[Staff] = super().get_queryset(request)
        waiting = Q(tasks__status=StaffTask.Status.WAITING)
        gone = Q(contacts__ended_by=StaffContact.EndedBy.CUSTOMER)
        return rows.annotate(
            of_customers=Count("contacts", filter=OPEN & Q(contacts__isnull=False), distinct=True),
            of_left=Count("contacts", filter=gone, distinct=True),
            of_waiting=Count("tasks", filter=waiting, distinct=True),
        )

    @column(_("name"), ordering="userid")
    def shown_name(self, one: Staff) -> str:
        return str(one)

    @column(_("status"), ordering="active", label={"active": "success", "gone": "warning", "left": "danger"})
    def state(self, one: Staff) -> tuple[str, Any]:
        if one.left_at:
            return "left", _("has left the corporation")
        return ("active", _("has customers")) if one.active else ("gone", _("has none any more"))

    @column(_("customers"), ordering="of_customers")
    def customers(self, one: Any) -> str:
        return f"{one.of_customers:,}"

    @column(_("deleted by customers"), ordering="of_left")
    def left(self, one: Any) -> str:
        return f"{one.of_left:,}"

    @column(_("tasks that wait"), ordering="of_waiting")
    def waiting_tasks(self, one: Any) -> str:
        return f"{one.of_waiting:,}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the platform says who is on the staff

    def has_delete_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        jobs = JobRun.objects.filter(kind=staff_sync.KIND).order_by("-created_at")
        houses = [(one, jobs.filter(parameters__account=one.pk).first()) for one in accounts(PROVIDER)]
        may_read = request.user.has_perm("campaigns.change_staff")
        return super().changelist_view(request, (extra_context or {}) | {"houses": houses, "may_read": may_read})

    def facts_of(self, request: HttpRequest, one: Staff) -> Mapping[str, Any]:
        return _facts(one)

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order that staff and customers of an account are read."""
        need(request, "campaigns.change_staff")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        now = timezone.now()
        job = wecom_jobs.order(staff_sync.KIND, account, person_of(request), now)
        messages.success(request, gettext("Staff and customers are being read."))
        if request.user.has_perm("crm.view_jobrun"):
            return redirect("admin:crm_jobrun_change", job.pk)
        return redirect("admin:campaigns_staff_changelist")


@admin.register(StaffContact)
class StaffContactAdmin(ReadOnlyAdmin):
    """Who of the staff knows which customer, by which way she came, and how it ended."""

    change_form_template = "zhiyin/wechat/contact.html"

    list_display = ("shown_id", "profile", "staff", "came_by", "tag_names", "added_at", "standing")
    list_filter = (("staff", RelatedDropdownFilter), ("ended_by", ChoicesDropdownFilter))
    list_select_related = ("staff__account", "identifier")
    fields = ("staff", "profile", "came_by", "tag_names", "added_at", "ended_at", "ended_by", "synced_at")
    readonly_fields = ("profile", "came_by", "tag_names")
    ordering = ("-added_at",)
    nothing_yet = _("Customers whom staff know in WeCom stand here once they were read.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/read-remark/", view(self.read_remark_view), name="campaigns_staffcontact_read_remark"),
            path("<int:pk>/write-remark/", view(self.write_remark_view), name="campaigns_staffcontact_write_remark"),
            *super().get_urls(),
        ]

    def facts_of(self, request: HttpRequest, one: StaffContact) -> Mapping[str, Any]:
        may = one.ended_at is None and request.user.has_perm("campaigns.change_staffcontact")
        sees = request.user.has_perm("crm.view_unmasked")
        return {"contact": one, "may_write": may, "may_see": sees, "remark": getattr(request, "remark", None)}

    @method_decorator(require_POST)
    def read_remark_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what staff noted, in this one answer, after the reason was written down."""
        need(request, "campaigns.view_staffcontact")
        need(request, "crm.view_unmasked")
        ask_again(request)
        one = get_object_or_404(
            self.get_queryset(request).select_related("staff__account", "identifier__profile"), pk=pk
        )
        address, why = reverse("admin:campaigns_staffcontact_change", args=[pk]), request.POST.get("reason", "")
        try:
            access_log.reveal(one.identifier.profile, user=person_of(request), reason=why, now=timezone.now())
        except access_log.RevealRefused as refused:
            messages.error(request, str(refused))
            return redirect(address)
        page = copy(request)
        page.method = "GET"  # the row is shown, not saved
        if not tried(request, lambda: setattr(page, "remark", customer_remarks.read(one)), gettext("Read from WeCom.")):
            return redirect(address)
        return self.change_view(page, str(pk), form_url=address)

    @method_decorator(require_POST)
    def write_remark_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write to WeCom what a member of staff is to know of a customer."""
        need(request, "campaigns.change_staffcontact")
        one = get_object_or_404(self.get_queryset(request).select_related("staff__account", "identifier"), pk=pk)
        told = customer_remarks.Remark(name=request.POST.get("name", ""), note=request.POST.get("note", ""))
        if tried(request, lambda: customer_remarks.write(one, told), gettext("Written to WeCom."), NoRemark):
            self.log_change(request, one, "A remark was written to WeCom.")
        return redirect("admin:campaigns_staffcontact_change", pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffContact]:
        rows: QuerySet[StaffContact] = without_restricted(request, super().get_queryset(request))
        return rows.prefetch_related("staff__account__ways", "staff__account__customer_tags")

    @column(_("customer"))
    def shown_id(self, one: StaffContact) -> str:
        return masked(one.identifier.type, one.identifier.value)

    @column(_("profile"))
    def profile(self, one: StaffContact) -> str:
        return profile_link(one.identifier.profile_id)

    @column(_("came by"))
    def came_by(self, one: StaffContact) -> str:
        ways = {way.state: way.name for way in one.staff.account.ways.all() if way.state}
        return ways.get(one.state, one.state) or "–"

    @column(_("tags"))
    def tag_names(self, one: StaffContact) -> str:
        names = {tag.tag_id: tag.name for tag in one.staff.account.customer_tags.all()}
        return ", ".join(names.get(tag, tag) for tag in one.tags) or "–"

    @column(_("status"), label={"open": "success", "customer": "danger", "ended": "warning"})
    def standing(self, one: StaffContact) -> tuple[str, Any]:
        if one.ended_at is None:
            return "open", _("in contact")
        if one.ended_by == StaffContact.EndedBy.CUSTOMER:
            return "customer", _("deleted us: has withdrawn")
        return "ended", one.get_ended_by_display() or _("not there any more")

    def title_of(self, obj: StaffContact) -> str:
        return f"{obj.staff} · #{obj.identifier.profile_id}"


def _facts(one: Staff) -> dict[str, Any]:
    tasks = StaffTask.objects.filter(staff=one).select_related("job__run__campaign").order_by("-pk")
    contacts = StaffContact.objects.filter(staff=one)
    counts = contacts.aggregate(
        open=Count("pk", filter=Q(ended_at=None)),
        left=Count("pk", filter=Q(ended_by=StaffContact.EndedBy.CUSTOMER)),
        handed=Count("pk", filter=Q(ended_by=StaffContact.EndedBy.HANDOVER)),
    )
    return {"counts": counts, "tasks": tasks[:SHOWN], "groups": one.groups.filter(dismissed_at=None)}
