"""A house with a mail server and an official account at the imitation of WeChat, for journeys that send on both."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from typing import Any

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount
from crm.models import Profile
from tests.campaigns import factories, peers
from tests.campaigns.wechat import houses


@dataclass(kw_only=True)
class House:
    """A house with a mail server and an official account at the imitation, and the people that it knows."""

    mails: peers.SmtpPeer
    stub: Stub
    official: ChannelAccount
    people: dict[str, Profile] = field(default_factory=dict)

    @property
    def mailed(self) -> Counter[str]:
        """Return how many mails each address got."""
        return Counter(str(message_from_bytes(mail)["To"]) for mail in self.mails.taken)

    def chatted(self) -> Counter[str]:
        """Return how many messages each openid got."""
        rows = self.stub.get("deliveries", appid=self.official.settings["appid"])["deliveries"]
        return Counter(row["openid"] for row in rows)


@contextmanager
def opened(settings: Any, at: datetime) -> Iterator[House]:
    """Open a house whose clock stands at a moment."""
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = "https://shop.example"
    with peers.smtp_peer() as mails, Stub(seed=1, at=at.timestamp()) as stub:
        told = {"host": "127.0.0.1", "port": mails.port, "security": "none", "from_email": "news@example.com"}
        factories.account(provider="smtp", settings=told, secrets={})
        settings.WECHAT_STUB_URL = stub.url
        stub.post("clock", freeze=True)
        stub.post("outcomes", mass_fail=0, template_block=0, template_failed=0)
        made = stub.post("accounts", kind="oa_service")
        account = houses.account(
            name="Official",
            settings={"appid": made["appid"], "kind": "service", "imitation": True},
            secrets={"secret": made["secret"]},
        )
        yield House(mails=mails, stub=stub, official=account)
