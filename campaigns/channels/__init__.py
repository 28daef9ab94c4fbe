"""The ways on which messages leave: one adapter for each provider, in one table.

To add a provider: one module with a :class:`~campaigns.channels.base.Channel`, one line in ``CHANNELS``, and the
contract tests ask it what they ask of all.
"""

from collections.abc import Mapping
from functools import cache

from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from campaigns.channels.base import (
    Answer,
    Batch,
    BatchOutcome,
    BulkChannel,
    Channel,
    ChannelError,
    Feedback,
    Message,
    Outcome,
    Provider,
    Told,
)
from campaigns.models import ChannelAccount

__all__ = [
    "CHANNELS",
    "Answer",
    "Batch",
    "BatchOutcome",
    "BulkChannel",
    "Channel",
    "ChannelError",
    "Feedback",
    "Message",
    "Outcome",
    "Provider",
    "Told",
    "adapter",
    "adapter_of",
]

# By the code that a ChannelAccount's ``provider`` holds; dotted paths, so that listing them imports no client.
CHANNELS: Mapping[str, Provider] = {
    "smtp": Provider(name=_("E-mail by SMTP"), path="campaigns.channels.smtp.Smtp", channels=("email",)),
    "anymail": Provider(
        name=_("E-mail by a provider's interface"), path="campaigns.channels.anymail.Anymail", channels=("email",)
    ),
    "aliyun": Provider(name=_("Alibaba Cloud SMS"), path="campaigns.channels.aliyun.Aliyun", channels=("sms",)),
    "tencent": Provider(name=_("Tencent Cloud SMS"), path="campaigns.channels.tencent.Tencent", channels=("sms",)),
    "webhook": Provider(
        name=_("Webhook (Standard Webhooks)"), path="campaigns.channels.webhook.Webhook", channels=("webhook",)
    ),
    "wechat_official": Provider(
        name=_("WeChat official account"), path="campaigns.channels.wechat.adapters.Official", channels=("wechat",)
    ),
    "wechat_mini": Provider(
        name=_("WeChat mini program"), path="campaigns.channels.wechat.adapters.Mini", channels=("mini_program",)
    ),
    "wecom": Provider(name=_("WeCom"), path="campaigns.channels.wechat.adapters.WeCom", channels=("wecom",)),
    "stub": Provider(
        name=_("Imitation of a provider (nothing leaves)"),
        path="campaigns.channels.stub.Stub",
        channels=("email", "sms", "webhook"),
    ),
}


def adapter(account: ChannelAccount) -> Channel:
    """Return the adapter that speaks to an account's provider on its channel.

    Raises
    ------
    ChannelError
        No adapter is known by the account's provider, or it does not serve the account's channel.
    """
    return adapter_of(account.provider, account.channel)


@cache
def adapter_of(provider: str, channel: str) -> Channel:
    """Return the adapter of a provider on a channel; see :func:`adapter`."""
    known = CHANNELS.get(provider)
    if known is None:
        raise ChannelError(f"There is no provider {provider!r}; there are {', '.join(CHANNELS)}.")
    if channel not in known.channels:
        raise ChannelError(f"The provider {provider!r} sends on {', '.join(known.channels)}, not on {channel!r}.")
    made: Channel = import_string(known.path)(channel)
    return made
