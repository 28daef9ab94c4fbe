"""The imitation calling an account's owner: signed, encrypted, thrice at most, and what it makes of answers."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from campaigns.channels.wechat.stub import wire
from campaigns.channels.wechat.stub.pusher import INCIDENT, Pusher
from tests.campaigns.wechat.playing import Owner, Platform, owner, playing


@pytest.fixture
def ours() -> Iterator[Owner]:
    with owner() as server:
        yield server


@pytest.fixture
def service(ours: Owner) -> Iterator[Platform]:
    with playing("oa_service", callback_url=ours.url) as platform:
        platform.order("pusher", retry_wait=0.01, timeout=60)
        yield platform


def settled(platform: Platform) -> list[dict[str, Any]]:
    assert platform.order("settle", timeout=120)["settled"]
    return list(platform.stub.get("pushes")["pushes"])


def read(platform: Platform, call: tuple[str, bytes]) -> tuple[dict[str, str], str]:
    """Check a call's signatures, and give its query and its decrypted message."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(call[0]).query).items()}
    token, when, nonce = platform.app["token"], query["timestamp"], query["nonce"]
    if "signature" in query:
        assert query["signature"] == wire.signed(token, when, nonce)
    text = call[1].decode()
    blob = wire.field(text, "Encrypt")
    if not blob:
        return query, text
    assert query["msg_signature"] == wire.signed(token, when, nonce, blob)
    message, receiver = wire.decrypted(blob, platform.app["aes_key"])
    assert receiver == platform.appid
    return query, message.decode()


def test_safe_mode_shows_nothing_but_whom_it_is_for(service: Platform, ours: Owner) -> None:
    [openid] = service.users("p")
    said = service.does(openid, "text", Content="买 <b>&]]>")
    settled(service)
    query, text = read(service, ours.calls[0])
    assert (query["openid"], query["encrypt_type"]) == (openid, "aes")
    outside = re.sub(r"<Encrypt>.*</Encrypt>", "", ours.calls[0][1].decode())
    assert outside == f"<xml><ToUserName><![CDATA[{service.app['gh_id']}]]></ToUserName></xml>"
    assert (wire.field(text, "MsgId"), wire.field(text, "MsgType")) == (str(said["MsgId"]), "text")
    assert "<Content>买 &lt;b&gt;&amp;]]&gt;</Content>" in text


@pytest.mark.parametrize(("mode", "clear", "hidden"), [("plain", True, False), ("compat", True, True)])
def test_the_other_modes(service: Platform, ours: Owner, mode: str, clear: bool, hidden: bool) -> None:
    service.order("accounts", appid=service.appid, mode=mode)
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    settled(service)
    body = ours.calls[0][1].decode()
    assert (wire.field(body, "Content") == "hi", bool(wire.field(body, "Encrypt"))) == (clear, hidden)
    assert "hi" in read(service, ours.calls[0])[1]


def test_three_tries_with_new_nonces_and_the_same_message(service: Platform, ours: Owner) -> None:
    ours.answers = [(500, b"", 0)]
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    [push] = settled(service)
    queries, texts = zip(*[read(service, call) for call in ours.calls], strict=True)
    assert (len(ours.calls), len({query["nonce"] for query in queries}), len(set(texts))) == (3, 3, 1)
    assert push["ended"] == INCIDENT
    assert service.stub.get("incidents")["incidents"] == [push]


def test_a_late_answer_counts_as_none(service: Platform, ours: Owner) -> None:
    service.order("pusher", timeout=1)
    ours.answers = [(200, b"success", 2), (200, b"success", 0)]
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    [push] = settled(service)
    assert [reply["answered"] for reply in push["replies"]] == [False, True]
    assert push["ended"] == "ok"
    assert Pusher(service.world, threads=0).timeout == 5.0  # what a platform waits


TORN = b"<xml><Encrypt>AAAA</Encrypt><MsgSignature>x</MsgSignature></xml>"


@pytest.mark.parametrize(
    ("answer", "ended"),
    [(b"success", "ok"), (b"", "ok"), (b"ok", INCIDENT), (b"{}", INCIDENT), (TORN, INCIDENT), (b"\xff", INCIDENT)],
)
def test_which_answers_are_understood(service: Platform, ours: Owner, answer: bytes, ended: str) -> None:
    ours.answers = [(200, answer, 0)]
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    [push] = settled(service)
    assert (push["ended"], len(push["replies"])) == (ended, 1)  # answered: not sent again


def reply(platform: Platform, key: str, token: str) -> bytes:
    blob = wire.encrypted(b"<xml><MsgType>text</MsgType></xml>", key, platform.appid)
    signature = wire.signed(token, "1", "2", blob)
    told = {"Encrypt": blob, "MsgSignature": signature, "TimeStamp": 1, "Nonce": "2"}
    return wire.xml(told).encode()


def test_an_encrypted_reply_is_read_with_the_right_key_and_token(service: Platform, ours: Owner) -> None:
    app, [openid] = service.app, service.users("p")
    ours.answers = [
        (200, reply(service, app["aes_key"], app["token"]), 0),
        (200, reply(service, "A" * 42 + "E", app["token"]), 0),
        (200, reply(service, app["aes_key"], "wrong"), 0),
    ]
    for _ in range(3):
        service.does(openid, "text", Content="hi")
        settled(service)
    assert [push["ended"] for push in settled(service)] == ["ok", INCIDENT, INCIDENT]


