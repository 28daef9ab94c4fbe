"""The ways on which messages leave: one adapter for each provider, in one table.

To add a provider: one module with a :class:`~campaigns.channels.base.Channel`, one line in ``CHANNELS``, and the
contract tests ask it what they ask of all.
"""

from collections.abc import Mapping

from campaigns.channels.base import Answer, Channel, ChannelError, Message, Outcome, Told

__all__ = ["CHANNELS", "Answer", "Channel", "ChannelError", "Message", "Outcome", "Told"]

# By the code that a ChannelAccount's ``provider`` holds; dotted paths, so that listing them imports no client.
CHANNELS: Mapping[str, str] = {}
