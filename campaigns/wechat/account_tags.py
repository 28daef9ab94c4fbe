"""An account's tags, both ways: read from the platform with who bears them, and made to follow a segment.

A push only tells the difference: who came gets the tag, who left loses it, fifty people a call. Each call's answer is
written down before the next one, so a push that was stopped goes on with what is still different. The calls are paced,
for all processes together: the rest of the account's calls is for who is waiting.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import F, Func, Value
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.channels.wechat import limits, official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import AccountTag, ChannelAccount, Follower, Segment
from campaigns.segmenting import segments
from campaigns.wechat import followers, pacing
from campaigns.wechat.words import said
from crm.copying import int_array
from crm.models import JobRun
from mlengine import work

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "wechat_tag_push"


class NoTag(ValueError):
    """The tag cannot be made or used; the message says why."""


def read(account: ChannelAccount, now: datetime) -> int:
    """Read the account's tags and who bears each; return how many tags there are."""
    told = official.tags_get(account).get("tags", [])
    with transaction.atomic():
        AccountTag.objects.bulk_create(
            [
                AccountTag(
                    account=account, number=one["id"], name=one["name"][:30], people=one.get("count"), synced_at=now
                )
                for one in told
            ],
            update_conflicts=True,
            unique_fields=["account", "number"],
            update_fields=["name", "people", "synced_at"],
        )
        mine = AccountTag.objects.filter(account=account)
        mine.filter(synced_at=now).update(gone_at=None)
        mine.standing().exclude(synced_at=now).update(gone_at=now)
    for one in told:
        _read_bearers(account, one["id"])
    return len(told)


def _read_bearers(account: ChannelAccount, number: int) -> None:
    """Write down who bears a tag, a page at a time; who does not any more is known at the end."""
    bearing: set[int] = set()
    cursor = ""
    while True:
        page = official.user_tag_get(account, number, cursor)
        openids = page.get("data", {}).get("openid", [])
        if not openids:
            break
        bearing |= set(followers.identifiers(openids).values())
        cursor = page.get("next_openid", "")
    rows = Follower.objects.filter(account=account)
    with transaction.atomic():
        _give(rows.filter(identifier__in=bearing).exclude(tags__contains=[number]), number)
        _take(rows.filter(tags__contains=[number]).exclude(identifier__in=bearing), number)


def _give(rows: models.QuerySet[Follower], number: int) -> int:
    return rows.update(tags=_array("array_append", number))


def _take(rows: models.QuerySet[Follower], number: int) -> int:
    return rows.update(tags=_array("array_remove", number))


def _array(function: str, number: int) -> Func:
    return Func(F("tags"), Value(number), function=function, output_field=ArrayField(models.PositiveIntegerField()))


def slots(account: ChannelAccount) -> tuple[int, int]:
    """Return how many tags an account has, and how many people may make: some stay free for sending."""
    most = limits.of(account, "tags") or 100
    reserved = limits.of(account, "tags_reserved") or 20
    return AccountTag.objects.filter(account=account).standing().count(), most - reserved


def create(account: ChannelAccount, name: str, segment: Segment | None, now: datetime) -> AccountTag:
    """Make a tag at the platform.

    Raises
    ------
    NoTag
        The name is too long or taken, or there is no slot left but those kept free for sending.
    """
    name = _good_name(account, name)
    used, most = slots(account)
    if used >= most:
        why = _("%(used)s tags stand, and %(most)s is the most: the rest is kept free for sending by tag.")
        raise NoTag(why % {"used": used, "most": most})
    try:
        told = official.tags_create(account, name)
    except WeChatError as error:
        raise NoTag(said(error)) from error
    return AccountTag.objects.create(
        account=account, number=told["tag"]["id"], name=name, segment=segment, people=0, synced_at=now
    )


