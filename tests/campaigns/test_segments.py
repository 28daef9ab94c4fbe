"""Segments by hand-made cases of which the answer is known: consent, campaigns, versions, lists, snapshots, counts."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from campaigns import rules
from campaigns.models import Delivery, Segment, SegmentMember
from campaigns.reach.reachable import reachable
from campaigns.rules import RuleError
from campaigns.runs import planning
from campaigns.segmenting import counting, lists, segments, snapshots
from campaigns.segmenting.statements import OutOfTime, limited
from crm import consent, merging
from crm.encryption import suppression_key
from crm.models import JobRun, Profile, Suppression
from tests import factories
from tests.campaigns import factories as campaigns
from tests.campaigns.factories import NOW
from tests.crm import consents

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)
DAY = timedelta(days=1)


def found(rule: Any, now: Any = NOW) -> set[int]:
    return set(segments.fetched(segments.compile(rules.parse(rule), now)).tolist())


def test_an_empty_rule_is_everybody() -> None:
    people = {factories.profile().pk for _ in range(3)}
    factories.profile(restricted_at=NOW)
    assert found({"all": []}) == people
    assert found({"any": []}) == set()
    assert found({"none": []}) == people


def test_a_restricted_duplicate_hides_the_person() -> None:
    kept, duplicate, other = (factories.profile() for _ in range(3))
    merging.join(duplicate.pk, kept.pk, now=NOW, reason="")
    assert found({"all": []}) == {kept.pk, other.pk}
    Profile.objects.filter(pk=duplicate.pk).update(restricted_at=NOW)
    assert found({"all": []}) == {other.pk}
    assert segments.among(rules.parse({"all": []}), {kept.pk, duplicate.pk, other.pk}, NOW) == {other.pk}


# -- consent: what bases_for answers --


def said(number: int, *states: str, **facts: Any) -> Profile:
    one = campaigns.person(number, consent=False, **facts)
    told = {"channel": "email", "method": "form", "consent_kind": "separate", "notice": "privacy/1"}
    for hours, state in enumerate(states):
        consents.say(one, state, now=NOW + timedelta(hours=hours), **told)
    return one


def suppress(address: str, reason: str, since: Any) -> None:
    Suppression.objects.create(channel="email", key=suppression_key("email", address), reason=reason, since=since)


@pytest.mark.parametrize("facts", [{}, {"basis": "legitimate_interest"}, {"separate": True}, {"kind": "profiling"}])
def test_consent_is_answered_as_for_each_person(facts: dict[str, Any]) -> None:
    purpose = consents.purpose(**facts)
    consents.notice("offers")
    people = [
        said(1, "given"),
        said(2, "given", "withdrawn"),
        said(3, "refused", "given"),
        said(4),
        said(5, "requested"),
        said(6, "given", age_class=Profile.AgeClass.CHILD),
        said(7, "given", personalisation=False),
        said(8, "given"),
        said(9, "given"),
        said(10, "given", email=False),
        said(11, age_class=Profile.AgeClass.MINOR),
        said(12, "given", "expired"),
    ]
    suppress("p8@example.com", "complained", LATER)
    suppress("p9@example.com", "bounced", NOW - DAY)
    suppress("p4@example.com", "unsubscribed", NOW)
    merging.join(people[0].pk, people[1].pk, now=NOW, reason="")
    for now in (NOW + timedelta(hours=3), LATER + DAY):
        allowed = {
            pk
            for pk, basis in consent.bases_for([one.pk for one in people[1:]], purpose, "email", now).items()
            if basis
        }
        assert found({"consent": "offers", "channel": "email", "is": "allowed"}, now) == allowed
    consents.notice("offers", at=LATER, version=2)
    late = LATER + DAY
    allowed = {
        pk for pk, basis in consent.bases_for([one.pk for one in people[1:]], purpose, "email", late).items() if basis
    }
    assert found({"consent": "offers", "channel": "email", "is": "allowed"}, late) == allowed
    assert found({"consent": "offers", "channel": "email", "is": "refused"}, late) == {people[1].pk}
    never = {people[number].pk for number in (3, 4, 10)}
    assert found({"consent": "offers", "channel": "email", "is": "never_said"}, late) == never


# -- campaigns --


def test_what_a_campaign_did_to_people() -> None:
    people = [factories.profile() for _ in range(5)]
    run = planning.begin(campaigns.campaign(), "once", NOW)
    for one, status in zip(people, ["delivered", "bounced", "held_out", "suppressed"], strict=False):
        reached = status in ("delivered", "bounced")
        Delivery.objects.create(
            pk=uuid4(), occasion=run.pk, run=run, profile=one, channel="email", status=status,
            reason="no_consent" if status == "suppressed" else "", planned_at=NOW, due_at=NOW, expires_at=LATER,
            call=uuid4() if reached else None, called_at=NOW if reached else None,
        )  # fmt: skip
    number = run.campaign_id

    def of(is_: str, **more: Any) -> list[int]:
        ids = found({"campaign": number, "is": is_} | more, LATER)
        return [place for place, one in enumerate(people) if one.pk in ids]

    assert of("assigned") == [0, 1, 2]
    assert of("received") == [0]
    assert of("not_received") == [1, 2, 3, 4]
    assert of("held_out") == [2]
    assert of("clicked") == of("converted") == []
    assert of("received", within={"days": 1}) == [0]
    assert of("received", within={"from": "2026-03-03"}) == []


# -- versions and names --


def test_saving_makes_versions_and_the_same_rule_none() -> None:
    segment = Segment.objects.create(name="a", created_at=NOW)
    first = segments.save(segment, {"all": []}, None, NOW)
    assert segments.save(segment, {"all": []}, None, LATER) == first
    second = segments.save(segment, {"any": []}, None, LATER)
    segment.refresh_from_db()
    assert (first.number, second.number, segment.current) == (1, 2, second)
    with pytest.raises(RuleError):
        segments.save(segment, {"field": "name", "is": "known"}, None, LATER)
    assert segment.versions.count() == 2


def test_a_segment_never_names_itself() -> None:
    a, b, c = (campaigns.segment(name) for name in "abc")
    segments.save(b, {"none": [{"segment": a.pk}]}, None, NOW)
    segments.save(c, {"all": [{"related": "referred", "to": {"segment": b.pk}}]}, None, NOW)
    for number in (a.pk, b.pk, c.pk):
        with pytest.raises(RuleError, match="name itself"):
            segments.save(a, {"any": [{"segment": number}]}, None, NOW)
    with pytest.raises(RuleError, match="no segment"):
        segments.save(a, {"segment": 10**6}, None, NOW)
    assert [one.name for one in segments.used_by(b).segments] == ["c"]
    assert not segments.used_by(c)
    assert segments.used_by(campaigns.campaign().segment).campaigns
    one = factories.profile()
    assert found({"segment": a.pk}) == {one.pk}
    assert found({"segment": b.pk}) == set()


# -- lists and snapshots --


def test_a_list_takes_those_whom_its_lines_name() -> None:
    people = [campaigns.person(number, consent=False) for number in range(4)]
    made = lists.create("vip", None, NOW)
    told = lists.upload(
        made, ["p0@EXAMPLE.com", "", ' "p1@example.com" ', "nobody@example.com", "p0@example.com"], "email", NOW
    )
    assert (told.lines, told.added, told.known, told.unknown) == (4, 2, 3, (4,))
    assert lists.upload(made, [str(people[2].pk), "99999999999999999999", "-1", "²"], "profile", NOW).unknown == (
        2,
        3,
        4,
    )
    assert lists.upload(made, ["p3"], "external_id", NOW).added == 1
    assert lists.remove(made, [people[3].pk]) == 1
    merging.join(people[0].pk, people[1].pk, now=NOW, reason="")
    assert found({"segment": made.pk}) == {people[1].pk, people[2].pk}
    assert made.current is not None
    assert [*segments.audience(made.current, NOW)] == [[people[1].pk, people[2].pk]]
    with pytest.raises(RuleError):
        segments.save(made, {"all": []}, None, NOW)
    with pytest.raises(lists.NoList):
        lists.add(campaigns.segment(), [people[0].pk], NOW)
    assert lists.size(lists.keep("all of them", rules.parse({"all": []}), None, NOW)) == 3


def test_a_snapshot_says_who_came_and_who_left() -> None:
    a, b, c = (factories.profile(city="上海") for _ in range(3))
    segment = campaigns.segment("shanghai", {"field": "city", "is": "is", "value": "上海"})
    first = snapshots.take(segment, NOW)
    assert (first.size, first.joined, first.left) == (3, 3, 0)
    Profile.objects.filter(pk__in=[a.pk, b.pk]).update(city="杭州")
    new = factories.profile(city="上海")
    second = snapshots.take(segment, LATER)
    assert (second.size, second.joined, second.left) == (2, 1, 2)
    assert snapshots.take(segment, LATER).pk == second.pk
    Profile.objects.filter(pk=a.pk).update(city="上海")
    third = snapshots.take(segment, LATER + DAY)
    assert (third.size, third.joined, third.left) == (3, 1, 0)

    def at(moment: Any) -> set[int]:
        return set(SegmentMember.objects.filter(segment=segment).at(moment).values_list("profile_id", flat=True))

    assert at(NOW) == {a.pk, b.pk, c.pk}
    assert at(LATER) == {c.pk, new.pk}
    assert at(LATER + DAY) == {a.pk, c.pk, new.pk}
    assert snapshots.take_due(LATER + DAY + timedelta(hours=1)) == 0
    assert snapshots.take_due(LATER + 2 * DAY) == 1


# -- counts --


def test_a_count_that_takes_too_long_is_estimated() -> None:
    for _ in range(20):
        factories.profile()
    everybody = rules.parse({"all": []})
    assert counting.count(everybody, NOW) == counting.Count(value=20, low=20, high=20, exact=True)
    with pytest.raises(OutOfTime), limited(timedelta(milliseconds=20), everybody=True) as cursor:
        cursor.execute("SELECT pg_sleep(1)")
    with limited(timedelta(seconds=5), everybody=True) as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("5s",)
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",)
    assert len(counting.some(everybody, NOW, 5)) == 5
    assert counting.some(everybody, NOW, 5) == counting.some(everybody, NOW, 5)
    both = counting.overlap(everybody, rules.parse({"any": []}), NOW)
    assert (both.first.value, both.second.value, both.both.value) == (20, 0, 0)


def test_a_count_is_made_exact_afterwards() -> None:
    factories.profile()
    job = counting.later({"all": []}, None, NOW)
    assert counting.run(job, lambda: NOW)
    assert not counting.run(job, lambda: NOW)
    assert JobRun.objects.get(pk=job.pk).result == {"value": 1}
    assert counting.forget(NOW + 2 * DAY) == 1


def test_who_can_be_reached_is_told_by_channel_and_reason() -> None:
    purpose = consents.purpose()
    campaigns.account()
    for number in range(3):
        campaigns.person(number)
    campaigns.person(4, consent=False)
    campaigns.person(5, email=False)
    best, email, sms = reachable(rules.parse({"all": []}), ["email", "sms"], purpose, NOW)
    assert (best.channel, best.people.value, email.people.value, sms.people.value) == ("", 3, 3, 0)
    assert {reason: count.value for reason, count in email.reasons.items()} == {"no_consent": 1, "no_address": 1}
    assert email.people.exact
    assert {reason: count.value for reason, count in sms.reasons.items()} == {"no_account": 5}
