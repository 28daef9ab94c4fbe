"""Guardrails: what pauses a campaign by itself, what does not, who hears of it, and who lets it go on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection

from campaigns.channels.base import Feedback, Told
from campaigns.guarding import alarm_words, alarms, calling, guardrails, signals
from campaigns.guarding.bands import Band
from campaigns.models import Alarm, Callback, Campaign, ChannelAccount, Delivery, Guardrail, Run
from campaigns.reach import policies
from campaigns.responses import feedback
from campaigns.runs import approving, planning, running
from campaigns.runs.transitions import NotPossible
from crm import consent
from crm.database_roles import as_owner
from crm.models import Profile
from mlengine.models import Metric, ModelVersion, PredictionRun
from tests.campaigns import factories
from tests.crm import consents
from tests.staff import member

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 4, 4, tzinfo=UTC)  # a Wednesday, in Shanghai
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sent(number: int = 100, name: str = "spring", **facts: Any) -> Run:
    """Return a run of a running campaign of which so many messages were accepted a minute ago."""
    one = running_campaign(name, **facts)
    run = planning.begin(one, "once", NOON - HOUR)
    Run.objects.filter(pk=run.pk).update(status="sending", planned_at=NOON - HOUR)
    leave(run, number)
    return run


def running_campaign(name: str = "spring", **facts: Any) -> Campaign:
    consents.purpose()
    ChannelAccount.objects.filter(channel="email").exists() or factories.account()
    one = factories.campaign(name, **facts)
    approved_as_it_is(one)
    return one


def colleague(name: str) -> User:
    return User.objects.filter(username=name).first() or member("Marketing", name)


def approved_as_it_is(one: Campaign, expected: int | None = None) -> None:
    boss = colleague("bo")
    Campaign.objects.filter(pk=one.pk).update(approved_by=boss, expected_people=expected)
    one.refresh_from_db()
    Campaign.objects.filter(pk=one.pk).update(approved_digest=approving.digest(one))
    one.refresh_from_db()


def leave(
    run: Run, number: int, at: datetime = NOON - MINUTE, status: str = "accepted", **facts: Any
) -> list[Delivery]:
    account = ChannelAccount.objects.get(channel="email")
    people = Profile.objects.bulk_create(
        Profile(created_at=NOON, updated_at=NOON, age_class="adult") for _ in range(number)
    )
    variant = run.campaign.variants.get()
    return Delivery.objects.bulk_create(
        Delivery(
            **{
                "pk": uuid4(), "occasion": run.pk, "run": run, "profile": one, "channel": "email", "status": status,
                "account": account, "attempt": 1, "call": uuid4(), "planned_at": at, "due_at": at, "called_at": at,
                "provider_id": uuid4().hex, "expires_at": NOON + DAY, "variant": variant,
            } | facts
        )
        for one in people
    )  # fmt: skip


def told(kind: Feedback, rows: list[Delivery], now: datetime = NOON, **facts: Any) -> None:
    account = ChannelAccount.objects.get(channel="email")
    feedback.take(
        account,
        [Told(key=uuid4().hex, feedback=kind, happened_at=now, provider_id=one.provider_id, **facts) for one in rows],
        now,
    )


def rows(run: Run, number: int) -> list[Delivery]:
    return list(run.deliveries.filter(status="accepted").order_by("pk")[:number])


def bounce(run: Run, number: int) -> None:
    told(Feedback.BOUNCED, rows(run, number))


def complain(run: Run, number: int) -> None:
    told(Feedback.COMPLAINED, rows(run, number))


def reply(run: Run, number: int) -> None:
    told(Feedback.REPLIED, rows(run, number), text="再发我就投诉")


def withdraw(run: Run, number: int) -> None:
    for one in rows(run, number):
        consents.say(one.profile, channel="email", method="form")
        consent.withdraw(one.profile_id, "offers", "email", "preference_centre", NOON)


def fail(run: Run, number: int) -> None:
    Delivery.objects.filter(pk__in=[one.pk for one in rows(run, number)]).update(status="unknown", reason="no_answer")


HAPPENS: dict[str, Callable[[Run, int], None]] = {
    "bounces": bounce,
    "complaints": complain,
    "unsubscribes": withdraw,
    "negative_replies": reply,
    "provider_errors": fail,
}


def signals_of(raised: list[Alarm]) -> list[str]:
    return sorted(alarm.signal for alarm in raised)


@pytest.mark.parametrize("signal", HAPPENS)
def test_each_signal_out_of_its_band_pauses_the_campaign_and_says_why(signal: str) -> None:
    run = sent(100)
    HAPPENS[signal](run, 30)
    raised = guardrails.watch(NOON)
    assert signal in signals_of(raised)
    (alarm,) = (one for one in raised if one.signal == signal)
    assert (alarm.run, alarm.paused, alarm.seen["count"], alarm.seen["of"]) == (run, True, 30, 100)
    one = Campaign.objects.get()
    assert (one.status, one.status_reason.startswith("It paused itself")) == ("paused", True)
    assert "30%" in alarm_words.said(alarm)
    assert "30 of 100" in alarm_words.sample(alarm)
    assert alarm_words.expected(alarm).endswith("is not to be borne.")


@pytest.mark.parametrize("signal", HAPPENS)
def test_a_campaign_within_its_bands_goes_on(signal: str) -> None:
    run = sent(300)
    HAPPENS[signal](run, 1)
    assert guardrails.watch(NOON) == []
    assert Campaign.objects.get().status == "running"


@pytest.mark.parametrize(
    ("status", "facts", "signal"),
    [
        ("failed", {"reason": "no_such_address", "provider_id": ""}, "bounces"),
        ("failed", {"reason": "UNDELIV"}, "bounces"),  # taken, and told later
        ("failed", {"reason": "content", "provider_id": ""}, "provider_errors"),
        ("queued", {"provider_id": ""}, "provider_errors"),  # busy, and to be tried again
        ("unknown", {"reason": "no_answer", "provider_id": ""}, "provider_errors"),
        ("unknown", {"reason": "worker_lost", "provider_id": ""}, ""),  # ours, not the provider's
        ("delivered", {}, ""),
    ],
)
def test_what_counts_as_what(status: str, facts: dict[str, Any], signal: str) -> None:
    run = sent(0)
    leave(run, 10, status=status, **facts)
    begin = NOON - HOUR
    counted = signals.tally([run], [begin])
    assert {name for name in Guardrail.RATES if counted[name, begin].count} == ({signal} - {""})
    assert all(counted[name, begin].of == 10 for name in Guardrail.RATES)


def test_an_unsubscription_is_laid_to_the_last_message_before_it() -> None:
    first, second = sent(0), sent(0, "summer")
    (old,) = leave(first, 1, at=NOON - 2 * HOUR)
    leave(second, 1, profile=old.profile)
    consents.say(old.profile, channel="email", method="form")
    consent.withdraw(old.profile_id, None, "email", "one_click", NOON)
    begin = NOON - DAY
    assert [signals.tally([run], [begin])["unsubscribes", begin].count for run in (first, second)] == [0, 1]


def test_two_beats_raise_one_alarm() -> None:
    bounce(sent(), 40)
    gate, raised = Barrier(2), list[Alarm]()

    def beat() -> None:
        gate.wait()
        try:
            raised.extend(guardrails.watch(NOON))
        finally:
            connection.close()

    threads = [Thread(target=beat) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signals_of(raised) == ["bounces"]
    assert Alarm.objects.count() == 1


def found_before(run: Run) -> tuple[Campaign, list[alarms.Finding]]:
    """Return what a beat has counted, and has not yet written."""
    one = Campaign.objects.get(pk=run.campaign_id)
    bands = {signal: Band(0.02, 0.05) for signal in Guardrail.RATES}
    return one, list(guardrails._rates(one, bands, alarms.begins(one), NOON))


@pytest.mark.parametrize("meanwhile", ["paused", "cancelled", "draft"])
def test_what_a_person_did_meanwhile_stands(meanwhile: str) -> None:
    run = sent()
    bounce(run, 40)
    one, found = found_before(run)
    Campaign.objects.update(status=meanwhile, status_reason="by hand")
    assert alarms.raise_each(one, found, NOON) == []
    assert Campaign.objects.values_list("status", "status_reason").get() == (meanwhile, "by hand")
    assert not Alarm.objects.exists()


def test_a_campaign_that_finished_meanwhile_is_told_of_and_not_paused() -> None:
    run = sent()
    bounce(run, 40)
    Run.objects.update(status="done", finished_at=NOON)
    Campaign.objects.update(status="finished")
    (alarm,) = guardrails.watch(NOON + MINUTE)
    assert (alarm.paused, Campaign.objects.get().status) == (False, "finished")
    assert guardrails.watch(NOON + HOUR) == []
    assert alarms.acknowledge(alarm, colleague("cy"), "an old list", NOON + HOUR)
    assert guardrails.watch(NOON + 2 * HOUR) == []
    assert Alarm.objects.get().closed_for == "an old list"


def test_a_count_from_before_a_person_let_it_go_on_raises_nothing() -> None:
    run = sent()
    bounce(run, 40)
    one, found = found_before(run)
    guardrails.watch(NOON)
    running.resume(Campaign.objects.get(), colleague("cy"), "the list is right", NOON + MINUTE)
    assert alarms.raise_each(one, found, NOON + MINUTE) == []


def test_only_a_person_with_a_reason_lets_it_go_on() -> None:
    run = sent()
    bounce(run, 40)
    guardrails.watch(NOON)
    cy = colleague("cy")
    for by, reason in ((None, "why not"), (cy, ""), (cy, "  ")):
        with pytest.raises(NotPossible, match="Say why"):
            running.resume(Campaign.objects.get(), by, reason, NOON)
    running.resume(Campaign.objects.get(), cy, "An old list; its addresses were taken out.", NOON + HOUR)
    alarm = Alarm.objects.get()
    assert (alarm.closed_by, alarm.looked_at_by, alarm.closed_at) == (cy, cy, NOON + HOUR)
    assert Campaign.objects.get().status == "running"


def test_the_same_data_raise_no_second_alarm_and_new_data_do() -> None:
    run = sent()
    bounce(run, 40)
    guardrails.watch(NOON)
    running.resume(Campaign.objects.get(), colleague("cy"), "looked at", NOON + HOUR)
    bounce(run, 20)  # told late, of messages that left before
    assert guardrails.watch(NOON + 2 * HOUR) == []
    leave(run, 50, at=NOON + 2 * HOUR, status="bounced")
    (alarm,) = guardrails.watch(NOON + 3 * HOUR)
    assert (alarm.seen["count"], alarm.seen["of"]) == (50, 50)


def test_an_alarm_of_one_signal_does_not_make_others_forget() -> None:
    run = sent(300)
    bounce(run, 60)
    assert signals_of(guardrails.watch(NOON)) == ["bounces"]
    running.resume(Campaign.objects.get(), colleague("cy"), "looked at", NOON + MINUTE)
    complain(run, 20)
    assert "complaints" in signals_of(guardrails.watch(NOON + HOUR))


def test_a_campaign_that_has_stood_open_for_weeks_hears_of_what_breaks_today() -> None:
    run = sent(0)
    Run.objects.update(starts_at=NOON - 40 * DAY)
    leave(run, 5000, at=NOON - 20 * DAY)
    leave(run, 50, at=NOON - HOUR, status="unknown", reason="no_answer")
    (alarm,) = guardrails.watch(NOON)
    assert (alarm.signal, alarm.seen["window"], alarm.seen["of"]) == ("provider_errors", "day", 50)


def test_the_bands_of_a_campaign_go_before_those_of_all() -> None:
    mild, strict = sent(100), sent(100, "summer")
    for run in (mild, strict):
        leave(run, 6, status="bounced")
    Guardrail.objects.create(signal="bounces", usual=0.3, worst=0.5)
    assert guardrails.watch(NOON) == []
    Guardrail.objects.create(signal="bounces", usual=0.0001, worst=0.001, campaign=strict.campaign)
    assert [alarm.run for alarm in guardrails.watch(NOON)] == [strict]
    Guardrail.objects.update(active=False)
    leave(mild, 100, status="bounced")
    assert guardrails.watch(NOON) == []


def test_an_account_that_its_provider_refuses_calls_a_person() -> None:
    run = sent(1000)
    leave(run, 2, status="queued", provider_id="")
    ChannelAccount.objects.update(status="refused", status_reason="no_credit")
    (alarm,) = guardrails.watch(NOON)
    assert (alarm.signal, alarm.seen["why"]) == ("provider_errors", "no_credit")
    assert "our email" in alarm_words.said(alarm)
    running.resume(Campaign.objects.get(), colleague("cy"), "paid", NOON + MINUTE)
    assert guardrails.watch(NOON + HOUR) == []


def planned(people: int, expected: int | None, **facts: Any) -> Run:
    one = running_campaign(**facts)
    approved_as_it_is(one, expected)
    made = [factories.person(number, consent=False) for number in range(people)]
    return planning.plan(planning.begin(one, "once", NOON), iter([[person.pk for person in made]]), NOON)


def test_a_run_for_far_more_people_than_were_approved_pauses_before_anything_leaves() -> None:
    run = planned(120, 20)
    alarm = Alarm.objects.get()
    assert (alarm.signal, alarm.run, alarm.seen["people"], alarm.seen["expected"]) == ("audience", run, 120, 20)
    assert (Campaign.objects.get().status, run.status) == ("paused", "sending")
    assert not Delivery.objects.exclude(called_at=None).exists()
    assert not Run.objects.sending().exists()
    running.resume(Campaign.objects.get(), colleague("cy"), "the new shop's people", NOON)
    assert guardrails.check_audience(Run.objects.get(), 120, NOON) == []
    assert signals_of(guardrails.check_audience(Run.objects.get(), 181, NOON)) == ["audience"]


@pytest.mark.parametrize(("people", "expected"), [(60, 20), (20, 20), (5, 20), (60, None), (0, 0)])
def test_a_run_for_about_as_many_as_were_approved_goes_on(people: int, expected: int | None) -> None:
    planned(people, expected)
    assert (Alarm.objects.count(), Campaign.objects.get().status) == (0, "running")


def test_too_large_an_audience_is_told_of_although_somebody_paused_it_meanwhile() -> None:
    one = running_campaign()
    approved_as_it_is(one, 1)
    Campaign.objects.update(status="paused")
    run = planning.begin(one, "once", NOON)
    assert signals_of(guardrails.check_audience(run, 1000, NOON)) == ["audience"]
    with pytest.raises(NotPossible):
        running.resume(Campaign.objects.get(), None, "", NOON)


def test_what_was_accepted_of_an_audience_ends_with_the_next_approval() -> None:
    run = planned(120, 20)
    alarms.close(run.campaign, colleague("cy"), "changed and approved again", NOON + HOUR)
    assert guardrails.too_many(run, 120) is None
    Campaign.objects.update(approved_at=NOON + MINUTE)
    run.campaign.refresh_from_db()
    assert guardrails.too_many(run, 120) is not None


def test_an_approval_writes_down_for_how_many_it_was() -> None:
    factories.account()
    one = factories.campaign(status="draft", submitted_by=None, approved_by=None, starts_at=None)
    for number in range(7):
        factories.person(number)
    approving.submit(one, colleague("ann"), NOON)
    approving.approve(one, colleague("bo"), NOON)
    assert one.expected_people == 7
    approving.changed(one, NOON)
    assert one.expected_people is None


def drifted(value: float, cutoff: datetime = NOON - DAY) -> None:
    version = ModelVersion.objects.filter(spec="churn").first() or ModelVersion.objects.create(
        spec="churn", number=1, stage="champion", trained_at=NOON - 9 * DAY, cutoff=NOON - 10 * DAY
    )
    PredictionRun.objects.get_or_create(
        spec="churn", version=version, cutoff=NOON - DAY, defaults={"started_at": NOON, "finished_at": NOON}
    )
    Metric.objects.create(version=version, kind="drift", subject="recency", name="psi", value=value, cutoff=cutoff)


def churning() -> Campaign:
    rule = {"all": [{"score": "churn", "is": "at_least", "value": 0.5}]}
    return running_campaign(segment=factories.segment("churning", rule))


def test_the_drift_of_a_model_behind_the_segment_pauses_the_campaign_once_for_each_measurement() -> None:
    churning()
    running_campaign("another")
    drifted(0.2)
    assert guardrails.watch(NOON) == []
    drifted(0.4, NOON)
    (alarm,) = guardrails.watch(NOON)
    assert (alarm.campaign.name, alarm.signal, alarm.seen["model"]) == ("spring", "drift", "churn")
    assert "recency" in alarm_words.said(alarm)
    running.resume(alarm.campaign, colleague("cy"), "spring sale", NOON)
    assert guardrails.watch(NOON + HOUR) == []
    drifted(0.5, NOON + DAY)
    assert signals_of(guardrails.watch(NOON + DAY)) == ["drift"]


def test_people_on_call_are_mailed_once_in_both_languages() -> None:
    cy, dee = colleague("cy"), colleague("dee")
    for one in (cy, dee):
        one.email = f"{one.username}@example.com"
        one.save()
    bounce(sent(), 40)
    guardrails.watch(NOON)
    assert calling.call(NOON) == 2  # nobody is named: all who run campaigns
    assert calling.call(NOON) == 0
    assert {tuple(one.to) for one in mail.outbox} == {("cy@example.com",), ("dee@example.com",)}
    assert "40%" in str(mail.outbox[0].body)
    assert " / " in mail.outbox[0].subject
    policies.policy().on_call.set([dee])
    Alarm.objects.update(told_at=None)
    assert calling.call(NOON) == 1


def test_a_mail_that_no_server_took_is_sent_again(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    cy = colleague("cy")
    cy.email = "cy@example.com"
    cy.save()
    bounce(sent(), 40)
    guardrails.watch(NOON)
    assert calling.call(NOON) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert calling.call(NOON + timedelta(seconds=30)) == 0
    assert calling.call(NOON + MINUTE) == 1
    assert Alarm.objects.get().told_at == NOON + MINUTE


def test_an_angry_reply_is_marked_and_a_plain_one_is_not() -> None:
    run = sent(2)
    one, two = rows(run, 2)
    told(Feedback.REPLIED, [one], text="垃圾短信")
    told(Feedback.REPLIED, [two], text="谢谢")
    assert dict(Callback.objects.values_list("delivery_id", "angry")) == {one.pk: True, two.pk: False}


def test_a_million_messages_are_counted_by_an_index() -> None:
    run = sent(50)
    leave(run, 3000, at=NOON - 9 * DAY)
    with as_owner(), connection.cursor() as cursor:  # or the planner goes by what the tests before this one left
        cursor.execute("ANALYZE campaigns_delivery")
    asked: dict[str, Any] = {
        "runs": f"{{{run.pk}}}", "begins": f"{{{NOON.isoformat()}}}", "first": NOON - HOUR, "address": "{}", "lost": "",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {signals.LEFT}", asked)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "campaigns_paced" in plan