def _good_name(account: ChannelAccount, name: str, besides: int = 0) -> str:
    name = name.strip()
    longest = limits.of(account, "tag_name_bytes") or 30
    if not name or len(name.encode()) > longest:
        why = _("A name has %(letters)s letters at most, or %(characters)s Chinese characters.")
        raise NoTag(why % {"letters": longest, "characters": longest // 3})
    if AccountTag.objects.filter(account=account, name=name).standing().exclude(pk=besides).exists():
        raise NoTag(_("The account has a tag of this name."))
    return name


def rename(tag: AccountTag, name: str, now: datetime) -> None:
    """Call a tag something else, at the platform first.

    Raises
    ------
    NoTag
        The name is too long or taken, the tag is gone, or the platform refuses.
    """
    if tag.gone_at is not None:
        raise NoTag(_("The platform does not have this tag any more."))
    name = _good_name(tag.account, name, besides=tag.pk)
    try:
        official.tags_update(tag.account, tag.number, name)
    except WeChatError as error:
        raise NoTag(said(error)) from error
    AccountTag.objects.filter(pk=tag.pk).update(name=name, synced_at=now)
    tag.name, tag.synced_at = name, now


def order(tag: AccountTag, by: "AbstractBaseUser | None", now: datetime) -> JobRun:
    """Return the job that pushes a tag's segment; the one that is under way where there is one.

    Raises
    ------
    NoTag
        The tag follows no segment.
    """
    if tag.segment is None:
        raise NoTag(_("The tag follows no segment."))
    with transaction.atomic():
        AccountTag.objects.select_for_update().get(pk=tag.pk)
        if there := JobRun.objects.filter(kind=KIND, parameters__tag=tag.pk).active().first():
            return there
        job = JobRun(kind=KIND, title=gettext_noop("Give a segment's people a tag"), created_at=now)
        job.parameters = {"account": tag.account_id, "tag": tag.pk}
        job.requested_by_id = by.pk if by else None
        job.save()
        pk = job.pk
        transaction.on_commit(lambda: current_app.send_task("campaigns.tasks.push_tag", [pk]))
    return job


def run(job: JobRun, clock: work.Clock) -> bool:
    """Do the work of a job of :func:`order`; ringing twice is harmless."""

    def pushed(progress: work.Progress) -> dict[str, Any]:
        tag = AccountTag.objects.select_related("account", "segment").get(pk=job.parameters["tag"])
        try:
            return _push(tag, job, clock)
        except WeChatError as error:
            raise work.Refused(said(error)) from error

    return work.carry_out(job, clock, pushed)


def difference(tag: AccountTag, now: datetime) -> tuple[list[int], list[int]]:
    """Return the followers who should get a tag, and those who should lose it."""
    if tag.segment is None:
        raise NoTag(_("The tag follows no segment."))
    members = segments.fetched(segments.compile(segments.rule_of(tag.segment), now)).tolist()
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCE, {"account": tag.account_id, "number": tag.number, "members": int_array(members)})
        rows = cursor.fetchall()
    return [pk for pk, bears in rows if not bears], [pk for pk, bears in rows if bears]


# Followers whose canonical profile belongs and who do not bear the tag, and those who bear it and do not belong.
DIFFERENCE = """
WITH members AS (SELECT unnest(%(members)s::bigint[]) AS id)
SELECT f.id, f.tags @> ARRAY[%(number)s]::integer[] AS bears
FROM campaigns_follower f JOIN crm_identifier i ON i.id = f.identifier_id
LEFT JOIN crm_profilealias a ON a.duplicate_id = i.profile_id AND a.undone_at IS NULL
WHERE f.account_id = %(account)s AND f.following
AND (f.tags @> ARRAY[%(number)s]::integer[]) IS DISTINCT FROM (COALESCE(a.canonical_id, i.profile_id) IN (SELECT id FROM members))
ORDER BY f.id
"""  # noqa: E501


def _push(tag: AccountTag, job: JobRun, clock: work.Clock) -> dict[str, Any]:
    come, gone = difference(tag, clock())
    size, done = limits.of(tag.account, "tag_people_a_call") or 50, 0
    full = limits.of(tag.account, "tags_of_one_person") or 20
    with_room = Follower.objects.filter(pk__in=come, tags__len__lt=full) | Follower.objects.filter(
        pk__in=come, tags__len=None
    )
    given = set(with_room.values_list("pk", flat=True))
    steps = [(official.tags_members_batchuntagging, _take, some) for some in _pieces(gone, size)]
    steps += [(official.tags_members_batchtagging, _give, some) for some in _pieces(sorted(given), size)]
    for call, write, some in steps:
        if not job.advance(clock(), done=done, total=len(given) + len(gone), step="tags"):
            raise work.Cancelled(f"{job} was stopped by a person before it was finished.")
        rows = Follower.objects.filter(pk__in=some)
        openids = [str(one.identifier.value) for one in rows.select_related("identifier")]
        pacing.paced(
            tag.account, "tag_calls", partial(call, tag.account, tag.number, openids), clock, partial(_alive, job)
        )
        write(rows, tag.number)
        done += len(some)
    bearing = Follower.objects.filter(account=tag.account, following=True, tags__contains=[tag.number]).count()
    AccountTag.objects.filter(pk=tag.pk).update(pushed_at=clock(), people=bearing)
    return {"came": len(given), "left": len(gone), "full": len(come) - len(given), "people": bearing}


def _alive(job: JobRun, now: datetime) -> None:
    """Say that a push which waits for the platform is not dead; it may be stopped meanwhile."""
    if not job.advance(now):
        raise work.Cancelled(f"{job} was stopped by a person before it was finished.")


def _pieces(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def names(account: ChannelAccount, numbers: Iterable[int]) -> list[str]:
    """Return what tags are called."""
    found = AccountTag.objects.filter(account=account, number__in=list(numbers))
    return sorted(found.values_list("name", flat=True))
