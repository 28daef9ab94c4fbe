"""The imitation of WeCom: customers, tags, arrivals, greetings, group sends, chats, moments, handover."""

from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.channels.wechat.stub.staff import external_userid_of
from tests.campaigns.wechat.playing import NOON, Platform, playing

X = "/cgi-bin/externalcontact/"
TEXT = {"text": {"content": "hello"}}


@pytest.fixture
def corp() -> Iterator[Platform]:
    with playing("wecom") as platform:
        for userid in ("lin", "chen"):
            platform.order("wecom/staff", appid=platform.appid, userid=userid, name=userid.title())
        yield platform


def serve(platform: Platform, userid: str, *persons: str, **about: Any) -> list[str]:
    asked = {"appid": platform.appid, "userid": userid, "persons": list(persons), **about}
    return list(platform.order("wecom/customers", **asked)["external_userids"])


def friend(platform: Platform, person: str, **about: Any) -> dict[str, Any]:
    about = about if "config_id" in about else {"userid": "lin", **about}
    told: dict[str, Any] = platform.order("wecom/friend", appid=platform.appid, person=person, **about)["message"]
    return told


# Staff and customers


def test_a_refusal_says_where_to_read_more(corp: Platform) -> None:
    told = corp.get(X + "list", userid="nobody")
    assert told["errcode"] == 60111
    assert told["errmsg"].startswith("userid not found, hint: [")
    assert "from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=60111" in told["errmsg"]


def test_tokens_that_are_not_good_at_wecom(corp: Platform) -> None:
    good, corp.token = corp.token, "made up"
    assert corp.get(X + "list", userid="lin")["errcode"] == 40014
    corp.token = good
    corp.later(7200)
    assert corp.get(X + "list", userid="lin")["errcode"] == 42001


