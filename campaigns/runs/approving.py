"""Four eyes on a campaign: who asks does not approve, and what runs is exactly what was approved.

The digest covers all that decides who gets what, when, and on which ground. A change takes the campaign's row first, as
an approval does, so of the two one sees what the other did; and whatever a change went by, the digest is compared again
before every run.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from campaigns.models import Campaign, Journey, JourneyVersion, Segment, SegmentVersion
from campaigns.rules import RuleError
from campaigns.runs import ending, readiness, transitions
from campaigns.runs.transitions import NotPossible, Verb
from campaigns.segmenting import counting, segments
from campaigns.segmenting.statements import OutOfTime
from crm import evidence
from crm.canonical import canonical
from crm.finder import masked_text

APPROVES = "campaigns.approve_campaign"
RUNS = "campaigns.run_campaign"
CLEARED = {
    "approved_digest": "",
    "approved_by": None,
    "approved_at": None,
    "expected_people": None,
    "next_run_at": None,
}


class MayNot(PermissionError):
    """This person may not do this to this campaign; the message says why."""


class NotReady(ValueError):
    """The campaign cannot be sent as it is; ``problems`` says why, in words."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def digest(campaign: Campaign) -> str:
    """Return the hash, in 64 hexadecimal digits, of everything that an approval covers."""
    return sha256(canonical(covered(campaign))).hexdigest()


def covered(campaign: Campaign) -> dict[str, object]:
    """Return what an approval covers; all of it is codes, numbers and times.

    The steps of a journey, with their messages, are approved apart, by version (``campaigns.journeys.versions``).
    """
    return _journey(campaign) | {
        "campaign": campaign.pk,
        "name": campaign.name,
        "kind": campaign.kind,
        "purpose": campaign.purpose.code,
        "segment": campaign.segment_id,
        "versions": _versions(campaign.segment),
        "channels": list(campaign.channels),
        "priority": campaign.priority,
        "holdout": f"{Decimal(campaign.holdout):.3f}",
        "goal": [campaign.goal, campaign.goal_name],
        "attribution_seconds": int(campaign.attribution_window.total_seconds()),
        "expires_seconds": int(campaign.message_expires_after.total_seconds()),
        "send_rate": campaign.send_rate,
        "timing": sorted((str(key), str(value)) for key, value in campaign.timing.items()),
        "starts": _moment(campaign.starts_at),
        "ends": _moment(campaign.ends_at),
        "variants": [
            [variant.pk, variant.name, variant.template_id, variant.weight]
            for variant in ([] if campaign.kind == Campaign.Kind.JOURNEY else campaign.variants.order_by("pk"))
        ],
    }


def _journey(campaign: Campaign) -> dict[str, object]:
    """Return what is besides approved of a journey: how often somebody enters, and when she leaves."""
    if campaign.kind != Campaign.Kind.JOURNEY:
        return {}
    journey = Journey.objects.get(pk=campaign.pk)
    again = [journey.again, int(journey.again_after.total_seconds())]
    return {"again": again, "leave_at_goal": journey.leave_at_goal}


def submit(campaign: Campaign, by: User, now: datetime) -> None:
    """Ask a colleague to approve.

    Raises
    ------
    NotReady
        Something is missing or cannot work.
    campaigns.runs.transitions.NotPossible
        It is no draft.
    """
    with transaction.atomic():
        locked(campaign)
        if problems := readiness.problems(campaign, now):
            raise NotReady(problems)
        transitions.move(campaign, Verb.SUBMIT, submitted_by=by, submitted_at=now, status_reason="", **CLEARED)


def approve(campaign: Campaign, by: User, now: datetime, *, seen: str = "") -> None:
    """Allow a colleague's campaign exactly as it is; ``seen`` is the digest of what the page showed.

    Raises
    ------
    MayNot
        It is one's own, or the permission is missing.
    campaigns.runs.transitions.NotPossible
        It is not in review any more, or not as it was seen.
    """
    expected = _people(campaign, now)
    with transaction.atomic():
        locked(campaign)
        _second(campaign, by)
        present = digest(campaign)
        if seen and seen != present:
            raise NotPossible(gettext("The campaign was changed while you read it. Look at it again."))
        if problems := readiness.problems(campaign, now):
            raise NotReady(problems)
        transitions.move(
            campaign, Verb.APPROVE, approved_by=by, approved_at=now, approved_digest=present, status_reason="",
            expected_people=expected,
        )  # fmt: skip
        _note(campaign, "approved", present, by, now)


