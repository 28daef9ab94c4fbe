"""An official account at the imitation of the platform, and one follower or some hundred of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount
from tests import factories


@dataclass(frozen=True, kw_only=True)
class House:
    """The imitation, the account there, and its row here."""

    stub: Stub
    account: ChannelAccount
    appid: str

    def people(self, count: int, **facts: Any) -> list[str]:
        """Let people follow without telling us, and return their openids."""
        made = self.stub.post("users", appid=self.appid, count=count, **facts)
        openids: list[str] = made["openids"]
        return openids

    def calls(self, path: str) -> list[Any]:
        return list(self.stub.get("log", path=path)["calls"])


@contextmanager
def opened(settings: Any, kind: str = "oa_service", seed: int = 1) -> Iterator[House]:
    """Open an imitation with one account of a kind, which we have a row of."""
    with Stub(seed=seed) as stub:
        settings.WECHAT_STUB_URL = stub.url
        made = stub.post("accounts", kind=kind, verified=True, open_platform="one")
        account = ChannelAccount.objects.create(
            name="Official",
            channel="wechat",
            provider="wechat_official",
            settings={"appid": made["appid"], "kind": kind.removeprefix("oa_"), "imitation": True},
            secrets={"secret": made["secret"], "callback_token": made["token"], "aes_key": made["aes_key"]},
            hook=uuid4(),
            created_at=factories.NOW,
        )
        yield House(stub=stub, account=account, appid=made["appid"])
