"""What keeps a campaign's messages from going through WeChat as they are, in words.

Advertising goes by no template of the platform's and by no subscription: an account that tries is banned. What goes by
a template at all goes by one that a colleague has looked at.
"""

from collections.abc import Iterator, Sequence

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from campaigns.bulk import budgets
from campaigns.models import Article, Campaign, ChannelAccount, PlatformTemplate, Variant
from campaigns.wechat import ways
from campaigns.wechat.ways import Demand, Way
from crm.models import Channel, Purpose


def problems(
    campaign: Campaign, variants: Sequence[Variant] | None = None, channels: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield why the campaign's messages cannot go through WeChat as they are; nothing where they go elsewhere.

    Asked of some variants and channels, it is those alone: the messages of one step of a journey.
    """
    channels = [one for one in (campaign.channels if channels is None else channels) if one in ways.CHANNELS]
    if not channels:
        return
    if variants is None:
        variants = list(campaign.variants.select_related("template").order_by("pk"))
    for channel in channels:
        told = [(one, way) for one in variants if (way := ways.of_form(channel, one.template.forms.get(channel)))]
        accounts = [one for one in ChannelAccount.objects.working(channel) if ways.bound(one)]
        if len({way.demand for _, way in told}) > 1:
            yield gettext("Its variants go through %(channel)s in different ways: they could not be compared.") % {
                "channel": Channel(channel).label
            }
        yield from _rights({way for _, way in told}, accounts)
        for variant, way in told:
            yield from _by_template(campaign, variant, way, accounts)
            yield from _article(variant, channel, accounts)
        yield from _once_a_day(campaign, channel, [one for one, way in told if way.demand is Demand.MASS], accounts)


def _rights(found: set[Way], accounts: list[ChannelAccount]) -> Iterator[str]:
    """Say which accounts the platform does not let send in these ways, where no other account can."""
    for way in sorted(found, key=lambda one: one.demand):
        if any(not ways.lacking(account, way) for account in accounts):
            continue
        for account in accounts:
            row = account.refused_rights.filter(api=ways.call_of(account, way)).first()
            if row is not None:
                yield gettext(
                    "%(account)s may not send this: the platform has refused %(call)s since %(day)s (%(code)s, rid"
                    " %(rid)s). When it has the right, ask again on the account's page."
                ) % {
                    "account": account.name,
                    "call": row.api,
                    "day": date_format(timezone.localtime(row.since), "SHORT_DATE_FORMAT"),
                    "code": row.code,
                    "rid": row.rid or "–",
                }


def _by_template(campaign: Campaign, variant: Variant, way: Way, accounts: list[ChannelAccount]) -> Iterator[str]:
    if way.demand not in ways.BY_TEMPLATE:
        return
    if campaign.purpose.kind == Purpose.Kind.MARKETING:
        yield gettext(
            "Variant %(variant)s goes by a template of the platform's, and those are not for advertising: the platform"
            " bans accounts for it. Choose a purpose that is a service, or write an article."
        ) % {"variant": variant.name}
        return
    for account in accounts:
        row = PlatformTemplate.objects.filter(account=account, template_id=way.template_id, gone_at=None).first()
        if row is None:
            said = gettext("Variant %(variant)s: %(account)s has no template %(number)s.")
        elif row.allowed is None:
            said = gettext("Variant %(variant)s: nobody has looked at the template %(number)s of %(account)s yet.")
        elif not row.allowed:
            said = gettext("Variant %(variant)s: the template %(number)s of %(account)s is not allowed.")
        else:
            continue
        yield said % {"variant": variant.name, "account": account.name, "number": way.template_id}


def _article(variant: Variant, channel: str, accounts: list[ChannelAccount]) -> Iterator[str]:
    """Say where an article lacks the picture without which the platform takes none."""
    languages = variant.template.forms.get(channel) or {}
    for language, said in languages.items() if channel == "wechat" else ():
        if not isinstance(said, dict) or "html" not in said or "<img" in said["html"]:
            continue
        drafted = Article.objects.filter(version=variant.template, language=language).exclude(media_id="")
        for account in accounts:
            if not drafted.filter(account=account).exists():
                yield gettext(
                    "Variant %(variant)s, %(language)s: an article needs a cover. Put a picture into its text, or draft"
                    " it at %(account)s with one."
                ) % {"variant": variant.name, "language": language, "account": account.name}


def _once_a_day(
    campaign: Campaign, channel: str, variants: list[Variant], accounts: list[ChannelAccount]
) -> Iterator[str]:
    """Say where an account that sends once a day would need more days than a message is good for."""
    versions = sum(len(one.template.forms.get(channel) or {}) for one in variants)
    for account in accounts:
        if budgets.takes_no_lists(account) and campaign.message_expires_after.days < versions - 1:
            yield gettext(
                "%(account)s sends once a day, so %(versions)d texts take as many days: let the messages expire later,"
                " or write fewer."
            ) % {"account": account.name, "versions": versions}
