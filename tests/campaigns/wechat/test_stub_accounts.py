"""What an official account does at the imitation besides sending: followers, tags, codes, menus, media, articles."""

from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.channels.wechat.stub.people import openid_of
from tests.campaigns.wechat.playing import Platform, playing

TAG, UNTAG = "/cgi-bin/tags/members/batchtagging", "/cgi-bin/tags/members/batchuntagging"
OK = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def service() -> Iterator[Platform]:
    with playing("oa_service") as platform:
        yield platform


# Followers


def test_an_openid_belongs_to_an_account_and_a_unionid_to_a_platform(service: Platform) -> None:
    other = service.order("accounts", kind="mini")
    [one] = service.users("p")
    [two] = service.order("users", appid=other["appid"], person="p")["openids"]
    assert one == openid_of(service.appid, "p") != two
    assert len(one) == 28
    union = [service.stub.get(f"users/{openid}")["user"].unionid for openid in (one, two)]
    assert union[0] == union[1]


def test_followers_come_by_pages_of_ten_thousand(service: Platform) -> None:
    service.order("users", appid=service.appid, count=10_001)
    gone = service.get("/cgi-bin/user/get")["data"]["openid"][5]
    service.does(gone, "unfollow")
    first = service.get("/cgi-bin/user/get")
    assert (first["total"], first["count"], first["next_openid"]) == (10_000, 10_000, first["data"]["openid"][-1])
    assert gone not in first["data"]["openid"]
    second = service.get("/cgi-bin/user/get", next_openid=first["data"]["openid"][9_000])
    assert second["count"] == 999
    end = service.get("/cgi-bin/user/get", next_openid=second["next_openid"])
    assert end == {"total": 10_000, "count": 0, "next_openid": ""}
    assert service.get("/cgi-bin/user/get", next_openid="nobody")["errcode"] == 40003


def test_who_left_in_the_middle_does_not_break_the_pages(service: Platform) -> None:
    openids = service.users("a", "b", "c")
    service.does(openids[1], "unfollow")
    assert service.get("/cgi-bin/user/get", next_openid=openids[1])["data"]["openid"] == openids[2:]


def test_little_is_told_of_a_follower_and_nothing_of_who_left(service: Platform) -> None:
    openids = service.users("a", "b", scene="ADD_SCENE_PAID")
    service.does(openids[1], "unfollow")
    asked = [{"openid": openid, "lang": "zh_CN"} for openid in openids]
    here, gone = service.post("/cgi-bin/user/info/batchget", user_list=asked)["user_info_list"]
    assert (here["subscribe"], here["nickname"], here["subscribe_scene"]) == (1, "", "ADD_SCENE_PAID")
    assert gone == {"subscribe": 0, "openid": openids[1]}
    assert service.code("/cgi-bin/user/info/batchget", user_list=asked * 51) == 40032
    assert service.code("/cgi-bin/user/info/batchget", user_list=[{"openid": "x"}]) == 40003


def test_remarks_and_the_blacklist(service: Platform) -> None:
    openids = service.users("a", "b")
    assert service.code("/cgi-bin/user/info/updateremark", openid=openids[0], remark="熟客") == 0
    assert service.get("/cgi-bin/user/info", openid=openids[0])["remark"] == "熟客"
    assert service.code("/cgi-bin/user/info/updateremark", openid=openids[0], remark="x" * 30) == 40035
    black = "/cgi-bin/tags/members/batchblacklist"
    assert service.code(black, openid_list=openids[:1]) == 0
    assert service.post("/cgi-bin/tags/members/getblacklist", begin_openid="")["data"]["openid"] == openids[:1]
    assert service.code(black, openid_list=openids * 11) == 40032


# Tags


def tag(platform: Platform, name: str) -> int:
    return int(platform.post("/cgi-bin/tags/create", tag={"name": name})["tag"]["id"])


def test_names_of_tags(service: Platform) -> None:
    new = "/cgi-bin/tags/create"
    tag(service, "x" * 30)
    assert service.code(new, tag={"name": "十一个汉字就太长了啊啊"}) == 45158
    assert service.code(new, tag={"name": "x" * 30}) == 45157
    assert service.code(new, tag={"name": " "}) == 45157
    assert service.code("/cgi-bin/tags/update", tag={"id": 100, "name": "y"}) == 0
    assert service.get("/cgi-bin/tags/get")["tags"] == [{"id": 100, "name": "y", "count": 0}]
    assert service.code("/cgi-bin/tags/delete", tag={"id": 1}) == 45058
    assert service.code("/cgi-bin/tags/delete", tag={"id": 999}) == 45159


