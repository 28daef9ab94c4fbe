"""A house with a WeChat account, its followers, and a campaign to them; and a platform of our own to send through."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns.bulk.worker import BulkWorker
from campaigns.channels import Answer, Batch, BatchOutcome, Message, Outcome
from campaigns.delivering.worker import Worker
from campaigns.delivering.writing import Desk, renderer
from campaigns.models import (
    Campaign,
    ChannelAccount,
    Credit,
    Follower,
    PlatformTemplate,
    Run,
    ServiceWindow,
    Staff,
    StaffContact,
    TemplateVersion,
)
from campaigns.runs import planning
from crm.models import Identifier, Profile
from tests.campaigns import factories
from tests.crm import consents

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai
HOUR = timedelta(hours=1)
PROVIDERS = {"wechat": "wechat_official", "mini_program": "wechat_mini", "wecom": "wecom"}
TEXT = {"zh-hans": {"text": "春天到了"}}
TEMPLATE = {"zh-hans": {"template_id": "T1", "data": {"thing1": "{{ profile.city | default: '您' }}"}}}


class Platform:
    """A platform that takes everything, or answers as it is told to; it remembers what it was given."""

    idempotent, asynchronous, needs_staff, many_idempotent = False, True, False, True

    def __init__(
        self,
        answer: Callable[[Any], Outcome | BatchOutcome] | None = None,
        *,
        identifier: str = "openid",
        most: int = 10_000,
    ) -> None:
        self.identifier, self.answer, self.at_once = identifier, answer, most
        self.calls: list[tuple[UUID, list[str]]] = []
        self.batches: list[Batch] = []
        self.lock = threading.Lock()

    def most(self, _account: Any) -> int:
        return self.at_once

    def send(self, _account: Any, message: Message, key: UUID) -> Outcome:
        with self.lock:
            self.calls.append((key, [message.to]))
        told = self.answer(message) if self.answer else Outcome(answer=Answer.ACCEPTED, provider_id=key.hex)
        assert isinstance(told, Outcome)
        return told

    def send_many(self, _account: Any, batch: Batch, key: UUID) -> BatchOutcome:
        self.calls.append((key, list(batch.to)))
        self.batches.append(batch)
        told = self.answer(batch) if self.answer else Outcome(answer=Answer.ACCEPTED, provider_id=f"M{len(self.calls)}")
        return told if isinstance(told, BatchOutcome) else BatchOutcome(outcome=told)

    @property
    def reached(self) -> list[str]:
        return sorted(name for _, names in self.calls for name in names)


def desk(platform: Platform, take: Callable[[ChannelAccount, int, datetime], int] | None = None) -> Desk:
    adapter: Any = platform
    return Desk(
        adapter=lambda _account: adapter,
        take=take or (lambda _account, wanted, _now: wanted),
        give_back=lambda *_: None,
        renderer=renderer,
    )


def account(channel: str = "wechat", **facts: Any) -> ChannelAccount:
    """Return an account of the platform, a service account where nothing else is said."""
    told = {"settings": {"appid": f"wx{channel}", "corpid": "ww1", "kind": "service"}, "secrets": {"secret": "s"}}
    return factories.account(channel, **{"provider": PROVIDERS[channel]} | told | facts)


def followers(of: ChannelAccount, number: int, first: int = 1, **facts: Any) -> list[Profile]:
    """Return people who follow an account and agreed to hear of offers there."""
    consents.purpose()
    made = []
    for one in range(first, first + number):
        person = factories.person(one, email=False, consent=False, language="zh-hans")
        follow(of, person, f"o{one}", **facts)
        consents.say(person, channel=of.channel, method="form")
        made.append(person)
    return made


def follow(of: ChannelAccount, person: Profile, openid: str, **facts: Any) -> Follower:
    own = Identifier.objects.create(type="openid", value=openid, profile=person, created_at=NOON - HOUR)
    return Follower.objects.create(account=of, identifier=own, synced_at=NOON, **facts)


def customers(of: ChannelAccount, who: Staff, number: int, first: int = 1) -> list[Profile]:
    """Return people whom a member of staff knows in WeCom."""
    consents.purpose()
    made = []
    for one in range(first, first + number):
        person = factories.person(one, email=False, consent=False, language="zh-hans")
        own = Identifier.objects.create(
            type="external_userid", value=f"wm{one}", profile=person, created_at=NOON - HOUR
        )
        StaffContact.objects.create(staff=who, identifier=own, added_at=NOON - HOUR, synced_at=NOON)
        consents.say(person, channel="wecom", method="form")
        made.append(person)
    return made


def staff(of: ChannelAccount, userid: str = "li") -> Staff:
    return Staff.objects.create(account=of, userid=userid, name=userid.title(), synced_at=NOON)


def campaign(name: str = "spring", channel: str = "wechat", says: Any = None, **facts: Any) -> Campaign:
    """Return a running campaign whose one variant says something on the channel."""
    made = factories.campaign(name, **{"holdout": "0", "channels": [channel]} | facts)
    version = TemplateVersion.objects.get(template__name=f"words of {name}")
    version.forms = version.forms | {channel: says or TEXT}
    version.save()
    return made


def planned(who: Sequence[Profile], now: datetime = NOON, **facts: Any) -> Run:
    run = planning.begin(campaign(**facts), "once", now)
    return planning.plan(run, iter([[one.pk for one in who]]), now)


def send_many(platform: Platform, now: datetime = NOON, seconds: float = 30) -> Counter[str]:
    return BulkWorker(lambda: now, at=desk(platform)).run(seconds)


def send(platform: Platform, now: datetime = NOON, seconds: float = 10) -> Counter[str]:
    return Worker(lambda: now, at=desk(platform), threads=4).run(seconds)


def service() -> Any:
    """Return a purpose that is no advertising: a contract asks for it."""
    return consents.purpose("orders", kind="service", basis="contract")


def allowed(of: ChannelAccount, number: str = "T1", **facts: Any) -> PlatformTemplate:
    told = {"kind": "template", "title": "Order", "allowed": True, "synced_at": NOON} | facts
    return PlatformTemplate.objects.create(account=of, template_id=number, **told)


def accepted(of: ChannelAccount, person: Profile, number: int = 1, template_id: str = "T1") -> None:
    """Let somebody have accepted so many messages by a template."""
    own = Identifier.objects.get(profile=person, type="openid")
    for one in range(number):
        Credit.objects.create(
            account=of, identifier=own, template_id=template_id, delta=1, source="popup", key=f"{own.pk} {one}",
            at=NOON - HOUR,
        )  # fmt: skip


def balance(of: ChannelAccount, person: Profile) -> int:
    return sum(Credit.objects.filter(account=of, identifier__profile=person).values_list("delta", flat=True))


def window(of: ChannelAccount, person: Profile, remaining: int = 5, until: datetime | None = None) -> ServiceWindow:
    own = Identifier.objects.get(profile=person, type="openid")
    return ServiceWindow.objects.create(
        account=of, identifier=own, scene="message", opened_at=NOON - HOUR,
        expires_at=until or NOON + 47 * HOUR, remaining=remaining,
    )  # fmt: skip
