"""The headers of a marketing e-mail that are not its own: the way out by one click, and which campaign it is of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from campaigns.models import Delivery
from crm import preference_links


def headers(deliveries: Sequence[Delivery], channel: str, now: datetime) -> Mapping[UUID, dict[str, str]]:
    """Return each delivery's headers, in one read for all; other channels than e-mail have none.

    A server without a public HTTPS address has no way out to offer by one click (RFC 8058), so its messages go without
    that header: the check of an account says so, and the deployment check as well.
    """
    if channel != "email":
        return {}
    tokens = preference_links.mint_many([one.profile_id for one in deliveries], now)
    return {one.pk: _way_out(tokens.get(one.profile_id), channel) | _campaign(one) for one in deliveries}


def can_unsubscribe_by_click() -> bool:
    """Tell whether messages can offer to unsubscribe by one click."""
    return preference_links.has_public(only=("https",))


def _way_out(token: str | None, channel: str) -> dict[str, str]:
    if token is None or not can_unsubscribe_by_click():
        return {}
    return preference_links.one_click_headers(token, channel)


def _campaign(delivery: Delivery) -> dict[str, str]:
    """Return by what large mailboxes group complaints: from the narrowest to the sender, no person in it."""
    run = delivery.run
    if run is None:
        return {}
    return {"Feedback-ID": f"{delivery.variant_id or 0}:{run.campaign_id}:{delivery.channel}:zhiyin"}
