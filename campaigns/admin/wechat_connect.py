"""The walk to a connected account of WeChat or WeCom: a real one, or the imitation on this machine."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from campaigns.admin.wechat_parts import official_accounts, tried
from campaigns.models import ChannelAccount
from campaigns.wechat import connecting
from campaigns.wechat.connecting import NoConnection
from crm.admin.again import ask_again

# Where one goes on with an account of the imitation's shop, and what that takes.
NEXT = {
    "mini": ("campaigns.view_minilink", "admin:campaigns_minilink_programs"),
    "wecom": ("campaigns.view_staff", "admin:campaigns_staff_changelist"),
}


def urls() -> list[URLPattern]:
    """Return the addresses of the walk, for the page of followers to hold."""
    view = admin.site.admin_view
    return [
        path("connect/", view(any_view), name="campaigns_wechat_connect_any"),
        path("connect/imitation/", view(imitation_view), name="campaigns_wechat_imitation"),
        path("connect/<int:pk>/", view(account_view), name="campaigns_wechat_connect"),
        path("connect/<int:pk>/test/", view(test_view), name="campaigns_wechat_test"),
    ]


def any_view(request: HttpRequest) -> HttpResponse:
    """Offer the two ways of each platform, and the official accounts that are connected already."""
    if not request.user.has_perm("campaigns.add_channelaccount"):
        raise PermissionDenied
    now = timezone.now()
    context = admin.site.each_context(request) | {
        "title": gettext("Connect WeChat or WeCom"),
        "houses": [(one, connecting.steps(one, now)) for one in official_accounts()],
    }
    return TemplateResponse(request, "zhiyin/wechat/connect.html", context)


@require_POST
def imitation_view(request: HttpRequest) -> HttpResponse:
    """Connect an account of the imitation that runs on this machine: of the kind that was posted."""
    if not request.user.has_perm("campaigns.add_channelaccount"):
        raise PermissionDenied
    ask_again(request)
    kind, now = request.POST.get("kind", ""), timezone.now()
    try:
        made = connecting.imitate_of_shop(kind, now) if kind in NEXT else connecting.imitate(now)
    except NoConnection as error:
        messages.error(request, str(error))
        return redirect("admin:campaigns_wechat_connect_any")
    messages.success(request, gettext("The imitation's account is connected. Nothing leaves this machine."))
    if kind not in NEXT:
        return redirect("admin:campaigns_wechat_connect", made.pk)
    permission, page = NEXT[kind]
    if request.user.has_perm(permission):
        return redirect(page)
    return redirect("admin:campaigns_channelaccount_change", made.pk)


def account_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the steps of one account, each with what is to be done for it."""
    if not request.user.has_perm("campaigns.view_channelaccount"):
        raise PermissionDenied
    one = get_object_or_404(official_accounts(), pk=pk)
    changes = request.user.has_perm("campaigns.change_channelaccount")
    context = admin.site.each_context(request) | {
        "title": one.name,
        "opts": ChannelAccount._meta,
        "account": one,
        "steps": connecting.steps(one, timezone.now()),
        "callback": connecting.callback_address(one) if changes else "",
        "may_change": changes,
        "may_read": request.user.has_perm("campaigns.change_follower"),
    }
    return TemplateResponse(request, "zhiyin/wechat/account.html", context)


@require_POST
def test_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the platform whether it lets us in."""
    if not request.user.has_perm("campaigns.view_channelaccount"):
        raise PermissionDenied
    one = get_object_or_404(official_accounts(), pk=pk)
    found: list[int | None] = []

    def ask() -> None:
        found.append(connecting.test(one))

    if tried(request, ask, gettext("The platform lets us in."), refused=NoConnection) and found[0] is not None:
        messages.info(request, gettext("It counts %(total)s followers.") % {"total": found[0]})
    return redirect("admin:campaigns_wechat_connect", pk)
