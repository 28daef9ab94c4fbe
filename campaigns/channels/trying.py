"""Trying an account out before anything leaves through it: its settings, and whether its server lets us in."""

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import egress
from campaigns.channels import Answer, ChannelError, Outcome, adapter
from campaigns.channels.smtp import Smtp
from campaigns.models import ChannelAccount


def problem(account: ChannelAccount) -> str:
    """Return what is wrong with an account, in words; nothing where it is well. No message is sent."""
    try:
        channel = adapter(account)
        channel.check_account(account)
        if isinstance(channel, Smtp):
            return _spoken(channel.test(account))
        for name in ("url", "api_url"):
            if account.settings.get(name):
                egress.check_resolved(str(account.settings[name]))
    except ChannelError as error:
        return str(error)
    except egress.Forbidden as error:
        return _("This server may not call that address (%(why)s).") % {"why": error}
    except (ValueError, TypeError, KeyError) as error:
        return _("A setting cannot be read (%(why)s).") % {"why": type(error).__name__}
    return ""


def callback_address(account: ChannelAccount) -> str:
    """Return the whole address to enter at the provider, for its reports."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse('hook', args=[account.hook])}"


def _spoken(outcome: Outcome) -> str:
    if outcome.answer is Answer.ACCEPTED:
        return ""
    if outcome.account_refused:
        return _("The server does not let this account in (%(code)s).") % {"code": outcome.code}
    return _("The server cannot be reached, or does not answer (%(code)s).") % {"code": outcome.code}
