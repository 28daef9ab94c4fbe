"""What a refusal of the platform means, in the reader's language, with the number by which its staff find the call."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.channels.wechat.errors import WeChatError

REASONS: Mapping[str, Any] = {
    "account": gettext_lazy("the platform does not let the account in: check AppID and secret"),
    "server_address": gettext_lazy("this server's address is not on the account's list of allowed addresses"),
    "not_allowed": gettext_lazy("the account may not do this: it is not verified for it, or of another kind"),
    "offline": gettext_lazy("the platform has taken this call out of service"),
    "banned": gettext_lazy("the platform has banned the account from this"),
    "quota": gettext_lazy("the platform's quota is used up until midnight in Shanghai"),
    "busy": gettext_lazy("the platform is busy: try again in a minute"),
    "connection": gettext_lazy("the platform cannot be reached"),
    "no_answer": gettext_lazy("the platform did not answer"),
    "not_following": gettext_lazy("the person does not follow the account any more"),
    "receiving_off": gettext_lazy("the person has switched off the account's messages"),
    "blacklisted": gettext_lazy("the person is on the account's blacklist"),
    "window_closed": gettext_lazy("the window of 48 hours is closed"),
    "window_used_up": gettext_lazy("the messages of this window are used up"),
    "no_such_address": gettext_lazy("the account has no such follower"),
    "malformed": gettext_lazy("the platform does not take it in this form"),
    "too_big": gettext_lazy("it is longer or larger than the platform allows"),
    "template": gettext_lazy("the platform does not know the template"),
    "media_expired": gettext_lazy("the platform has thrown the file away: it keeps it for three days"),
    "content": gettext_lazy("the platform's check of contents refuses it"),
    "configuration": gettext_lazy("the platform does not take this list, name or number"),
}


def said(error: WeChatError) -> str:
    """Return a refusal in words."""
    words = REASONS.get(error.reason) or _("the platform refuses it (%(code)s)") % {"code": error.code}
    if error.rid:
        return _("%(words)s (rid %(rid)s)") % {"words": words, "rid": error.rid}
    return str(words)
