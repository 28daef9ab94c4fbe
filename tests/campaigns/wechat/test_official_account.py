"""An official account's tags, menu, codes, templates, articles, conversations and statistics at the imitation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import (
    AccountTag,
    Article,
    ChatMessage,
    EntryCode,
    Follower,
    PlatformTemplate,
    SendingPolicy,
    ServiceWindow,
)
from campaigns.wechat import (
    account_tags,
    answering,
    article_pictures,
    articles,
    catalogue,
    entry_codes,
    followers,
    menus,
    publications,
)
from crm.models import HandOff, Identifier, Profile
from tests.campaigns import factories
from tests.campaigns.wechat import house
from tests.campaigns.wechat.house import House
from tests.staff import member

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
CONTENT = "订单：{{character_string1.DATA}}\n金额: {{amount2.DATA}}\n{{remark.DATA}}"


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with house.opened(settings) as made:
        yield made


def read(oa: House, count: int) -> list[Follower]:
    oa.people(count)
    followers.run(followers.order(oa.account, None, timezone.now()), timezone.now)
    return list(Follower.objects.select_related("identifier__profile").order_by("pk"))


def in_shanghai(*rows: Follower) -> None:
    Profile.objects.filter(pk__in=[one.identifier.profile_id for one in rows]).update(city="上海")


# -- tags --


def test_a_push_tells_only_who_came_and_who_left_fifty_at_a_time(oa: House) -> None:
    rows = read(oa, 60)
    in_shanghai(*rows[:55])
    segment = factories.segment("Shanghai", {"all": [{"field": "city", "is": "in", "value": ["上海"]}]})
    tag = account_tags.create(oa.account, "上海", segment, timezone.now())
    job = account_tags.order(tag, None, timezone.now())
    assert account_tags.run(job, timezone.now)
    job.refresh_from_db()
    assert job.result == {"came": 55, "left": 0, "full": 0, "people": 55}
    assert len(oa.calls("/cgi-bin/tags/members/batchtagging")) == 2
    Profile.objects.filter(pk=rows[0].identifier.profile_id).update(city="北京")
    assert account_tags.difference(tag, timezone.now()) == ([], [rows[0].pk])
    again = account_tags.order(tag, None, timezone.now())
    assert account_tags.run(again, timezone.now)
    again.refresh_from_db()
    assert again.result == {"came": 0, "left": 1, "full": 0, "people": 54}
    bearing = official.user_tag_get(oa.account, tag.number)
    assert bearing["count"] == 54


def test_tags_are_read_with_who_bears_them_and_those_that_are_gone(oa: House) -> None:
    first, second = read(oa, 2)
    number = official.tags_create(oa.account, "朋友")["tag"]["id"]
    official.tags_members_batchtagging(oa.account, number, [str(first.identifier.value)])
    assert account_tags.read(oa.account, timezone.now()) == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.tags, second.tags) == ([number], [])
    official.tags_members_batchuntagging(oa.account, number, [str(first.identifier.value)])
    official.tags_delete(oa.account, number)
    account_tags.read(oa.account, timezone.now())
    assert AccountTag.objects.get().gone_at is not None


def test_the_slots_that_sending_needs_stay_free(oa: House) -> None:
    now = timezone.now()
    AccountTag.objects.bulk_create(
        AccountTag(account=oa.account, number=100 + n, name=f"t{n}", synced_at=now) for n in range(80)
    )
    with pytest.raises(account_tags.NoTag, match="80 tags stand"):
        account_tags.create(oa.account, "one more", None, now)
    with pytest.raises(account_tags.NoTag, match="10 Chinese characters"):
        account_tags.create(oa.account, "十一个汉字是太长了一点啊", None, now)
    assert not oa.calls("/cgi-bin/tags/create")


# -- menu --


def button(name: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "type": "view", "url": "https://shop.example/"} | facts


@pytest.mark.parametrize(
    ("wrong", "where", "why"),
    [
        ([], "", "one to 3 buttons"),
        ([button(n) for n in "abcd"], "", "one to 3 buttons"),
        ([{"name": "a", "sub_button": [button(n) for n in "abcdef"]}], "1", "At most 5 entries"),
        ([button("五个汉字啊")], "1", "too long"),
        ([{"name": "a", "sub_button": [button("九个汉字才会太长了")]}], "1.1", "too long"),
        ([button("a"), button("b", url="javascript:alert(1)")], "2", "begins with https"),
        ([button("a", type="click", key="")], "1", "key is needed"),
        ([button("a", type="miniprogram", appid="wx1", pagepath="", url="https://a.b/")], "1", "page of the mini"),
        ([button("a", type="pay")], "1", "what the button does"),
        ([{"name": "a", "sub_button": [{"name": "b", "sub_button": [button("c")]}]}], "1.1", "two levels"),
        ("none", "", "one to 3 buttons"),
        ([17], "1", "no button"),
    ],
)
def test_a_menu_that_the_platform_would_not_take_is_not_kept(oa: House, wrong: Any, where: str, why: str) -> None:
    with pytest.raises(menus.BadMenu) as caught:
        menus.save(oa.account, wrong, None, timezone.now())
    (problem,) = caught.value.problems
    assert problem.where == where
    assert why in problem.why


def test_a_menu_is_published_and_read_back_as_it_was(oa: House) -> None:
    told = [{"name": "会员", "sub_button": [button("积分"), button("订单", type="click", key="orders", url="")]}]
    version = menus.save(oa.account, told, None, timezone.now())
    menus.publish(version, timezone.now())
    assert menus.read_back(oa.account, timezone.now()) == version
    official.menu_create(oa.account, {"button": [button("elsewhere"[:8])]})
    other = menus.read_back(oa.account, timezone.now())
    assert other is not None
    assert (other.number, other.origin) == (2, "platform")
    assert menus.standing(oa.account) == other


# -- codes --


def test_a_code_counts_scans_and_whom_it_brought(oa: House) -> None:
    code = entry_codes.create(oa.account, "Door", "shop-1.door", now=timezone.now())
    assert code.url
    assert b"<svg" in entry_codes.image(code)
    entry_codes.scanned(oa.account, "shop-1.door", newcomer=True)
    entry_codes.scanned(oa.account, "shop-1.door", newcomer=False)
    assert entry_codes.scanned(oa.account, "unknown", newcomer=True) is None
    assert entry_codes.scanned(oa.account, "", newcomer=True) is None
    code.refresh_from_db()
    assert (code.scans, code.follows) == (2, 1)
    for scene in ("shop-1.door", "a b", "", "x" * 65, "<script>"):
        with pytest.raises(entry_codes.NoCode):
            entry_codes.create(oa.account, "again", scene, now=timezone.now())
    assert EntryCode.objects.count() == 1


# -- templates --


def test_a_template_is_allowed_by_another_than_who_asked_and_anew_when_it_says_something_else(oa: House) -> None:
    oa.stub.post("templates", appid=oa.appid, title="订单", content=CONTENT)
    catalogue.read(oa.account, timezone.now())
    one = PlatformTemplate.objects.get()
    assert one.keys == ["character_string1", "amount2", "remark"]
    assert PlatformTemplate.objects.filter(allowed=None).exists()
    ann, bo, wang = member("Marketing", "ann"), member("Marketing", "bo"), member("Analyst", "wang")
    now = timezone.now()
    with pytest.raises(catalogue.NoReview, match="Nobody has asked"):
        catalogue.decide(one, bo, allowed=True, now=now)
    catalogue.ask(one, ann, "After an order was paid", now)
    for who, why in ((ann, "for oneself"), (wang, "may not decide")):
        with pytest.raises(catalogue.NoReview, match=why):
            catalogue.decide(one, User.objects.get(pk=who.pk), allowed=True, now=now)
    catalogue.decide(one, bo, allowed=True, now=now)
    one.refresh_from_db()
    assert (one.allowed, one.reviewed_by) == (True, bo)
    catalogue.read(oa.account, timezone.now())
    one.refresh_from_db()
    assert one.allowed is True
    PlatformTemplate.objects.update(content="something else, as it was when it was allowed")
    catalogue.read(oa.account, timezone.now())
    anew = PlatformTemplate.objects.get()
    assert (anew.allowed, anew.reviewed_by) == (None, None)


def test_a_platform_that_is_busy_takes_no_template_of_subscriptions_away(oa: House) -> None:
    facts = {"account": oa.account, "kind": "one_time", "title": "T", "synced_at": timezone.now()}
    PlatformTemplate.objects.create(template_id="T1", **facts)
    oa.stub.post("chaos", what="error", code=45009, path="/wxaapi/newtmpl/gettemplate", times=1)
    with pytest.raises(WeChatError):
        catalogue.read(oa.account, timezone.now())
    assert PlatformTemplate.objects.get().gone_at is None


# -- articles --


def article(html: str = "<p>Tea</p>") -> Any:
    return factories.template("Tea", wechat={"en": {"kind": "article", "title": "Tea", "html": html}})


def test_an_article_goes_from_draft_to_published_and_each_picture_is_uploaded_once(oa: House) -> None:
    version, now = article(), timezone.now()
    with pytest.raises(articles.NoArticle, match="needs a cover"):
        articles.draft(oa.account, version, "en", now=now)
    made = articles.draft(oa.account, version, "en", cover=PNG, now=now)
    again = articles.draft(oa.account, version, "en", cover=PNG, now=now)
    assert (again.pk, again.media_id) == (made.pk, made.media_id)
    assert len(oa.calls("/cgi-bin/material/add_material")) == 1
    assert len(oa.calls("/cgi-bin/draft/add")) == 1
    publications.publish(made, now)
    with pytest.raises(articles.NoArticle, match="being published"):
        publications.publish(made, now)
    oa.stub.post("clock", advance=3600)
    made.refresh_from_db()
    publications.ask(made, now)
    made.refresh_from_db()
    assert made.status == Article.Status.PUBLISHED
    assert made.url


def test_a_publication_without_an_answer_is_not_made_twice_and_is_heard_of_later(oa: House) -> None:
    now = timezone.now()
    made = articles.draft(oa.account, article(), "en", cover=PNG, now=now)
    oa.stub.post("chaos", what="reset_after_commit", path="/cgi-bin/freepublish/submit", times=1)
    for _ in range(2):
        with pytest.raises(articles.NoArticle):
            publications.publish(made, now)
    assert len(oa.calls("/cgi-bin/freepublish/submit")) == 1
    made.refresh_from_db()
    assert (made.status, bool(made.reason)) == ("publishing", True)
    publications.told(oa.account, {"publish_id": "P1", "publish_status": 0}, now)
    made.refresh_from_db()
    assert (made.status, made.publish_id) == ("published", "P1")


def test_a_publication_of_which_nothing_is_heard_can_be_made_again(oa: House) -> None:
    now = timezone.now()
    made = articles.draft(oa.account, article(), "en", cover=PNG, now=now)
    Article.objects.filter(pk=made.pk).update(status="publishing", submitted_at=now)  # killed in the call
    publications.ask_all(now + HOUR / 2)
    assert Article.objects.get().status == "publishing"
    publications.ask_all(now + 2 * HOUR)
    assert Article.objects.get().status == "failed"


def test_what_names_a_person_is_no_article_and_neither_is_what_is_no_picture(oa: House) -> None:
    now = timezone.now()
    version = article("<p>Dear {{ profile.first_name }}</p>")
    with pytest.raises(articles.NoArticle, match="the same for everybody"):
        articles.draft(oa.account, version, "en", cover=PNG, now=now)
    with pytest.raises(articles.NoArticle, match="no article in this language"):
        articles.draft(oa.account, version, "zh-hans", cover=PNG, now=now)
    with pytest.raises(articles.NoArticle, match="JPEG or PNG"):
        article_pictures.kind_of(b"<svg onload=alert(1)>")


def test_a_picture_inside_our_own_network_is_not_fetched(oa: House) -> None:
    version = factories.template(
        "Evil", wechat={"en": {"kind": "article", "title": "x", "html": '<img src="http://169.254.169.254/latest">'}}
    )
    with pytest.raises(articles.NoArticle, match="cannot be fetched"):
        articles.draft(oa.account, version, "en", cover=PNG, now=timezone.now())
    assert not oa.calls("/cgi-bin/media/uploadimg")


# -- conversations --


def wrote(oa: House) -> Identifier:
    (one,) = read(oa, 1)
    now = timezone.now()
    oa.stub.post(f"users/{one.identifier.value}/text", Content="Hello?")
    ServiceWindow.objects.create(
        account=oa.account, identifier=one.identifier, scene="message", opened_at=now,
        expires_at=now + 48 * HOUR, remaining=5,
    )  # fmt: skip
    return one.identifier


def test_an_answer_reaches_the_person_stands_in_the_ledger_and_takes_one_of_the_window(oa: House) -> None:
    person = wrote(oa)
    made = answering.answer(oa.account, person, "Yes, from nine.", None, timezone.now())
    assert (made.status, made.text) == ("sent", "Yes, from nine.")
    leaf = HandOff.objects.get()
    assert (leaf.purpose, leaf.allowed_by, leaf.delivery.hex) == ("direct-answer", None, made.key)
    assert ServiceWindow.objects.get().remaining == 4
    (told,) = oa.stub.get("deliveries", kind="custom", openid=str(person.value))["deliveries"]
    assert told["openid"] == person.value


def test_nothing_is_called_when_the_window_is_closed_used_up_or_everything_stopped(oa: House) -> None:
    person, now = wrote(oa), timezone.now()
    with pytest.raises(answering.NoAnswer, match="window is closed"):
        answering.answer(oa.account, person, "late", None, now + 49 * HOUR)
    ServiceWindow.objects.update(remaining=0)
    with pytest.raises(answering.NoAnswer, match="used up"):
        answering.answer(oa.account, person, "too many", None, now)
    ServiceWindow.objects.update(remaining=5)
    SendingPolicy.objects.update_or_create(pk=1, defaults={"stopped_at": now, "salt": "s"})
    with pytest.raises(answering.NoAnswer, match="stopped"):
        answering.answer(oa.account, person, "stopped", None, now)
    SendingPolicy.objects.update(stopped_at=None)
    Profile.objects.filter(pk=person.profile_id).update(restricted_at=now)
    with pytest.raises(answering.NoAnswer, match="only be stored"):
        answering.answer(oa.account, person, "restricted", None, now)
    assert not oa.calls("/cgi-bin/message/custom/send")
    assert not HandOff.objects.exists()


@pytest.mark.parametrize(
    ("code", "left", "words"), [(45015, 0, "window is closed"), (45047, 0, "used up"), (45009, 5, "refuses")]
)
def test_the_platform_has_the_last_word_on_the_window(oa: House, code: int, left: int, words: str) -> None:
    person = wrote(oa)
    oa.stub.post("chaos", what="error", path="/cgi-bin/message/custom/send", times=1, code=code)
    with pytest.raises(answering.NoAnswer, match=words):
        answering.answer(oa.account, person, "Hello", None, timezone.now())
    assert ServiceWindow.objects.get().remaining == left
    assert (ChatMessage.objects.get().status, ChatMessage.objects.get().code) == ("refused", str(code))


def test_an_answer_without_an_answer_is_unknown_and_never_sent_again(oa: House) -> None:
    person = wrote(oa)
    oa.stub.post("chaos", what="reset_after_commit", path="/cgi-bin/message/custom/send", times=1)
    with pytest.raises(answering.NoAnswer, match="may have arrived"):
        answering.answer(oa.account, person, "Hello", None, timezone.now())
    assert ChatMessage.objects.get().status == "unknown"
    assert oa.stub.get("deliveries", kind="custom")["total"] == 1


def test_a_welcome_is_told_once_for_each_coming(oa: House) -> None:
    person = wrote(oa)
    code = EntryCode.objects.create(
        account=oa.account, name="Door", scene="door", welcome="Welcome!", created_at=timezone.now()
    )
    assert answering.greet(code, person, "event-1", timezone.now()) is not None
    assert answering.greet(code, person, "event-1", timezone.now()) is None
    assert oa.stub.get("deliveries", kind="custom")["total"] == 1