def test_who_serves_whom(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    corp.order("wecom/staff", appid=corp.appid, userid="zhao", right=False)
    assert corp.get(X + "get_follow_user_list")["follow_user"] == ["lin", "chen"]
    assert corp.get(X + "list", userid="lin")["external_userid"] == known
    assert corp.get(X + "list", userid="chen")["errcode"] == 84061
    assert corp.get(X + "list", userid="zhao")["errcode"] == 84074
    assert corp.get("/cgi-bin/user/get", userid="lin")["name"] == "Lin"


def test_a_customer_and_all_who_serve_her(corp: Platform) -> None:
    [who] = serve(corp, "lin", "a")
    serve(corp, "chen", "a")
    told = corp.get(X + "get", external_userid=who)
    assert [one["userid"] for one in told["follow_user"]] == ["lin", "chen"]
    assert told["external_contact"]["unionid"]
    assert corp.get(X + "get", external_userid="x")["errcode"] == 40096
    assert corp.get(X + "get", external_userid=external_userid_of(corp.appid, "z"))["errcode"] == 84061
    found = corp.post(X + "unionid_to_external_userid", unionid=told["external_contact"]["unionid"], openid="o")
    assert found["external_userid"] == who


def test_customers_by_pages_while_some_leave(corp: Platform) -> None:
    known = {*serve(corp, "lin", *map(str, range(150)))} | {*serve(corp, "chen", *map(str, range(200, 250)))}
    path, seen, cursor = X + "batch/get_by_user", [], ""
    for _ in range(2):
        told = corp.post(path, userid_list=["lin", "chen"], cursor=cursor, limit=100)
        seen += [one["external_contact"]["external_userid"] for one in told["external_contact_list"]]
        corp.order(
            "wecom/unfriend",
            appid=corp.appid,
            userid=told["external_contact_list"][0]["follow_info"]["userid"],
            external_userid=seen[-100],
        )
        cursor = told["next_cursor"]
    assert (set(seen), len(seen), cursor) == (known, 200, "")
    assert corp.code(path, userid_list=["lin"] * 101) == 40058
    assert corp.code(path, userid_list=["lin"], limit=101) == 40058
    assert corp.code(path, userid_list=["lin"], cursor="%%") == 40058


def test_adding_and_leaving_are_told_and_calls_are_not(corp: Platform) -> None:
    told = friend(corp, "a", state="shop")
    who = told["ExternalUserID"]
    assert (told["Event"], told["ChangeType"], told["UserID"], told["State"]) == (
        "change_external_contact",
        "add_external_contact",
        "lin",
        "shop",
    )
    gone = corp.order("wecom/unfriend", appid=corp.appid, userid="lin", external_userid=who)["message"]
    assert (gone["ChangeType"], gone["ExternalUserID"]) == ("del_follow_user", who)
    assert corp.get(X + "list", userid="lin")["errcode"] == 84061
    friend(corp, "a", half=True)
    dropped = corp.order("wecom/unfriend", appid=corp.appid, userid="lin", person="a", by="staff")["message"]
    assert dropped["ChangeType"] == "del_external_contact"
    before = len(corp.told())
    serve(corp, "lin", "a")
    corp.post(X + "remark", userid="lin", external_userid=who, remark="老客户")
    assert corp.get(X + "get", external_userid=who)["follow_user"][0]["remark"] == "老客户"
    assert len(corp.told()) == before


def test_corp_tags(corp: Platform) -> None:
    [who] = serve(corp, "lin", "a")
    group = corp.post(X + "add_corp_tag", group_name="等级", tag=[{"name": "普通"}, {"name": "重要"}])["tag_group"]
    common, vip = (one["id"] for one in group["tag"])
    assert corp.code(X + "add_corp_tag", group_name="等级", tag=[{"name": "普通"}]) == 40071
    mark = {"userid": "lin", "external_userid": who}
    assert corp.code(X + "mark_tag", **mark, add_tag=[common, vip]) == 0
    assert corp.code(X + "mark_tag", **mark, add_tag=["none"]) == 40068
    assert corp.code(X + "mark_tag", **{**mark, "userid": "chen"}, add_tag=[vip]) == 84061
    corp.post(X + "mark_tag", **mark, remove_tag=[common])
    info = corp.post(X + "batch/get_by_user", userid_list=["lin"])["external_contact_list"][0]["follow_info"]
    assert info["tag_id"] == [vip]
    corp.post(X + "edit_corp_tag", id=vip, name="核心")
    assert corp.get(X + "get", external_userid=who)["follow_user"][0]["tags"][0]["tag_name"] == "核心"
    corp.post(X + "del_corp_tag", tag_id=[vip])
    assert corp.get(X + "get", external_userid=who)["follow_user"][0]["tags"] == []
    assert [one["id"] for one in corp.post(X + "get_corp_tag_list", x=1)["tag_group"][0]["tag"]] == [common]


# Arrivals and greetings


def test_a_way_of_arrival_gives_its_state(corp: Platform) -> None:
    asked = {"type": 1, "scene": 2, "state": "store-1", "user": ["chen"]}
    way = corp.post(X + "add_contact_way", **asked)
    told = friend(corp, "a", config_id=way["config_id"])
    assert (told["UserID"], told["State"]) == ("chen", "store-1")
    assert corp.code(X + "add_contact_way", **{**asked, "state": "x" * 31}) == 40058
    assert corp.code(X + "add_contact_way", **{**asked, "user": []}) == 40058
    assert corp.code(X + "add_contact_way", **{**asked, "user": ["lin", "chen"]}) == 40058  # type 1 is for one
    assert corp.code(X + "update_contact_way", config_id=way["config_id"], state="new") == 0
    assert corp.post(X + "get_contact_way", config_id=way["config_id"])["contact_way"]["state"] == "new"
    assert [corp.code(X + "del_contact_way", config_id=way["config_id"]) for _ in range(2)] == [0, 41053]


def test_the_first_greeting_within_twenty_seconds_counts(corp: Platform) -> None:
    early, late = (friend(corp, person)["WelcomeCode"] for person in "ab")
    corp.later(19.9)
    assert [corp.code(X + "send_welcome_msg", welcome_code=early, **TEXT) for _ in range(2)] == [0, 41051]
    corp.later(0.1)
    assert corp.code(X + "send_welcome_msg", welcome_code=late, **TEXT) == 41051
    assert corp.code(X + "send_welcome_msg", welcome_code="none", **TEXT) == 41051
    assert [one["openid"] for one in corp.deliveries(kind="welcome")] == [external_userid_of(corp.appid, "a")]


def test_a_greeting_in_the_console_leaves_no_code(corp: Platform) -> None:
    corp.order("wecom/staff", appid=corp.appid, userid="lin", console_welcome=True)
    assert "WelcomeCode" not in friend(corp, "a")


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"text": {"content": "字" * 1334}},
        {"attachments": [{"msgtype": "image", "image": {"media_id": "m"}}] * 10},
        {"attachments": [{"msgtype": "poem", "poem": {}}]},
        {"attachments": [{"msgtype": "link"}]},
    ],
)
def test_what_cannot_be_said(corp: Platform, about: dict[str, Any]) -> None:
    code = friend(corp, "a")["WelcomeCode"]
    assert corp.code(X + "send_welcome_msg", welcome_code=code, **about) == 40058
    assert corp.code(X + "send_welcome_msg", welcome_code=code, **TEXT) == 0


