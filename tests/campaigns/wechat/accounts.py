"""Accounts at the imitation, and what the platform sends them, as plain functions."""

import time
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.http import HttpResponse
from django.test import Client

from campaigns.channels.wechat.stub import wire
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount
from tests.factories import NOW

TOKEN, KEY = "AAAAAtoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
KINDS = {
    "oa_service": ("wechat_official", "wechat"),
    "oa_subscription": ("wechat_official", "wechat"),
    "mini": ("wechat_mini", "mini_program"),
    "wecom": ("wecom", "wecom"),
}


def account(kind: str = "oa_service", *, appid: str = "wx0000000000000001", **facts: Any) -> ChannelAccount:
    """Return an account of ours in safe mode; ``secrets`` and ``settings`` are added to."""
    provider, channel = KINDS[kind]
    settings = {"corpid" if kind == "wecom" else "appid": appid, "kind": kind.removeprefix("oa_"), "imitation": True}
    secrets = {"secret": "s" * 32, "callback_token": TOKEN, "aes_key": KEY} | facts.pop("secrets", {})
    return ChannelAccount.objects.create(
        name=facts.pop("name", f"{kind} {appid}"), channel=channel, provider=provider, hook=uuid4(), created_at=NOW,
        settings=settings | facts.pop("settings", {}), secrets=secrets, **facts,
    )  # fmt: skip


def connected(stub: Stub, kind: str = "oa_service", **asked: Any) -> ChannelAccount:
    """Return an account of ours that the imitation knows, with the same secrets."""
    told = stub.post("accounts", kind=kind, **asked)
    secrets = {"secret": told["secret"], "callback_token": told["token"], "aes_key": told["aes_key"]}
    return account(kind, appid=told["appid"], secrets=secrets)


def message(**fields: Any) -> dict[str, Any]:
    """Return a text from somebody, or what it is made into."""
    told = {
        "ToUserName": "gh_1",
        "FromUserName": "oFan1",
        "CreateTime": int(time.time()),
        "MsgType": "text",
        "Content": "你好",
        "MsgId": "23456789012345678",
    }
    return {key: value for key, value in (told | fields).items() if value is not None}


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return an event of somebody."""
    return message(MsgType="event", Event=name, Content=None, MsgId=None, **fields)


def parcel(
    to: ChannelAccount, told: "dict[str, Any] | bytes", *, key: str = KEY, receiver: str = "", **forged: str
) -> tuple[str, bytes]:
    """Return address and body as the platform would send them; ``forged`` replaces parameters of the address."""
    raw = told if isinstance(told, bytes) else wire.xml(told).encode()
    receiver = receiver or to.settings.get("corpid") or to.settings["appid"]
    token = forged.pop("token", TOKEN)
    stamp = {"timestamp": forged.pop("timestamp", str(int(time.time()))), "nonce": forged.pop("nonce", uuid4().hex[:9])}
    blob = forged.pop("blob", "") or wire.encrypted(raw, key, receiver)
    query = stamp | {"signature": wire.signed(token, *stamp.values()), "encrypt_type": "aes"}
    query |= {"msg_signature": wire.signed(token, *stamp.values(), blob)} | forged
    body = wire.xml({"ToUserName": "gh_1", "Encrypt": blob}).encode()
    return f"/hooks/wechat/{to.hook}/?{urlencode(query)}", body


def clear(to: ChannelAccount, told: "dict[str, Any] | bytes", **stamp: str) -> tuple[str, bytes]:
    """Return address and body as the platform sends them in the plain mode."""
    query = {"timestamp": str(int(time.time())), "nonce": uuid4().hex[:9]} | stamp
    query["signature"] = wire.signed(TOKEN, query["timestamp"], query["nonce"])
    raw = told if isinstance(told, bytes) else wire.xml(told).encode()
    return f"/hooks/wechat/{to.hook}/?{urlencode(query)}", raw


def push(parcel: tuple[str, bytes]) -> HttpResponse:
    """Deliver it."""
    made: HttpResponse = Client().post(parcel[0], parcel[1], content_type="text/xml")  # type: ignore[assignment]
    return made
