"""What keeps the messages of a step from being sent, as readiness asks it of a campaign's."""

from collections.abc import Iterator

from django.utils.translation import gettext

from campaigns.journeys.graph import Send
from campaigns.models import Campaign, TemplateVersion, Variant
from campaigns.runs import requirements
from campaigns.wechat import suitability
from crm.models import Channel


def problems(campaign: Campaign, step: Send) -> Iterator[str]:
    """Yield why the messages of a step cannot be sent as they are."""
    templates = TemplateVersion.objects.select_related("template").in_bulk([one for _n, one, _w in step.variants])
    variants = []
    for name, template, weight in step.variants:
        version = templates.get(template)
        if version is None:
            yield gettext("Message %(name)s: there is no such template.") % {"name": name}
        elif version.template.archived_at is not None:
            yield gettext("Message %(name)s: the template “%(template)s” is archived.") % {
                "name": name,
                "template": version.template,
            }
        else:
            variants.append(Variant(name=name, template=version, weight=weight))
    yield from _channels(campaign, step)
    for variant in variants:
        yield from _forms(variant, step)
    yield from suitability.problems(campaign, variants, step.channels)
    yield from requirements.of_unsubscribing(variant.template for variant in variants)


def _channels(campaign: Campaign, step: Send) -> Iterator[str]:
    for channel in step.channels:
        label = Channel(channel).label
        if channel not in campaign.channels:
            yield gettext("%(channel)s is none of the journey's channels.") % {"channel": label}
        elif campaign.purpose.channel not in ("", channel):
            yield gettext("The purpose “%(purpose)s” does not cover %(channel)s: nobody could have allowed it.") % {
                "purpose": campaign.purpose,
                "channel": label,
            }
    yield from requirements.of_accounts(step.channels)


def _forms(variant: Variant, step: Send) -> Iterator[str]:
    for channel in step.channels:
        if not variant.template.forms.get(channel):
            yield gettext("Message %(name)s says nothing for %(channel)s.") % {
                "name": variant.name,
                "channel": Channel(channel).label,
            }
    for problem in requirements.grave(variant.template, step.channels):
        yield gettext("Message %(name)s, %(where)s: %(message)s") % {
            "name": variant.name,
            "where": problem.where,
            "message": problem.message,
        }
