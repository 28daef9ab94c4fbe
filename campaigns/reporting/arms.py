"""What the groups of a report are called, and what they were drawn by: of a campaign its variants, of a journey its
versions, each beside those who were held out of it.
"""

from typing import Any

from django.utils.translation import gettext

from campaigns.journeys import graph
from campaigns.journeys.graph import Send
from campaigns.models import Campaign, JourneyVersion, Run


def of(campaign: Campaign) -> dict[int, str]:
    """Return the names of the groups that people are drawn into, besides those held out, by their numbers."""
    if campaign.kind != Campaign.Kind.JOURNEY:
        return dict(campaign.variants.order_by("pk").values_list("pk", "name"))
    rows = _versions(campaign).values_list("pk", "number")
    return {-pk: gettext("Version %(number)s") % {"number": number} for pk, number in rows}


def names(campaign: Campaign) -> dict[int | None, str]:
    """Return what groups and messages are called; of a journey a message has the name of its step and its own."""
    found: dict[int | None, str] = {}
    found.update(of(campaign).items())
    if campaign.kind != Campaign.Kind.JOURNEY:
        return found
    titles = {
        f"{version.pk} {step.key}": f"{version.number} · {step.title or step.key}"
        for version in _versions(campaign)
        for step in graph.parse(version.graph).of(Send)
    }
    for pk, name in campaign.variants.values_list("pk", "name"):
        version, step, variant = [*name.split(" ", 2), "", ""][:3]
        step = f"{version} {step}"
        found[pk] = f"{titles[step]} · {variant}" if step in titles else name
    return found


def shares(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return what each run's people were drawn by, or each version's of a journey."""
    rows = Run.objects.filter(campaign=campaign).values_list("pk", "shares")
    if campaign.kind != Campaign.Kind.JOURNEY:
        return {str(pk): told for pk, told in rows}
    found = {}
    for run, told in rows:
        out = float(told.get("holdout", campaign.holdout))
        for version in _versions(campaign).values_list("pk", flat=True):
            found[f"{run} {version}"] = {"holdout": out, "variants": {str(-version): 1 - out}}
    return found


def _versions(campaign: Campaign) -> Any:
    return JourneyVersion.objects.filter(journey=campaign.pk).order_by("number")
