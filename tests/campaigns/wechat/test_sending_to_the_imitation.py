"""Messages to many against the imitation of the platforms, whose own book says who got what."""

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from campaigns.bulk import jobs, reconciling, results, staff_tasks, tags
from campaigns.bulk.worker import BulkWorker
from campaigns.channels.wechat import official as calls
from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.stub.server import Stub
from campaigns.delivering import writing
from campaigns.delivering.worker import Worker
from campaigns.guarding import alarms, guardrails
from campaigns.models import (
    BulkJob,
    Campaign,
    ChannelAccount,
    Delivery,
    EphemeralTag,
    ForeignSend,
    Inbound,
    MassArticle,
    Staff,
    StaffContact,
    StaffTask,
)
from campaigns.wechat import articles, pictures, subscriptions
from crm.models import Identifier
from tests.campaigns import factories
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.houses import HOUR, NOON, planned
from tests.crm import consents

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def there(settings: Any) -> Iterator[Stub]:
    with Stub(seed=1, at=NOON.timestamp()) as playing:
        settings.WECHAT_STUB_URL = playing.url
        playing.post("clock", freeze=True)
        playing.post("outcomes", mass_fail=0, template_block=0, template_failed=0)
        yield playing


def official(there: Stub, kind: str = "oa_service", **facts: Any) -> ChannelAccount:
    told = there.post("accounts", kind=kind, **facts)
    settings = {"appid": told["appid"], "kind": kind.removeprefix("oa_"), "imitation": True}
    return houses.account(name=told["appid"], settings=settings, secrets={"secret": told["secret"]})


def followers(there: Stub, of: ChannelAccount, number: int) -> list[Any]:
    openids = there.post("users", appid=of.settings["appid"], persons=[f"p{one}" for one in range(number)])["openids"]
    consents.purpose()
    made = []
    for at, openid in enumerate(openids):
        person = factories.person(at, email=False, consent=False, language="zh-hans")
        houses.follow(of, person, openid)
        consents.say(person, channel="wechat", method="form")
        made.append(person)
    return made


def send_many(now: datetime = NOON) -> Counter[str]:
    return BulkWorker(lambda: now).run(60)


def got(there: Stub, **asked: Any) -> list[str]:
    return sorted(one["openid"] for one in there.get("deliveries", **asked)["deliveries"])


def told(there: Stub, of: ChannelAccount, job: BulkJob, **facts: Any) -> Inbound:
    """Return the callback of a mass send as it would be kept."""
    counts = {"TotalCount": "3", "FilterCount": "3", "SentCount": "3", "ErrorCount": "0"} | facts
    return Inbound(
        account=of, key="k", kind="MASSSENDJOBFINISH", happened_at=NOON, received_at=NOON,
        told={"MsgID": job.provider_id, "Status": "send success"} | counts,
    )  # fmt: skip


def test_followers_get_a_text_once_and_the_counts_stay_with_the_job(there: Stub) -> None:
    own = official(there)
    planned(followers(there, own, 3))
    assert send_many() == {"accepted": 3}
    assert send_many(NOON + HOUR) == {}
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 3
    job = BulkJob.objects.get()
    assert (job.status, job.people, bool(job.data_id)) == ("accepted", 3, True)
    results.finished(told(there, own, job), NOON)
    job.refresh_from_db()
    assert (job.status, job.counts) == ("sent", {"total": 3, "filtered": 3, "sent": 3, "errors": 0})
    assert set(Delivery.objects.values_list("status", flat=True)) == {"accepted"}  # nobody's own state is made of it


def test_a_lost_callback_is_asked_for(there: Stub) -> None:
    own = official(there)
    planned(followers(there, own, 2))
    send_many()
    assert results.ask(NOON) == 0
    there.post("clock", advance=24 * 3600)
    assert results.ask(NOON + HOUR) == 1
    job = BulkJob.objects.get()
    assert (job.status, job.counts) == ("sent", {})


