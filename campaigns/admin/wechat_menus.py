"""The menu of an official account: drawn as a telephone shows it, checked, published, and read back."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from campaigns.admin.wechat_parts import about, official_accounts, tried
from campaigns.models import ChannelAccount, MenuVersion
from campaigns.wechat import menus
from campaigns.wechat.menus import BadMenu
from crm.admin.lists import ReadOnlyAdmin, person_of

SHOWN = 12


@admin.register(MenuVersion)
class MenuVersionAdmin(ReadOnlyAdmin):
    """One page with the editor, what stands at the platform, and the versions before."""

    fields = ("account", "number", "origin", "made_by", "made_at", "published_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("save/<int:account>/", view(self.save_view), name="campaigns_menuversion_save"),
            path("read/<int:account>/", view(self.read_view), name="campaigns_menuversion_read"),
            path("<int:pk>/publish/", view(self.publish_view), name="campaigns_menuversion_publish"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._editor(request, about(request)["account"], None, [])

    def _editor(
        self, request: HttpRequest, account: ChannelAccount | None, told: Any, problems: list[menus.Problem]
    ) -> HttpResponse:
        """Show the editor with what somebody wrote, or with the version that was asked for, or with the newest."""
        versions = MenuVersion.objects.filter(account=account).select_related("made_by").order_by("-number")
        asked = request.GET.get("version", "")
        chosen = versions.filter(number=asked).first() if asked.isdigit() else versions.first()
        buttons = told if told is not None else (chosen.buttons if chosen else [])
        context = self.admin_site.each_context(request) | {
            "title": gettext("Menu below the conversation"),
            "opts": self.opts,
            **about(request),
            "account": account,
            "chosen": chosen if told is None else None,
            "standing": menus.standing(account) if account else None,
            "versions": versions[:SHOWN],
            "buttons": buttons,
            "problems": problems,
            "types": {code: str(words) for code, words in menus.WORDS.items()},
            "most": menus.most(account) if account else {},
            "may_change": request.user.has_perm("campaigns.change_menuversion"),
        }
        return TemplateResponse(request, "zhiyin/wechat/menu.html", context)

    @method_decorator(require_POST)
    def save_view(self, request: HttpRequest, account: int) -> HttpResponse:
        """Keep what was drawn as a version, and publish it where that button was pressed."""
        _demand(request)
        one = get_object_or_404(official_accounts(), pk=account)
        try:
            told = json.loads(request.POST.get("buttons", ""))
        except ValueError:
            told = None
        try:
            made = menus.save(one, told, person_of(request), timezone.now())
        except BadMenu as error:
            messages.error(request, gettext("The platform would not take it: what is wrong stands beside it."))
            return self._editor(request, one, told if isinstance(told, list) else [], list(error.problems))
        if "publish" in request.POST:
            self._publish(request, made)
        else:
            messages.success(request, gettext("Kept as version %(number)s.") % {"number": made.number})
        return redirect(_page(one))

    @method_decorator(require_POST)
    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Publish a version once more, as it was."""
        _demand(request)
        one = get_object_or_404(MenuVersion.objects.select_related("account"), pk=pk)
        self._publish(request, one)
        return redirect(_page(one.account))

    def _publish(self, request: HttpRequest, one: MenuVersion) -> None:
        said = gettext("Version %(number)s stands at the platform. Followers see it when they open the account anew.")
        if tried(request, lambda: menus.publish(one, timezone.now()), said % {"number": one.number}, refused=BadMenu):
            self.log_change(request, one, f"Published v{one.number}")

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, account: int) -> HttpResponse:
        """Read what stands at the platform; somebody may have changed it there."""
        _demand(request)
        one = get_object_or_404(official_accounts(), pk=account)
        said = gettext("What stands at the platform is the newest version here.")
        tried(request, lambda: menus.read_back(one, timezone.now()), said, refused=BadMenu)
        return redirect(_page(one))


def _demand(request: HttpRequest) -> None:
    if not request.user.has_perm("campaigns.change_menuversion"):
        raise PermissionDenied


def _page(account: ChannelAccount) -> str:
    return f"{reverse('admin:campaigns_menuversion_changelist')}?account={account.pk}"