def test_a_hundred_tags_an_account_and_twenty_a_person(service: Platform) -> None:
    [openid] = service.users("p")
    ids = [tag(service, f"t{number}") for number in range(100)]
    assert service.code("/cgi-bin/tags/create", tag={"name": "one more"}) == 45056
    codes = [service.code(TAG, tagid=one, openid_list=[openid]) for one in ids[:21]]
    assert codes == [0] * 20 + [45059]
    assert service.code(TAG, tagid=ids[0], openid_list=[openid]) == 0  # has it already


def test_tags_are_put_on_fifty_at_a_time(service: Platform) -> None:
    openids, one = service.users(*map(str, range(51))), tag(service, "t")
    other = service.order("accounts", kind="oa_service")
    [foreign] = service.order("users", appid=other["appid"], person="p")["openids"]
    assert service.code(TAG, tagid=one, openid_list=openids) == 40032
    assert service.code(TAG, tagid=one, openid_list=[openids[0], foreign]) == 49003
    assert service.code(TAG, tagid=one, openid_list=[openids[0], "nobody"]) == 40003
    assert service.post("/cgi-bin/user/tag/get", tagid=one)["count"] == 0  # all or none
    assert service.code(TAG, tagid=one, openid_list=openids[:50]) == 0
    assert service.code(UNTAG, tagid=one, openid_list=openids[:10]) == 0
    assert service.get("/cgi-bin/tags/get")["tags"][0]["count"] == 40
    assert service.post("/cgi-bin/user/tag/get", tagid=one, next_openid=openids[44])["data"]["openid"] == openids[45:50]
    assert service.post("/cgi-bin/tags/getidlist", openid=openids[20]) == {"tagid_list": [one]}
    service.code("/cgi-bin/tags/delete", tag={"id": one})
    assert service.post("/cgi-bin/tags/getidlist", openid=openids[20]) == {"tagid_list": []}


# Codes and menus


def test_codes(service: Platform) -> None:
    def made(action: str, **scene: Any) -> Any:
        asked = {"expire_seconds": 9_999_999, "action_name": action, "action_info": {"scene": scene}}
        return service.post("/cgi-bin/qrcode/create", **asked)

    assert made("QR_STR_SCENE", scene_str="shop")["expire_seconds"] == 2_592_000
    assert "expire_seconds" not in made("QR_LIMIT_STR_SCENE", scene_str="shop")
    assert made("QR_STR_SCENE", scene_str="x" * 65)["errcode"] == 40169
    assert made("QR_LIMIT_SCENE", scene_id=100_001)["errcode"] == 40169
    assert made("QR", scene_str="shop")["errcode"] == 40035


@pytest.mark.parametrize(
    ("buttons", "code"),
    [
        ([], 40016),
        ([{"name": "a", "type": "click", "key": "k"}] * 4, 40016),
        ([{"name": "a", "type": "dance", "key": "k"}], 40017),
        ([{"name": "太长的菜单名称", "type": "click", "key": "k"}], 40018),
        ([{"name": "a", "type": "click", "key": ""}], 40019),
        ([{"name": "a", "type": "view", "url": "javascript:x"}], 40055),
        ([{"name": "a", "sub_button": [{"name": "b", "type": "click", "key": "k"}] * 6}], 40023),
        ([{"name": "a", "sub_button": [{"name": "b", "type": "view", "url": "https://x.cn/"}] * 5}], 0),
    ],
)
def test_menus(service: Platform, buttons: list[dict[str, Any]], code: int) -> None:
    assert service.code("/cgi-bin/menu/create", button=buttons) == code


def test_a_menu_is_kept_until_it_is_deleted(service: Platform) -> None:
    assert service.get("/cgi-bin/menu/get")["errcode"] == 46003
    buttons = [{"name": "a", "type": "click", "key": "k"}]
    service.post("/cgi-bin/menu/create", button=buttons)
    assert service.get("/cgi-bin/menu/get")["menu"]["button"] == buttons
    service.get("/cgi-bin/menu/delete")
    assert service.get("/cgi-bin/get_current_selfmenu_info")["is_menu_open"] == 0


# Media and articles


def article(platform: Platform, **about: Any) -> dict[str, Any]:
    picture = platform.upload("/cgi-bin/material/add_material", type="image")["media_id"]
    return {"title": "t", "content": "<p>c</p>", "thumb_media_id": picture, **about}


