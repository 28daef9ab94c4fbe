"""Four eyes on a campaign: who may decide, what an approval covers, and who of two is first."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from campaigns.models import Campaign, SegmentVersion, Variant
from campaigns.runs import approving, running, transitions
from campaigns.runs.transitions import NotPossible
from crm.models import LedgerNote
from tests.campaigns import factories
from tests.staff import member

pytestmark = pytest.mark.django_db(transaction=True)

NOW = factories.NOW


def draft(**facts: Any) -> Campaign:
    factories.account()
    blank = {"status": "draft", "created_by": None, "submitted_by": None, "approved_by": None, "starts_at": None}
    return factories.campaign(**blank | facts)


def asked(**facts: Any) -> tuple[Campaign, User, User]:
    """Return a campaign in review, who submitted it, and a colleague."""
    one, writer, boss = draft(**facts), member("Marketing", "ann"), member("Marketing", "bo")
    approving.submit(one, writer, NOW)
    return one, writer, boss


def test_a_colleague_approves_and_the_ledger_holds_what() -> None:
    one, _writer, boss = asked()
    approving.approve(one, boss, NOW, seen=approving.digest(one))
    assert (one.status, one.approved_by, one.approved_digest) == ("approved", boss, approving.digest(one))
    assert approving.holds(one)
    note = LedgerNote.objects.get(kind="approval")
    assert note.reference == f"campaign {one.pk}"
    assert one.approved_digest in note.facts_json
    assert '"what":"approved"' in note.facts_json


def test_nobody_approves_or_refuses_ones_own_nor_without_the_permission() -> None:
    one, writer, _boss = asked()
    for person in (writer, member("Analyst")):
        with pytest.raises(approving.MayNot):
            approving.approve(one, person, NOW)
        with pytest.raises(approving.MayNot):
            approving.refuse(one, person, NOW, reason="no")
    one.refresh_from_db()
    assert one.status == "in_review"


def test_who_refuses_says_why_and_the_campaign_is_a_draft_again() -> None:
    one, _writer, boss = asked()
    with pytest.raises(NotPossible):
        approving.refuse(one, boss, NOW, reason="  ")
    approving.refuse(one, boss, NOW, reason="The price is wrong.")
    assert (one.status, one.status_reason) == ("draft", "The price is wrong.")


def test_an_approver_of_before_may_submit_it_the_next_time() -> None:
    one, writer, boss = asked()
    approving.approve(one, boss, NOW)
    approving.changed(one, NOW)
    approving.submit(one, boss, NOW)
    approving.approve(one, writer, NOW)
    assert (one.submitted_by, one.approved_by) == (boss, writer)


def edits() -> dict[str, Callable[[Campaign], object]]:
    def save(**facts: Any) -> Callable[[Campaign], object]:
        return lambda one: Campaign.objects.filter(pk=one.pk).update(**facts)

    def new_rule(one: Campaign) -> None:
        one.segment.current = SegmentVersion.objects.create(
            segment=one.segment, number=2, rule={"any": []}, made_at=NOW
        )
        one.segment.save()

    return {
        "name": save(name="other"),
        "kind": save(kind="triggered"),
        "channels": save(channels=["sms", "email"]),
        "priority": save(priority=99),
        "holdout": save(holdout="0.05"),
        "goal": save(goal="view"),
        "attribution": save(attribution_window=timedelta(days=1)),
        "expiry": save(message_expires_after=timedelta(hours=1)),
        "rate": save(send_rate=5),
        "timing": save(timing={"every": 2}),
        "start": save(starts_at=NOW + timedelta(days=9)),
        "end": save(ends_at=NOW + timedelta(days=9)),
        "words": lambda one: one.variants.update(template=factories.template("other words")),
        "weight": lambda one: one.variants.update(weight=7),
        "variant": lambda one: Variant.objects.create(campaign=one, name="B", template=factories.template("b")),
        "rule": new_rule,
    }


@pytest.mark.parametrize("what", edits())
def test_whatever_decides_who_gets_what_is_covered(what: str) -> None:
    one, _writer, boss = asked()
    approving.approve(one, boss, NOW)
    edits()[what](one)
    one = Campaign.objects.get(pk=one.pk)
    assert not approving.holds(one)
    with pytest.raises(NotPossible):
        running.schedule(one, boss, "", NOW)


def test_a_rule_that_another_segment_of_the_rule_names_is_covered() -> None:
    inner = factories.segment("inner")
    one, _writer, boss = asked(segment=factories.segment("outer", {"none": [{"segment": inner.pk}]}))
    approving.approve(one, boss, NOW)
    inner.current = SegmentVersion.objects.create(segment=inner, number=2, rule={"any": []}, made_at=NOW)
    inner.save()
    assert not approving.holds(Campaign.objects.get(pk=one.pk))


def test_an_approval_ends_with_the_account_or_the_permission_of_who_gave_it() -> None:
    one, _writer, boss = asked()
    approving.approve(one, boss, NOW)
    User.objects.filter(pk=boss.pk).update(is_active=False)
    assert not approving.holds(Campaign.objects.get(pk=one.pk))
    User.objects.filter(pk=boss.pk).update(is_active=True)
    boss.groups.clear()
    assert not approving.holds(Campaign.objects.get(pk=one.pk))


def test_what_was_changed_while_it_was_read_is_not_approved() -> None:
    one, _writer, boss = asked()
    seen = approving.digest(one)
    Campaign.objects.filter(pk=one.pk).update(priority=1)
    with pytest.raises(NotPossible):
        approving.approve(one, boss, NOW, seen=seen)
    assert Campaign.objects.get(pk=one.pk).status == "in_review"


def test_a_change_sends_it_back_and_one_that_runs_must_be_paused_first() -> None:
    one, _writer, boss = asked()
    approving.approve(one, boss, NOW)
    running.schedule(one, boss, "", NOW)
    approving.changed(one, NOW)
    assert (one.status, one.approved_by, one.approved_digest, one.next_run_at) == ("draft", None, "", None)
    Campaign.objects.filter(pk=one.pk).update(status="running", approved_by=boss)
    with pytest.raises(NotPossible):
        approving.changed(one, NOW)


def test_what_cannot_be_sent_is_not_submitted() -> None:
    one = draft(kind="recurring", timing={"unit": "year"}, channels=["email", "sms"], ends_at=NOW - timedelta(days=1))
    with pytest.raises(approving.NotReady) as caught:
        approving.submit(one, member("Marketing"), NOW)
    assert len(caught.value.problems) == 4  # no words for SMS, ended, no start, no timing
    one.variants.all().delete()
    with pytest.raises(approving.NotReady, match="add a variant"):
        approving.submit(one, member("Marketing", "another"), NOW)


def test_of_two_who_decide_at_once_one_does() -> None:
    one, _writer, boss = asked()
    second = member("Compliance", "cy")
    ended: list[str] = []
    gate = Barrier(2)

    def decide(verb: Callable[[], None]) -> None:
        gate.wait()
        try:
            verb()
            ended.append("done")
        except NotPossible:
            ended.append("late")
        finally:
            connection.close()

    mine, hers = Campaign.objects.get(pk=one.pk), Campaign.objects.get(pk=one.pk)
    verbs = [
        lambda: approving.approve(mine, boss, NOW),
        lambda: approving.refuse(hers, second, NOW, reason="no"),
    ]
    threads = [Thread(target=decide, args=[verb]) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["done", "late"]
    one.refresh_from_db()
    assert one.status in {"approved", "draft"}
    assert LedgerNote.objects.filter(kind="approval").count() == 1


def test_no_verb_leads_out_of_an_ended_campaign_and_each_leads_somewhere() -> None:
    for verb, (before, after) in transitions.TABLE.items():
        assert before, verb
        assert not before & transitions.ENDED, verb
        assert after in Campaign.Status
    one = draft(status="cancelled")
    for verb in transitions.Verb:
        with pytest.raises(NotPossible):
            transitions.move(one, verb)
