"""Mass sends at the imitation: who may, what is known again, whose month is full, and the counts at the end."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.campaigns.wechat.playing import Platform, playing

ALL, LIST = "/cgi-bin/message/mass/sendall", "/cgi-bin/message/mass/send"
TEXT: dict[str, Any] = {"msgtype": "text", "text": {"content": "hello"}}


@pytest.fixture
def service() -> Iterator[Platform]:
    with playing("oa_service") as platform:
        yield platform


def to(platform: Platform, openids: list[str], client_id: str = "", **about: Any) -> dict[str, Any]:
    known = {"clientmsgid": client_id} if client_id else {}
    told: dict[str, Any] = platform.post(LIST, **{"touser": openids, **TEXT, **known, **about})
    return told


def ended(platform: Platform) -> dict[str, Any]:
    """Let the job end, and give what the account's owner is told."""
    platform.later(60)
    return platform.told()[-1]


def counts(event: dict[str, Any]) -> tuple[int, int, int, int]:
    return event["TotalCount"], event["FilterCount"], event["SentCount"], event["ErrorCount"]


def test_a_mass_send_ends_with_counts_and_nothing_about_persons(service: Platform) -> None:
    openids = service.users("a", "b", "c", "d", "e", "f")
    service.does(openids[0], "unfollow")
    service.does(openids[1], "receiving", on=False)
    service.does(openids[2], "blacklist")
    job = to(service, openids)
    assert job["errmsg"] == "send job submission success"
    assert service.post("/cgi-bin/message/mass/get", msg_id=job["msg_id"])["msg_status"] == "SENDING"
    event = ended(service)
    assert (event["Event"], event["MsgID"], event["Status"]) == ("MASSSENDJOBFINISH", job["msg_id"], "send success")
    assert counts(event) == (6, 3, 3, 0)
    assert service.post("/cgi-bin/message/mass/get", msg_id=job["msg_id"])["msg_status"] == "SEND_SUCCESS"
    assert {one["openid"] for one in service.deliveries(kind="mass")} == set(openids[3:])


def test_the_fifth_of_a_month_is_filtered(service: Platform) -> None:
    openids = service.users("a", "b")
    for number in range(4):
        to(service, openids, f"run-{number}")
        assert counts(ended(service)) == (2, 2, 2, 0)
    to(service, openids, "run-4")
    assert counts(ended(service)) == (2, 0, 0, 0)
    service.later(9 * 86400)  # the first of December
    service.renew()
    to(service, openids, "run-5")
    assert counts(ended(service)) == (2, 2, 2, 0)


def test_the_same_id_is_refused_within_a_minute_and_known_within_a_day(service: Platform) -> None:
    openids = service.users("a", "b")
    job = to(service, openids, "c")
    assert to(service, openids, "c")["errcode"] == 45066
    service.later(60)
    again = to(service, openids, "c")
    assert (again["errcode"], again["msg_id"]) == (45065, job["msg_id"])
    assert len(service.deliveries(kind="mass")) == 2
    service.later(86400)
    service.renew()
    assert to(service, openids, "c")["errcode"] == 0


def test_without_an_id_the_same_words_to_the_same_people_are_known(service: Platform) -> None:
    openids = service.users("a", "b")
    to(service, openids)
    assert to(service, openids)["errcode"] == 45066
    assert to(service, openids, text={"content": "other"})["errcode"] == 0


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"touser": ["one"]}, 40130),
        ({"touser": ["x"] * 10_001}, 40032),
        ({"touser": ["nobody", "no one"]}, 40003),
        ({"msgtype": "poem"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"clientmsgid": "x" * 65}, 45067),
        ({"msgtype": "mpnews", "mpnews": {"media_id": "none"}}, 40007),
    ],
)
def test_what_is_wrong_with_a_list(service: Platform, about: dict[str, Any], code: int) -> None:
    assert to(service, service.users("a", "b"), **about)["errcode"] == code


def test_sending_by_tag_reaches_those_with_it(service: Platform) -> None:
    openids = service.users("a", "b", "c")
    tag = service.post("/cgi-bin/tags/create", tag={"name": "x"})["tag"]["id"]
    service.post("/cgi-bin/tags/members/batchtagging", tagid=tag, openid_list=openids[:2])
    assert service.code(ALL, filter={"is_to_all": False, "tag_id": tag + 1}, **TEXT) == 45159
    assert service.code(ALL, filter={"is_to_all": False, "tag_id": tag}, **TEXT) == 0
    assert counts(ended(service)) == (2, 2, 2, 0)


