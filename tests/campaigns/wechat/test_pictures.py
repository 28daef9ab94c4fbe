"""Pictures, links and cards below what WeCom sends: checked, and uploaded anew before their end."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from campaigns import forms
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ArrivalWay, ChannelAccount, Moment, Picture, UploadedPicture, Welcome
from campaigns.wechat import pictures, staff_moments, wecom_events, welcoming
from campaigns.wechat.staff_moments import NoMoment
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    CORP,
    platform,  # noqa: F401
)
from tests.campaigns.wechat.test_sending_to_the_imitation import PIXEL
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)
CARD = {"card_appid": "wx1mini", "card_page": "pages/offer/index", "card_title": "新茶"}


@pytest.fixture
def account(platform: Stub) -> ChannelAccount:  # noqa: F811
    return corporation.corporation(platform, "ann")


@pytest.fixture
def picture() -> Picture:
    return pictures.keep("tea", PIXEL, None, timezone.now())


def uploads(platform: Stub) -> int:  # noqa: F811
    return sum(one["path"].startswith("/cgi-bin/media/upload") for one in platform.get("log")["calls"])


def welcomed(platform: Stub, account: ChannelAccount, person: str, now: datetime) -> tuple[str, str]:  # noqa: F811
    told = platform.post("wecom/friend", appid=CORP, userid="ann", person=person)
    wecom_events.added(corporation.inbound(account, told["message"], now), now)
    welcoming.work(lambda: now)
    (got,) = platform.get("deliveries", appid=CORP, kind="welcome", openid=told["external_userid"])["deliveries"]
    return got["text"], Welcome.objects.latest("pk").reason


def test_a_picture_is_uploaded_once_and_anew_before_the_platform_drops_it(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    picture: Picture,
) -> None:
    now = timezone.now()
    first = pictures.media_id(account, picture.pk, "message", now)
    assert pictures.media_id(account, picture.pk, "message", now + timedelta(hours=69)) == first
    assert uploads(platform) == 1
    platform.post("clock", advance=70.5 * 3600)
    second = pictures.media_id(account, picture.pk, "message", now + timedelta(hours=70.5))
    assert second != first
    assert pictures.media_id(account, picture.pk, "moment", now) != second
    assert UploadedPicture.objects.count() == 2


def test_a_welcome_s_picture_lies_there_before_anybody_comes_and_its_lack_costs_nobody_her_welcome(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    picture: Picture,
) -> None:
    now = timezone.now()
    way = ArrivalWay.objects.create(
        account=account, name="all", kind="otherwise", welcome="欢迎", picture=picture, created_at=now
    )
    assert welcomed(platform, account, "li", now) == ("欢迎", "without_picture")
    assert pictures.get_ready(now) == 1
    assert pictures.get_ready(now + timedelta(hours=40)) == 0
    assert welcomed(platform, account, "wang", now) == ("欢迎 [image]", "")
    ArrivalWay.objects.filter(pk=way.pk).update(**CARD)
    assert welcomed(platform, account, "zhao", now) == ("欢迎 [miniprogram]", "")
    platform.post("chaos", what="error", code=45001, path="/cgi-bin/media/upload", times=1)
    assert pictures.get_ready(now + timedelta(hours=50)) == 0  # refused: the old one serves until its end
    assert welcomed(platform, account, "sun", now) == ("欢迎 [miniprogram]", "")


def test_a_moment_shows_pictures_of_its_own_kind_or_a_link_and_not_both(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    picture: Picture,
) -> None:
    now, boss = timezone.now(), User.objects.create(username="boss")
    moment = Moment.objects.create(account=account, text="新茶", created_at=now, link_url="https://shop.example/")
    moment.pictures.add(picture)
    with pytest.raises(NoMoment, match="not both"):
        staff_moments.hand_over(moment, boss, now)
    assert uploads(platform) == 0
    Moment.objects.update(link_url="")
    moment.refresh_from_db()
    platform.post("chaos", what="error", code=40005, path="/cgi-bin/media/upload_attachment", times=1)
    with pytest.raises(Exception, match="40005"):
        staff_moments.hand_over(moment, boss, now)
    moment.refresh_from_db()
    assert moment.status == "draft"  # a picture that is not taken leaves everything as it was
    staff_moments.hand_over(moment, boss, now)
    platform.post("wecom/publish", appid=CORP)
    moment.refresh_from_db()
    assert moment.status == "waiting"


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"picture": "tea"}, "picture"),
        (CARD, "picture"),
        ({"picture": "1", "card_appid": "wx1mini"}, "card_page"),
        ({"picture": "1", **CARD, "card_appid": "mini"}, "card_appid"),
        ({"picture": "1", **CARD, "card_title": "茶" * 22}, "card_title"),
        ({"title": "茶" * 43, "url": "https://shop.example/"}, "title"),
    ],
)
def test_what_wecom_would_refuse_is_said_where_it_is_written(told: dict[str, str], field: str) -> None:
    with pytest.raises(forms.FormError) as refused:
        forms.parse({"wecom": {"en": {"text": "Hello", **told}}})
    assert refused.value.path == f"wecom.en.{field}"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("tea.png", b"GIF89a....", "JPG and PNG"), ("tea.jpg", b"\xff\xd8\xff" + b"x" * (10 << 20), "10 MB")],
)
def test_a_file_that_wecom_does_not_take_is_refused_by_its_content(name: str, content: bytes, words: str) -> None:
    browser = logged_in(member("Marketing"))
    answer = browser.post(
        "/admin/campaigns/picture/add/", {"name": "tea", "file": SimpleUploadedFile(name, content, "image/png")}
    )
    assert words in answer.content.decode()
    assert not Picture.objects.exists()


def test_the_same_file_is_the_same_picture_and_its_page_shows_it(account: ChannelAccount) -> None:
    browser = logged_in(member("Marketing"))
    for _ in range(2):
        told: dict[str, Any] = {"name": "tea", "file": SimpleUploadedFile("t.png", PIXEL, "image/png")}
        browser.post("/admin/campaigns/picture/add/", told)
    one = Picture.objects.get()
    shown = browser.get(f"/admin/campaigns/picture/{one.pk}/file/")
    assert (shown["Content-Type"], shown.content) == ("image/png", PIXEL)
    assert browser.get(f"/admin/campaigns/picture/{one.pk}/change/").status_code == 200
