"""The imitated world: its accounts, its people, its time and its log; all under one lock."""

import hashlib
import itertools
import threading
from base64 import urlsafe_b64encode
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from campaigns.channels.wechat.stub.clock import Agenda, Clock
from campaigns.channels.wechat.stub.errors import Misused
from campaigns.channels.wechat.stub.routing import ACTIONS, Json

CALLS, LOST, DELIVERIES, TEXTS, PUSHES = 20_000, 100_000, 500_000, 20_000, 20_000

OUTCOMES = {  # how chance falls; `/_stub/outcomes` changes it
    "template_block": 0.02,
    "template_failed": 0.01,
    "mass_fail": 0.01,
    "mass_error": 0.002,
    "mass_err_code": 0,
    "publish_fail": 0.0,
    "staff_confirms": 0.8,
    "missing_figure": 0.05,
}
DELAYS = {"template": [0.2, 1.5], "mass": [2.0, 8.0], "publish": [1.0, 4.0], "subscribe": [0.2, 1.0]}


@dataclass(slots=True)
class Follower:
    """One person as one account knows them."""

    person: str
    openid: str
    unionid: str
    subscribed: bool = True
    subscribe_time: int = 0
    scene: str = "ADD_SCENE_SEARCH"
    qr_scene: str = ""
    remark: str = ""
    receiving: bool = True
    blacklisted: bool = False
    last_seen: float = 0.0
    typing_until: float = 0.0
    tags: list[int] = field(default_factory=list)
    windows: dict[str, list[float]] = field(default_factory=dict)  # scene -> [expires, remaining]
    credits: dict[str, int] = field(default_factory=dict)  # template -> sends left
    mass: list[Any] = field(default_factory=lambda: ["", 0])  # month, received in it


@dataclass(slots=True)
class Delivery:
    """What reached, or did not reach, one person: the ground truth."""

    at: float
    appid: str
    openid: str
    kind: str
    msgid: int
    about: str  # the template, mass job or task
    client_id: str
    status: str
    text: str


@dataclass
class Account:
    """One account at the platform, with all that hangs on it."""

    kind: str
    appid: str
    secret: str
    token: str
    aes_key: str
    name: str = ""
    gh_id: str = ""
    open_platform: str = "open"
    verified: bool = True
    callback_url: str = ""
    mode: str = "safe"
    data_format: str = "xml"
    previous_aes_key: str = ""
    push_with_previous_key: bool = False
    ip_whitelist: list[str] = field(default_factory=list)
    capabilities: list[str] | None = None
    banned: bool = False
    admin_confirms: str = "yes"  # yes | refuse | silent: mass sends to all wait for the account's admin
    mass_per_day: int = 100
    mass_per_month: int | None = None
    pages: list[str] = field(default_factory=list)
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    used: dict[str, list[int]] = field(default_factory=dict)
    minutes: dict[str, list[int]] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    followers: dict[str, Follower] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)  # each topic keeps its own under its name

    def topic(self, name: str) -> dict[str, Any]:
        return self.data.setdefault(name, {})  # type: ignore[no-any-return]


class World:
    """Everything there is, and the lock to hold while touching it."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.lock = threading.RLock()
        self.clock, self.agenda = Clock(), Agenda()
        self.accounts: dict[str, Account] = {}
        self.where: dict[str, str] = {}  # openid -> appid
        self.issued: dict[str, str] = {}  # access token -> appid
        self.outcomes: dict[str, float] = dict(OUTCOMES)
        self.delays: dict[str, list[float]] = {name: list(both) for name, both in DELAYS.items()}
        self.calls: deque[Json] = deque(maxlen=CALLS)
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.lost: deque[Json] = deque(maxlen=LOST)
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES)
        self.texts: deque[Delivery] = deque()
        self.in_flight: set[str] = set()
        self.chaos: list[Json] = []
        self.ids = itertools.count(1)
        self.last_id = 0
        self.serves = threading.Event()
        self.url = ""  # where the server listens, for what it gives addresses of
        self.pusher: Any = None  # a pusher.Pusher, once the server starts one

    def number(self) -> int:
        """Give a number never given before, also not before a restart."""
        self.last_id = next(self.ids)
        return self.last_id

    def message_id(self) -> int:
        return 3_000_000_000_000_000_000 + self.number()

    def chance(self, *about: object) -> float:
        """Throw the dice for something; the same seed and thing always fall alike, in whatever order."""
        told = f"{self.seed}|{'|'.join(map(str, about))}".encode()
        return int.from_bytes(hashlib.blake2b(told, digest_size=7).digest(), "big") / 2**56

    def name(self, *about: object, size: int = 27) -> str:
        """Make up a name that looks random and is always the same for the same thing."""
        told = f"{self.seed}|{'|'.join(map(str, about))}".encode()
        return urlsafe_b64encode(hashlib.blake2b(told, digest_size=48).digest()).decode()[:size]

    def pause(self, what: str, *about: object) -> float:
        low, high = self.delays[what]
        return low + (high - low) * self.chance("pause", what, *about)

    def account(self, appid: str) -> Account:
        if appid not in self.accounts:
            raise Misused(f"no account {appid!r}")
        return self.accounts[appid]

    def person(self, openid: str) -> tuple[Account, Follower]:
        """Find who has this openid, and with which account."""
        if openid not in self.where:
            raise Misused(f"no user {openid!r}")
        app = self.accounts[self.where[openid]]
        return app, app.followers[openid]

    def of_kind(self, *kinds: str) -> Iterator[Account]:
        return (app for app in self.accounts.values() if app.kind in kinds)

    def deliver(self, delivery: Delivery) -> None:
        """Write down what happened; the words of old messages are let go, the facts stay longer."""
        self.deliveries.append(delivery)
        if not delivery.text:
            return
        self.texts.append(delivery)
        if len(self.texts) > TEXTS:
            self.texts.popleft().text = ""

    def push(self, app: Account, message: Json) -> None:
        """Tell the account's owner; also without a callback URL, where it is only counted."""
        if self.pusher is not None:
            self.pusher.submit(app, message)

    def later(self, due: float, action: str, **about: Any) -> None:
        self.agenda.add(due, action, **about)

    def run_due(self) -> int:
        """Let everything happen that is due, in its order and at its own time."""
        done = 0
        while True:
            with self.lock:
                taken = self.agenda.take(self.clock.now())
                if taken is None:
                    return done
                due, name, about = taken
                ACTIONS[name](self, due, **about)
                done += 1