@pytest.mark.parametrize(
    ("answer", "wait", "status"),
    [("yes", 60, "send success"), ("refuse", 60, "err(40001)"), ("silent", 1800, "err(40002)")],
)
def test_sending_to_all_waits_for_the_accounts_admin(service: Platform, answer: str, wait: int, status: str) -> None:
    service.users("a", "b")
    service.order("accounts", appid=service.appid, admin_confirms=answer)
    job = service.post(ALL, filter={"is_to_all": True}, **TEXT)
    service.later(wait - 1 if answer == "silent" else 0)
    assert service.told() == []
    service.later(1 if answer == "silent" else wait)
    assert (service.told()[-1]["Status"], service.told()[-1]["MsgID"]) == (status, job["msg_id"])


def test_sixty_a_minute(service: Platform) -> None:
    openids = service.users("a", "b")
    codes = [to(service, openids, f"run-{number}")["errcode"] for number in range(61)]
    assert codes == [0] * 60 + [45011]


def test_the_days_and_the_months_quota(service: Platform) -> None:
    openids = service.users("a", "b")
    service.order("accounts", appid=service.appid, mass_per_day=1, mass_per_month=2)
    assert [to(service, openids, name)["errcode"] for name in "ab"] == [0, 45028]
    service.later(12 * 3600)
    service.renew()
    assert [to(service, openids, name)["errcode"] for name in "cd"] == [0, 45028]
    service.later(86400)
    service.renew()
    assert to(service, openids, "e")["errcode"] == 45028


def test_a_subscription_account_sends_to_all_once_a_day_and_to_no_list() -> None:
    with playing("oa_subscription") as platform:
        openids = platform.users("a", "b")
        assert to(platform, openids)["errcode"] == 48001
        codes = [platform.code(ALL, filter={"is_to_all": True}, clientmsgid=name, **TEXT) for name in "ab"]
        assert codes == [0, 45028]


def test_what_the_review_finds_is_told_by_its_number(service: Platform) -> None:
    service.order("outcomes", mass_err_code=10001)
    job = to(service, service.users("a", "b"))
    assert ended(service)["Status"] == "err(10001)"
    assert service.post("/cgi-bin/message/mass/get", msg_id=job["msg_id"])["msg_status"] == "SEND_FAIL"
    assert service.deliveries(kind="mass") == []


def test_some_do_not_get_it(service: Platform) -> None:
    service.order("outcomes", mass_error=0.5)
    to(service, service.users(*map(str, range(100))))
    total, allowed, sent, errors = counts(ended(service))
    assert (total, allowed, sent + errors) == (100, 100, 100)
    assert 30 < errors < 70
    assert len(service.deliveries(kind="mass", status="error")) == errors


def test_deleting_and_previewing(service: Platform) -> None:
    openids = service.users("a", "b")
    picture = service.upload("/cgi-bin/material/add_material", type="image")["media_id"]
    draft = service.post("/cgi-bin/draft/add", articles=[{"title": "t", "content": "c", "thumb_media_id": picture}])
    job = to(service, openids, msgtype="mpnews", mpnews=draft)
    event = ended(service)
    assert [one["ArticleIdx"] for one in event["ArticleUrlResult"]["ResultList"]["item"]] == [1]
    assert service.code("/cgi-bin/message/mass/delete", msg_id=job["msg_id"]) == 0
    assert service.post("/cgi-bin/message/mass/get", msg_id=job["msg_id"])["msg_status"] == "DELETE"
    assert service.code("/cgi-bin/message/mass/delete", msg_id=1) == 40059
    assert service.code("/cgi-bin/message/mass/preview", touser=openids[0], **TEXT) == 0
    assert [one["openid"] for one in service.deliveries(kind="preview")] == openids[:1]


def test_speeds(service: Platform) -> None:
    assert service.code("/cgi-bin/message/mass/speed/set", speed=5) == 45083
    assert service.code("/cgi-bin/message/mass/speed/set", speed=4) == 0
    assert service.post("/cgi-bin/message/mass/speed/get", x=1) == {"speed": 4, "realspeed": 10}
