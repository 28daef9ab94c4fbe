"""The platform's templates: read with their keys, and allowed for service messages by two people, or not at all.

Advertising by a template or a subscription message gets an account banned. So nothing leaves by a template that nobody
has looked at, nor by one that was refused; whoever asks for the look is not who gives it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.channels.wechat import mini, official
from campaigns.channels.wechat.errors import LATER, WeChatError
from campaigns.forms import type_of
from campaigns.models import ChannelAccount, PlatformTemplate, TemplateReview

REVIEWS = "campaigns.approve_campaign"
FIELD = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\.DATA\s*\}\}")
LABELLED = re.compile(r"(?:([^\n{}：:]{1,40})[：:]\s*)?\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\.DATA\s*\}\}")
# What the platform says of subscriptions by number.
KINDS: Mapping[int, str] = {2: PlatformTemplate.Kind.ONE_TIME, 3: PlatformTemplate.Kind.LONG_TERM}
# Words that stand in advertising and seldom in a notice; they stop nobody, they are shown to who looks.
ADVERTISING = (
    "优惠",
    "促销",
    "折扣",
    "特价",
    "抽奖",
    "红包",
    "秒杀",
    "广告",
    "推荐",
    "活动",
    "coupon",
    "sale",
    "discount",
    "offer",
)


class NoReview(ValueError):
    """The template cannot be asked for or decided of; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A place in a template: its key, the type that the key has, and what stands before it."""

    name: str
    type: str
    label: str = ""


def keys_of(content: str) -> list[Key]:
    """Return the places of a template, in order, each once.

    >>> [(one.name, one.type, one.label) for one in keys_of("订单：{{thing1.DATA}}\\n金额: {{amount2.DATA}}")]
    [('thing1', 'thing', '订单'), ('amount2', 'amount', '金额')]
    """
    found = {name: label.strip() for label, name in reversed(LABELLED.findall(content))}
    order = dict.fromkeys(FIELD.findall(content))
    return [Key(name=name, type=type_of(name), label=found.get(name, "")) for name in order]


def doubts(template: PlatformTemplate) -> list[str]:
    """Return the words of a template that speak of advertising."""
    text = f"{template.title}\n{template.content}\n{template.category}".lower()
    return [word for word in ADVERTISING if word in text]


def read(account: ChannelAccount, now: datetime) -> int:
    """Read the account's templates; who looked at one keeps their word while it says the same. Return how many."""
    rows = list(READS[account.provider](account))
    with transaction.atomic():
        before = {one.template_id: one for one in PlatformTemplate.objects.filter(account=account)}
        for told in rows:
            _keep(account, told, before.get(told["template_id"]), now)
        gone = PlatformTemplate.objects.filter(account=account, gone_at=None).exclude(synced_at=now)
        gone.update(gone_at=now)
    return len(rows)


def _keep(account: ChannelAccount, told: Mapping[str, Any], there: PlatformTemplate | None, now: datetime) -> None:
    facts = {**told, "synced_at": now, "gone_at": None}
    if there is None:
        PlatformTemplate.objects.create(account=account, **facts)
        return
    if (there.content, there.category) != (told["content"], told["category"]):
        # What was allowed said something else.
        facts |= {"allowed": None, "reviewed_by": None, "reviewed_at": None}
    PlatformTemplate.objects.filter(pk=there.pk).update(**facts)


def _of_official(account: ChannelAccount) -> Iterator[dict[str, Any]]:
    yield from _template_messages(account)
    yield from _subscriptions(account)


def _of_mini(account: ChannelAccount) -> Iterator[dict[str, Any]]:
    for one in mini.newtmpl_gettemplate(account).get("data", []):
        yield _subscription(one)


def _template_messages(account: ChannelAccount) -> Iterator[dict[str, Any]]:
    for one in official.template_get_all_private_template(account).get("template_list", []):
        category = " / ".join(filter(None, (one.get("primary_industry"), one.get("deputy_industry"))))
        yield _facts(one, PlatformTemplate.Kind.TEMPLATE, one["template_id"], category)


def _subscriptions(account: ChannelAccount) -> Iterator[dict[str, Any]]:
    """Yield templates of subscriptions; an account that the platform has not given them has none."""
    try:
        told = official.newtmpl_gettemplate(account).get("data", [])
    except WeChatError as error:
        if error.action in LATER:  # else all of them would be called gone
            raise
        return
    for one in told:
        yield _subscription(one)


def _subscription(told: Mapping[str, Any]) -> dict[str, Any]:
    return _facts(told, KINDS.get(told.get("type", 2), PlatformTemplate.Kind.ONE_TIME), told["priTmplId"], "")


def _facts(told: Mapping[str, Any], kind: str, number: str, category: str) -> dict[str, Any]:
    content = str(told.get("content", ""))
    return {
        "template_id": number,
        "kind": kind,
        "title": str(told.get("title", ""))[:120],
        "content": content,
        "keys": [one.name for one in keys_of(content)],
        "category": category[:120],
        "example": str(told.get("example", "")),
    }


# Whose templates can be read, and how.
READS: Mapping[str, Callable[[ChannelAccount], Iterator[dict[str, Any]]]] = {
    "wechat_official": _of_official,
    "wechat_mini": _of_mini,
}


def ask(template: PlatformTemplate, by: User, statement: str, now: datetime) -> TemplateReview:
    """Ask that a template be allowed for service messages, saying what it is sent for.

    Raises
    ------
    NoReview
        It is asked for already, or nothing is said of what it is for.
    """
    if not statement.strip():
        raise NoReview(_("Say which event of a person's own it is sent after."))
    if template.reviews.filter(decided_at=None).exists():
        raise NoReview(_("It waits for a colleague's look already."))
    return TemplateReview.objects.create(
        template=template, statement=statement.strip()[:500], asked_by=by, asked_at=now
    )


def decide(template: PlatformTemplate, by: User, *, allowed: bool, note: str = "", now: datetime) -> None:
    """Allow a template for service messages, or refuse it; another person's than who asked.

    Raises
    ------
    NoReview
        Nobody asked, one asked oneself, may not decide, or refuses without a word.
    """
    if not by.has_perm(REVIEWS):
        raise NoReview(_("You may not decide of templates."))
    if not allowed and not note.strip():
        raise NoReview(_("Say why, so that your colleague can do better."))
    with transaction.atomic():
        waiting = TemplateReview.objects.select_for_update().filter(template=template, decided_at=None).first()
        if waiting is None:
            raise NoReview(_("Nobody has asked for it."))
        if waiting.asked_by_id == by.pk:
            raise NoReview(_("Nobody allows what one has asked for oneself: a colleague looks at it."))
        waiting.allowed, waiting.decided_by, waiting.decided_at, waiting.note = allowed, by, now, note.strip()[:300]
        waiting.save()
        rows = PlatformTemplate.objects.filter(pk=template.pk)
        rows.update(allowed=allowed, reviewed_by=by, reviewed_at=now)


def withdraw(template: PlatformTemplate, by: User, now: datetime) -> None:
    """Take a permission back: one pair of eyes is enough to stop something."""
    if not by.has_perm(REVIEWS):
        raise NoReview(_("You may not decide of templates."))
    PlatformTemplate.objects.filter(pk=template.pk).update(allowed=False, reviewed_by=by, reviewed_at=now)
