"""Mass sends that were not ours: what the platform tells of them, and what nobody can know.

A send to all who followed has been had by each of them, and counts in everybody's month. Of one to some, only how many
they were is told: it counts for nobody, since it would cost all of them what some have had, and the platform leaves out
by itself who has had enough. The planner says how many such messages there were.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.channels.wechat.inbound import many, text_of
from campaigns.models import BulkJob, ChannelAccount, Follower, ForeignSend, Inbound
from campaigns.wechat import days

ToldBy = ForeignSend.ToldBy


@dataclass(frozen=True, kw_only=True)
class Known:
    """Sends from elsewhere: those that everybody has had, those to some, and how many messages these some got.

    ``estimated`` are those of which only an article's figures tell.
    """

    to_all: int
    to_some: int
    messages: int
    estimated: int

    @property
    def sends(self) -> int:
        return self.to_all + self.to_some


def known(account: ChannelAccount, since: datetime) -> Known:
    """Return what is known of an account's sends from elsewhere since a moment."""
    rows = list(ForeignSend.objects.filter(account=account, at__gte=since))
    some = [row for row in rows if not row.to_all]
    return Known(
        to_all=len(rows) - len(some),
        to_some=len(some),
        messages=sum(row.people for row in some),
        estimated=sum(row.told_by == ToldBy.ARTICLE for row in rows),
    )


def told(row: Inbound, counts: Mapping[str, int]) -> ForeignSend:
    """Write down a mass send of which the platform reports, and which is none of ours.

    An article's figures may have told of it before: the report knows more.
    """
    urls = [
        url for one in many(row.told, "ArticleUrlResult", "ResultList", "item") if (url := text_of(one, "ArticleUrl"))
    ]
    facts: dict[str, Any] = {"people": counts.get("sent", 0), "total": counts.get("total"), "urls": urls[:20]}
    facts |= {"followers": Follower.objects.filter(account=row.account, following=True).count(), "at": row.happened_at}
    number = text_of(row.told, "MsgID")[:200]
    made, _new = ForeignSend.objects.get_or_create(account=row.account, provider_id=number, defaults=facts)
    guessed = ForeignSend.objects.filter(account=row.account, told_by=ToldBy.ARTICLE)
    if urls:
        guessed.exclude(urls=[]).filter(urls__contained_by=urls).delete()
    return made


def of_articles(account: ChannelAccount, articles: Iterable[Mapping[str, Any]]) -> int:
    """Write down the mass sends that only their articles' figures tell of; return how many are new.

    The platform tells which share of those who got an article read it, and how many read it: so about how many got it.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in articles:
        number, _, _index = str(one.get("msgid", "")).partition("_")
        if one.get("publish_type") == 0 and number:
            found.setdefault(number, []).append(one)
    ours = set(BulkJob.objects.filter(account=account, data_id__in=found).values_list("data_id", flat=True))
    return sum(_of_article(account, number, some) for number, some in found.items() if number not in ours)


def _of_article(account: ChannelAccount, number: str, articles: Sequence[Mapping[str, Any]]) -> bool:
    urls = [str(one["content_url"]) for one in articles if one.get("content_url")]
    at = datetime.combine(datetime.fromisoformat(str(articles[0]["ref_date"])).date(), days.NOON, days.SHANGHAI)
    if any(set(urls) & set(told) for told in _reported(account, at)) or _may_be_ours(account, at):
        return False
    facts = {"told_by": ToldBy.ARTICLE, "people": _people(articles), "urls": urls[:20], "at": at}
    row, new = ForeignSend.objects.get_or_create(account=account, provider_id=f"article {number}", defaults=facts)
    if not new and row.people != facts["people"]:
        ForeignSend.objects.filter(pk=row.pk).update(people=facts["people"])
    return new


def _reported(account: ChannelAccount, at: datetime) -> Iterable[list[str]]:
    """Return the addresses in the reports of sends of a day."""
    begins = days.day_begins(at)
    rows = ForeignSend.objects.filter(account=account, told_by=ToldBy.EVENT, at__gte=begins)
    return rows.filter(at__lt=days.midnight_after(at)).values_list("urls", flat=True)


def _may_be_ours(account: ChannelAccount, at: datetime) -> bool:
    """Tell whether a send of ours on that day does not know its articles' number: its first answer was lost."""
    ours = BulkJob.objects.filter(account=account, kind=BulkJob.Kind.MASS, data_id="").exclude(provider_id="")
    return ours.filter(called_at__gte=days.day_begins(at), called_at__lt=days.midnight_after(at)).exists()


def _people(articles: Sequence[Mapping[str, Any]]) -> int:
    """Return about how many got a send: by the first figures that say it, of whichever of its articles says most."""
    shares = [
        (part["read_user"], part["read_delivery_rate"])
        for one in articles
        for part in one.get("detail_list", ())[:1]
        if part.get("read_user") and part.get("read_delivery_rate")
    ]
    return max((round(read / rate) for read, rate in shares), default=0)