@pytest.mark.parametrize("chaos", ["reset_after_commit", "reset", "truncated"])
def test_a_call_without_an_answer_is_resolved_by_its_key_and_nobody_gets_it_twice(there: Stub, chaos: str) -> None:
    own = official(there)
    planned(followers(there, own, 3))
    there.post("chaos", what=chaos, path="/cgi-bin/message/mass/send", times=1)
    assert send_many() == {"unknown": 3}
    assert BulkJob.objects.get().status == "unknown"
    assert reconciling.ask_again(lambda: NOON) == {}  # a key is not taken again within a minute
    there.post("clock", advance=120)
    assert reconciling.ask_again(lambda: NOON + timedelta(minutes=2)) == {"accepted": 3}
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 3
    assert set(Delivery.objects.values_list("status", "reason")) == {("accepted", "")}


def test_who_withdraws_before_a_job_is_asked_for_again_is_told_apart_by_what_the_key_says(there: Stub) -> None:
    own = official(there)
    who = followers(there, own, 3)
    planned(who)
    there.post("chaos", what="reset_after_commit", path="/cgi-bin/message/mass/send", times=1)
    send_many()
    consents.say(who[0], "withdrawn", channel="wechat", method="form", now=NOON + timedelta(seconds=30))
    there.post("clock", advance=120)
    assert reconciling.ask_again(lambda: NOON + timedelta(minutes=2)) == {"accepted": 3}  # she had got it before
    assert BulkJob.objects.get().people == 3


def test_who_withdraws_before_a_job_that_was_not_taken_is_repeated_gets_nothing(there: Stub) -> None:
    own = official(there)
    who = followers(there, own, 3)
    planned(who)
    there.post("chaos", what="reset", path="/cgi-bin/message/mass/send", times=1)
    send_many()
    consents.say(who[0], "withdrawn", channel="wechat", method="form", now=NOON + timedelta(seconds=30))
    there.post("clock", advance=120)
    assert reconciling.ask_again(lambda: NOON + timedelta(minutes=2)) == {"accepted": 2, "failed": 1}
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 2


def test_a_ban_in_mid_run_stops_the_account_parks_the_rest_and_calls_a_person(
    there: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "ring", lambda: None)
    own = official(there)
    planned(followers(there, own, 6))
    there.post("chaos", what="ban", path="/cgi-bin/message/mass/*", after=1)
    there_most = "campaigns.channels.wechat.adapters.Official.most"
    monkeypatch.setattr(there_most, lambda *_: 2)
    assert send_many() == {"accepted": 2, "queued": 2}
    own.refresh_from_db()
    assert (own.status, own.status_reason) == ("refused", "banned")
    assert send_many(NOON + HOUR) == {}
    assert Delivery.objects.filter(status="queued").count() == 4
    (alarm,) = guardrails.watch(NOON + HOUR)
    assert (alarm.signal, alarm.seen["account"], Campaign.objects.get().status) == (
        "provider_errors", own.pk, "paused",
    )  # fmt: skip


def test_an_account_that_takes_no_lists_is_written_to_by_a_tag_that_is_deleted_afterwards(there: Stub) -> None:
    own = official(there, "oa_subscription")
    who = followers(there, own, 120)
    planned(who[:70])
    assert send_many() == {"accepted": 70}
    tag = EphemeralTag.objects.get()
    assert tag.tag_id
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 70
    assert tags.clear(NOON) == 0  # it may still be needed
    results.finished(told(there, own, BulkJob.objects.get()), NOON)
    assert tags.clear(NOON) == 1
    assert official_tags(own) == []


def test_who_withdraws_before_a_tag_is_sent_to_again_does_not_bear_it_any_more(there: Stub) -> None:
    own = official(there, "oa_subscription")
    who = followers(there, own, 3)
    planned(who)
    there.post("chaos", what="reset", path="/cgi-bin/message/mass/sendall", times=1)
    assert send_many() == {"unknown": 3}
    consents.say(who[0], "withdrawn", channel="wechat", method="form", now=NOON + timedelta(seconds=30))
    there.post("clock", advance=120)
    assert reconciling.ask_again(lambda: NOON + timedelta(minutes=2)) == {"accepted": 2, "failed": 1}
    there.post("clock", advance=3600)
    (hers,) = Identifier.objects.filter(profile=who[0], type="openid")
    assert len(got(there, appid=own.settings["appid"])) == 2
    assert hers.value not in got(there, appid=own.settings["appid"])