def test_an_owner_may_still_be_called_with_the_key_before(service: Platform, ours: Owner) -> None:
    old, new = service.app["aes_key"], "A" * 42 + "E"
    service.order("accounts", appid=service.appid, aes_key=new, previous_aes_key=old, push_with_previous_key=True)
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    settled(service)
    assert "hi" in read(service, ours.calls[0])[1]  # with the key it had when it was made


def test_doubling_and_turning_round(service: Platform, ours: Owner) -> None:
    service.order("pusher", duplicate=1)
    [openid] = service.users("p")
    service.does(openid, "text", Content="one")
    settled(service)
    assert len({read(service, call)[1] for call in ours.calls}) == 1
    assert len(ours.calls) == 2
    ours.calls.clear()
    service.order("pusher", duplicate=0, reorder=10)
    said = [service.does(openid, "text", Content=name)["MsgId"] for name in ("first", "second")]
    assert ours.calls == []
    settled(service)
    assert {wire.field(read(service, call)[1], "MsgId") for call in ours.calls} == set(map(str, said))


def test_two_things_in_one_second(service: Platform, ours: Owner) -> None:
    [openid] = service.users("p")
    acts = [{"verb": "scan", "scene_str": "a"}, {"verb": "click", "EventKey": "b"}]
    service.order("same_second", openid=openid, acts=acts)
    settled(service)
    texts = [read(service, call)[1] for call in ours.calls]
    assert len({wire.field(text, "CreateTime") for text in texts}) == 1
    assert {wire.field(text, "Event") for text in texts} == {"SCAN", "CLICK"}


def test_a_message_that_cannot_be_written_does_not_end_the_others(service: Platform, ours: Owner) -> None:
    [openid] = service.users("p")
    service.world.account(service.appid).aes_key = "broken"
    for _ in range(9):  # more than there are threads
        service.does(openid, "text", Content="hi")
    assert {push["ended"][:5] for push in settled(service)} <= {"Error", "Value"}
    service.world.account(service.appid).aes_key = service.app["aes_key"]
    service.does(openid, "text", Content="hi")
    assert settled(service)[-1]["ended"] == "ok"


def test_nobody_home(service: Platform) -> None:
    service.order("accounts", appid=service.appid, callback_url="http://127.0.0.1:9/")
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    [push] = settled(service)
    assert (push["ended"], len(push["replies"])) == (INCIDENT, 3)


def test_a_mini_program_may_ask_for_json_where_a_list_of_one_is_no_list(ours: Owner) -> None:
    with playing("mini", callback_url=ours.url, mode="plain", data_format="json") as mini:
        names = [
            mini.order("subscriptions", appid=mini.appid, title="t", content="{{thing1.DATA}}")["priTmplId"]
            for _ in range(2)
        ]
        [openid] = mini.users("p")
        mini.does(openid, "accept", template_ids=names[:1])
        settled(mini)
        mini.does(openid, "accept", template_ids=names)
        settled(mini)
        one, two = [json.loads(call[1]) for call in ours.calls]
        assert one["List"]["TemplateId"] == names[0]
        assert [item["TemplateId"] for item in two["List"]] == names


def test_wecom_calls_are_encrypted_for_the_corp(ours: Owner) -> None:
    with playing("wecom", callback_url=ours.url) as corp:
        corp.order("wecom/staff", appid=corp.appid, userid="lin")
        corp.order("wecom/friend", appid=corp.appid, userid="lin", person="p", state="shop")
        settled(corp)
        query, text = read(corp, ours.calls[0])
        assert set(query) == {"timestamp", "nonce", "msg_signature"}
        assert (wire.field(text, "ChangeType"), wire.field(text, "State")) == ("add_external_contact", "shop")


def test_what_people_do_is_told_as_the_platform_tells_it(service: Platform) -> None:
    [openid] = service.users("p", subscribed=False)
    head = {"ToUserName": service.app["gh_id"], "FromUserName": openid, "CreateTime": 1_795_320_000}
    scanned = service.does(openid, "scan", scene_str="shop")
    assert (scanned["Event"], scanned["EventKey"]) == ("subscribe", "qrscene_shop")
    assert service.get("/cgi-bin/user/info", openid=openid)["qr_scene_str"] == "shop"
    again = service.does(openid, "scan", scene_str="shop")
    assert (again["Event"], again["EventKey"], again["Ticket"]) == ("SCAN", "shop", scanned["Ticket"])
    event = {**head, "MsgType": "event"}
    assert service.does(openid, "click", EventKey="k") == {**event, "Event": "CLICK", "EventKey": "k"}
    assert service.does(openid, "unfollow") == {**event, "Event": "unsubscribe", "EventKey": ""}
    assert service.does(openid, "follow") == {**event, "Event": "subscribe", "EventKey": ""}
    revoked = service.does(openid, "revoke")
    assert (revoked["Event"], revoked["OpenID"]) == ("user_authorization_revoke", openid)
