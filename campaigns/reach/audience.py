"""Who of a group may be reached now, on which channel; and why the others may not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from django.db import connection, models
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from campaigns.models import ChannelAccount
from crm.addresses import ADDRESSES
from crm.consent import Reason as Consent
from crm.consent_basis import decided
from crm.copying import int_array, text_array
from crm.merging import pairs_of
from crm.models import Purpose

Profiles = NDArray[np.int64]


class Reason(models.TextChoices):
    """Why somebody does not get a message, besides those that consent gives (``crm.consent.Reason``)."""

    NO_ADDRESS = "no_address", _("has no address on the channel")
    NO_ACCOUNT = "no_account", _("no account of ours can send on the channel")
    PERMANENT_HOLDOUT = "permanent_holdout", _("belongs to the permanent holdout")
    CAPPED = "capped", _("has had as many messages as the caps allow")
    OUTRANKED = "outranked", _("gets a message of higher priority")
    QUIET = "quiet", _("quiet hours last until the message has expired")
    EXPIRED = "expired", _("the message expired before it could be sent")
    STOPPED = "stopped", _("sending was stopped")
    CANCELLED = "cancelled", _("the campaign was cancelled")
    TEMPLATE = "template", _("the message could not be written for this person")
    NEEDLESS = "needless", _("what it was about has been settled meanwhile")
    NOT_FOLLOWING = "not_following", _("does not follow the account, or has switched its messages off")
    NO_CREDIT = "no_credit", _("has accepted no further message by this template")
    WINDOW_CLOSED = "window_closed", _("did nothing lately that would let the account answer")
    CAPPED_BY_PLATFORM = "capped_by_platform", _("has had as many messages as the platform lets through")
    NOT_ALLOWED = "not_allowed", _("the platform's template is not allowed for this purpose")
    ACCOUNT_MAY_NOT = "account_may_not", _("the platform does not let the account send such messages")
    QUOTA = "quota", _("the provider's quota is used up until the message has expired")


@dataclass(frozen=True, kw_only=True)
class Reached:
    """On which channel each of some people may be reached, or why on none, as columns of the same length.

    ``profiles`` are sorted, each once; ``channels`` and ``reasons`` have a text for each, of which one is empty.
    """

    profiles: Profiles
    channels: NDArray[np.object_]
    reasons: NDArray[np.object_]


ADDRESSED = """
SELECT string_agg(int8send(asked), '') FROM (
    SELECT DISTINCT m.asked FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
    JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
) AS addressed
"""


class Demands(Protocol):
    """What platforms demand besides (``campaigns.wechat.reaching``): asked of whom all that is ours lets through."""

    def __call__(self, channel: str, profiles: Profiles, purpose: Purpose, now: datetime, /) -> Mapping[int, str]: ...


def reach(
    profiles: Sequence[int] | Profiles,
    channels: Sequence[str],
    purpose: Purpose,
    now: datetime,
    demands: Demands | None = None,
) -> Reached:
    """Answer for each profile the first channel, in the order given, on which a message may go out now.

    Somebody who cannot be reached on any gets the reason of the first channel that has an account.
    """
    ids = np.unique(np.asarray(profiles, np.int64))
    chosen, refused = np.full(len(ids), "", object), np.full(len(ids), "", object)
    for channel in channels:
        left = np.flatnonzero(chosen == "")
        if not len(left):
            break
        if not ChannelAccount.objects.working(channel).exists():
            continue
        reasons = _reasons(ids[left], purpose, channel, now)
        if demands is not None and (open_ := ids[left][reasons == ""]).size:
            for person, why in demands(channel, open_, purpose, now).items():
                reasons[np.searchsorted(ids[left], person)] = why
        chosen[left[reasons == ""]] = channel
        untold = refused[left] == ""
        refused[left[untold]] = reasons[untold]
    unreached = chosen == ""
    refused[unreached & (refused == "")] = Reason.NO_ACCOUNT.value
    refused[~unreached] = ""
    return Reached(profiles=ids, channels=chosen, reasons=refused)


def _reasons(ids: Profiles, purpose: Purpose, channel: str, now: datetime) -> NDArray[np.object_]:
    """Return why each of these people, sorted, may not be reached on the channel; nothing where she may."""
    reasons = np.full(len(ids), Consent.NO_CONSENT.value, object)
    for people, basis in decided(set(ids.tolist()), purpose, channel, now):
        reasons[np.searchsorted(ids, people.ids)] = "" if basis.allowed else str(basis.reason)
    addressed = having_address(ids, channel)
    if addressed is not None:
        reasons[~np.isin(ids, addressed, assume_unique=True)] = Reason.NO_ADDRESS.value
    return reasons


def having_address(profiles: Profiles, channel: str) -> Profiles | None:
    """Return who has an address on the channel; nothing where it is no address of a person that it reaches."""
    if channel not in ADDRESSES:
        return None
    asked, members = pairs_of(profiles.tolist())
    values = {"asked": int_array(asked), "members": int_array(members), "types": text_array(ADDRESSES[channel])}
    with connection.cursor() as cursor:
        cursor.execute(ADDRESSED, values)
        return np.frombuffer(bytes(cursor.fetchone()[0] or b""), ">i8").astype(np.int64)
