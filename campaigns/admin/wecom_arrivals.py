"""Ways by which customers come to staff, the welcome that each way says, and the log of welcomes."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.admin.wecom_parts import account_field, accounts, need, tried, without_restricted
from campaigns.channels.wechat.attachments import BadAttachment
from campaigns.models import (
    AcquisitionQuota,
    ArrivalWay,
    Campaign,
    ChannelAccount,
    CustomerGroup,
    Picture,
    Staff,
    StaffContact,
    Welcome,
)
from campaigns.wechat import acquisition, arrival_ways, wecom_jobs
from campaigns.wechat.arrival_ways import NoWay
from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column, person_of

# What may change as long as a way is open: what is printed does not.
SAID = ("welcome", "link_title", "link_url", "picture", "card_appid", "card_page", "card_title")
LABELS = {"works": "success", "closed": "warning", "unmade": "danger"}
WELCOMES = {
    **dict.fromkeys(("sent", "presumed"), "success"),
    **dict.fromkeys(("waiting", "calling"), "info"),
    **dict.fromkeys(("taken", "withheld", "unknown"), "warning"),
    **dict.fromkeys(("failed", "late"), "danger"),
}


class WayForm(forms.ModelForm):  # type: ignore[type-arg]
    """A way: to whom it leads, for which campaign, and what is said to who comes by it."""

    account = account_field("wecom")
    name = forms.CharField(
        label=capfirst(_("name")), max_length=120, widget=UnfoldAdminTextInputWidget,
        help_text=_("Where it will hang or be shown: door of the shop in Jing'an."),
    )  # fmt: skip
    kind = forms.ChoiceField(label=_("Kind"), choices=ArrivalWay.Kind.choices, widget=UnfoldAdminSelectWidget)
    staff = forms.ModelMultipleChoiceField(
        Staff.objects.none(), label=_("Staff"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    groups = forms.MultipleChoiceField(
        label=_("Customer groups"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Of a code of groups: five at most, filled one after the other."),
    )  # fmt: skip
    campaign = forms.ModelChoiceField(
        Campaign.objects.none(), label=_("Campaign"), required=False, widget=UnfoldAdminSelectWidget
    )
    skip_verify = forms.BooleanField(
        label=_("Without confirmation"), required=False, initial=True, widget=UnfoldBooleanSwitchWidget,
        help_text=_("Staff need not accept each customer by hand."),
    )  # fmt: skip
    welcome = forms.CharField(
        label=_("Welcome message"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Sent within seconds of somebody's coming; the platform waits twenty. 4,000 bytes. Empty: none."),
    )  # fmt: skip
    link_title = forms.CharField(
        label=_("Title of a link below it"), max_length=64, required=False, widget=UnfoldAdminTextInputWidget
    )
    link_url = forms.URLField(
        label=_("Address of the link"), max_length=500, required=False, assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )  # fmt: skip

    picture = forms.ModelChoiceField(
        Picture.objects.none(), label=_("Picture"), required=False, widget=UnfoldAdminSelectWidget,
        help_text=_("Below the text; where there is a card, its cover."),
    )  # fmt: skip
    card_appid = forms.CharField(
        label=_("Card: AppID of the mini program"), max_length=32, required=False, widget=UnfoldAdminTextInputWidget
    )
    card_page = forms.CharField(
        label=_("Card: page"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
    card_title = forms.CharField(
        label=_("Card: title"), max_length=64, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("64 bytes at most: 21 Chinese characters."),
    )  # fmt: skip

    class Meta:
        model = ArrivalWay
        fields = ("account", "name", "kind", "staff", "groups", "campaign", "skip_verify", *SAID)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered: dict[str, Any] = self.fields
        if "staff" in offered:
            offered["staff"].queryset = Staff.objects.filter(active=True).order_by("account", "userid")
        if "groups" in offered:
            groups = CustomerGroup.objects.filter(dismissed_at=None).order_by("name")
            offered["groups"].choices = [(one.chat_id, str(one)) for one in groups]
        if "picture" in offered:
            offered["picture"].queryset = Picture.objects.defer("content").order_by("-pk")
        if "campaign" in offered:
            rows = Campaign.objects.exclude(kind=Campaign.Kind.IMPORTED).order_by("-pk")
            offered["campaign"].queryset = rows

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        way = ArrivalWay(
            account=told.get("account") or self.instance.account,
            kind=told.get("kind") or self.instance.kind,
            groups=told.get("groups") or self.instance.groups,
            **{name: told.get(name) or (None if name == "picture" else "") for name in SAID},
        )
        count = len(told["staff"]) if "staff" in told else self.instance.staff.count()
        try:
            arrival_ways.check(way, count)
        except NoWay as error:
            raise forms.ValidationError(str(error)) from error
        except BadAttachment as error:
            raise forms.ValidationError({error.field: str(error)}) from error
        return told


@admin.register(ArrivalWay)
class ArrivalWayAdmin(ListAdmin):
    """Ways of arrival, with who came by each and who was welcomed."""

    form = WayForm
    change_form_template = "zhiyin/wechat/way.html"
    change_list_template = "zhiyin/wechat/ways_list.html"
    list_display = ("name", "kind_label", "campaign", "came", "left", "welcomed", "status", "created_at")
    list_filter = (("account", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("account", "campaign")
    search_fields = ("name",)
    ordering = ("-created_at",)
    nothing_yet = _("A code on a shop's door leads to its staff; its mark says later by which door a customer came.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.do_view)
        pattern = r"^(?P<pk>\d+)/(?P<verb>make|close)/$"
        read = self.admin_site.admin_view(self.read_view)
        return [
            path("<int:pk>/read-links/", read, name="campaigns_arrivalway_read"),
            re_path(pattern, view, name="campaigns_arrivalway_do"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ArrivalWay]:
        rows: QuerySet[ArrivalWay] = super().get_queryset(request)
        by = StaffContact.objects.filter(staff__account=OuterRef("account"), state=OuterRef("state")).exclude(state="")
        counted = by.order_by().values("state")
        gone = Q(ended_by=StaffContact.EndedBy.CUSTOMER)
        good = Q(welcomes__status__in=[Welcome.Status.SENT, Welcome.Status.PRESUMED])
        return rows.annotate(
            of_came=Subquery(counted.annotate(n=Count("pk")).values("n")[:1]),
            of_left=Subquery(counted.annotate(n=Count("pk", filter=gone)).values("n")[:1]),
            of_welcomed=Count("welcomes", filter=good),
        )

    @column(_("kind"), ordering="kind")
    def kind_label(self, one: ArrivalWay) -> str:
        return one.get_kind_display()

    @column(_("came"))
    def came(self, one: Any) -> str:
        return "–" if one.kind == ArrivalWay.Kind.OTHERWISE else f"{one.of_came or 0:,}"

    @column(_("left again"))
    def left(self, one: Any) -> str:
        return "–" if one.kind == ArrivalWay.Kind.OTHERWISE else f"{one.of_left or 0:,}"

    @column(_("welcomed"))
    def welcomed(self, one: Any) -> str:
        return f"{one.of_welcomed:,}"

    @column(_("status"), label=LABELS)
    def status(self, one: ArrivalWay) -> tuple[str, Any]:
        return state_of(one)

    def get_fields(self, request: HttpRequest, obj: ArrivalWay | None = None) -> Any:
        # What is printed does not change: its mark leads here for good.
        return WayForm.Meta.fields if obj is None else ("name", "campaign", *SAID)

    def has_delete_permission(self, request: HttpRequest, obj: ArrivalWay | None = None) -> bool:
        return False  # customers who came by it name it: one that is over is closed

    def save_model(self, request: HttpRequest, obj: ArrivalWay, form: Any, change: bool) -> None:
        if not change:
            obj.created_by, obj.created_at = person_of(request), timezone.now()
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change and form.instance.kind != ArrivalWay.Kind.OTHERWISE:
            made = gettext("The code is made; print it or show it.")
            tried(request, lambda: arrival_ways.make(form.instance, timezone.now()), made, NoWay)

    def response_add(self, request: HttpRequest, obj: ArrivalWay, post_url_continue: Any = None) -> HttpResponse:
        return redirect("admin:campaigns_arrivalway_change", obj.pk)

    def facts_of(self, request: HttpRequest, one: ArrivalWay) -> Mapping[str, Any]:
        welcomes = one.welcomes.select_related("staff", "identifier").order_by("-pk")[:20]
        return {"way": one, "counts": arrival_ways.came_by(one), "welcomes": welcomes, "state": state_of(one)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = request.user.has_perm("campaigns.change_arrivalway")
        told = {"houses": accounts("wecom"), "may_read": may, "read": "admin:campaigns_arrivalway_read"}
        quotas = AcquisitionQuota.objects.select_related("account").order_by("account__name")
        told |= {"button": gettext("Read the acquisition links"), "quotas": quotas}
        return super().changelist_view(request, (extra_context or {}) | told)

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order that the links of an account are read, with who came by them and what is left."""
        need(request, "campaigns.change_arrivalway")
        account = get_object_or_404(ChannelAccount, pk=pk, provider="wecom")
        wecom_jobs.order(acquisition.KIND, account, person_of(request), timezone.now())
        messages.success(request, gettext("The links are being read."))
        return redirect("admin:campaigns_arrivalway_changelist")

    @method_decorator(require_POST)
    def do_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Make a code that could not be made, or close one."""
        need(request, "campaigns.change_arrivalway")
        one, now = get_object_or_404(ArrivalWay, pk=pk), timezone.now()
        if verb == "make":
            tried(request, lambda: arrival_ways.make(one, now), gettext("The code is made."), NoWay)
        elif tried(request, lambda: arrival_ways.close(one, now), gettext("The code leads nowhere any more.")):
            self.log_change(request, one, "Closed.")
        return redirect("admin:campaigns_arrivalway_change", pk)


@admin.register(Welcome)
class WelcomeAdmin(ReadOnlyAdmin):
    """Each welcome: what became of it, and how long it took."""

    list_display = ("arrived", "staff", "way", "state", "took", "attempt", "reason")
    list_filter = (("status", ChoicesDropdownFilter), ("way", RelatedDropdownFilter))
    list_select_related = ("staff", "way", "identifier")
    fields = ("profile", "staff", "way", "state", "reason", "attempt", "happened_at", "received_at", "ended_at")
    readonly_fields = ("profile", "state")
    ordering = ("-received_at",)
    nothing_yet = _("Who comes to staff by a way with a welcome message is welcomed within seconds; each stands here.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Welcome]:
        return without_restricted(request, super().get_queryset(request))

    @column(_("came"), ordering="received_at")
    def arrived(self, one: Welcome) -> Any:
        return one.happened_at

    @column(_("profile"))
    def profile(self, one: Welcome) -> str:
        return f"#{one.identifier.profile_id}"

    @column(_("status"), ordering="status", label=WELCOMES)
    def state(self, one: Welcome) -> tuple[str, Any]:
        return one.status, one.get_status_display()

    @column(_("took"))
    def took(self, one: Welcome) -> str:
        return f"{(one.ended_at - one.received_at).total_seconds():.1f} s" if one.ended_at else "–"

    def title_of(self, obj: Welcome) -> str:
        return f"{obj.staff} · {obj.get_status_display()}"


def state_of(one: ArrivalWay) -> tuple[str, Any]:
    """Return the state's code and word."""
    if one.closed_at:
        return "closed", _("closed")
    if one.config_id or one.kind == ArrivalWay.Kind.OTHERWISE:
        return "works", _("works")
    return "unmade", _("not made yet")