def test_who_withdraws_while_others_are_still_being_tagged_gets_nothing(
    there: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = official(there, "oa_subscription")
    who = followers(there, own, 120)
    planned(who)
    tag = calls.tags_members_batchtagging

    def slowly(account: ChannelAccount, number: int, people: Sequence[str]) -> dict[str, Any]:
        done = tag(account, number, people)
        if len(people) < 50:  # the last of three calls
            consents.say(who[0], "withdrawn", channel="wechat", method="form", now=NOON)
        return done

    monkeypatch.setattr(calls, "tags_members_batchtagging", slowly)
    assert send_many() == {"accepted": 119}
    there.post("clock", advance=3600)
    (hers,) = Identifier.objects.filter(profile=who[0], type="openid")
    assert len(got(there, appid=own.settings["appid"])) == 119
    assert hers.value not in got(there, appid=own.settings["appid"])
    one = Delivery.objects.get(profile=who[0])
    assert (one.status, one.reason, BulkJob.objects.get().people) == ("suppressed", "withdrawn", 119)


def test_who_bears_as_many_tags_as_one_may_keeps_nobody_else_from_a_mass_send(there: Stub) -> None:
    own = official(there, "oa_subscription")
    who = followers(there, own, 3)
    (full,) = Identifier.objects.filter(profile=who[1], type="openid")
    for number in range(20):
        made = calls.tags_create(own, f"t{number}")["tag"]["id"]
        calls.tags_members_batchtagging(own, made, [full.value])
    planned(who)
    assert send_many() == {"accepted": 2, "failed": 1}
    there.post("clock", advance=3600)
    assert full.value not in got(there, appid=own.settings["appid"])
    assert len(got(there, appid=own.settings["appid"])) == 2


def test_what_the_platform_refused_costs_none_of_the_day_s_calls(there: Stub) -> None:
    own = official(there, "oa_subscription")
    who = followers(there, own, 4)
    planned(who[:2])
    there.post("chaos", what="error", code=45166, path="/cgi-bin/message/mass/sendall", times=1)
    assert send_many() == {"failed": 2}
    planned(who[2:], name="again")
    assert send_many() == {"accepted": 2}


def test_an_account_without_room_for_a_tag_lets_people_wait(there: Stub) -> None:
    own = official(there, "oa_subscription")
    planned(followers(there, own, 2))
    there.post("chaos", what="error", code=45056, path="/cgi-bin/tags/create", times=1)
    assert send_many() == {"queued": 2}
    assert send_many(NOON + HOUR) == {"accepted": 2}


def official_tags(own: ChannelAccount) -> list[Any]:
    return [one for one in calls.tags_get(own).get("tags", []) if one["name"].startswith("crm:")]


def test_one_follower_alone_is_written_to_by_a_tag(there: Stub) -> None:
    own = official(there)
    planned(followers(there, own, 1))
    assert send_many() == {"accepted": 1}
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 1


def test_an_article_is_drafted_once_and_each_call_names_the_same(there: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    own = official(there)
    words = {"zh-hans": {"title": "春天", "digest": "到了", "html": "<p>花开了</p>"}}
    run = planned(followers(there, own, 4), says=words)
    version = run.campaign.variants.get().template
    drafted = articles.draft(own, version, "zh-hans", cover=PIXEL, now=NOON)
    monkeypatch.setattr("campaigns.channels.wechat.adapters.Official.most", lambda *_: 2)
    assert send_many() == {"accepted": 4}
    assert set(MassArticle.objects.values_list("media_id", flat=True)) == {drafted.media_id}
    there.post("clock", advance=3600)
    assert len(got(there, appid=own.settings["appid"])) == 4
    made = [one for one in there.get("log")["counts"] if one["path"] == "/cgi-bin/draft/add"]
    assert [one["count"] for one in made] == [1]


def test_an_article_that_cannot_be_drafted_is_sent_to_nobody_and_says_so(there: Stub) -> None:
    own = official(there)
    words = {"zh-hans": {"title": "春天", "html": "<p>花开了</p>"}}  # no picture, so no cover
    planned(followers(there, own, 2), says=words)
    assert send_many() == {"suppressed": 2}
    assert set(Delivery.objects.values_list("reason", flat=True)) == {"template"}
    assert BulkJob.objects.count() == 0


def test_a_mass_send_that_is_not_ours_is_written_down_as_one_from_elsewhere(there: Stub) -> None:
    own = official(there)
    row = Inbound(
        account=own, key="k", kind="MASSSENDJOBFINISH", happened_at=NOON, received_at=NOON,
        told={"MsgID": "77", "Status": "send success", "SentCount": "9"},
    )  # fmt: skip
    results.finished(row, NOON)
    results.finished(row, NOON)
    assert list(ForeignSend.objects.values_list("provider_id", "people")) == [("77", 9)]


def test_a_refused_mass_send_fails_everybody_and_the_next_channel_follows(there: Stub) -> None:
    own = official(there)
    who = followers(there, own, 2)
    factories.account()
    for one in who:
        Identifier.objects.create(type="email", value=f"p{one.pk}@example.com", profile=one, created_at=NOON - HOUR)
        consents.say(one, channel="email", method="form")
    planned(who, channels=["wechat", "email"])
    send_many()
    facts = {"Status": "err(10001)", "SentCount": "0"}
    results.finished(told(there, own, BulkJob.objects.get(), **facts), NOON)
    assert set(Delivery.objects.values_list("channel", "status", "reason")) == {
        ("wechat", "failed", "err(10001)"),
        ("email", "queued", ""),
    }


def test_what_was_sent_and_then_deleted_is_not_sent_again_on_another_channel(
    there: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = official(there)
    who = followers(there, own, 2)
    factories.account()
    for one in who:
        Identifier.objects.create(type="email", value=f"p{one.pk}@example.com", profile=one, created_at=NOON - HOUR)
        consents.say(one, channel="email", method="form")
    words = {"zh-hans": {"title": "春天", "digest": "到了", "html": "<p>花开了</p>"}}
    run = planned(who, says=words, channels=["wechat", "email"])
    articles.draft(own, run.campaign.variants.get().template, "zh-hans", cover=PIXEL, now=NOON)
    assert send_many() == {"accepted": 2}
    there.post("clock", advance=3600)
    calls.message_mass_delete(own, BulkJob.objects.get().provider_id)
    assert results.ask(NOON + HOUR) == 1
    job = BulkJob.objects.get()
    assert (job.status, job.reason) == ("sent", "DELETE")
    assert set(Delivery.objects.values_list("channel", "status")) == {("wechat", "accepted")}


# -- template messages, one by one --


def test_a_template_message_without_an_answer_is_unknown_and_the_platform_s_book_explains_it(there: Stub) -> None:
    own = official(there)
    houses.allowed(own, there.post(
        "templates", appid=own.settings["appid"], title="订单", content="商品：{{thing1.DATA}}", template_id="T1"
    )["template_id"])  # fmt: skip
    planned(followers(there, own, 5), purpose=houses.service(), says=houses.TEMPLATE)
    there.post("chaos", what="reset_after_commit", path="/cgi-bin/message/template/send", times=2)
    counts = Worker(lambda: NOON, threads=1).run(20)
    assert counts.total() == 5
    got_it = got(there, appid=own.settings["appid"])
    assert len(got_it) == len(set(got_it))  # nobody twice
    assert counts["accepted"] + counts["unknown"] >= len(got_it)


def test_who_subscribed_at_an_official_account_gets_as_many_messages_as_she_accepted(there: Stub) -> None:
    own = official(there)
    facts = {"appid": own.settings["appid"], "title": "订单", "content": "商品：{{thing1.DATA}}"}
    number = there.post("subscriptions", **facts)["priTmplId"]
    houses.allowed(own, number, kind="one_time")
    accepted, never = followers(there, own, 2)
    hers = Identifier.objects.get(profile=accepted, type="openid")
    popup = there.post(f"users/{hers.value}/accept", template_id=number)["message"]
    facts = {"account": own, "identifier": hers, "kind": popup["Event"], "told": popup}
    subscriptions.answered(Inbound(**facts, key="event:1", happened_at=NOON, received_at=NOON), NOON)
    says = {"zh-hans": {"kind": "subscription", "template_id": number, "data": {"thing1": "茶"}}}
    for name in ("first", "second"):
        planned([accepted, never], purpose=houses.service(), says=says, name=name)
        Worker(lambda: NOON, threads=1).run(20)
    assert got(there, appid=own.settings["appid"]) == [hers.value]
    assert Counter(Delivery.objects.values_list("status", "reason")) == {
        ("accepted", ""): 1, ("suppressed", "no_credit"): 3,
    }  # fmt: skip
    assert subscriptions.balance(own.pk, hers.pk, number) == 0


# -- tasks for staff --


def corp(there: Stub) -> tuple[ChannelAccount, Staff, Staff]:
    made = there.post("accounts", kind="wecom")
    settings = {"corpid": made["appid"], "imitation": True}
    own = houses.account("wecom", name="corp", settings=settings, secrets={"secret": made["secret"]})
    for userid in ("li", "wang"):
        there.post("wecom/staff", appid=made["appid"], userid=userid)
    return own, houses.staff(own, "li"), houses.staff(own, "wang")


def customers(there: Stub, own: ChannelAccount, who: Staff, names: list[str]) -> list[Any]:
    appid = own.settings["corpid"]
    consents.purpose()
    made = []
    for name in names:
        (known,) = there.post("wecom/customers", appid=appid, userid=who.userid, persons=[name])["external_userids"]
        person = factories.person(ord(name), email=False, consent=False, language="zh-hans")
        row = Identifier.objects.create(type="external_userid", value=known, profile=person, created_at=NOON - HOUR)
        StaffContact.objects.create(staff=who, identifier=row, added_at=NOON - HOUR, synced_at=NOON)
        consents.say(person, channel="wecom", method="form")
        made.append(person)
    return made


def asked(there: Stub) -> tuple[ChannelAccount, list[Any]]:
    """Ask two of the staff to send to their customers."""
    own, li, wang = corp(there)
    people = customers(there, own, li, ["a", "b"]) + customers(there, own, wang, ["c"])
    planned(people, channel="wecom", message_expires_after=timedelta(days=5))
    assert send_many() == {"accepted": 3}
    return own, people


def test_each_of_the_staff_has_a_task_and_who_confirms_reaches_her_customers(there: Stub) -> None:
    own, people = asked(there)
    assert set(BulkJob.objects.values_list("sender", "people", "kind")) == {
        ("li", 2, "staff_task"), ("wang", 1, "staff_task"),
    }  # fmt: skip
    assert set(StaffTask.objects.values_list("staff__userid", "status", "people")) == {
        ("li", "waiting", 2), ("wang", "waiting", 1),
    }  # fmt: skip
    there.post("wecom/confirm", appid=own.settings["corpid"], userid="li")
    assert staff_tasks.poll(lambda: NOON + timedelta(minutes=6)) == 2
    assert staff_tasks.poll(lambda: NOON + timedelta(minutes=6)) == 0  # not before its time
    assert set(StaffTask.objects.values_list("staff__userid", "status", "reached")) == {
        ("li", "confirmed", 2), ("wang", "waiting", 0),
    }  # fmt: skip
    assert Counter(Delivery.objects.values_list("status", flat=True)) == {"delivered": 2, "accepted": 1}
    assert BulkJob.objects.get(sender="li").status == "sent"
    assert Delivery.objects.get(profile=people[2]).status == "accepted"


def test_what_staff_never_confirm_expires_after_three_days_and_was_sent_to_nobody(there: Stub) -> None:
    asked(there)
    looked, now = 0, NOON
    while BulkJob.objects.filter(status="accepted").exists() and now < NOON + timedelta(days=5):
        now += timedelta(minutes=5)
        looked += staff_tasks.poll(lambda now=now: now) > 0  # type: ignore[misc]
    assert timedelta(hours=72) <= now - NOON <= timedelta(hours=73)
    assert looked == 10  # ever more rarely
    assert set(BulkJob.objects.values_list("status", "reason")) == {("failed", "expired_unsent")}
    assert set(Delivery.objects.values_list("status", "reason")) == {("failed", "expired_unsent")}
    assert set(StaffTask.objects.values_list("status", flat=True)) == {"expired"}


def test_staff_are_reminded_three_times_a_day_at_most(there: Stub) -> None:
    asked(there)
    task = StaffTask.objects.get(staff__userid="li")
    for number in range(3):
        staff_tasks.remind(task, NOON + number * HOUR)
    with pytest.raises(staff_tasks.NotPossible):
        staff_tasks.remind(task, NOON + 3 * HOUR)
    assert StaffTask.objects.get(pk=task.pk).reminders == 3


def test_a_task_that_is_taken_back_reaches_nobody_even_when_staff_try(there: Stub) -> None:
    own, _people = asked(there)
    for job in BulkJob.objects.all():
        staff_tasks.cancel(job, NOON)
    there.post("wecom/confirm", appid=own.settings["corpid"])
    assert set(Delivery.objects.values_list("status", "reason")) == {("failed", "cancelled")}
    assert there.get("deliveries", appid=own.settings["corpid"])["deliveries"] == []
    with pytest.raises(staff_tasks.NotPossible):
        staff_tasks.cancel(BulkJob.objects.all()[0], NOON)


def test_a_task_s_picture_is_uploaded_once_for_all_staff_and_found_again_when_the_answer_is_lost(there: Stub) -> None:
    own, li, wang = corp(there)
    people = customers(there, own, li, ["a"]) + customers(there, own, wang, ["b"])
    picture = pictures.keep("tea", PIXEL, None, NOON)
    card = {"card_appid": "wx1mini", "card_page": "pages/offer/index", "card_title": "新茶"}
    says = {"zh-hans": {"text": "春天到了", "picture": str(picture.pk), **card, "url": "https://shop.example/"}}
    there.post("chaos", what="reset_after_commit", path="/cgi-bin/externalcontact/add_msg_template", times=1)
    planned(people, channel="wecom", says=says)
    assert send_many() == {"unknown": 1, "accepted": 1}
    assert sum(one["path"] == "/cgi-bin/media/upload" for one in there.get("log")["calls"]) == 1
    assert reconciling.ask_again(lambda: NOON + HOUR, writing.desk()) == {"tasks found": 1}
    there.post("wecom/confirm", appid=own.settings["corpid"])
    told = there.get("deliveries", appid=own.settings["corpid"])["deliveries"]
    assert {one["text"] for one in told} == {"春天到了 [link] [miniprogram]"}


def test_a_picture_that_wecom_dropped_early_is_uploaded_anew_and_the_task_given_once(there: Stub) -> None:
    own, li, _wang = corp(there)
    picture = pictures.keep("tea", PIXEL, None, NOON)
    there.post("chaos", what="error", code=40007, path="/cgi-bin/externalcontact/add_msg_template", times=1)
    says = {"zh-hans": {"text": "春天到了", "picture": str(picture.pk)}}
    planned(customers(there, own, li, ["a"]), channel="wecom", says=says)
    assert send_many()["accepted"] == 0
    assert send_many(NOON + HOUR) == {"accepted": 1}
    assert sum(one["path"] == "/cgi-bin/media/upload" for one in there.get("log")["calls"]) == 2
    assert len(there.get("wecom/tasks", appid=own.settings["corpid"])["tasks"]) == 1


@pytest.mark.parametrize(("number", "code"), [("77", 0), ("", 40005)])
def test_a_task_whose_picture_is_not_there_or_not_taken_is_given_to_nobody(there: Stub, number: str, code: int) -> None:
    own, li, _wang = corp(there)
    picture = pictures.keep("tea", PIXEL, None, NOON)
    if code:
        there.post("chaos", what="error", code=code, path="/cgi-bin/media/upload", times=1)
    says = {"zh-hans": {"text": "春天到了", "picture": number or str(picture.pk)}}
    planned(customers(there, own, li, ["a"]), channel="wecom", says=says)
    assert send_many() == {"suppressed": 1}
    assert there.get("wecom/tasks", appid=own.settings["corpid"])["tasks"] == []


def lost(there: Stub) -> tuple[ChannelAccount, BulkJob]:
    """Lose the answer to a task for two customers, which the platform has taken."""
    own, li, _wang = corp(there)
    planned(customers(there, own, li, ["a", "b"]), channel="wecom")
    there.post("chaos", what="reset_after_commit", path="/cgi-bin/externalcontact/add_msg_template", times=1)
    assert send_many() == {"unknown": 2}
    return own, BulkJob.objects.get()


def test_a_task_whose_answer_was_lost_is_found_and_waited_for_and_never_given_again(there: Stub) -> None:
    own, job = lost(there)
    assert reconciling.ask_again(lambda: NOON, writing.desk()) == {}  # not before its time
    assert reconciling.ask_again(lambda: NOON + HOUR, writing.desk()) == {"tasks found": 1}
    job.refresh_from_db()
    (there_is,) = there.get("wecom/tasks", appid=own.settings["corpid"])["tasks"]
    assert (job.status, job.provider_id, job.people) == ("accepted", there_is["msgid"], 2)
    assert set(StaffTask.objects.values_list("staff__userid", "people")) == {("li", 2)}
    there.post("wecom/confirm", appid=own.settings["corpid"])
    assert staff_tasks.poll(lambda: NOON + HOUR) == 1
    assert Counter(Delivery.objects.values_list("status", flat=True)) == {"delivered": 2}
    assert send_many(NOON + HOUR) == {}


def test_whom_a_found_task_does_not_name_was_refused(there: Stub) -> None:
    own, li, _wang = corp(there)
    people = customers(there, own, li, ["a", "b"])
    planned(people, channel="wecom")
    who = Identifier.objects.get(profile=people[1], type="external_userid").value
    there.post("wecom/unfriend", appid=own.settings["corpid"], userid="li", external_userid=who)
    there.post("chaos", what="reset_after_commit", path="/cgi-bin/externalcontact/add_msg_template", times=1)
    send_many()
    assert reconciling.ask_again(lambda: NOON + HOUR, writing.desk()) == {"tasks found": 1}
    assert Delivery.objects.get(profile=people[0]).status == "accepted"
    refused = Delivery.objects.get(profile=people[1])
    assert (refused.status, refused.reason) == ("failed", "not_taken")


@pytest.mark.parametrize("people", ["theirs", "nobody's", "words"])
def test_a_lost_task_stays_unknown_where_two_fit_or_none_does(there: Stub, people: str) -> None:
    own, job = lost(there)
    (task,) = there.get("wecom/tasks", appid=own.settings["corpid"])["tasks"]
    if people == "theirs":  # somebody gave the very same task from elsewhere
        asked = {"chat_type": "single", "external_userid": task["given"]["li"], "sender": "li", **task["said"]}
        wecom.externalcontact_add_msg_template(own, asked)
    elif people == "words":  # what was said there is not what we say
        version = job.variant.template
        type(version).objects.filter(pk=version.pk).update(forms={"wecom": {"zh-hans": {"text": "别的"}}})
    else:  # another job of ours has this number already
        BulkJob.objects.create(
            pk=uuid4(), account=own, run=job.run, variant=job.variant, language="zh-hans", kind="staff_task",
            people=2, status="sent", provider_id=task["msgid"],
        )  # fmt: skip
    for hours in (1, 2, 4, 40):
        assert reconciling.ask_again(lambda hours=hours: NOON + hours * HOUR, writing.desk()) == {}  # type: ignore[misc]
    job.refresh_from_db()
    assert (job.status, job.provider_id, job.poll_at) == ("unknown", "", None)
    assert set(Delivery.objects.filter(job=job).values_list("status", flat=True)) == {"unknown"}
    assert jobs.recover(NOON + HOUR) == (0, 0)
