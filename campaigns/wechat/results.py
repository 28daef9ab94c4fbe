"""What the platform tells of messages to one person becomes what is known of each: delivered, or failed.

Jobs for many have results of their own, which are nobody's in particular.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from campaigns.channels.base import Feedback, Told
from campaigns.channels.wechat.inbound import many, text_of
from campaigns.models import ChannelAccount, Inbound
from campaigns.responses import feedback

# As the platform spells it, without spaces: it is seen with and without one after the colon.
STATUSES: Mapping[str, tuple[Feedback, str]] = {
    "success": (Feedback.DELIVERED, ""),
    "failed:userblock": (Feedback.FAILED, "blocked_by_person"),
    "failed:systemfailed": (Feedback.FAILED, "platform_failed"),
}


def take(rows: Sequence[Inbound], now: datetime) -> int:
    """Write down what callbacks tell of single messages; return how many things were told."""
    told: dict[ChannelAccount, list[Told]] = defaultdict(list)
    for row in rows:
        told[row.account] += _of(row)
    return sum(feedback.take(account, some, now) for account, some in told.items() if some)


def _of(row: Inbound) -> Iterator[Told]:
    if row.kind == "TEMPLATESENDJOBFINISH":
        number, status = text_of(row.told, "MsgID"), text_of(row.told, "Status")
        kind, code = STATUSES.get("".join(status.lower().split()), (Feedback.FAILED, "not_delivered"))
        if number:
            yield _told(row, number, kind, code)
    elif row.kind == "subscribe_msg_sent_event":
        for one in many(row.told, "SubscribeMsgSentEvent", "List"):
            number, code = text_of(one, "MsgID"), text_of(one, "ErrorCode")
            if number:
                went = code in ("", "0")
                yield _told(row, number, Feedback.DELIVERED if went else Feedback.FAILED, "" if went else code)


def _told(row: Inbound, number: str, kind: Feedback, code: str) -> Told:
    return Told(
        key=f"{row.kind[:24]}:{number}:{kind}"[:128],
        feedback=kind,
        happened_at=row.happened_at,
        provider_id=number[:200],
        code=code,
    )
