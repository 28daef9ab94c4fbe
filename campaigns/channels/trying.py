"""Trying an account out before anything leaves through it: its settings, and whether its server lets us in."""

import re

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import egress
from campaigns.channels import Answer, ChannelError, Outcome, adapter
from campaigns.channels.smtp import Smtp
from campaigns.channels.wechat import tokens
from campaigns.channels.wechat.errors import Action, WeChatError
from campaigns.models import ChannelAccount

WECHAT = frozenset({"wechat_official", "wechat_mini", "wecom"})
PROVEN = WECHAT | {"smtp"}  # of whose keys it is known whether they are let in, without a message
ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def problem(account: ChannelAccount) -> str:
    """Return what is wrong with an account, in words; nothing where it is well. No message is sent."""
    try:
        channel = adapter(account)
        channel.check_account(account)
        return _spoken(channel.test(account)) if isinstance(channel, Smtp) else _asked(account)
    except ChannelError as error:
        return str(error)
    except WeChatError as error:
        return _not_let_in(error)
    except egress.Forbidden as error:
        return _("This server may not call that address (%(why)s).") % {"why": error}
    except (ValueError, TypeError, KeyError) as error:
        return _("A setting cannot be read (%(why)s).") % {"why": type(error).__name__}


def _asked(account: ChannelAccount) -> str:
    """Ask what can be asked without sending: for a token, or whether the address may be called."""
    if account.provider in WECHAT:
        tokens.fetch(account, timezone.now())
    for name in ("url", "api_url"):
        if account.settings.get(name):
            egress.check_resolved(str(account.settings[name]))
    return ""


def forget(account: ChannelAccount) -> None:
    """Forget what an account was given under other keys: nothing may leave in another account's name."""
    if account.provider in WECHAT:
        tokens.forget(account)


def callback_address(account: ChannelAccount) -> str:
    """Return the whole address to enter at the provider, for its reports."""
    name = "wechat-hook" if account.provider in WECHAT else "hook"
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(name, args=[account.hook])}"


def _not_let_in(error: WeChatError) -> str:
    told = {"code": error.code, "address": ", ".join(dict.fromkeys(ADDRESS.findall(error.told)))}
    if error.reason == "server_address":
        return _("The platform does not know this server's address %(address)s: put it on its list there.") % told
    if error.reason == "address_forbidden":
        return _("This server may not call that address (%(why)s).") % {"why": error.code}
    if error.action is Action.AUTH:
        return _("The platform does not let this account in: its number or its secret is wrong (%(code)s).") % told
    return _("The platform cannot be reached, or does not answer (%(code)s).") % told


def _spoken(outcome: Outcome) -> str:
    if outcome.answer is Answer.ACCEPTED:
        return ""
    if outcome.account_refused:
        return _("The server does not let this account in (%(code)s).") % {"code": outcome.code}
    return _("The server cannot be reached, or does not answer (%(code)s).") % {"code": outcome.code}
