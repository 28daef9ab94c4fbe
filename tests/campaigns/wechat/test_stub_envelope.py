"""What every call to the imitation meets: the envelope, the quotas, and the switches that make it misbehave."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from campaigns.channels.wechat.stub.errors import Misused
from campaigns.channels.wechat.stub.routing import ROUTES
from tests.campaigns.wechat.playing import Platform, playing

MENU = "/cgi-bin/menu/create"
SEND = "/cgi-bin/message/template/send"
BUTTON = [{"name": "买", "type": "click", "key": "k"}]


@pytest.fixture
def service() -> Iterator[Platform]:
    with playing("oa_service") as platform:
        yield platform


def send(platform: Platform, openid: str, **about: object) -> dict[str, object]:
    if not platform.world.account(platform.appid).topic("templates"):
        platform.order("templates", appid=platform.appid, title="t", content="{{thing1.DATA}}", template_id="T")
    told: dict[str, object] = platform.post(
        SEND, touser=openid, template_id="T", data={"thing1": {"value": "x"}}, **about
    )
    return told


def test_a_refusal_is_http_200_with_a_request_id(service: Platform) -> None:
    answer = service.raw(SEND, b'{"touser": "nobody"}')
    assert answer.status_code == 200
    assert answer.json()["errcode"] == 40003
    assert re.fullmatch(r"invalid openid rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}", answer.json()["errmsg"])


def test_some_answers_carry_no_code(service: Platform) -> None:
    assert service.post("/cgi-bin/tags/create", tag={"name": "a"}) == {"tag": {"id": 100, "name": "a"}}
    [openid] = service.users("p")
    assert "errcode" not in service.get("/cgi-bin/user/info", openid=openid)


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", 47001), (b"[]", 47001), (b"", 44002), (b"\xff", 47001), (b'"x"', 47001)]
)
def test_a_body_that_is_no_object_is_refused(service: Platform, body: bytes, code: int) -> None:
    assert service.raw(MENU, body).json()["errcode"] == code


def test_a_body_of_another_shape_is_refused_and_never_breaks_it(service: Platform) -> None:
    [openid] = service.users("p")
    shapes: list[object] = [None, "x", [1], {"a": []}, 10**30]
    names = ("touser", "template_id", "data", "openid_list", "tag", "tagid", "filter", "msgtype", "articles", "button")
    for path in ROUTES:
        for shape in shapes:
            told = service.post(path, **dict.fromkeys(names, shape), openid=openid, media_id=shape, text=shape)
            assert isinstance(told.get("errcode", 0), int)


def test_a_call_that_must_be_posted_is_refused_otherwise(service: Platform) -> None:
    assert service.get(MENU)["errcode"] == 43002


def test_an_unknown_path_is_a_page(service: Platform) -> None:
    answer = requests.get(service.stub.url + "/cgi-bin/nothing", timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


def test_escapes_are_refused_where_the_platform_refuses_them(service: Platform) -> None:
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    custom = "/cgi-bin/message/custom/send"
    escaped = b'{"touser":"%s","msgtype":"text","text":{"content":"\\u4e70"}}' % openid.encode()
    assert service.raw(custom, escaped).json()["errcode"] == 40033
    assert service.raw(custom, escaped.replace(b"\\u", b"\\\\u")).json()["errcode"] == 0  # a backslash, then a u
    assert service.raw(MENU, b'{"button":[{"name":"\\u4e70","type":"click","key":"k"}]}').json()["errcode"] == 40033
    assert service.code(MENU, button=BUTTON) == 0


def test_the_day_of_a_quota_ends_at_midnight_in_shanghai(service: Platform) -> None:
    service.order("quotas", appid=service.appid, path=MENU, daily=2)
    assert [service.code(MENU, button=BUTTON) for _ in range(3)] == [0, 0, 45009]
    service.later(12 * 3600 - 1)
    service.renew()
    assert service.code(MENU, button=BUTTON) == 45009
    service.later(1)
    assert service.code(MENU, button=BUTTON) == 0


def test_a_minute_has_its_own_quota(service: Platform) -> None:
    service.order("quotas", appid=service.appid, path=MENU, minute=1)
    assert [service.code(MENU, button=BUTTON) for _ in range(2)] == [0, 45011]
    service.later(60)
    assert service.code(MENU, button=BUTTON) == 0


def test_the_quota_can_be_asked_and_cleared_ten_times_a_month(service: Platform) -> None:
    service.code(MENU, button=BUTTON)
    ask, clear = "/cgi-bin/openapi/quota/get", "/cgi-bin/clear_quota"
    assert service.post(ask, cgi_path=MENU)["quota"] == {"daily_limit": 1000, "used": 1, "remain": 999}
    codes = [service.code(clear, appid=service.appid) for _ in range(11)]
    assert service.post(ask, cgi_path=MENU)["quota"]["used"] == 0
    assert codes == [0] * 10 + [48006]
    service.later(9 * 86400)  # the first of December
    service.renew()
    assert service.code(clear, appid=service.appid) == 0


def test_rights_that_an_account_lacks(service: Platform) -> None:
    service.order("accounts", appid=service.appid, verified=False)
    assert service.code("/cgi-bin/tags/create", tag={"name": "a"}) == 48001
    service.order("accounts", appid=service.appid, verified=True, capabilities=["tags"])
    assert service.code("/cgi-bin/tags/create", tag={"name": "a"}) == 0
    assert service.code("/cgi-bin/draft/add", articles=[]) == 48001
    service.order("accounts", appid=service.appid, banned=True)
    assert service.code("/cgi-bin/tags/create", tag={"name": "b"}) == 48004


def test_an_answer_lost_after_the_call_was_applied(service: Platform) -> None:
    [openid] = service.users("p")
    service.order("chaos", what="timeout_after_commit", path=SEND, times=1, seconds=3)
    service.order("templates", appid=service.appid, title="t", content="{{thing1.DATA}}", template_id="T")
    body = b'{"touser":"%s","template_id":"T","client_msg_id":"c","data":{"thing1":{"value":"x"}}}' % openid.encode()
    with pytest.raises(requests.Timeout):
        service.raw(SEND, body, timeout=0.2)
    again = service.raw(SEND, body).json()
    assert [one["msgid"] for one in service.deliveries(openid=openid)] == [again["msgid"]]


def test_a_connection_cut_before_and_after(service: Platform) -> None:
    [openid] = service.users("p")
    send(service, openid)
    for what, applied in (("reset", 1), ("reset_after_commit", 2)):
        service.order("chaos", what=what, path=SEND, times=1)
        with pytest.raises(requests.ConnectionError):
            send(service, openid)
        assert len(service.deliveries(openid=openid)) == applied


def test_all_calls_by_one_key_fare_alike_and_the_lost_ones_stand_in_the_book(service: Platform) -> None:
    [openid] = service.users("p")
    service.order("templates", appid=service.appid, title="t", content="{{thing1.DATA}}", template_id="T")
    body = '{"touser":"%s","template_id":"T","client_msg_id":"%s","data":{"thing1":{"value":"x"}}}'
    for what in ("reset", "reset_after_commit"):
        service.order("chaos", what=what, path=SEND, chance=0.3, by="client_msg_id")
    answered = set[str]()
    for key in [*map(str, range(20))] * 2:
        with suppress(requests.ConnectionError):
            service.raw(SEND, (body % (openid, key)).encode())
            answered.add(key)
    lost = service.stub.get("lost", path=SEND)["calls"]
    assert Counter(Counter(one["client_id"] for one in lost).values()) == {2: 20 - len(answered)}
    assert not answered & {one["client_id"] for one in lost}
    received = {one["client_id"] for one in lost if one["received"]}
    assert {one["client_id"] for one in service.deliveries(openid=openid)} == answered | received
    assert answered
    assert received
    assert len(answered | received) < 20


def test_busy_for_a_while_from_the_second_call_on(service: Platform) -> None:
    [openid] = service.users("p")
    send(service, openid)
    service.order("chaos", what="busy", path="/cgi-bin/message/*", times=2, after=1)
    assert [send(service, openid)["errcode"] for _ in range(4)] == [0, -1, -1, 0]


def test_answers_that_are_no_json(service: Platform) -> None:
    service.order("chaos", what="truncated", path="/cgi-bin/tags/get", times=1)
    with pytest.raises(requests.JSONDecodeError):
        service.get("/cgi-bin/tags/get")
    service.order("chaos", what="html", path="/cgi-bin/tags/get", times=1)
    answer = requests.get(service.stub.url + "/cgi-bin/tags/get", params={"access_token": service.token}, timeout=60)
    assert (answer.status_code, answer.text[:6]) == (502, "<html>")


def test_another_system_takes_the_token_away(service: Platform) -> None:
    service.order("chaos", what="token_killed", path="/cgi-bin/tags/get", times=1, after=1)
    codes = [service.get("/cgi-bin/tags/get").get("errcode", 0) for _ in range(3)]
    service.renew()
    assert [*codes, service.get("/cgi-bin/tags/get").get("errcode", 0)] == [0, 40001, 40001, 0]


def test_a_ban_stands_until_it_is_lifted(service: Platform) -> None:
    service.order("chaos", what="ban", path="/cgi-bin/message/*")
    assert [send(service, "x")["errcode"] for _ in range(2)] == [48004, 48004]
    service.stub.order("DELETE", "chaos", {})
    assert send(service, "x")["errcode"] == 40003


def test_a_slow_answer_is_slow_and_right(service: Platform) -> None:
    service.order("chaos", what="latency", path="/cgi-bin/tags/get", seconds=0.2, times=1)
    began = time.monotonic()
    assert service.get("/cgi-bin/tags/get") == {"tags": []}
    assert time.monotonic() - began >= 0.2


def test_the_log_counts_every_call(service: Platform) -> None:
    send(service, "nobody")
    told = service.stub.get("log", path=SEND)
    assert [(call["errcode"], call["appid"]) for call in told["calls"]] == [(40003, service.appid)]
    assert told["counts"] == [{"appid": service.appid, "path": SEND, "errcode": 40003, "count": 1}]
    assert told["calls"][0]["token"] == service.token[-6:]


def test_orders_that_make_no_sense_are_refused(service: Platform) -> None:
    with pytest.raises(Misused, match="kind is one of"):
        service.order("accounts", kind="weibo")
    with pytest.raises(Misused, match="must lead to this machine"):
        service.order("accounts", appid=service.appid, callback_url="http://example.com/")
    for body, status in ((b'{"appid": "nobody"}', 400), (b"{", 400)):
        assert requests.post(service.stub.url + "/_stub/users", data=body, timeout=60).status_code == status
    assert requests.post(service.stub.url + "/_stub/nothing", json={}, timeout=60).status_code == 404


def test_a_request_id_is_explained_for_seven_days(service: Platform) -> None:
    rid = str(send(service, "nobody")["errmsg"]).rsplit(" ", 1)[1]
    told = service.post("/cgi-bin/openapi/rid/get", rid=rid)["request"]
    assert (told["request_url"], told["response_body"]) == (SEND, '{"errcode":40003}')
    assert service.code("/cgi-bin/openapi/rid/get", rid="none") == 76001
    service.later(7 * 86400)
    service.renew()
    assert service.code("/cgi-bin/openapi/rid/get", rid=rid) == 76001


@pytest.mark.parametrize("headers", [{"Host": "rebound.example"}, {"Origin": "https://example.com"}])
def test_a_page_in_a_browser_gets_no_answer(service: Platform, headers: dict[str, str]) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.post(service.stub.url + "/_stub/reset", json={}, headers=headers, timeout=60)
    assert service.appid in service.world.accounts
