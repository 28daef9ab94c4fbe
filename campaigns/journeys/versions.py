"""Versions of a journey: saved, reviewed by another pair of eyes, and taken into use; people in flight stay on theirs.

What is reviewed cannot change while it is (the database refuses it), and its messages are variants of the campaign by
then, so what colleagues preview is what will be sent. An approved version is the one that newcomers begin, at once.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from campaigns.journeys import checking, graph, messages
from campaigns.journeys.checking import Finding
from campaigns.journeys.graph import Graph, Send, Trigger
from campaigns.models import Journey, JourneyVersion, TemplateVersion, Variant
from campaigns.rules import RuleError
from campaigns.runs import approving
from campaigns.runs.approving import MayNot
from campaigns.runs.transitions import NotPossible
from crm import evidence
from crm.canonical import canonical
from crm.finder import masked_text

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

Status = JourneyVersion.Status


class NotReady(approving.NotReady):
    """The version cannot be walked as it is; ``findings`` say why, by step."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__([str(finding) for finding in findings])
        self.findings = list(findings)


def save(
    journey: Journey, tree: object, by: "AbstractBaseUser | None", now: datetime, note: str = ""
) -> JourneyVersion:
    """Keep a graph as a draft: in one's own newest draft, or as the journey's next version where there is none.

    Raises
    ------
    campaigns.rules.RuleError
        The graph is not understood, or goes round without end; nothing is kept.
    """
    checking.refuse_rounds(graph.parse(tree))
    who = by.pk if by else None
    with transaction.atomic():
        _locked(journey)
        newest = journey.versions.order_by("-number").first()
        if newest and newest.status == Status.DRAFT and newest.made_by_id == who:
            newest.graph, newest.note, newest.made_at = tree, note or newest.note, now
            newest.save(update_fields=["graph", "note", "made_at"])
            return newest
        return _add(journey, tree, who, now, note)


def copy(version: JourneyVersion, by: "AbstractBaseUser | None", now: datetime) -> JourneyVersion:
    """Return a new draft with the steps of a version, to edit."""
    with transaction.atomic():
        journey = _locked(version.journey)
        note = gettext("A copy of version %(number)s.") % {"number": version.number}
        return _add(journey, version.graph, by.pk if by else None, now, note)


def _add(journey: Journey, tree: object, by: int | None, now: datetime, note: str) -> JourneyVersion:
    last = journey.versions.aggregate(last=Max("number"))["last"] or 0
    return JourneyVersion.objects.create(
        journey=journey, number=last + 1, graph=tree, made_by_id=by, made_at=now, note=note[:300]
    )


def submit(version: JourneyVersion, by: User, now: datetime) -> None:
    """Ask a colleague to approve a draft; its messages become variants now, so that they can be looked at.

    Raises
    ------
    NotReady
        Something in it cannot work.
    campaigns.runs.transitions.NotPossible
        It is no draft.
    """
    with transaction.atomic():
        _take(version, Status.DRAFT)
        read = _ready(version)
        version.journey.campaign.variants.filter(name__startswith=f"{version.pk} ").delete()  # of a draft sent back
        for step in read.of(Send):
            _take_messages(version, step)
        version.status, version.submitted_by, version.sent_back_why = Status.IN_REVIEW, by, ""
        version.save(update_fields=["status", "submitted_by", "sent_back_why"])


def approve(version: JourneyVersion, by: User, now: datetime, *, seen: str = "") -> None:
    """Let newcomers begin a colleague's version exactly as it was submitted; ``seen`` is the digest of what was shown.

    Raises
    ------
    campaigns.runs.approving.MayNot
        It is one's own, or the permission is missing.
    campaigns.runs.transitions.NotPossible
        It is not in review any more, or not as it was seen.
    NotReady
        Something does not work any more, as where a template was archived meanwhile.
    """
    with transaction.atomic():
        _take(version, Status.IN_REVIEW)
        _second(version, by)
        _refuse_older(version)
        present = digest(version)
        if seen and seen != present:
            raise NotPossible(gettext("The journey was changed while you read it. Look at it again."))
        _ready(version)
        version.approved_by, version.approved_at, version.approved_digest = by, now, present
        version.save(update_fields=["approved_by", "approved_at", "approved_digest"])
        adopt(version)
        _note(version, "approved", present, by, now)