def test_temporary_media_last_three_days(service: Platform) -> None:
    [openid] = service.users("p")
    kept = service.upload("/cgi-bin/media/upload", type="image")["media_id"]
    service.later(3 * 86400 - 1)
    service.renew()
    service.does(openid, "text", Content="hi")
    about = {"touser": openid, "msgtype": "image", "image": {"media_id": kept}}
    assert service.code("/cgi-bin/message/custom/send", **about) == 0
    service.later(1)
    service.renew()
    assert service.code("/cgi-bin/message/custom/send", **about) == 40007


def test_what_cannot_be_uploaded(service: Platform) -> None:
    assert service.upload("/cgi-bin/media/upload", type="poem")["errcode"] == 40004
    assert service.upload("/cgi-bin/media/upload", data=b"no picture", type="image")["errcode"] == 40005
    assert service.upload("/cgi-bin/media/uploadimg", data=b"\x89PNG" + b"x" * (1 << 20))["errcode"] == 40009
    assert service.upload("/cgi-bin/media/uploadimg")["url"].startswith("https://mmbiz.qpic.cn/")


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"title": ""}, 40035),
        ({"title": "字" * 33}, 45003),
        ({"author": "x" * 17}, 45110),
        ({"digest": "x" * 129}, 45004),
        ({"content": ""}, 44004),
        ({"content": "x" * 20_000}, 45002),
        ({"thumb_media_id": "none"}, 40007),
        ({"title": "字" * 32, "author": "x" * 16, "digest": "x" * 128}, 0),
    ],
)
def test_what_an_article_may_be(service: Platform, about: dict[str, Any], code: int) -> None:
    assert service.code("/cgi-bin/draft/add", articles=[article(service, **about)]) == code


def test_scripts_and_foreign_pictures_are_taken_out(service: Platform) -> None:
    inline = service.upload("/cgi-bin/media/uploadimg")["url"]
    content = f'<p onclick="x()">a<script>b</script><img src="http://x.cn/a.png"><img src="{inline}"></p>'
    media = service.post("/cgi-bin/draft/add", articles=[article(service, content=content)])["media_id"]
    kept = service.post("/cgi-bin/draft/get", media_id=media)["news_item"][0]["content"]
    assert kept == f'<p>a<img src="{inline}"></p>'


def test_drafts(service: Platform) -> None:
    first, second = (
        service.post("/cgi-bin/draft/add", articles=[article(service, title=title)])["media_id"] for title in "ab"
    )
    assert service.get("/cgi-bin/draft/count") == {"total_count": 2}
    changed = {"media_id": first, "articles": article(service, title="c")}
    assert service.code("/cgi-bin/draft/update", index=1, **changed) == 40114
    assert service.code("/cgi-bin/draft/update", index=0, **changed) == 0
    listed = service.post("/cgi-bin/draft/batchget", offset=0, count=20, no_content=1)
    assert [one["content"]["news_item"][0]["title"] for one in listed["item"]] == ["b", "c"]
    assert [service.code("/cgi-bin/draft/delete", media_id=second) for _ in range(2)] == [0, 40007]


def test_publishing_ends_later(service: Platform) -> None:
    media = service.post("/cgi-bin/draft/add", articles=[article(service)])["media_id"]
    publish = service.post("/cgi-bin/freepublish/submit", media_id=media)["publish_id"]
    assert service.post("/cgi-bin/freepublish/get", publish_id=publish)["publish_status"] == 1
    service.later(10)
    told = service.post("/cgi-bin/freepublish/get", publish_id=publish)
    event = service.told()[-1]
    assert (told["publish_status"], event["Event"]) == (0, "PUBLISHJOBFINISH")
    assert event["PublishEventInfo"]["article_id"] == told["article_id"]
    assert service.code("/cgi-bin/freepublish/delete", article_id=told["article_id"]) == 0
    assert service.post("/cgi-bin/freepublish/get", publish_id=publish)["publish_status"] == 5
    assert service.code("/cgi-bin/freepublish/getarticle", article_id=told["article_id"]) == 53600
    assert service.code("/cgi-bin/freepublish/get", publish_id="1") == 53502


def test_publishing_may_fail(service: Platform) -> None:
    service.order("outcomes", publish_fail=1)
    media = service.post("/cgi-bin/draft/add", articles=[article(service)])["media_id"]
    publish = service.post("/cgi-bin/freepublish/submit", media_id=media)["publish_id"]
    service.later(10)
    assert service.post("/cgi-bin/freepublish/get", publish_id=publish)["publish_status"] == 3
    assert service.code("/cgi-bin/draft/get", media_id=media) == 0
