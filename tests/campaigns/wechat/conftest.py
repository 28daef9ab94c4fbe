"""The imitation of the platforms on a port of its own, in place of the network; all else is real."""

from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.channels.wechat import transport
from campaigns.channels.wechat.stub.server import Stub


@pytest.fixture
def stub(settings: Any) -> Iterator[Stub]:
    with Stub(seed=1) as playing:
        settings.WECHAT_STUB_URL = playing.url
        yield playing


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing between two tries; return how long it would have been."""
    waited: list[float] = []
    monkeypatch.setattr(transport, "sleep", waited.append)
    return waited
