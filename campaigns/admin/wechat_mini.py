"""Mini programs: the ways that lead into them, what phone numbers cost, and whether the privacy guide says enough."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.admin.wecom_parts import account_field, accounts, need, tried
from campaigns.models import Campaign, ChannelAccount, Credit, Follower, MiniLink, PhoneCode, PrivacyGuide
from campaigns.wechat import mini_links, phone_numbers, privacy_guides
from crm.admin.lists import ListAdmin, column, person_of

PROVIDER, LATELY = "wechat_mini", timedelta(days=30)
LABELS = {"works": "success", "ended": "danger", "unmade": "warning"}
SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class LinkForm(forms.ModelForm):  # type: ignore[type-arg]
    """A way into a mini program: for which campaign, to which page."""

    account = account_field(PROVIDER)
    name = forms.CharField(
        label=capfirst(_("name")),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Where it will stand."),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=MiniLink.Kind.choices, widget=UnfoldAdminSelectWidget)
    page = forms.CharField(
        label=_("Page"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Of the live version, as pages/offer/index; empty: the start."),
    )  # fmt: skip
    campaign = forms.ModelChoiceField(
        Campaign.objects.none(), label=_("Campaign"), required=False, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = MiniLink
        fields = ("account", "name", "kind", "page", "campaign")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "campaign" in self.fields:
            rows = Campaign.objects.exclude(kind=Campaign.Kind.IMPORTED).order_by("-pk")
            self.fields["campaign"].queryset = rows  # type: ignore[attr-defined]


@admin.register(MiniLink)
class MiniLinkAdmin(ListAdmin):
    """Links, schemes and codes, with the logins that each brought; and a page about the mini programs themselves."""

    form = LinkForm
    change_form_template = "zhiyin/wechat/mini_link.html"
    list_display = ("name", "account", "kind_label", "page", "campaign", "opened", "state", "expires_at")
    list_filter = (("account", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("account", "campaign")
    search_fields = ("name", "scene")
    ordering = ("-created_at",)
    nothing_yet = _("A link in an SMS, a code on a table: each says later by which way people came in.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("mini-programs/", view(self.programs_view), name="campaigns_minilink_programs"),
            path("mini-programs/<int:pk>/check/", view(self.check_view), name="campaigns_minilink_check"),
            path("<int:pk>/make/", view(self.make_view), name="campaigns_minilink_make"),
            path("<int:pk>/picture/", view(self.picture_view), name="campaigns_minilink_picture"),
            *super().get_urls(),
        ]

    @column(_("kind"), ordering="kind")
    def kind_label(self, one: MiniLink) -> str:
        return one.get_kind_display()

    @column(_("status"), label=LABELS)
    def state(self, one: MiniLink) -> tuple[str, Any]:
        return state_of(one)

    def has_change_permission(self, request: HttpRequest, obj: MiniLink | None = None) -> bool:
        return False  # what was printed or sent does not change

    def has_delete_permission(self, request: HttpRequest, obj: MiniLink | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: MiniLink, form: Any, change: bool) -> None:
        now = timezone.now()
        made = mini_links.order(form.cleaned_data["account"], _told(form.cleaned_data), person_of(request), now)
        obj.pk, obj._state.adding = made.pk, False
        tried(request, lambda: mini_links.make(made, now), gettext("The way is made."))

    def response_add(self, request: HttpRequest, obj: MiniLink, post_url_continue: Any = None) -> HttpResponse:
        return redirect("admin:campaigns_minilink_change", obj.pk)

    def facts_of(self, request: HttpRequest, one: MiniLink) -> Mapping[str, Any]:
        came = Follower.objects.filter(account=one.account, entry=one.scene).count()
        may = request.user.has_perm("campaigns.add_minilink")
        return {"link": one, "newcomers": came, "state": state_of(one), "may_make": may}

    @method_decorator(require_POST)
    def make_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a way that could not be made, or has ended, at the platform; its scene stays."""
        need(request, "campaigns.add_minilink")
        one = get_object_or_404(MiniLink, pk=pk)
        tried(request, lambda: mini_links.make(one, timezone.now()), gettext("The way is made."))
        return redirect("admin:campaigns_minilink_change", pk)

    def picture_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give the picture of a code, as the platform made it."""
        need(request, "campaigns.view_minilink")
        one = get_object_or_404(MiniLink, pk=pk)
        picture = bytes(one.image or b"")
        kind = next((kind for begin, kind in SIGNATURES.items() if picture.startswith(begin)), None)
        if kind is None:
            raise Http404
        return HttpResponse(picture, content_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    def programs_view(self, request: HttpRequest) -> HttpResponse:
        """Say of each mini program who logged in, what phone numbers cost, and what the privacy guide lacks."""
        need(request, "campaigns.view_minilink")
        now = timezone.now()
        context = self.admin_site.each_context(request) | {
            "title": gettext("Mini programs"),
            "programs": [_facts(account, now) for account in accounts(PROVIDER)],
            "may_check": request.user.has_perm("campaigns.add_minilink"),
            "sees_costs": request.user.has_perm("campaigns.view_phonecode"),
            "snippet": static("campaigns/wechat/request_subscribe.js"),
        }
        return TemplateResponse(request, "zhiyin/wechat/mini_programs.html", context)

    @method_decorator(require_POST)
    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the platform what the privacy guide says."""
        need(request, "campaigns.add_minilink")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        privacy_guides.check(account, timezone.now())
        return redirect("admin:campaigns_minilink_programs")


def state_of(one: MiniLink) -> tuple[str, Any]:
    """Return the state's code and word."""
    if not one.url and not one.image:
        return "unmade", _("not made yet")
    if one.expires_at and one.expires_at <= timezone.now():
        return "ended", _("ended")
    return "works", _("works")


def _told(cleaned: dict[str, Any]) -> dict[str, Any]:
    return {name: cleaned[name] for name in ("name", "kind", "page", "campaign")}


def _facts(account: ChannelAccount, now: Any) -> dict[str, Any]:
    codes = PhoneCode.objects.filter(account=account)
    guide = PrivacyGuide.objects.filter(account=account).first()
    credits = Credit.objects.filter(account=account)
    lines = privacy_guides.lines(account, guide)
    return {
        "account": account,
        "people": Follower.objects.filter(account=account).count(),
        "logins": MiniLink.objects.filter(account=account).aggregate(n=Sum("opened"))["n"] or 0,
        "meter": codes.meter(now - LATELY),
        "cost": codes.filter(asked_at__gte=now - LATELY).aggregate(sum=Sum("cost"))["sum"] or 0,
        "unknown": codes.filter(status=PhoneCode.Status.UNKNOWN).count(),
        "price": phone_numbers.price(account),
        "guide": guide,
        "lines": lines,
        "missing": [line for line in lines if line.state == "missing"],
        "reported": credits.filter(source=Credit.Source.REPORT).count(),
        "confirmed": credits.filter(source=Credit.Source.POPUP, delta__gt=0).count(),
    }
