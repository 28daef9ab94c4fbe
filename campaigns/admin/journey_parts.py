"""What the pages of a journey share: who may see it, its head with what can be done now, and the data of its canvas."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.admin.journey_words import words
from campaigns.admin.policies import stop_facts
from campaigns.journeys import figures, graph, versions
from campaigns.journeys.checking import Finding, findings
from campaigns.models import Campaign, Journey, JourneyVersion, Template, TemplateVersion
from campaigns.rules import RuleError, sentences
from campaigns.runs import approving, readiness
from campaigns.runs.transitions import Verb, possible
from mlengine.admin.private import sees_people

VIEW, CHANGE = "campaigns.view_journey", "campaigns.change_journey"
SEE_EXACT = "crm.view_profile"
SEE_PEOPLE = ("campaigns.view_journeyentry", SEE_EXACT)
Status = Campaign.Status
VersionStatus = JourneyVersion.Status
TONES = {
    Status.DRAFT: "accent",
    Status.IN_REVIEW: "warn",
    Status.APPROVED: "accent",
    Status.SCHEDULED: "accent",
    Status.RUNNING: "good",
    Status.PAUSED: "warn",
    Status.FINISHED: "",
    Status.CANCELLED: "bad",
}
VERSION_TONES = {
    VersionStatus.DRAFT: "accent",
    VersionStatus.IN_REVIEW: "warn",
    VersionStatus.APPROVED: "good",
    VersionStatus.RETIRED: "",
}
TABS = (
    ("canvas", _("Canvas"), "account_tree"),
    ("steps", _("Steps as a list"), "list"),
    ("people", _("People"), "group"),
    ("versions", _("Versions"), "history"),
    ("rehearsal", _("Rehearsal"), "theater_comedy"),
    ("change", _("Settings"), "tune"),
)
Findings = list[dict[str, Any]]


def journey_of(request: HttpRequest, pk: int, *permissions: str) -> Journey:
    """Return the journey, for who may see it and has what else is asked."""
    if not request.user.has_perms((VIEW, *permissions)):
        raise PermissionDenied
    rows = Journey.objects.select_related("live", "campaign__purpose", "campaign__segment__current")
    return get_object_or_404(rows.select_related("campaign__submitted_by", "campaign__approved_by"), pk=pk)


def version_of(request: HttpRequest, journey: Journey, name: str = "version") -> JourneyVersion:
    """Return the version that is asked for by its key, or else the newest."""
    asked = request.POST.get(name) or request.GET.get(name) or ""
    rows = journey.versions.select_related("journey__campaign", "made_by", "submitted_by", "approved_by")
    if asked.isdecimal() and len(asked) < 10:
        return get_object_or_404(rows, pk=int(asked))
    newest = rows.order_by("-number").first()
    if newest is None:
        raise Http404
    return newest


def head(request: HttpRequest, journey: Journey, tab: str) -> dict[str, Any]:
    """Return what stands at the head of each page of a journey: its state, what can be done now, the other pages."""
    one, now = journey.campaign, timezone.now()
    newest = journey.versions.order_by("-number").first()
    pending = journey.versions.filter(status=VersionStatus.IN_REVIEW).order_by("-number").first()
    draft = newest if newest and newest.status == VersionStatus.DRAFT else None
    open_ = {verb.value for verb in possible(one)}
    asked_by = pending.submitted_by_id if pending else one.submitted_by_id
    decides = bool(pending) or one.status == Status.IN_REVIEW
    may = {
        "submit": request.user.has_perm(CHANGE) and not pending and bool(draft or _to_submit(journey)),
        "decide": decides and _may_decide(request.user, one, pending),
        **{verb: verb in open_ and request.user.has_perm(approving.RUNS) for verb in ("schedule", "pause", "cancel")},
        "resume": Verb.RESUME in possible(one) and request.user.has_perm(approving.RUNS),
        "drain": one.status in {Status.RUNNING, Status.PAUSED} and request.user.has_perm(approving.RUNS),
    }
    return {
        "journey": journey,
        "campaign": one,
        "tone": TONES[Status(one.status)],
        "may": {verb for verb, is_open in may.items() if is_open},
        "own": decides and asked_by == request.user.pk,
        "pending": pending,
        "draft": draft,
        "seen": versions.digest(pending) if pending else approving.digest(one),
        "seen_settings": approving.digest(one),
        "problems": readiness.problems(one, now) if one.status == Status.DRAFT and journey.live and not draft else [],
        "tab": tab,
        "tabs": _tabs(one.pk, request.user),
        "starts_now": one.starts_at is None or one.starts_at <= now,
        **stop_facts(request),
    }


def _tabs(pk: int, user: Any) -> list[tuple[str, Any, str, str]]:
    asked = {"people": SEE_PEOPLE, "rehearsal": (SEE_EXACT,)}
    return [
        (name, text, icon, reverse(f"admin:campaigns_journey_{name}", args=[pk]))
        for name, text, icon in TABS
        if user.has_perms(asked.get(name, ()))
    ]


def _may_decide(user: Any, campaign: Campaign, pending: JourneyVersion | None) -> bool:
    return versions.may_decide(pending, user) if pending else approving.may_decide(campaign, user)


def _to_submit(journey: Journey) -> bool:
    return journey.live is not None and journey.campaign.status == Status.DRAFT


def told(found: list[Finding], trigger: str = "") -> Findings:
    """Return findings as the canvas reads them."""
    return [{"step": one.step, "text": one.text, "blocking": one.blocking} for one in found]


def looked_at(journey: Journey, tree: object) -> tuple[Findings, dict[str, str]]:
    """Return what is wrong with steps as they were drawn, each at its step, and what their rules say."""
    try:
        found = told(findings(journey, graph.parse(tree)))
    except RuleError as error:
        found = _each(tree) or [_wrong(error)]
    return found, _sentences(tree)


def _wrong(error: RuleError, step: str = "") -> dict[str, Any]:
    parts = error.path.split(".")
    at = step or (parts[1].split("[")[0] if parts[0] == "steps" and len(parts) > 1 else "")
    return {"step": at, "text": error.reason, "blocking": True, "trigger": parts[0] in {"trigger", "first"}}


def _each(tree: object) -> Findings:
    """Return what is wrong with each step by itself, so that one that is not done yet does not hide another."""
    found = []
    for key, step in _steps(tree).items():
        if error := _error_of(key, step):
            found.append(_wrong(error, key))
    return found


def _alone(key: str, step: object) -> dict[str, Any]:
    without = {name: value for name, value in step.items() if name != "ways"} if isinstance(step, dict) else step
    return {"trigger": {"kind": "api"}, "first": key, "steps": {key: without}}


def _error_of(key: str, step: object) -> RuleError | None:
    try:
        graph.parse(_alone(key, step))
    except RuleError as error:
        return error
    return None


def _steps(tree: object) -> Mapping[str, object]:
    steps = tree.get("steps") if isinstance(tree, dict) else None
    return steps if isinstance(steps, dict) else {}


def _sentences(tree: object) -> dict[str, str]:
    """Return the rules of the steps as sentences: by step, those of several ways by step and way."""
    said: dict[str, str] = {}
    for key, step in _steps(tree).items():
        if not isinstance(step, dict) or step.get("kind") not in {"condition", "split"}:
            continue
        try:
            (read,) = graph.parse(_alone(key, step)).steps.values()
            if isinstance(read, graph.Condition):
                said[key] = sentences.sentence(read.rule)
            elif isinstance(read, graph.Split):
                said |= {f"{key} {name}": sentences.sentence(rule) for name, rule in read.branches}
        except RuleError:
            continue
    return said


def counted(version: JourneyVersion, user: Any) -> dict[str, Any]:
    """Return how many stand at each step of a version, failed there, and went which way.

    Nothing for who may not see people: exact numbers of one step, asked for each second, tell of single ones.
    """
    if not sees_people(user):
        return {}
    return {
        key: {"walking": one.walking, "failed": one.failed, "passed": dict(one.passed)}
        for key, one in figures.counts(version, timezone.now()).items()
    }


def canvas_data(journey: Journey, version: JourneyVersion, **more: Any) -> dict[str, Any]:
    """Return what ``journey_*.js`` draws a version from; ``more`` goes over it. What is wrong it asks for itself."""
    return {
        **words(),
        "graph": version.graph,
        "version": version.pk,
        "newest": token(journey),
        "readOnly": True,
        "sentences": _sentences(version.graph),
        "counts": {},
        "marks": {},
        "addresses": {"preview": reverse("admin:campaigns_segment_preview")},
        "sendWays": list(graph.Send(key="", channels=(), variants=()).outcomes),
        "byPreference": True,
        "journeyChannels": list(journey.campaign.channels),
        **_templates(version),
        **more,
    }


def token(journey: Journey) -> str:
    """Return what changes when anybody saves steps of the journey."""
    newest = journey.versions.order_by("-number").values_list("pk", "made_at").first()
    return f"{newest[0]} {newest[1].timestamp()}" if newest else ""


def _templates(version: JourneyVersion) -> dict[str, Any]:
    """Return the messages that steps may send, and what those are called that are not offered any more."""
    offered = Template.objects.filter(archived_at=None).exclude(current=None).select_related("current").order_by("name")
    rows = [
        {"id": one.current_id, "name": one.name, "channels": list(one.current.forms) if one.current else []}
        for one in offered
    ]
    used = {
        one.get("template")
        for step in _steps(version.graph).values()
        if isinstance(step, dict)
        for one in step.get("variants", [])
        if isinstance(one, dict)
    }
    others = TemplateVersion.objects.filter(
        pk__in=[pk for pk in used - {row["id"] for row in rows} if isinstance(pk, int)]
    ).select_related("template")
    return {"templates": rows, "otherTemplates": {one.pk: str(one) for one in others}}  # fmt: skip