def _people(campaign: Campaign, now: datetime) -> int | None:
    """Return how many belong to the segment, as the planner's page says it; the upper bound where that is estimated."""
    try:
        return counting.count(segments.rule_of(campaign.segment), now).high
    except (RuleError, OutOfTime):
        return None  # a run is not compared then


def refuse(campaign: Campaign, by: User, now: datetime, *, reason: str) -> None:
    """Send a colleague's campaign back to be written anew, and say why."""
    if not reason.strip():
        raise NotPossible(gettext("Say why you refuse it, so that your colleague can do better."))
    with transaction.atomic():
        locked(campaign)
        _second(campaign, by)
        present = digest(campaign)
        transitions.move(campaign, Verb.REFUSE, status_reason=masked_text(reason.strip())[:300], **CLEARED)
        _note(campaign, "refused", present, by, now)


def changed(campaign: Campaign, now: datetime) -> None:
    """Take the row before a change of what an approval covers, and send the campaign back to a draft.

    Call it in the transaction of the change, before it. What was planned and has not left was planned for what had been
    approved then: its runs are cancelled, and the next approval is planned anew, without those who got a message. Who
    is on the way through a journey stands still until it runs again: people stay on the version they began.

    Raises
    ------
    campaigns.runs.transitions.NotPossible
        It runs, so it has to be paused first; or it has ended.
    """
    with transaction.atomic():
        _steps_again(campaign)
        locked(campaign)
        facts: dict[str, object] = dict(CLEARED)
        if campaign.status != Campaign.Status.DRAFT:
            facts["status_reason"] = gettext("It was changed: it needs an approval again.")
        transitions.move(campaign, Verb.CHANGE, **facts)
        if campaign.kind != Campaign.Kind.JOURNEY:
            ending.cancel_runs(campaign, now)


def _steps_again(campaign: Campaign) -> None:
    """Send steps back that wait for an approval: whoever asked for it saw other settings, and one person is no two.

    The journey's row is taken before the campaign's, as by who approves.
    """
    if Journey.objects.select_for_update(of=("self",)).filter(pk=campaign.pk).first() is None:
        return
    waiting = JourneyVersion.objects.filter(journey=campaign.pk, status=JourneyVersion.Status.IN_REVIEW)
    said = gettext("The settings were changed meanwhile. Look at them, and submit it again.")
    waiting.update(status=JourneyVersion.Status.DRAFT, sent_back_why=said[:300])


def holds(campaign: Campaign) -> bool:
    """Tell whether the campaign is what was approved, by somebody who still works here and still may."""
    second = campaign.approved_by
    if second is None or not campaign.approved_digest or campaign.approved_digest != digest(campaign):
        return False
    return second.is_active and second.has_perm(APPROVES)


def may_decide(campaign: Campaign, user: User) -> bool:
    """Tell whether this person is another one than who asked, and has the permission."""
    return campaign.submitted_by_id != user.pk and user.is_active and user.has_perm(APPROVES)


def locked(campaign: Campaign) -> None:
    """Take the campaign's row until the transaction ends, and read it anew."""
    Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
    campaign.refresh_from_db()


def _second(campaign: Campaign, by: User) -> None:
    if campaign.submitted_by_id == by.pk:
        raise MayNot(gettext("Nobody decides a request of one's own."))
    if not may_decide(campaign, by):
        raise MayNot(gettext("You may not decide this request."))


def _versions(segment: Segment) -> list[list[int]]:
    """Return the present version of the segment, and of all that its rule names: each change changes who is meant."""
    found: dict[int, int] = {}
    waiting = [segment.pk]
    while waiting:
        rows = Segment.objects.filter(pk__in=waiting).select_related("current")
        waiting = []
        for one in rows:
            found[one.pk] = one.current.number if one.current else 0
            waiting += [pk for pk in _named(one.current) if pk not in found]
    return [[pk, number] for pk, number in sorted(found.items())]


def _named(version: SegmentVersion | None) -> set[int]:
    return set(_segments_in(version.rule)) if version else set()


def _segments_in(rule: object) -> Iterator[int]:
    if isinstance(rule, list):
        for part in rule:
            yield from _segments_in(part)
    elif isinstance(rule, dict):
        named = rule.get("segment")
        if isinstance(named, int):
            yield named
        for part in rule.values():
            yield from _segments_in(part)


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _note(campaign: Campaign, what: str, present: str, by: User, now: datetime) -> None:
    facts = {
        "action": "campaign",
        "digest": present,
        "requested_by": campaign.submitted_by_id,
        "what": what,
        "by": by.pk,
    }
    evidence.note("approval", f"campaign {campaign.pk}", facts, now=now)
