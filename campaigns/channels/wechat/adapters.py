"""The adapters that send to one person: template, subscription and customer-service messages.

WeCom has no message to one customer but the welcome: what goes to customers is given to staff to confirm, as one task
for many.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from campaigns.channels.base import Answer, Batch, BatchOutcome, ChannelError, Message, Outcome, Told
from campaigns.channels.over_http import required
from campaigns.channels.wechat import crypto, limits, many, mini, official
from campaigns.channels.wechat.errors import Action, WeChatError, outcome
from campaigns.channels.wechat.transport import Json, Refusal
from campaigns.models import ChannelAccount

NUMBERS = ("msgid", "msg_id")


class _WeChat:
    """What the adapters have in common."""

    channel, identifier = "wechat", "openid"
    idempotent = False  # the platform forgets keys within minutes: what is repeated is repeated within the call
    asynchronous = True
    needs_staff = False
    names: tuple[str, ...] = ("appid",)

    def __init__(self, channel: str) -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        secrets = account.secrets or {}
        required(account.settings, *self.names)
        required(secrets, "secret")
        for name in ("aes_key", "previous_aes_key"):
            if secrets.get(name):
                _check_key(name, str(secrets[name]))
        if secrets.get("aes_key"):
            required(secrets, "callback_token")

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return []

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: Any) -> Sequence[Told]:
        raise ChannelError("This platform calls an address of its own.")


class Official(_WeChat):
    """Official accounts: a template message where the form names a template, else one of customer service."""

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        parts = message.parts
        if parts.get("kind") == "subscription":
            said = _subscription(account, message)
            return answered(lambda: official.message_subscribe_bizsend(account, said))
        if parts.get("template_id"):
            told = _template(account, message)
            return answered(lambda: official.message_template_send(account, told, key.hex))
        if parts.get("text") and not parts.get("html"):
            text = {"msgtype": "text", "text": {"content": str(parts["text"])}}
            return answered(lambda: official.message_custom_send(account, message.to, text))
        return Outcome(answer=Answer.REFUSED, reason="not_to_one_person")

    many_idempotent = True

    def most(self, account: ChannelAccount) -> int:
        """Return how many people one call may name; where it names a tag, as many as one may stand for."""
        if account.settings.get("kind") == "subscription":
            return 100_000
        return limits.of(account, "mass_people_a_call") or 1

    def send_many(self, account: ChannelAccount, batch: Batch, key: UUID) -> BatchOutcome:
        return many.mass(account, batch, key)


class Mini(_WeChat):
    """Mini programs: a subscription message, which uses up one acceptance."""

    channel = "mini_program"

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        if not message.parts.get("template_id"):
            return Outcome(answer=Answer.REFUSED, reason="not_to_one_person")
        told = {
            "touser": message.to,
            "template_id": message.parts["template_id"],
            "data": _data(message),
            "miniprogram_state": str(account.settings.get("state") or "formal"),
            "lang": "zh_CN" if message.language.startswith("zh") else "en_US",
        }
        if message.parts.get("page"):
            told["page"] = message.parts["page"]
        return answered(lambda: mini.message_subscribe_send(account, told))


class WeCom(_WeChat):
    """WeCom: customers are written to by staff."""

    channel, identifier = "wecom", "external_userid"
    needs_staff = True
    names = ("corpid",)

    many_idempotent = False

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        return Outcome(answer=Answer.REFUSED, reason="not_to_one_person")

    def most(self, account: ChannelAccount) -> int:
        """Return how many customers one task may name."""
        return limits.of(account, "group_people_a_call") or 1

    def send_many(self, account: ChannelAccount, batch: Batch, key: UUID) -> BatchOutcome:
        return many.staff_task(account, batch, key)


def answered(asked: Callable[[], Json]) -> Outcome:
    """Make a call that sends, and return what came of it in the one vocabulary."""
    try:
        told = asked()
    except WeChatError as error:
        found = outcome(error, timezone.now())
        if error.action is Action.DONE and isinstance(error, Refusal):
            return Outcome(answer=Answer.ACCEPTED, provider_id=number(error.fields), code=found.code)
        return found
    return Outcome(answer=Answer.ACCEPTED, provider_id=number(told), code="0")


def number(told: Mapping[str, Any]) -> str:
    """Return the platform's number of a message."""
    return next((str(told[name]) for name in NUMBERS if told.get(name)), "")[:200]


def _template(account: ChannelAccount, message: Message) -> Json:
    parts = message.parts
    told: Json = {"touser": message.to, "template_id": parts["template_id"], "data": _data(message)}
    if parts.get("url"):
        told["url"] = parts["url"]
    if parts.get("page") and account.settings.get("mini_appid"):
        told["miniprogram"] = {"appid": account.settings["mini_appid"], "pagepath": parts["page"]}
    return told


def _subscription(account: ChannelAccount, message: Message) -> Json:
    """Return a message to a subscriber; it has one address only, and that is called its page."""
    parts = message.parts
    told: Json = {"touser": message.to, "template_id": parts["template_id"], "data": _data(message)}
    if parts.get("page") and account.settings.get("mini_appid"):
        told["miniprogram"] = {"appid": account.settings["mini_appid"], "pagepath": parts["page"]}
    elif parts.get("url"):
        told["page"] = parts["url"]
    return told


def _data(message: Message) -> Json:
    return {key: {"value": str(value)} for key, value in (message.parts.get("data") or {}).items()}


def _check_key(name: str, text: str) -> None:
    try:
        crypto.Key.read(text)
    except ValueError as error:
        raise ChannelError(f"{name}: {error}") from error