# Group sends


def task(platform: Platform, **about: Any) -> dict[str, Any]:
    told: dict[str, Any] = platform.post(X + "add_msg_template", **{"chat_type": "single", **TEXT, **about})
    return told


def results(platform: Platform, msgid: str, userid: str = "lin") -> dict[str, int]:
    told = platform.post(X + "get_groupmsg_send_result", msgid=msgid, userid=userid)["send_list"]
    return {one["external_userid"]: one["status"] for one in told}


def confirm(platform: Platform, **about: str) -> list[list[str]]:
    return list(platform.order("wecom/confirm", appid=platform.appid, **about)["confirmed"])


def test_nothing_leaves_before_the_staff_confirm(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    made = task(corp, external_userid=[*known, "wm-nobody"])
    assert made["fail_list"] == ["wm-nobody"]
    tasks = {"msgid": made["msgid"]}
    assert corp.post(X + "get_groupmsg_task", **tasks)["task_list"] == [{"userid": "lin", "status": 0}]
    assert results(corp, made["msgid"]) == dict.fromkeys(known, 0)
    assert corp.deliveries(kind="staff_task") == []
    confirm(corp, msgid=made["msgid"])
    [done] = corp.post(X + "get_groupmsg_task", **tasks)["task_list"]
    assert (done["status"], done["send_time"]) == (2, int(NOON))
    assert results(corp, made["msgid"]) == dict.fromkeys(known, 1)
    assert {one["openid"] for one in corp.deliveries(kind="staff_task")} == set(known)


def test_a_customer_gets_one_a_day(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    first, second = task(corp, external_userid=known[:1]), task(corp, external_userid=known)
    confirm(corp, msgid=first["msgid"])
    confirm(corp, msgid=second["msgid"])
    assert results(corp, second["msgid"]) == {known[0]: 3, known[1]: 1}
    assert task(corp, external_userid=known)["errcode"] == 81013  # both had theirs today
    corp.later(12 * 3600)
    corp.renew()
    again = task(corp, external_userid=known)
    confirm(corp, msgid=again["msgid"])
    assert results(corp, again["msgid"]) == dict.fromkeys(known, 1)


def test_who_left_meanwhile_is_no_friend(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    made = task(corp, external_userid=known)
    corp.order("wecom/unfriend", appid=corp.appid, userid="lin", person="a")
    confirm(corp)
    assert results(corp, made["msgid"]) == {known[0]: 2, known[1]: 1}


def test_customers_go_to_those_who_serve_them(corp: Platform) -> None:
    ours, theirs = serve(corp, "lin", "a"), serve(corp, "chen", "b")
    made = task(corp, external_userid=[*ours, *theirs])
    confirm(corp, msgid=made["msgid"], userid="chen")
    assert results(corp, made["msgid"], "lin") == {ours[0]: 0}
    assert results(corp, made["msgid"], "chen") == {theirs[0]: 1}
    assert task(corp, external_userid=theirs, sender="lin")["errcode"] == 81013
    assert task(corp, sender="lin")["fail_list"] == []


def test_a_filter_by_tags(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    [tag] = [
        one["id"] for one in corp.post(X + "add_corp_tag", group_name="g", tag=[{"name": "t"}])["tag_group"]["tag"]
    ]
    corp.post(X + "mark_tag", userid="lin", external_userid=known[1], add_tag=[tag])
    made = task(corp, sender="lin", tag_filter={"group_list": [{"tag_list": [tag]}]})
    assert set(results(corp, made["msgid"])) == {known[1]}


def test_some_of_the_staff_confirm_by_themselves_and_some_never(corp: Platform) -> None:
    corp.order("wecom/staff", appid=corp.appid, userid="lin", confirms=[60, 60])
    corp.order("outcomes", staff_confirms=1)
    serve(corp, "lin", "a")
    serve(corp, "chen", "b")
    made = task(corp, external_userid=[external_userid_of(corp.appid, person) for person in "ab"])
    corp.later(7000)
    told = corp.post(X + "get_groupmsg_task", msgid=made["msgid"])["task_list"]
    assert {one["userid"]: one["status"] for one in told} == {"chen": 0, "lin": 2}
    assert next(one["send_time"] for one in told if one["status"]) == int(NOON) + 60


def test_reminding_and_cancelling(corp: Platform) -> None:
    made = task(corp, external_userid=serve(corp, "lin", "a"))
    assert [corp.code(X + "remind_groupmsg_send", msgid=made["msgid"]) for _ in range(4)] == [0, 0, 0, 45009]
    assert corp.code(X + "cancel_groupmsg_send", msgid=made["msgid"]) == 0
    assert confirm(corp) == []
    assert corp.code(X + "cancel_groupmsg_send", msgid="none") == 41093


@pytest.mark.parametrize(
    "about", [{}, {"external_userid": ["x"] * 10_001}, {"chat_type": "crowd"}, {"sender": "lin", "text": {}}]
)
def test_tasks_that_make_no_sense(corp: Platform, about: dict[str, Any]) -> None:
    serve(corp, "lin", "a")
    assert task(corp, **about)["errcode"] == 40058


def test_tasks_are_listed_by_pages_of_a_month(corp: Platform) -> None:
    known = serve(corp, "lin", "a")
    made = [task(corp, external_userid=known)["msgid"] for _ in range(3)]
    asked = {"chat_type": "single", "start_time": int(NOON) - 1, "end_time": int(NOON) + 1, "limit": 2}
    first = corp.post(X + "get_groupmsg_list_v2", **asked)
    second = corp.post(X + "get_groupmsg_list_v2", **asked, cursor=first["next_cursor"])
    seen = [one["msgid"] for one in first["group_msg_list"] + second["group_msg_list"]]
    assert (sorted(seen), second["next_cursor"]) == (sorted(made), "")
    assert corp.code(X + "get_groupmsg_list_v2", **{**asked, "start_time": int(NOON) - 32 * 86400}) == 40058


# Chats, moments, handover, figures


def test_a_chats_life(corp: Platform) -> None:
    chat = corp.order("wecom/chats", appid=corp.appid, owner="lin", name="群", persons=["a"])["chat_id"]
    way = corp.post(X + "groupchat/add_join_way", scene=2, chat_id_list=[chat], state="poster")
    assert corp.post(X + "groupchat/get_join_way", config_id=way["config_id"])["join_way"]["state"] == "poster"
    joined = corp.order("wecom/chats/join", appid=corp.appid, chat_id=chat, person="b", state="poster")["message"]
    assert (joined["ChangeType"], joined["UpdateDetail"], joined["JoinScene"]) == ("update", "add_member", 3)
    members = corp.post(X + "groupchat/get", chat_id=chat, need_name=1)["group_chat"]["member_list"]
    assert [(one["type"], one.get("state")) for one in members] == [(1, None), (2, None), (2, "poster")]
    corp.order("wecom/chats/leave", appid=corp.appid, chat_id=chat, person="a")
    assert len(corp.post(X + "groupchat/get", chat_id=chat)["group_chat"]["member_list"]) == 2
    made = task(corp, chat_type="group", sender="lin")
    confirm(corp)
    sent = corp.post(X + "get_groupmsg_send_result", msgid=made["msgid"], userid="lin")["send_list"]
    assert [(one["chat_id"], one["status"]) for one in sent] == [(chat, 1)]
    corp.order("wecom/chats/dismiss", appid=corp.appid, chat_id=chat)
    assert corp.post(X + "groupchat/list", limit=10)["group_chat_list"] == []
    assert corp.code(X + "groupchat/get", chat_id=chat) == 49008


def test_a_moment_waits_for_the_staff(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    visible = {"sender_list": {"user_list": ["lin", "nobody"]}}
    jobid = corp.post(X + "add_moment_task", visible_range=visible, **TEXT)["jobid"]
    assert corp.get(X + "get_moment_task_result", jobid=jobid)["status"] == 2
    corp.later(2)
    told = corp.get(X + "get_moment_task_result", jobid=jobid)
    assert (told["status"], told["result"]["invalid_sender_list"]["user_list"]) == (3, ["nobody"])
    moment = told["result"]["moment_id"]
    assert corp.post(X + "get_moment_task", moment_id=moment)["task_list"] == [{"userid": "lin", "publish_status": 0}]
    corp.order("wecom/publish", appid=corp.appid, moment_id=moment)
    seen = corp.post(X + "get_moment_send_result", moment_id=moment, userid="lin")["customer_list"]
    assert {one["external_userid"] for one in seen} == set(known)


def test_customers_are_handed_over_after_a_day_unless_they_refuse(corp: Platform) -> None:
    known = serve(corp, "lin", "a", "b")
    asked = {"handover_userid": "lin", "takeover_userid": "chen"}
    told = corp.post(X + "transfer_customer", **asked, external_userid=[*known, "wm-nobody"])["customer"]
    assert [one["errcode"] for one in told] == [0, 0, 84061]
    corp.order("wecom/refuse_transfer", appid=corp.appid, **asked, external_userid=known[1])
    assert corp.told()[-1]["FailReason"] == "customer_refused"
    corp.later(86400)
    corp.renew()
    moved = corp.post(X + "transfer_result", **asked)["customer"]
    assert {one["external_userid"]: one["status"] for one in moved} == {known[0]: 1, known[1]: 3}
    assert corp.get(X + "list", userid="chen")["external_userid"] == known[:1]
    assert corp.get(X + "list", userid="lin")["external_userid"] == known[1:]
    gone = next(one for one in corp.told() if one.get("Source"))
    assert (gone["ChangeType"], gone["Source"]) == ("del_external_contact", "DELETE_BY_TRANSFER")


def test_customers_of_who_left_the_corp(corp: Platform) -> None:
    [who] = serve(corp, "lin", "a")
    corp.order("wecom/staff", appid=corp.appid, userid="lin", active=False)
    asked = {"handover_userid": "lin", "takeover_userid": "chen", "external_userid": [who]}
    assert corp.post(X + "get_unassigned_list", page_size=10)["info"][0]["external_userid"] == who
    assert corp.code(X + "transfer_customer", **asked) == 40058
    assert corp.code(X + "resigned/transfer_customer", **asked) == 0


def test_the_staffs_days(corp: Platform) -> None:
    friend(corp, "a")
    corp.order("wecom/unfriend", appid=corp.appid, userid="lin", person="a")
    corp.later(86400)
    corp.renew()
    asked = {"userid": ["lin"], "start_time": int(NOON), "end_time": int(NOON) + 86400}
    [told] = corp.post(X + "get_user_behavior_data", **asked)["behavior_data"]
    assert (told["new_contact_cnt"], told["negative_feedback_cnt"]) == (1, 1)
    for begin in (int(NOON) - 31 * 86400, int(NOON) - 200 * 86400):
        assert corp.code(X + "get_user_behavior_data", **{**asked, "start_time": begin}) == 40058


def test_messages_to_the_staff_are_not_doubled(corp: Platform) -> None:
    asked = {"touser": "lin|nobody", "agentid": 1, "msgtype": "text", "text": {"content": "x"}}
    told = [corp.post("/cgi-bin/message/send", **asked, enable_duplicate_check=1) for _ in range(2)]
    assert told[0]["invaliduser"] == "nobody"
    assert len(corp.deliveries(kind="app_message")) == 1
    assert corp.code("/cgi-bin/message/send", **{**asked, "touser": "nobody"}) == 81013


def test_the_minute_of_a_corp(corp: Platform) -> None:
    corp.order("quotas", appid=corp.appid, path=X + "list", minute=1)
    serve(corp, "lin", "a")
    assert [corp.get(X + "list", userid="lin")["errcode"] for _ in range(2)] == [0, 45009]
    corp.order("chaos", what="error", code=45033, path=X + "get", times=1)
    assert corp.get(X + "get", external_userid="wm")["errcode"] == 45033


def test_those_who_ignore_a_task_never_confirm_it(corp: Platform) -> None:
    corp.order("wecom/staff", appid=corp.appid, userid="lin", confirms=[60, 60])
    corp.order("outcomes", staff_confirms=1)
    made = task(corp, external_userid=serve(corp, "lin", "a"))
    assert corp.order("wecom/ignore", appid=corp.appid)["ignored"] == [[made["msgid"], "lin"]]
    corp.later(7000)
    assert (confirm(corp), set(results(corp, made["msgid"]).values())) == ([], {0})
