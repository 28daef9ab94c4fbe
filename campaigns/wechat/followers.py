"""Who follows an official account: told one by one as they come and go, and read from the platform as a whole.

A reading is a job that goes on where it was stopped: its checkpoint is the platform's own cursor, an openid, so it is
sealed. Who was read since the job began is not read again, and who is not on the platform's list any more has left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from celery import current_app
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.channels.wechat import limits, official
from campaigns.channels.wechat.errors import Action, WeChatError
from campaigns.keys import NAMESPACE
from campaigns.models import ChannelAccount, Follower, FollowerRemark
from campaigns.runs.planning import source
from campaigns.wechat import remarks
from campaigns.wechat.words import said
from crm import consent, identity
from crm.encryption import aad, indexes_by_generation, open_for_house, seal_for_house
from crm.models import Identifier, JobRun
from mlengine import work

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "wechat_followers"
OPENID, UNIONID = Identifier.Type.OPENID.value, Identifier.Type.UNIONID.value
Facts = Mapping[str, Any]


def order(account: ChannelAccount, by: "AbstractBaseUser | None", now: datetime, *, ring: bool = True) -> JobRun:
    """Return the job that reads all followers of an account; the one that is under way where there is one.

    Unless ``ring`` is false a worker is called, once this is committed.
    """
    with transaction.atomic():
        ChannelAccount.objects.select_for_update().get(pk=account.pk)
        there: JobRun | None = jobs_of(account).active().first()
        if there is not None:
            return there
        job = JobRun(kind=KIND, title=gettext_noop("Read the followers of an account"), created_at=now)
        job.parameters = {"account": account.pk}
        job.requested_by_id = by.pk if by else None
        job.save()
        if ring:
            transaction.on_commit(lambda: current_app.send_task("campaigns.tasks.read_followers", [job.pk]))
    return job


def order_all(now: datetime) -> int:
    """Order a reading of every working official account; return how many there are."""
    working = ChannelAccount.objects.filter(provider="wechat_official", status=ChannelAccount.Status.ACTIVE)
    return len([order(account, None, now) for account in working])


def jobs_of(account: ChannelAccount) -> Any:
    """Return the readings of an account, the latest first."""
    return JobRun.objects.filter(kind=KIND, parameters__account=account.pk).order_by("-created_at")


def revive(now: datetime) -> int:
    """Put the readings of workers that fell silent back in the queue, and ring for each."""
    count = 0
    for job in JobRun.objects.silent(now).filter(kind=KIND):
        # The same condition again: a heartbeat in between means that its worker lives.
        if JobRun.objects.silent(now).filter(pk=job.pk).update(status=JobRun.Status.QUEUED):
            current_app.send_task("campaigns.tasks.read_followers", [job.pk])
            count += 1
    return count


def run(job: JobRun, clock: work.Clock) -> bool:
    """Do the work of a job of :func:`order`, or what a killed worker left of it; ringing twice is harmless."""

    def read(progress: work.Progress) -> dict[str, Any]:
        account = ChannelAccount.objects.get(pk=job.parameters["account"])
        try:
            return _read(job, account, clock)
        except WeChatError as error:
            why = _("The platform refuses: %(why)s. What was read stays; resume the job to go on.")
            raise work.Refused(why % {"why": said(error)}) from error

    return work.carry_out(job, clock, read)


def _read(job: JobRun, account: ChannelAccount, clock: work.Clock) -> dict[str, Any]:
    if not job.checkpoint:  # at once: who goes on after a kill must know who was read already
        _advance(job, clock, checkpoint={"began": clock().isoformat(), "next": ""})
    began = datetime.fromisoformat(job.checkpoint["began"])
    done, cursor = job.done, _opened(job)
    some_at_once = limits.of(account, "user_info_a_call") or 100
    while True:
        page = official.user_get(account, cursor)
        openids = page.get("data", {}).get("openid", [])
        if not openids:
            break
        _advance(job, clock, total=page["total"], step="followers")
        for some in _pieces(_unread(account, openids, began), some_at_once):
            asked_at = clock()
            told = official.user_info_batchget(account, some).get("user_info_list", [])
            take(account, told, clock(), asked_at=asked_at)
            done += len(some)
            _advance(job, clock, done=done)
        cursor = page.get("next_openid", "")
        _advance(job, clock, checkpoint={"began": began.isoformat(), "next": _sealed(job, cursor)})
        if not cursor:
            break
    left = _absent(account, began, some_at_once, clock)
    return {"followers": Follower.objects.filter(account=account, following=True).count(), "left": left}


def _advance(job: JobRun, clock: work.Clock, **facts: Any) -> None:
    if not job.advance(clock(), **facts):
        raise work.Cancelled(f"{job} was stopped by a person before it was finished.")


def _sealed(job: JobRun, cursor: str) -> str:
    return seal_for_house(cursor.encode(), aad("crm.jobrun", "checkpoint", job.pk)).hex() if cursor else ""


def _opened(job: JobRun) -> str:
    kept = job.checkpoint.get("next", "")
    return open_for_house(bytes.fromhex(kept), aad("crm.jobrun", "checkpoint", job.pk)).decode() if kept else ""


def _unread(account: ChannelAccount, openids: Sequence[str], began: datetime) -> list[str]:
    """Return those of a page that were not read since the job began: a page that was cut short begins anew."""
    rows = Follower.objects.filter(account=account, synced_at__gte=began)
    read = set(rows.filter(identifier__in=identifiers(openids).values()).values_list("identifier_id", flat=True))
    numbers = identifiers(openids) if read else {}
    return [one for one in openids if numbers.get(one) not in read] if read else list(openids)


def _absent(account: ChannelAccount, began: datetime, some_at_once: int, clock: work.Clock) -> int:
    """Ask about who was not on the list, and return how many have left: a list that was cut short is nobody's farewell.

    Who came while it was read was told by an event, and is newer.
    """
    rows = Follower.objects.filter(account=account, following=True, synced_at__lt=began).order_by("pk")
    left = last = 0
    while some := list(rows.filter(pk__gt=last).select_related("identifier", "account")[:some_at_once]):
        _ask_about(account, some, clock)
        left += Follower.objects.filter(pk__in=[one.pk for one in some], following=False).count()
        last = some[-1].pk
    return left


def _ask_about(account: ChannelAccount, some: Sequence[Follower], clock: work.Clock) -> None:
    """Ask whether people still follow; whom the platform does not know any more has left."""
    asked_at = clock()
    try:
        told = official.user_info_batchget(account, [str(one.identifier.value) for one in some])
    except WeChatError as error:
        if error.action is not Action.RECIPIENT:
            raise
        if len(some) == 1:
            leave(some[0], clock())
            return
        for one in some:
            _ask_about(account, [one], clock)
        return
    take(account, told.get("user_info_list", []), clock(), asked_at=asked_at)


def identifiers(openids: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the identifiers that hold openids, of those that we know."""
    asked = list(openids)
    if not asked:
        return {}
    digests: dict[bytes, str] = {}
    for generation in indexes_by_generation([(OPENID, one) for one in asked]):
        digests |= {bytes(digest): one for digest, one in zip(generation, asked, strict=True)}
    rows = Identifier.objects.filter(type=OPENID, digest__in=list(digests)).values_list("digest", "pk")
    return {digests[bytes(digest)]: pk for digest, pk in rows}


