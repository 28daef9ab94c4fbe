"""Messages to one person at the imitation: templates, subscriptions and customer service."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.channels.wechat.stub.errors import Misused
from tests.campaigns.wechat.playing import Platform, playing

TEMPLATE, CUSTOM = "/cgi-bin/message/template/send", "/cgi-bin/message/custom/send"
MINI, BIZ = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/subscribe/bizsend"
DATA = {"thing1": {"value": "x"}}


@pytest.fixture
def service() -> Iterator[Platform]:
    with playing("oa_service") as platform:
        yield platform


@pytest.fixture
def mini() -> Iterator[Platform]:
    with playing("mini", pages=["pages/index/index"]) as platform:
        yield platform


def template(platform: Platform, content: str = "{{thing1.DATA}}") -> str:
    return str(platform.order("templates", appid=platform.appid, title="t", content=content)["template_id"])


def send(platform: Platform, openid: str, name: str, data: Any = DATA, **about: Any) -> dict[str, Any]:
    told: dict[str, Any] = platform.post(TEMPLATE, touser=openid, template_id=name, data=data, **about)
    return told


# Template messages


def test_a_template_message_is_told_to_have_arrived(service: Platform) -> None:
    [openid] = service.users("p")
    sent = send(service, openid, template(service))
    service.later(2)
    event = service.told()[-1]
    assert (event["Event"], event["MsgID"], event["Status"]) == ("TEMPLATESENDJOBFINISH", sent["msgid"], "success")
    assert event["FromUserName"] == openid


def test_how_messages_end_follows_the_chances(service: Platform) -> None:
    service.order("outcomes", template_block=0.02, template_failed=0.01)
    name, openids = template(service), service.users(*map(str, range(500)))
    for openid in openids:
        send(service, openid, name)
    counts = service.stub.get("deliveries", kind="template")["counts"]
    assert sum(counts.values()) == 500
    assert 4 <= counts["template:failed:user block"] <= 18
    assert 1 <= counts["template:failed: system failed"] <= 12


def test_somebody_who_blocks_is_told_of_so(service: Platform) -> None:
    [openid] = service.users("p", receiving=False)
    send(service, openid, template(service))
    service.later(2)
    assert service.told()[-1]["Status"] == "failed:user block"


def test_who_may_send_what_to_whom(service: Platform) -> None:
    name, [openid, gone] = template(service), service.users("p", "q")
    service.does(gone, "unfollow")
    assert send(service, gone, name)["errcode"] == 43004
    assert send(service, "nobody", name)["errcode"] == 40003
    assert send(service, openid, "none")["errcode"] == 40037
    with playing("oa_subscription") as other:
        assert send(other, openid, name)["errcode"] == 48001


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("thing1", "二十个字以内的商品名称都可以写在这里啊", "字" * 21),
        ("number2", "12345", "12a"),
        ("letter3", "abcXYZ", "ab1"),
        ("symbol4", "*#", "******"),
        ("character_string5", "NO-2026/1", "订单"),
        ("time6", "2026年11月22日 15:01", "25:01"),
        ("date7", "2019年10月1日", "yesterday"),
        ("amount8", "¥1234567890.12", "12345678901元"),
        ("phone_number9", "+86-0766-66888866", "1" * 18),
        ("car_number10", "粤A8Z888挂", "粤A8Z888挂挂挂"),
        ("name11", "张三丰", "一二三四五六七八九十一"),
        ("phrase12", "配送中", "正在配送途中"),
    ],
)
def test_a_typed_field_is_checked_and_the_answer_names_it(service: Platform, key: str, good: str, bad: str) -> None:
    name, [openid] = template(service, f"a：{{{{{key}.DATA}}}}"), service.users("p")
    assert send(service, openid, name, {key: {"value": good}})["errcode"] == 0
    refused = send(service, openid, name, {key: {"value": bad}})
    assert refused["errcode"] == 47003
    assert refused["errmsg"].startswith(f"argument invalid! data.{key}.value invalid rid: ")
    assert send(service, openid, name, {})["errcode"] == 47003


def test_the_truth_is_what_the_user_sees(service: Platform) -> None:
    name = template(service, "{{first.DATA}}\n商品：{{keyword1.DATA}}\n{{remark.DATA}}")
    [openid] = service.users("p")
    data = {"first": {"value": "Sale!"}, "remark": {"value": "Buy!"}, "keyword1": {"value": "🎉" + "长" * 30}}
    send(service, openid, name, data)
    assert service.deliveries(openid=openid)[0]["text"] == "商品：" + "长" * 20


def test_the_same_id_sends_once_in_ten_minutes(service: Platform) -> None:
    name, [openid, other] = template(service), service.users("p", "q")
    first = send(service, openid, name, client_msg_id="c")
    service.later(599)
    assert send(service, openid, name, client_msg_id="c")["msgid"] == first["msgid"]
    assert send(service, other, name, client_msg_id="c")["msgid"] != first["msgid"]
    assert len(service.deliveries(openid=openid)) == 1
    service.later(1)
    send(service, openid, name, client_msg_id="c")
    assert len(service.deliveries(openid=openid)) == 2


def test_a_hundred_thousand_a_day(service: Platform) -> None:
    assert service.post("/cgi-bin/openapi/quota/get", cgi_path=TEMPLATE)["quota"]["daily_limit"] == 100_000
    service.order("quotas", appid=service.appid, path=TEMPLATE, daily=1)
    name, [openid] = template(service), service.users("p")
    assert [send(service, openid, name)["errcode"] for _ in range(2)] == [0, 45009]


def test_templates_are_taken_from_the_library_and_given_back(service: Platform) -> None:
    added = service.post(
        "/cgi-bin/template/api_add_template", template_id_short="43217", keyword_name_list=["发货时间"]
    )
    [known] = service.get("/cgi-bin/template/get_all_private_template")["template_list"]
    assert (known["template_id"], known["content"]) == (added["template_id"], "发货时间：{{time9.DATA}}")
    gone = "/cgi-bin/template/del_private_template"
    assert [service.code(gone, template_id=added["template_id"]) for _ in range(2)] == [0, 40037]
    for _ in range(25):
        template(service)
    assert service.code("/cgi-bin/template/api_add_template", template_id_short="43217") == 45026


# Subscription messages


def subscription(platform: Platform, kind: str = "one_time") -> str:
    asked = {"appid": platform.appid, "title": "t", "content": "{{thing1.DATA}}", "type": kind}
    return str(platform.order("subscriptions", **asked)["priTmplId"])


def notify(platform: Platform, path: str, openid: str, name: str, **about: Any) -> int:
    return platform.code(path, touser=openid, template_id=name, data=DATA, **about)


def test_each_accept_lets_one_message_leave(mini: Platform) -> None:
    name, [openid] = subscription(mini), mini.users("p")
    assert notify(mini, MINI, openid, name) == 43101
    for _ in range(2):
        told = mini.does(openid, "accept", template_id=name)
    [answer] = told["SubscribeMsgPopupEvent"]["List"]
    assert answer == {"TemplateId": name, "SubscribeStatusString": "accept", "PopupScene": "0"}
    assert [notify(mini, MINI, openid, name) for _ in range(3)] == [0, 0, 43101]
    mini.later(2)
    assert [one["Event"] for one in mini.told()[-2:]] == ["subscribe_msg_sent_event"] * 2


def test_one_popup_asks_for_three_and_each_has_its_answer(mini: Platform) -> None:
    names, [openid] = [subscription(mini) for _ in range(3)], mini.users("p")
    told = mini.does(openid, "popup", accept=names[:2], reject=names[2:])
    answers = [one["SubscribeStatusString"] for one in told["SubscribeMsgPopupEvent"]["List"]]
    assert answers == ["accept", "accept", "reject"]
    assert [notify(mini, MINI, openid, name) for name in names] == [0, 0, 43101]
    with pytest.raises(Misused, match="cannot be asked for together"):
        mini.does(openid, "popup", accept=[names[0], subscription(mini, "long_term")])


def test_switching_off_takes_what_was_accepted(mini: Platform) -> None:
    name, [openid] = subscription(mini), mini.users("p")
    mini.does(openid, "accept", template_id=name)
    told = mini.does(openid, "switch_off", template_id=name)
    assert told["SubscribeMsgChangeEvent"]["List"] == [{"TemplateId": name, "SubscribeStatusString": "reject"}]
    assert notify(mini, MINI, openid, name) == 43101


def test_a_long_term_template_sends_five_a_day(mini: Platform) -> None:
    name, [openid] = subscription(mini, "long_term"), mini.users("p")
    mini.does(openid, "accept", template_id=name)
    assert [notify(mini, MINI, openid, name) for _ in range(6)] == [0] * 5 + [40038]
    mini.later(12 * 3600)
    mini.renew()
    assert notify(mini, MINI, openid, name) == 0


def test_a_page_must_be_in_the_live_version(mini: Platform) -> None:
    name, [openid] = subscription(mini), mini.users("p")
    mini.does(openid, "accept", template_id=name)
    assert notify(mini, MINI, openid, name, page="pages/none") == 41030
    assert notify(mini, MINI, openid, name, page="pages/index/index?a=b") == 0


def test_two_sends_to_one_person_at_once_are_refused(mini: Platform) -> None:
    name, [openid, other] = subscription(mini), mini.users("p", "q")
    for one in (openid, openid, other):
        mini.does(one, "accept", template_id=name)
    mini.order("chaos", what="latency", path=MINI, seconds=2.0, times=1)
    first = threading.Thread(target=notify, args=(mini, MINI, openid, name))
    first.start()
    while not mini.world.in_flight:
        time.sleep(0.005)
    assert (notify(mini, MINI, openid, name), notify(mini, MINI, other, name)) == (43108, 0)
    first.join()
    assert notify(mini, MINI, openid, name) == 0


def test_a_service_account_notifies_by_the_same_book(service: Platform) -> None:
    name, [openid] = subscription(service), service.users("p")
    told = service.does(openid, "accept", template_id=name)
    assert told["SubscribeMsgPopupEvent"]["List"][0]["PopupScene"] == "1"
    assert [notify(service, BIZ, openid, name) for _ in range(2)] == [0, 43101]
    assert (notify(service, BIZ, openid, "none"), notify(service, BIZ, "nobody", name)) == (40037, 40003)


def test_a_one_time_subscription_by_its_page(service: Platform) -> None:
    [openid] = service.users("p")
    asked = {"touser": openid, "template_id": "T", "scene": 7, "title": "t", "data": {"content": {"value": "v"}}}
    path = "/cgi-bin/message/template/subscribe"
    assert service.code(path, **asked) == 43101
    service.does(openid, "once", template_id="T", scene=7)
    assert service.code(path, **{**asked, "title": "t" * 16}) == 45003
    assert [service.code(path, **asked) for _ in range(2)] == [0, 43101]


def test_the_catalogue_of_subscription_templates(mini: Platform) -> None:
    new = "/wxaapi/newtmpl/"
    assert [one["id"] for one in mini.get(new + "getcategory")["data"]] == [307, 616]
    assert [one["tid"] for one in mini.get(new + "getpubtemplatetitles", ids="307", start=0, limit=30)["data"]] == [
        2001,
        2002,
    ]
    assert len(mini.get(new + "getpubtemplatekeywords", tid=2001)["data"]) == 3
    added = mini.post(new + "addtemplate", tid=2001, kidList=[1, 2], sceneDesc="x")["priTmplId"]
    assert [one["priTmplId"] for one in mini.get(new + "gettemplate")["data"]] == [added]
    assert [mini.code(new + "deltemplate", priTmplId=added) for _ in range(2)] == [0, 200014]


# Customer service


def say(platform: Platform, openid: str) -> int:
    return platform.code(CUSTOM, touser=openid, msgtype="text", text={"content": "hi"})


@pytest.mark.parametrize(
    ("act", "about", "seconds", "messages"),
    [
        ("text", {"Content": "hi"}, 48 * 3600, 5),
        ("click", {"EventKey": "k"}, 60, 3),
        ("scan", {"scene_str": "s"}, 60, 3),
        ("follow", {}, 60, 3),
    ],
)
def test_each_act_opens_its_window(
    service: Platform, act: str, about: dict[str, str], seconds: int, messages: int
) -> None:
    [openid] = service.users("p")
    assert say(service, openid) == 45015
    service.does(openid, act, **about)
    assert [say(service, openid) for _ in range(messages + 1)] == [0] * messages + [45047]
    service.does(openid, act, **about)  # opens it anew, and does not add to it
    service.later(seconds - 1)
    service.renew()
    assert say(service, openid) == 0
    service.later(1)
    service.renew()
    assert say(service, openid) == 45015


def test_windows_do_not_add_up(service: Platform) -> None:
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    service.does(openid, "click", EventKey="k")
    assert [say(service, openid) for _ in range(6)] == [0] * 5 + [45047]


def test_a_mini_programs_conversation(mini: Platform) -> None:
    [openid] = mini.users("p")
    mini.does(openid, "enter")
    assert [say(mini, openid) for _ in range(3)] == [0, 0, 45047]


def test_whom_customer_service_may_not_write(service: Platform) -> None:
    openids = service.users("p", "q", "r")
    for openid in openids:
        service.does(openid, "text", Content="hi")
    service.does(openids[0], "unfollow")
    service.does(openids[1], "receiving", on=False)
    service.does(openids[2], "blacklist")
    assert [say(service, one) for one in [*openids, "nobody"]] == [43004, 48002, 43019, 40003]


def test_what_customer_service_may_not_say(service: Platform) -> None:
    [openid] = service.users("p")
    service.does(openid, "text", Content="hi")
    for about, code in (
        ({"msgtype": "poem"}, 40008),
        ({"msgtype": "text", "text": {"content": "x" * 2049}}, 45002),
        ({"msgtype": "image", "image": {"media_id": "none"}}, 40007),
        ({"msgtype": "news", "news": {"articles": [{}, {}]}}, 45008),
    ):
        assert service.code(CUSTOM, touser=openid, **about) == code
    assert [say(service, openid) for _ in range(6)] == [0] * 5 + [45047]  # what was refused did not count


def test_typing(service: Platform) -> None:
    [openid] = service.users("p")
    path = "/cgi-bin/message/custom/typing"
    assert service.code(path, touser=openid, command="Typing") == 45080
    service.does(openid, "text", Content="hi")
    assert service.code(path, touser=openid, command="Sing") == 45072
    assert [service.code(path, touser=openid, command="Typing") for _ in range(2)] == [0, 45081]
    service.later(31)
    assert service.code(path, touser=openid, command="Typing") == 45080
