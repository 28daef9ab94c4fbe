"""What any sending needs, be it of a campaign or of a journey's step: said in words where it is missing."""

from collections.abc import Collection, Iterable, Iterator

from django.utils.translation import gettext

from campaigns.models import ChannelAccount, Segment, TemplateVersion
from campaigns.templating import checking
from campaigns.templating.checking import Problem
from crm import preference_links


def of_segment(segment: Segment) -> Iterator[str]:
    """Say what keeps a segment from telling who is meant."""
    if segment.archived_at is not None:
        yield gettext("The segment “%(name)s” is archived.") % {"name": segment}
    if segment.kind == Segment.Kind.RULE and segment.current is None:
        yield gettext("The segment “%(name)s” has no rule yet.") % {"name": segment}


def of_accounts(channels: Iterable[str]) -> Iterator[str]:
    """Say that none of the channels has an account that works."""
    if not any(ChannelAccount.objects.working(channel).exists() for channel in channels):
        yield gettext("No account can send on any of its channels.")


def of_unsubscribing(templates: Iterable[TemplateVersion]) -> Iterator[str]:
    """Say that a message shows a way to unsubscribe which leads nowhere."""
    if not preference_links.has_public() and any(
        "unsubscribe.url" in checking.shown_variables(one) for one in templates
    ):
        yield gettext("The way to unsubscribe leads nowhere: PUBLIC_URL does not say where people reach this server.")


def grave(template: TemplateVersion, channels: Collection[str]) -> Iterator[Problem]:
    """Yield what keeps a template from being sent on these channels."""
    for problem in checking.problems(template):
        if problem.grave and problem.where.split(".")[0] in channels:
            yield problem