def take(account: ChannelAccount, told: Sequence[Facts], now: datetime, *, asked_at: datetime | None = None) -> int:
    """Write down what the platform told of people, each a profile by openid and unionid; return how many follow.

    Of whom it was heard since ``asked_at`` that she left, this is old news.
    """
    with transaction.atomic():
        here = [one for one in told if one.get("subscribe")]
        refs = [[(OPENID, one["openid"]), *_unionid(one)] for one in here]
        identity.resolve(refs, source=source(), now=now)
        numbers = identifiers(one["openid"] for one in told)
        left = _left_since(account, [numbers[one["openid"]] for one in here], asked_at or now)
        rows = [_follower(account, number, one, now) for one in here if (number := numbers[one["openid"]]) not in left]
        Follower.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "identifier"],
            update_fields=[*FACTS, "following", "unfollowed_at", "synced_at"],
        )
        remarks.take(account, here, numbers, now)
        away = [numbers[one["openid"]] for one in told if not one.get("subscribe") and one["openid"] in numbers]
        for row in Follower.objects.filter(account=account, identifier__in=away).select_related("identifier"):
            leave(row, now)
    return len(rows)


def _left_since(account: ChannelAccount, people: Sequence[int], asked_at: datetime) -> set[int]:
    """Return who left since a moment; who left before has come back, and receives messages again."""
    rows = Follower.objects.filter(account=account, identifier__in=people, following=False)
    away = rows.select_for_update().order_by("pk").values_list("identifier_id", "synced_at")
    left = {number for number, heard_at in away if heard_at >= asked_at}
    rows.exclude(identifier__in=left).update(receiving=True)
    return left


