"""Consents for the demonstration: made up, and marked as such in every notice, event and source.

The sample's households never said anything of this. Each one's answers follow from its number alone, so two
demonstrations are alike; they go through the same verbs as real ones, month by month, and the sample's campaigns of
2017 hand over to whoever had allowed it by then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid5

from django.db import transaction

from crm import notices, purposes
from crm.consent_checks import ConsentRefused, NewConsent
from crm.consent_gate import ToSend, hand_off
from crm.consent_writing import Wanted, record_each
from crm.keys import NAMESPACE
from crm.models import Event, Identifier, Notice, Purpose, Source

SOURCE = "Synthetic consents (made up for the demonstration)"
MARK = "synthetic-demo"
BEGUN, ENDED = datetime(2016, 12, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
PIECE = 4000
CHANNELS = ("email", "sms", "wechat")  # of the sample's campaigns of type A, B and C
PURPOSES: tuple[dict[str, Any], ...] = (
    {"code": "marketing", "kind": "marketing", "name": {"en": "Offers and news", "zh-hans": "优惠与资讯"}},
    {"code": "profiling", "kind": "profiling", "name": {"en": "Personal recommendations", "zh-hans": "个性化推荐"}},
    {
        "code": "automated-coupons",
        "kind": "automated_decisions",
        "name": {"en": "Coupons chosen by a model", "zh-hans": "模型自动发放优惠券"},
    },
    {
        "code": "orders",
        "kind": "service",
        "basis": "contract",
        "name": {"en": "Messages about orders", "zh-hans": "订单通知"},
    },
    {
        "code": "partner-insurance",
        "kind": "sharing",
        "separate": True,
        "recipient": "Example Insurance Ltd (made up)",
        "valid_for": timedelta(days=365),
        "name": {"en": "Sharing with an insurer", "zh-hans": "与保险公司共享"},
    },
)
# Of a hundred households: who gave and who refused, the rest said nothing; and of a hundred grants, who withdrew.
ANSWERS = {
    "marketing": (72, 14, 9),
    "profiling": (96, 2, 1),
    "automated-coupons": (60, 20, 9),
    "partner-insurance": (12, 40, 9),
}
ENGLISH = {
    "title": "How we use your data (synthetic)",
    "body": "This notice is made up for the demonstration. It tells of offers, recommendations, coupons and sharing.",
    "withdraw": "Any time, on your preference page or by answering TD.",
}
CHINESE = {
    "title": "我们如何使用您的数据(演示用)",
    "body": "本告知为演示虚构,说明优惠、推荐、优惠券与共享。",
    "withdraw": "随时可在偏好页面撤回,或回复 TD。",
}


def seed() -> Counter[str]:
    """Write purposes, notices, consents, refusals, withdrawals and hand-offs; nothing if they are there already."""
    with transaction.atomic():
        source, new = Source.objects.get_or_create(name=SOURCE, defaults={"kind": Source.Kind.SYSTEM})
        return _seeded(source) if new else Counter()


def _seeded(source: Source) -> Counter[str]:
    for facts in PURPOSES:
        there = Purpose.objects.filter(code=facts["code"]).first()
        purposes.declare(there or Purpose(**facts), now=BEGUN - timedelta(days=1))
    notice = _notice()
    done: Counter[str] = Counter()
    said, sent = _said(notice), _campaigns()
    for month in _months():
        wanted = said.pop(month, [])
        for start in range(0, len(wanted), PIECE):
            outcomes = record_each(wanted[start : start + PIECE], source=source, now=month)
            done.update("refused" if isinstance(one, ConsentRefused) else one.state for one in outcomes)
        for (at, channel), messages in sorted(sent.pop(month, {}).items()):
            bases = hand_off(messages, "marketing", channel, at)
            done["hand-offs"] += sum(basis.allowed for basis in bases.values())
            done["not handed off"] += sum(not basis.allowed for basis in bases.values())
    return done


def _notice() -> Notice:
    items = [
        {
            "purpose": facts["code"],
            "data_types": ["contact details", "purchases"],
            "recipients": [facts["recipient"]] if facts.get("recipient") else [],
            "retention_days": 730,
            "methods": ["made up"],
        }
        for facts in PURPOSES
    ]
    made, _ = Notice.objects.get_or_create(
        code=MARK, version=1, defaults={"items": items, "texts": {"en": ENGLISH, "zh-hans": CHINESE}}
    )
    notices.publish(made, now=BEGUN - timedelta(days=1))
    return made


def _months() -> Iterator[datetime]:
    month = BEGUN
    while month <= ENDED:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _said(notice: Notice) -> dict[datetime, list[Wanted]]:
    """Return what each household says, by the month in whose beginning it is received."""
    months = list(_months())
    found: dict[datetime, list[Wanted]] = defaultdict(list)
    households = Identifier.objects.filter(source__name="Complete Journey").order_by("profile_id")
    for household in households:
        random = Random(f"{MARK}:{household.value}")
        for purpose, (gave, refused, withdrew) in ANSWERS.items():
            drawn = random.randrange(100)
            if drawn >= gave + refused:
                continue
            state = "given" if drawn < gave else "refused"
            found[months[0]].append(Wanted(household.profile_id, _new(purpose, state, months[0], notice, random)))
            if state == "given" and random.randrange(100) < withdrew:
                month = months[random.randrange(2, len(months) - 1)]
                channel = random.choice(("", *CHANNELS)) if purpose == "marketing" else ""
                told = _new(purpose, "withdrawn", month, notice, random, channel)
                found[month].append(Wanted(household.profile_id, told))
    return found


def _new(purpose: str, state: str, month: datetime, notice: Notice, random: Random, channel: str = "") -> NewConsent:
    separate = purpose == "partner-insurance"
    return NewConsent(
        purpose=purpose,
        state=state,
        channel=channel,
        method="form" if state != "withdrawn" else "preference_centre",
        consent_kind="separate" if separate else "general",
        notice=notice.reference,
        language=random.choice(("en", "zh-hans")),
        form_version=MARK,
        jurisdiction="CN",
        claimed_at=month - timedelta(seconds=random.randrange(3600)),
    )


def _campaigns() -> dict[datetime, dict[tuple[datetime, str], list[ToSend]]]:
    """Return whom the sample's campaigns were assigned to, by month, moment and channel."""
    found: dict[datetime, dict[tuple[datetime, str], list[ToSend]]] = defaultdict(lambda: defaultdict(list))
    assigned = Event.objects.filter(kind=Event.Kind.ASSIGNED, source__name="Complete Journey")
    for profile, campaign, kind, at in assigned.order_by("occurred_at", "profile_id").values_list(
        "profile_id", "session", "name", "occurred_at"
    ):
        month = max(at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0), BEGUN)
        channel = CHANNELS[("Type A", "Type B", "Type C").index(kind) if kind in ("Type A", "Type B", "Type C") else 0]
        delivery = uuid5(NAMESPACE, f"{MARK}:{campaign}:{profile}")
        found[month][max(at, month + timedelta(seconds=1)), channel].append(ToSend(delivery, profile))
    return found
