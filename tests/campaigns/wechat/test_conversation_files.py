"""What people send besides words: fetched once, by what it is and how large it is, sealed, shown, and deleted."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from campaigns.channels.wechat import official
from campaigns.channels.wechat.inbound import notice
from campaigns.channels.wechat.stub.material import PIXEL
from campaigns.models import ChatFile, ChatMessage, Follower, Inbound, ServiceWindow
from campaigns.wechat import answering, chat_files, inbound
from crm.models import HandOff, PersonalDataAccess
from tests.campaigns.wechat.house import House, opened
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with opened(settings) as house:
        yield house


def sends(oa: House, openid: str, act: str, **facts: Any) -> ChatMessage:
    """Let somebody send something, and let it come in as the platform would tell it."""
    told = oa.stub.post(f"users/{openid}/{act}", **facts)["message"]
    now = timezone.now()
    inbound.take(oa.account, notice(told, now), now)
    inbound.work(now)
    return ChatMessage.objects.latest("pk")


@pytest.mark.parametrize(("act", "mime"), [("image", "image/gif"), ("voice", "audio/amr"), ("video", "video/mp4")])
def test_a_file_is_fetched_once_kept_sealed_and_deleted_after_its_time(oa: House, act: str, mime: str) -> None:
    (openid,) = oa.people(1)
    message = sends(oa, openid, act)
    now = timezone.now()
    assert chat_files.work(now) == 1
    assert chat_files.work(now) == 0
    assert len(oa.calls("/cgi-bin/media/get")) == 1
    row = ChatFile.objects.get()
    assert (row.pk, row.status, row.mime, row.media_id) == (message.pk, "kept", mime, "")
    assert row.size == len(row.content) > 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM campaigns_chatfile")
        assert bytes(row.content)[:6] not in bytes(cursor.fetchone()[0])
    chat_files.work(now + chat_files.KEEP)
    row = ChatFile.objects.get()
    assert (row.status, row.content) == ("expired", b"")


def test_what_is_too_large_of_another_kind_or_gone_is_not_kept(oa: House) -> None:
    (openid,) = oa.people(1)
    large, odd, old = (sends(oa, openid, "image") for _ in range(3))
    ids = {one.pk: str(ChatFile.objects.get(pk=one.pk).media_id) for one in (large, odd, old)}
    oa.stub.post("media", appid=oa.appid, media_id=ids[large.pk], size=chat_files.LARGEST["image"] + 1)
    oa.stub.post("media", appid=oa.appid, media_id=ids[odd.pk], begins=b"<svg onload=alert(1)>".hex())
    ChatFile.objects.filter(pk=old.pk).update(due_at=timezone.now() + timedelta(days=4))
    assert chat_files.work(timezone.now()) == 0
    oa.stub.post("clock", advance=4 * 86400)
    assert chat_files.work(timezone.now() + timedelta(days=4)) == 0
    assert [ChatFile.objects.get(pk=one.pk).status for one in (large, odd, old)] == ["too_big", "refused", "gone"]


def test_a_platform_that_is_busy_is_asked_again_and_not_for_ever(oa: House, patient: list[float]) -> None:
    (openid,) = oa.people(1)
    sends(oa, openid, "image")
    oa.stub.post("chaos", what="error", path="/cgi-bin/media/get", code=-1)
    now = timezone.now()
    for _ in range(chat_files.MOST_TRIES + 2):
        chat_files.work(now)
        now += timedelta(hours=13)
    row = ChatFile.objects.get()
    assert (row.status, row.tries) == ("gone", chat_files.MOST_TRIES)


def test_an_address_of_a_video_inside_our_own_network_is_not_called(oa: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (openid,) = oa.people(1)
    sends(oa, openid, "video")
    answer = b'{"video_url": "http://169.254.169.254/latest/meta-data"}'
    monkeypatch.setattr(official, "media_get", lambda *_: answer)
    assert chat_files.work(timezone.now()) == 0
    assert ChatFile.objects.get().status == "gone"


def test_places_and_links_are_kept_in_words(oa: House) -> None:
    (openid,) = oa.people(1)
    assert sends(oa, openid, "location").text == "上海市黄浦区 (31.2304, 121.4737)"
    link = sends(oa, openid, "link", Title="Tea", Description="Green", Url="https://tea.example/1")
    assert link.text == "Tea\nGreen\nhttps://tea.example/1"
    assert not ChatFile.objects.exists()


def test_a_picture_is_sent_within_the_window_as_one_of_its_messages(oa: House) -> None:
    (openid,) = oa.people(1)
    oa.stub.post(f"users/{openid}/follow")
    one = sends(oa, openid, "text", Content="What does it look like?")
    now = timezone.now()
    made = answering.answer_with_picture(oa.account, one.identifier, PNG, None, now)
    assert (made.status, made.kind) == ("sent", "image")
    assert HandOff.objects.get().delivery.hex == made.key
    assert ServiceWindow.objects.get().remaining == 4
    assert bytes(ChatFile.objects.get(pk=made.pk).content) == PNG
    (told,) = oa.stub.get("deliveries", kind="custom")["deliveries"]
    assert told["text"].startswith("[image]")
    for data, why in ((b"<svg>", "JPEG or PNG"), (PNG + bytes(chat_files.LARGEST["image"]), "5 MB")):
        with pytest.raises(answering.NoAnswer, match=why):
            answering.answer_with_picture(oa.account, one.identifier, data, None, now)
    with pytest.raises(answering.NoAnswer, match="window is closed"):
        answering.answer_with_picture(oa.account, one.identifier, PNG, None, now + timedelta(days=3))
    assert len(oa.calls("/cgi-bin/media/upload")) == 1


def test_the_page_shows_a_picture_to_who_may_read_and_writes_down_that_it_was_seen(oa: House) -> None:
    (openid,) = oa.people(1)
    message = sends(oa, openid, "image")
    chat_files.work(timezone.now())
    follower = Follower.objects.create(account=oa.account, identifier=message.identifier, synced_at=timezone.now())
    client = logged_in(member("Marketing", "ann"))
    page = client.get(f"/admin/campaigns/chatmessage/with/{follower.pk}/").content.decode()
    assert f"/admin/campaigns/chatmessage/file/{message.pk}/" in page
    again = page.split('id="messages" hx-get="')[1].split('"')[0]
    assert client.get(again).status_code == 204  # nothing new: nothing is drawn, and no picture fetched, again
    assert client.get(again.split("?")[0]).status_code == 200
    seen = client.get(f"/admin/campaigns/chatmessage/file/{message.pk}/")
    assert (seen.content, seen["Content-Type"]) == (PIXEL, "image/gif")
    assert "sandbox" in seen["Content-Security-Policy"]
    assert PersonalDataAccess.objects.filter(what="file of a conversation").count() == 1
    stranger = logged_in(member("Analyst", "wang"))
    assert stranger.get(f"/admin/campaigns/chatmessage/file/{message.pk}/").status_code == 403
    upload = SimpleUploadedFile("shop.png", PNG, "image/png")
    client.post(f"/admin/campaigns/chatmessage/with/{follower.pk}/picture/", {"picture": upload})
    assert ChatMessage.objects.filter(direction="out", kind="image", status="sent").count() == 1
    ChatFile.objects.update(expires_at=timezone.now())
    assert client.get(f"/admin/campaigns/chatmessage/file/{message.pk}/").status_code == 404
    assert Inbound.objects.filter(handled_at=None).count() == 0