FACTS = ("scene", "entry", "tags", "language", "followed_at")


def _unionid(told: Facts) -> list[tuple[str, str]]:
    return [(UNIONID, told["unionid"])] if told.get("unionid") else []


def _follower(account: ChannelAccount, identifier: int, told: Facts, now: datetime) -> Follower:
    since = told.get("subscribe_time")
    return Follower(
        account=account,
        identifier_id=identifier,
        following=True,
        scene=str(told.get("subscribe_scene", ""))[:40],
        entry=str(told.get("qr_scene_str") or told.get("qr_scene") or "")[:64],
        tags=sorted({int(tag) for tag in told.get("tagid_list", ())}),
        language=str(told.get("language", ""))[:16],
        followed_at=datetime.fromtimestamp(since, UTC) if since else None,
        unfollowed_at=None,
        synced_at=now,
    )


def follow(
    account: ChannelAccount, openid: str, *, unionid: str = "", scene: str = "", entry: str = "", at: datetime,
    now: datetime,
) -> Follower:  # fmt: skip
    """Write down that somebody follows an account since ``at``; told again, or too late, it changes nothing."""
    refs = [(OPENID, openid), *([(UNIONID, unionid)] if unionid else [])]
    with transaction.atomic():
        identity.resolve([refs], source=source(), now=now)
        number = identifiers([openid])[openid]
        row, new = Follower.objects.select_for_update().get_or_create(
            account=account, identifier_id=number, defaults={"followed_at": at, "synced_at": now, "following": True}
        )
        if not new and row.unfollowed_at and row.unfollowed_at > at:
            return row
        if new or not row.following:
            row.following, row.followed_at, row.unfollowed_at = True, at, None
            row.receiving = True  # what she had switched off before she left is on again
            row.scene, row.entry = scene[:40] or row.scene, entry[:64]
        row.synced_at = now
        row.save()
    return row


def unfollow(account: ChannelAccount, openid: str, *, at: datetime, now: datetime) -> Follower | None:
    """Write down that somebody left, and take back the consent to marketing there; None for who was never known."""
    number = identifiers([openid]).get(openid, 0)
    row = Follower.objects.filter(account=account, identifier_id=number).select_related("identifier").first()
    if row is None or (row.followed_at and row.followed_at > at):
        return row
    leave(row, now, at)
    return row


def leave(row: Follower, now: datetime, at: datetime | None = None) -> None:
    """Note that a follower left, since ``at`` or found out just now; it withdraws consent on the account's channel."""
    with transaction.atomic():
        fresh = Follower.objects.filter(pk=row.pk, following=True)
        if not fresh.update(following=False, unfollowed_at=at or now, synced_at=now, tags=[]):
            return
        row.following, row.unfollowed_at, row.tags = False, at or now, []
        FollowerRemark.objects.filter(account=row.account_id, identifier=row.identifier_id).delete()
        heard = consent.Heard(source=source(), idempotency=_key(row), proof={"unfollowed": row.account_id})
        consent.withdraw_marketing(row.identifier.profile_id, row.account.channel, "unfollow", now, heard)


def _key(row: Follower) -> UUID:
    """Return the key of one leaving: after somebody came back, another one is another."""
    return uuid5(NAMESPACE, f"unfollow {row.account_id} {row.identifier_id} {row.followed_at}")


def _pieces(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