def send_back(version: JourneyVersion, by: User, now: datetime, why: str) -> None:
    """Make a colleague's version a draft again, and say why.

    Raises
    ------
    campaigns.runs.approving.MayNot, campaigns.runs.transitions.NotPossible
    """
    if not why.strip():
        raise NotPossible(gettext("Say why you refuse it, so that your colleague can do better."))
    with transaction.atomic():
        _take(version, Status.IN_REVIEW)
        _second(version, by)
        version.status, version.sent_back_why = Status.DRAFT, masked_text(why.strip())[:300]
        version.save(update_fields=["status", "sent_back_why"])
        _note(version, "refused", digest(version), by, now)


def adopt(version: JourneyVersion) -> None:
    """Let newcomers begin an approved version; its messages become variants of the campaign."""
    read = graph.parse(version.graph)
    with transaction.atomic():
        journey = _locked(version.journey)
        for step in read.of(Send):
            _take_messages(version, step)
        journey.versions.filter(status=Status.APPROVED).exclude(pk=version.pk).update(status=Status.RETIRED)
        JourneyVersion.objects.filter(pk=version.pk).update(status=Status.APPROVED)
        anew = _trigger_of(journey.live) != read.trigger  # who lets in is looked for anew, from now on
        Journey.objects.filter(pk=journey.pk).update(live=version, **({"looked_at": None} if anew else {}))
    version.status = Status.APPROVED


def _trigger_of(version: JourneyVersion | None) -> Trigger | None:
    try:
        return graph.parse(version.graph).trigger if version else None
    except RuleError:  # of an earlier release
        return None


def digest(version: JourneyVersion) -> str:
    """Return the hash, in 64 hexadecimal digits, of everything that an approval covers: steps, messages, segments."""
    read = graph.parse(version.graph)
    covered: dict[str, object] = {
        "journey": version.journey_id,
        "number": version.number,
        "steps": _exact(version.graph),
        "segments": sorted([one.segment_id, one.number] for one in checking.segments_of(read)),
    }
    return sha256(canonical(covered)).hexdigest()


def holds(version: JourneyVersion) -> bool:
    """Tell whether a version is what was approved, by somebody who still works here and still may."""
    second = version.approved_by
    try:
        if second is None or version.approved_digest != digest(version):
            return False
    except RuleError:  # a segment is gone
        return False
    return second.is_active and second.has_perm(approving.APPROVES)


def may_decide(version: JourneyVersion, user: User) -> bool:
    """Tell whether this person has the permission, and neither drew it nor asked for it."""
    another = user.pk not in {version.submitted_by_id, version.made_by_id}
    return another and user.is_active and user.has_perm(approving.APPROVES)


def _exact(value: object) -> object:
    """Return JSON without fractions, of which the canonical form knows none: what was written says what is meant."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: _exact(one) for key, one in value.items()}
    return [_exact(one) for one in value] if isinstance(value, list) else value


def _locked(journey: Journey) -> Journey:
    return Journey.objects.select_for_update(of=("self",)).get(pk=journey.pk)


def _take(version: JourneyVersion, status: str) -> None:
    """Take the journey's row until the transaction ends, and read the version anew, which is in one state."""
    _locked(version.journey)
    version.refresh_from_db()
    if version.status != status:
        words = gettext("The version is “%(status)s”: it cannot be done now.")
        raise NotPossible(words % {"status": version.get_status_display()})


def _second(version: JourneyVersion, by: User) -> None:
    if by.pk in {version.submitted_by_id, version.made_by_id}:
        raise MayNot(gettext("Nobody decides a request of one's own."))
    if not may_decide(version, by):
        raise MayNot(gettext("You may not decide this request."))


def _refuse_older(version: JourneyVersion) -> None:
    """Refuse what was asked before the version that newcomers begin now."""
    live = version.journey.live
    if live is not None and live.number > version.number:
        raise NotPossible(gettext("A later version is in use already. Copy this one if it shall come back."))


def _ready(version: JourneyVersion) -> Graph:
    read = graph.parse(version.graph)
    if grave := [finding for finding in checking.findings(version.journey, read) if finding.blocking]:
        raise NotReady(grave)
    return read


def _take_messages(version: JourneyVersion, step: Send) -> None:
    for name, template, weight in step.variants:
        Variant.objects.update_or_create(
            campaign_id=version.journey_id,
            name=messages.name(version.pk, step.key, name),
            defaults={"template": TemplateVersion.objects.get(pk=template), "weight": weight},
        )


def _note(version: JourneyVersion, what: str, present: str, by: User, now: datetime) -> None:
    facts = {
        "action": "journey",
        "digest": present,
        "number": version.number,
        "requested_by": version.submitted_by_id,
        "what": what,
        "by": by.pk,
    }
    evidence.note("approval", f"campaign {version.journey_id}", facts, now=now)
