"""What the pages of official accounts share: which account a page is about, and a word for each refusal."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount
from campaigns.wechat.words import said


def official_accounts() -> QuerySet[ChannelAccount]:
    """Return the official accounts that there are, those that work first."""
    return ChannelAccount.objects.filter(provider="wechat_official").order_by("status", "-preferred", "name")


def chosen(request: HttpRequest) -> ChannelAccount | None:
    """Return the account that a page is about: the one that its address names, else the first; None without any."""
    asked = request.GET.get("account", "")
    rows = official_accounts()
    found = rows.filter(pk=asked).first() if asked.isdigit() else None
    return found or rows.first()


def about(request: HttpRequest) -> dict[str, Any]:
    """Return what the head of a page shows: the accounts, and the one that is meant."""
    return {"accounts": list(official_accounts()), "account": chosen(request)}


def tried(request: HttpRequest, verb: Callable[[], object], done: str, *, refused: type[Exception]) -> bool:
    """Do something at the platform, and say what came of it; False where it refused."""
    try:
        verb()
    except WeChatError as error:
        messages.error(request, _("This was refused: %(why)s.") % {"why": said(error)})
        return False
    except refused as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done)
    return True
