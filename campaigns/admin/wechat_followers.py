"""Followers of official accounts: who they are to us, by which way they came, and the button that reads them anew."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import AllValuesCheckboxFilter, RelatedDropdownFilter

from campaigns.admin import wechat_connect
from campaigns.admin.wechat_parts import official_accounts, tried
from campaigns.models import AccountTag, EntryCode, Follower, MiniLink
from campaigns.wechat import chats, followers, remarks
from crm.admin.identities import profile_link
from crm.admin.jobs import may_control
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.admin.restricted import MAY
from crm.privacy import masked

MOST_TAGS = 3
# By which way the platform says that somebody came.
SCENES = {
    "ADD_SCENE_SEARCH": _("search"),
    "ADD_SCENE_ACCOUNT_MIGRATION": _("account moved"),
    "ADD_SCENE_PROFILE_CARD": _("card of a friend"),
    "ADD_SCENE_QR_CODE": _("QR code"),
    "ADD_SCENE_PROFILE_LINK": _("name in an article"),
    "ADD_SCENE_PROFILE_ITEM": _("menu of an article"),
    "ADD_SCENE_PAID": _("after a payment"),
    "ADD_SCENE_WECHAT_ADVERTISEMENT": _("advertisement"),
    "ADD_SCENE_REPRINT": _("reprint"),
    "ADD_SCENE_LIVESTREAM": _("live stream"),
    "ADD_SCENE_CHANNELS": _("video channel"),
    "ADD_SCENE_WXA": _("mini program"),
    "ADD_SCENE_OTHERS": _("another way"),
    "login": _("logged in"),  # of a mini program
}


class TagFilter(SimpleListFilter):
    """Followers who bear a tag."""

    title, parameter_name = _("tag"), "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(one.pk), one.name) for one in AccountTag.objects.standing().order_by("name")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Follower]) -> QuerySet[Follower]:
        asked = self.value()
        found = AccountTag.objects.filter(pk=asked).first() if asked and asked.isdigit() else None
        if found is None:
            return queryset
        return queryset.filter(account=found.account_id, tags__contains=[found.number])


@admin.register(Follower)
class FollowerAdmin(ReadOnlyAdmin):
    """Followers, with nothing of them in clear: whose they are is a click away for who may see it."""

    change_list_template = "zhiyin/wechat/followers.html"
    change_form_template = "zhiyin/wechat/follower.html"
    list_display = ("shown_id", "person", "account", "state", "came_by", "code_name", "tag_names", "followed_at")
    list_filter = (
        ("account", RelatedDropdownFilter),
        "following",
        "receiving",
        ("scene", AllValuesCheckboxFilter),
        TagFilter,
    )
    list_select_related = ("identifier", "account")
    ordering = ("-followed_at", "-pk")
    fields = ("account", "person", "came_by", "code_name", "tag_names", "language", "followed_at", "unfollowed_at")
    nothing_yet = _("Connect an official account, and read its followers: they stand here within minutes.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Follower]:
        rows: QuerySet[Follower] = super().get_queryset(request)
        return rows if request.user.has_perm(MAY) else rows.filter(identifier__profile__restricted_at=None)

    def title_of(self, obj: Follower) -> str:
        return f"{obj.account}: #{obj.pk}"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            *wechat_connect.urls(),
            path("read/<int:pk>/", view(self.read_view), name="campaigns_follower_read"),
            path("<int:pk>/remark/", view(self.remark_view), name="campaigns_follower_remark"),
            *super().get_urls(),
        ]

    @column(_("follower"))
    def shown_id(self, one: Follower) -> str:
        return masked(one.identifier.type, one.identifier.value)

    @column(_("profile"))
    def person(self, one: Follower) -> str:
        return profile_link(one.identifier.profile_id)

    @column(_("state"), label={"follows": "success", "silent": "warning", "left": "danger"})
    def state(self, one: Follower) -> tuple[str, Any]:
        if not one.following:
            return "left", _("left")
        return ("follows", _("follows")) if one.receiving else ("silent", _("receives nothing"))

    @column(_("came by"), ordering="scene")
    def came_by(self, one: Follower) -> Any:
        return SCENES.get(one.scene, one.scene or "–")

    @column(_("code"), ordering="entry")
    def code_name(self, one: Follower) -> str:
        """Return what the code or link is called here; one that was made elsewhere by its mark."""
        return self._codes(one.account_id).get(one.entry, one.entry) or "–"

    @column(_("tags"))
    def tag_names(self, one: Follower) -> str:
        names = self._names(one.account_id)
        shown = [names.get(number, f"#{number}") for number in (one.tags or [])]
        more = [(f"+{len(shown) - MOST_TAGS}",)] if len(shown) > MOST_TAGS else []
        rows = [*((name,) for name in shown[:MOST_TAGS]), *more]
        return format_html_join(" ", '<span class="zy-tag">{}</span>', rows) or "–"

    def _names(self, account: int) -> dict[int, str]:
        """Return the names of an account's tags: one question a page, not one a row."""
        kept: dict[int, dict[int, str]] = self.__dict__.setdefault("_kept", {})
        if account not in kept:
            kept[account] = dict(AccountTag.objects.filter(account=account).values_list("number", "name"))
        return kept[account]

    def _codes(self, account: int) -> dict[str, str]:
        """Return the names of an account's codes and links by their marks: two questions a page."""
        kept: dict[int, dict[str, str]] = self.__dict__.setdefault("_kept_codes", {})
        if account not in kept:
            codes = EntryCode.objects.filter(account=account).values_list("scene", "name")
            kept[account] = dict([*codes, *MiniLink.objects.filter(account=account).values_list("scene", "name")])
        return kept[account]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.__dict__["_kept"], self.__dict__["_kept_codes"] = {}, {}
        context = {"houses": _houses(), "may_read": _may_read(request), "may_control": may_control(request)}
        return super().changelist_view(request, context | {"now": timezone.now()} | (extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        one = self.get_object(request, object_id)
        facts: dict[str, Any] = {}
        if isinstance(one, Follower):
            self.__dict__["_kept"], self.__dict__["_kept_codes"] = {}, {}
            code = EntryCode.objects.filter(account=one.account_id, scene=one.entry).first() if one.entry else None
            facts = {
                "follower": one,
                "window": chats.window(one.account, one.identifier_id, timezone.now()),
                "code": code,
                "remark": remarks.of(one),
                "may_remark": _may_read(request),
                "may_chat": request.user.has_perm("campaigns.view_chatmessage"),
            }
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a worker read an account's followers, or look on where one does already."""
        if not _may_read(request):
            raise PermissionDenied
        account = get_object_or_404(official_accounts(), pk=pk)
        job = followers.order(account, person_of(request), timezone.now())
        self.log_change(request, account, f"Reading the followers: job {job.pk}")
        return redirect("admin:campaigns_follower_changelist")

    @method_decorator(require_POST)
    def remark_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Call a follower something, at the platform and here."""
        if not _may_read(request):
            raise PermissionDenied
        one = get_object_or_404(self.get_queryset(request), pk=pk)

        def write() -> None:
            remarks.write(one, request.POST.get("remark", ""), person_of(request), timezone.now())

        tried(request, write, gettext("The remark was written."), refused=remarks.NoRemark)
        return redirect("admin:campaigns_follower_change", pk)


def _may_read(request: HttpRequest) -> bool:
    return request.user.has_perm("campaigns.change_follower")


def _houses() -> list[dict[str, Any]]:
    """Return each account with its counts and its last reading."""
    follows, silent = Q(followers__following=True), Q(followers__following=True, followers__receiving=False)
    counted = official_accounts().annotate(
        people=Count("followers", filter=follows),
        silent=Count("followers", filter=silent),
        gone=Count("followers", filter=~follows),
    )
    return [{"account": one, "job": followers.jobs_of(one).first()} for one in counted]
