"""The imitation's mini programs and web pages: logins, phone numbers, links; and an account's statistics."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.campaigns.wechat.playing import Platform, playing


@pytest.fixture
def mini() -> Iterator[Platform]:
    with playing("mini", pages=["pages/index/index"]) as platform:
        yield platform


@pytest.fixture
def service() -> Iterator[Platform]:
    with playing("oa_service") as platform:
        yield platform


def tap(platform: Platform, kind: str = "login", **about: Any) -> dict[str, Any]:
    told: dict[str, Any] = platform.order("codes", appid=platform.appid, person="p", kind=kind, **about)
    return told


def login(platform: Platform, code: str, **about: str) -> dict[str, Any]:
    asked = {"appid": platform.appid, "secret": platform.app["secret"], "js_code": code, **about}
    asked.setdefault("grant_type", "authorization_code")
    told: dict[str, Any] = requests.get(platform.stub.url + "/sns/jscode2session", params=asked, timeout=60).json()
    return told


def test_a_code_logs_in_once(mini: Platform) -> None:
    made = tap(mini)
    told = login(mini, made["code"])
    assert (told["openid"], told["unionid"]) == (made["openid"], made["unionid"])
    assert len(told["session_key"]) == 24
    assert login(mini, made["code"])["errcode"] == 40163


def test_codes_that_are_refused(mini: Platform) -> None:
    late, blocked, phone = tap(mini), tap(mini, blocked=True), tap(mini, "phone")
    assert login(mini, blocked["code"])["errcode"] == 40226
    assert login(mini, phone["code"])["errcode"] == 40029
    assert login(mini, "none")["errcode"] == 40029
    assert login(mini, late["code"], secret="wrong")["errcode"] == 40125
    assert login(mini, late["code"], appid="wx0")["errcode"] == 40013
    mini.later(300)
    assert login(mini, late["code"])["errcode"] == 40029


def test_a_hundred_logins_a_minute_and_person(mini: Platform) -> None:
    codes = [login(mini, tap(mini)["code"]).get("errcode", 0) for _ in range(101)]
    assert codes == [0] * 100 + [45011]


def test_a_phone_number_by_its_code_is_metered(mini: Platform) -> None:
    path = "/wxa/business/getuserphonenumber"
    made = tap(mini, "phone", phone="13800138000")
    told = mini.post(path, code=made["code"])["phone_info"]
    assert (told["purePhoneNumber"], told["watermark"]["appid"]) == ("13800138000", mini.appid)
    assert [mini.code(path, code=code) for code in (made["code"], "none", tap(mini)["code"])] == [40163, 40029, 40029]
    assert mini.stub.get("meter", appid=mini.appid) == {"phones": 1, "cents": 0}
    mini.world.account(mini.appid).topic("meter")["phones"] = 1000
    mini.post(path, code=tap(mini, "phone")["code"])
    assert mini.stub.get("meter", appid=mini.appid) == {"phones": 1001, "cents": 3}


def test_codes_and_links(mini: Platform) -> None:
    picture = mini.raw("/wxa/getwxacodeunlimit", b'{"scene": "a=1", "page": "pages/index/index"}')
    assert (picture.headers["Content-Type"], picture.content[:3]) == ("image/jpeg", b"\x89PN")
    assert mini.code("/wxa/getwxacodeunlimit", scene="x" * 33) == 40169
    assert mini.code("/wxa/getwxacodeunlimit", scene="茶") == 40169
    assert mini.code("/wxa/getwxacodeunlimit", scene="x", page="pages/none") == 41030
    link = "/wxa/generate_urllink"
    assert mini.post(link, path="/pages/index/index", query="a=1", expire_interval=30)["url_link"].startswith(
        "https://"
    )
    assert mini.code(link, path="pages/none") == 40165
    assert mini.code(link, path="pages/index/index", expire_interval=31) == 85401
    scheme = mini.post("/wxa/generatescheme", jump_wxa={"path": "/pages/index/index", "query": ""})
    assert scheme["openlink"].startswith("weixin://dl/business/?t=")
    mini.order("quotas", appid=mini.appid, path="links", daily=2)  # of both together
    assert mini.code(link, path="pages/index/index", expire_interval=30) == 45009


def test_signing_in_on_a_page(service: Platform) -> None:
    [openid] = service.users("p")
    asked = {"appid": service.appid, "redirect_uri": "http://127.0.0.1/r?x=1", "scope": "snsapi_base", "state": "s"}
    page = requests.get(
        service.stub.url + "/connect/oauth2/authorize", params={**asked, "person": "p"}, timeout=60
    ).text
    code = page.split("code=")[1].split("&")[0]
    assert f"http://127.0.0.1/r?x=1&amp;code={code}&amp;state=s" in page
    about = {"appid": service.appid, "secret": service.app["secret"], "code": code, "grant_type": "authorization_code"}
    url = service.stub.url + "/sns/oauth2/access_token"
    told = requests.get(url, params=about, timeout=60).json()
    assert (told["openid"], told["scope"]) == (openid, "snsapi_base")
    assert requests.get(url, params=about, timeout=60).json()["errcode"] == 40163


# Statistics


def ask(platform: Platform, name: str, begin: str, end: str = "") -> Any:
    platform.renew()
    return platform.post(f"/datacube/{name}", begin_date=begin, end_date=end or begin)


def test_yesterday_is_known_from_eight_in_the_morning(service: Platform) -> None:
    service.users("a", "b")
    assert ask(service, "getusercumulate", "2026-11-22")["errcode"] == 61500
    service.later(20 * 3600 - 1)  # 07:59:59 on the 23rd
    assert ask(service, "getusercumulate", "2026-11-22") == {"list": []}
    assert ask(service, "getarticletotaldetail", "2026-11-22") == {"list": [], "is_delay": True}
    service.later(1)
    told = ask(service, "getusercumulate", "2026-11-21", "2026-11-22")["list"]
    assert [(one["ref_date"], one["cumulate_user"]) for one in told] == [("2026-11-21", 0), ("2026-11-22", 2)]


def test_who_came_and_who_left(service: Platform) -> None:
    openids = service.users("a", "b", "c", scene="ADD_SCENE_QR_CODE")
    service.does(openids[0], "unfollow")
    service.later(86400)
    told = ask(service, "getusersummary", "2026-11-22")["list"]
    assert sum(one["new_user"] for one in told if one["user_source"] == 30) == 3
    assert sum(one["cancel_user"] for one in told) == 1
    assert ask(service, "getusercumulate", "2026-11-22")["list"][0]["cumulate_user"] == 2


@pytest.mark.parametrize(
    ("name", "begin", "end", "code"),
    [
        ("getusersummary", "2026-11-14", "2026-11-21", 61501),
        ("getusersummary", "2026-11-21", "2026-11-20", 61501),
        ("getarticleread", "2026-11-20", "2026-11-21", 61501),
        ("getusersummary", "yesterday", "2026-11-21", 61500),
        ("getarticlesummary", "2026-11-21", "2026-11-21", 47009),
        ("getuserread", "2026-11-21", "2026-11-21", 47009),
    ],
)
def test_what_cannot_be_asked(service: Platform, name: str, begin: str, end: str, code: int) -> None:
    assert ask(service, name, begin, end)["errcode"] == code


def sent(platform: Platform, readers: int) -> None:
    openids = platform.users(*map(str, range(readers)))
    picture = platform.upload("/cgi-bin/material/add_material", type="image")["media_id"]
    draft = platform.post("/cgi-bin/draft/add", articles=[{"title": "t", "content": "c", "thumb_media_id": picture}])
    platform.post("/cgi-bin/message/mass/send", touser=openids, msgtype="mpnews", mpnews=draft)
    platform.later(60)


def test_an_articles_figures_only_grow_and_are_told_for_thirty_days(service: Platform) -> None:
    sent(service, 1000)
    data_id = next(iter(service.world.account(service.appid).topic("mass").values()))["data_id"]
    service.later(40 * 86400)
    [told] = ask(service, "getarticletotaldetail", "2026-11-22")["list"]
    assert (told["msgid"], told["publish_type"], told["title"]) == (f"{data_id}_1", 0, "t")
    read = [one["read_user"] for one in told["detail_list"]]
    assert (len(read), read, 0 < read[0] < read[-1] <= 1000) == (30, sorted(read), True)
    days = [f"2026-11-{number}" for number in range(22, 27)]
    daily = [ask(service, "getarticleread", one)["list"][0]["detail"]["read_user"] for one in days]
    grew = [now - before for before, now in zip([0, *read], read[:5], strict=False)]
    assert [one - new for one, new in zip(daily, grew, strict=True)] == [before // 50 for before in [0, *read[:4]]]


def test_figures_that_nobody_knows_are_left_out(service: Platform) -> None:
    sent(service, 100)
    service.order("outcomes", missing_figure=0.3)
    service.later(20 * 86400)
    [told] = ask(service, "getarticletotaldetail", "2026-11-22")["list"]
    assert 0 < sum("read_user" not in one for one in told["detail_list"]) < len(told["detail_list"])
    assert all("stat_date" in one for one in told["detail_list"])


def test_who_wrote_and_how_our_callbacks_fared(service: Platform) -> None:
    one, two = service.users("a", "b")
    for openid in (one, one, two):
        service.does(openid, "text", Content="hi")
    service.later(86400)
    [told] = ask(service, "getupstreammsg", "2026-11-22")["list"]
    assert (told["msg_type"], told["msg_user"], told["msg_count"]) == (1, 2, 3)


def test_the_privacy_guide(mini: Platform) -> None:
    path = "/cgi-bin/component/getprivacysetting"
    assert mini.post(path, privacy_ver=2)["setting_list"] == []
    mini.order("privacy", appid=mini.appid, used=["PhoneNumber", "Location"], declared={"PhoneNumber": "下单"})
    told = mini.post(path, privacy_ver=2)
    assert told["privacy_list"] == ["PhoneNumber", "Location"]
    assert [(one["privacy_key"], one["privacy_text"]) for one in told["setting_list"]] == [("PhoneNumber", "下单")]
