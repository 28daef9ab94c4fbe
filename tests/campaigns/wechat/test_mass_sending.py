"""One message to many: each asked for as for any other message, one call, and one answer for all of them."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from campaigns.bulk import jobs, pairs
from campaigns.bulk.worker import BulkWorker
from campaigns.channels import Answer, BatchOutcome, Outcome
from campaigns.delivering import sending
from campaigns.models import (
    BulkJob,
    ChannelAccount,
    ChannelLimit,
    Delivery,
    Follower,
    ForeignSend,
    FrequencyCap,
    Inbound,
)
from campaigns.wechat import foreign_sends
from crm import consent, suppression
from crm.models import HandOff, Identifier
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.houses import HOUR, NOON, Platform, account, followers, planned, send, send_many
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)


def reasons() -> dict[str, int]:
    return dict(Counter(Delivery.objects.values_list("reason", flat=True)))


def test_one_call_carries_a_whole_audience_and_its_one_answer_settles_all() -> None:
    run = planned(followers(account(), 30))
    platform = Platform()
    assert send_many(platform) == {"accepted": 30}
    assert send_many(platform) == {}
    ((key, names),) = platform.calls
    assert sorted(names) == sorted(f"o{one}" for one in range(1, 31))
    job = BulkJob.objects.get()
    assert (job.pk, job.status, job.people, job.provider_id, job.run) == (key, "accepted", 30, "M1", run)
    assert set(run.deliveries.values_list("job", "provider_id")) == {(job.pk, "")}  # nobody has a number of her own
    assert HandOff.objects.count() == 30


def test_single_messages_leave_what_goes_to_many_alone() -> None:
    planned(followers(account(), 3))
    platform = Platform()
    assert send(platform, seconds=2) == {}
    assert platform.calls == []


def test_whoever_withdrew_or_unfollowed_is_not_named_however_late(monkeypatch: pytest.MonkeyPatch) -> None:
    own = account()
    before, after, left, stays, also = followers(own, 5)
    planned([before, after, left, stays, also])
    consent.withdraw(before.pk, "offers", "wechat", "form", NOON)
    seal = jobs.seal

    def late(job: BulkJob, ready: Any, now: Any) -> Any:
        consent.withdraw(after.pk, "offers", "wechat", "form", NOON)
        Follower.objects.filter(identifier__profile=left).update(following=False)
        return seal(job, ready, now)

    monkeypatch.setattr(jobs, "seal", late)
    platform = Platform()
    assert send_many(platform) == {"accepted": 2}
    assert platform.reached == ["o4", "o5"]
    assert reasons() == {"withdrawn": 2, "not_following": 1, "": 2}
    assert BulkJob.objects.get().people == 2


def test_who_allows_anew_what_was_stopped_is_written_to_again() -> None:
    own = account()
    before, after, never = followers(own, 3)
    for one in (before, after):
        value = Identifier.objects.get(profile=one, type="openid").value
        suppression.suppress([("openid", value)], "wechat", "unsubscribed", now=NOON - HOUR)
    consents.say(before, channel="wechat", method="form", now=NOON - 2 * HOUR)
    consents.say(after, channel="wechat", method="form", now=NOON - HOUR / 2)
    planned([before, after, never])
    platform = Platform()
    assert send_many(platform) == {"accepted": 2}
    assert platform.reached == ["o2", "o3"]
    assert reasons() == {"suppressed": 1, "": 2}


def test_a_worker_lost_before_the_call_has_sent_nothing_and_another_sends_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned(followers(account(), 3))

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    seal = jobs.seal
    monkeypatch.setattr(jobs, "seal", dies)
    with pytest.raises(KeyboardInterrupt):
        send_many(Platform())
    monkeypatch.setattr(jobs, "seal", seal)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"calling"}
    assert sending.recover(NOON + HOUR) == (0, 0)  # they are no single messages: nobody calls them unknown
    assert jobs.recover(NOON) == (0, 0)
    assert jobs.recover(NOON + HOUR) == (1, 0)
    assert BulkJob.objects.get().status == "cancelled"
    platform = Platform()
    assert send_many(platform, NOON + 2 * HOUR) == {"accepted": 3}
    assert platform.reached == ["o1", "o2", "o3"]


def test_a_worker_lost_in_the_call_leaves_an_unknown_that_nobody_sends_again_blindly() -> None:
    planned(followers(account(), 3))

    def dies(_batch: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_many(Platform(dies))
    assert jobs.recover(NOON + HOUR) == (0, 1)
    assert set(Delivery.objects.values_list("status", "reason")) == {("unknown", "worker_lost")}
    assert send_many(Platform(), NOON + 2 * HOUR) == {}


def test_what_the_platform_definitely_did_not_take_waits_until_its_quota_is_counted_anew() -> None:
    own = account()
    planned(followers(own, 3), message_expires_after=timedelta(days=3))
    midnight = NOON + 12 * HOUR

    def spent(_batch: Any) -> Outcome:
        return Outcome(
            answer=Answer.BUSY, code="45028", reason="quota", account_waits=True, again_after=midnight - NOON
        )

    assert send_many(Platform(spent)) == {"queued": 3}
    assert BulkJob.objects.get().status == "cancelled"
    platform = Platform()
    assert send_many(platform, midnight - timedelta(minutes=1)) == {}
    assert send_many(platform, midnight + 10 * HOUR) == {"accepted": 3}  # the night's quiet hours are over by then
    assert len(platform.calls) == 1


def test_whom_the_platform_names_as_not_taken_has_definitely_failed_and_the_others_have_not() -> None:
    planned(followers(account(), 3))
    told = BatchOutcome(outcome=Outcome(answer=Answer.ACCEPTED, provider_id="M"), refused=["o2"])
    assert send_many(Platform(lambda _: told)) == {"accepted": 2, "failed": 1}
    assert reasons() == {"": 2, "not_taken": 1}


def test_lists_are_as_long_as_the_platform_takes_them_and_never_of_one() -> None:
    planned(followers(account(), 21))
    platform = Platform(most=10)
    assert send_many(platform) == {"accepted": 21}
    assert sorted(len(names) for _, names in platform.calls) == [7, 7, 7]


def test_one_who_is_alone_waits_for_those_who_come_soon_and_not_longer() -> None:
    planned(followers(account(), 2))
    last = Delivery.objects.order_by("pk").last()
    assert last
    Delivery.objects.filter(pk=last.pk).update(due_at=NOON + HOUR)
    platform = Platform()
    assert send_many(platform) == {}
    assert send_many(platform, NOON + HOUR) == {"accepted": 2}
    assert [len(names) for _, names in platform.calls] == [2]


def test_people_read_the_language_they_speak_and_each_language_is_a_call_of_its_own() -> None:
    own = account()
    here, there = followers(own, 2), followers(own, 2, first=3)
    for one in there:
        one.language = "en"
        one.save()
    planned([*here, *there], says=houses.TEXT | {"en": {"text": "Spring is here"}})
    platform = Platform()
    assert send_many(platform) == {"accepted": 4}
    assert {one.language: (sorted(one.to), one.parts["text"]) for one in platform.batches} == {
        "zh-hans": (["o1", "o2"], "春天到了"),
        "en": (["o3", "o4"], "Spring is here"),
    }


def test_a_message_to_many_that_names_somebody_is_sent_to_nobody() -> None:
    planned(followers(account(), 3), says={"zh-hans": {"text": "{{ profile.city }}"}})
    platform = Platform()
    assert send_many(platform) == {"suppressed": 3}
    assert (platform.calls, reasons()) == ([], {"template": 3})


def test_the_fifth_of_a_month_is_not_sent_and_the_month_ends_at_midnight_in_shanghai() -> None:
    own = account()
    who = followers(own, 2)
    ChannelLimit.objects.create(provider="wechat_official", name="mass_to_one_person_a_month", value=1, changed_at=NOON)
    planned(who, name="first")
    assert send_many(Platform()) == {"accepted": 2}
    planned(who, name="second")
    assert reasons() == {"": 2, "capped_by_platform": 2}
    # 31 March, 23:59 in Shanghai, and a minute later: both are 31 March in UTC.
    late = NOON.replace(day=31, hour=15, minute=59)
    for name, now in (("third", late), ("fourth", late + timedelta(minutes=1))):
        planned(who, now, name=name)
    assert Delivery.objects.filter(run__campaign__name="third", reason="capped_by_platform").count() == 2
    assert Delivery.objects.filter(run__campaign__name="fourth", status="queued").count() == 2


def test_two_campaigns_that_were_planned_together_cannot_both_take_the_last_place_of_a_month() -> None:
    own = account()
    who = followers(own, 2)
    ChannelLimit.objects.create(provider="wechat_official", name="mass_to_one_person_a_month", value=1, changed_at=NOON)
    planned(who, name="first")
    planned(who, name="second")
    platform = Platform()
    assert send_many(platform) == {"accepted": 2}
    assert reasons() == {"": 2, "capped_by_platform": 2}
    assert len(platform.calls) == 1


def test_a_send_from_the_console_to_all_who_followed_counts_as_one_of_the_month_and_one_to_some_does_not() -> None:
    own = account()
    who = followers(own, 4)
    ChannelLimit.objects.create(provider="wechat_official", name="mass_to_one_person_a_month", value=1, changed_at=NOON)
    console("C1", own, total=3, sent=3)
    planned(who, name="first")
    assert send_many(Platform()) == {"accepted": 4}
    Delivery.objects.all().delete()
    console("C2", own, total=4, sent=3)  # one had switched messages off: all who could have got it have had it
    planned(who, name="second")
    assert reasons() == {"capped_by_platform": 4}


def console(number: str, own: ChannelAccount, *, total: int, sent: int, **facts: Any) -> ForeignSend:
    """Let the platform report of a mass send that is none of ours."""
    row = Inbound(account=own, happened_at=NOON - HOUR, received_at=NOON, told={"MsgID": number, **facts})
    return foreign_sends.told(row, {"total": total, "sent": sent})


def test_a_send_that_its_article_s_figures_told_of_first_is_counted_once() -> None:
    own = account()
    followers(own, 2)
    part = {"stat_date": "2026-03-01", "read_user": 1, "read_delivery_rate": 0.5}
    one = {"msgid": "9_1", "ref_date": "2026-03-02", "publish_type": 0, "content_url": "https://x/9"}
    assert foreign_sends.of_articles(own, [one | {"detail_list": [part]}]) == 1
    reported = {"ResultList": {"item": {"ArticleIdx": "1", "ArticleUrl": "https://x/9"}}}
    console("C1", own, total=2, sent=2, ArticleUrlResult=reported)
    assert foreign_sends.of_articles(own, [one | {"detail_list": [part]}]) == 0
    known = foreign_sends.known(own, NOON - 24 * HOUR)
    assert (known.to_all, known.to_some, known.estimated) == (1, 0, 0)


def test_an_article_of_our_own_send_is_no_send_from_elsewhere() -> None:
    own = account()
    planned(followers(own, 2))
    send_many(Platform())
    for number in ("9", ""):  # the second one's first answer was lost, and its article's number with it
        BulkJob.objects.update(data_id=number)
        assert foreign_sends.of_articles(own, [{"msgid": "9_1", "ref_date": "2026-03-02", "publish_type": 0}]) == 0
    assert not ForeignSend.objects.exists()


def test_a_day_s_calls_are_not_exceeded_and_a_share_is_kept_for_journeys() -> None:
    own = account()
    ChannelLimit.objects.create(provider="wechat_official", name="mass_calls_a_day", value=5, changed_at=NOON)
    planned(followers(own, 12), message_expires_after=timedelta(days=3))
    platform = Platform(most=2)
    assert send_many(platform) == {"accepted": 8}  # four calls of the five
    waiting = Delivery.objects.filter(status="queued")
    assert set(waiting.values_list("due_at", flat=True)) == {NOON + 12 * HOUR}  # midnight in Shanghai
    assert send_many(platform, NOON + 24 * HOUR) == {"accepted": 4}


def test_caps_of_the_house_hold_for_messages_to_many_too() -> None:
    own = account()
    FrequencyCap.objects.create(channel="wechat", most=1, within=timedelta(days=1))
    who = followers(own, 2)
    planned(who, name="first")
    planned(who, name="second")
    assert send_many(Platform()) == {"accepted": 2}
    assert reasons() == {"": 2, "capped": 2}


def test_whom_two_accounts_know_is_written_to_by_the_one_that_she_still_follows() -> None:
    first, second = account(name="first"), account(name="second")
    (lost, both, only) = followers(first, 3)
    houses.follow(second, lost, "x1")
    houses.follow(second, both, "x2")
    Follower.objects.filter(account=first, identifier__profile=lost).update(following=False)
    planned([lost, both, only])
    platform = Platform()
    assert send_many(platform) == {"accepted": 3}
    assert {tuple(sorted(names)) for _, names in platform.calls} == {("o2", "o3"), ("x1",)}


def test_a_stop_and_a_pause_hold_messages_to_many_back() -> None:
    run = planned(followers(account(), 2))
    (pair,) = pairs.of(run)
    worker = BulkWorker(lambda: NOON, at=houses.desk(Platform()))
    rows = list(Delivery.objects.filter(pk__in=sending.reserve_many(worker.id, pair, 10, NOON)))
    run.campaign.status = "paused"
    run.campaign.save()
    for row in rows:
        row.variant = pair.variant
    for group in worker._groups(pair, rows, NOON):
        worker._give(group)
    assert set(run.deliveries.values_list("status", flat=True)) == {"queued"}
    assert BulkJob.objects.get().status == "cancelled"


def test_ids_of_jobs_are_keys_that_the_platform_takes() -> None:
    planned(followers(account(), 2))
    platform = Platform()
    send_many(platform)
    ((key, _names),) = platform.calls
    assert isinstance(key, UUID)
    assert len(key.hex) <= 64
