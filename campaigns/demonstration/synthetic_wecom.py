"""A corporation in WeCom to try: staff who know households of the sample, and one task that some have confirmed.

It lives at the imitation, as the official account of :mod:`campaigns.demonstration.synthetic_wechat` does: staff,
customers and what they do are made up there and read from there.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from campaigns.bulk import staff_tasks
from campaigns.bulk.worker import BulkWorker
from campaigns.channels.wechat.inbound import notice
from campaigns.models import (
    ArrivalWay,
    BulkJob,
    Campaign,
    ChannelAccount,
    Moment,
    Segment,
    Staff,
    StaffContact,
    Template,
    Variant,
)
from campaigns.reach import policies, quiet
from campaigns.runs import approving, running, starting
from campaigns.segmenting import segments
from campaigns.templating import template_saving
from campaigns.wechat import (
    arrival_ways,
    connecting,
    customer_groups,
    customer_tags,
    handovers,
    inbound,
    staff_moments,
    staff_sync,
    wecom_jobs,
    welcoming,
)
from crm.models import Channel, JobRun, Purpose

NAME = "Customers in WeCom (demonstration)"
CAMPAIGN = "Tea tasting, told by staff (demonstration)"
STAFF = ("chen.hao", "lin.yue", "zhao.min")
CONFIRM = STAFF[1:]  # one never does, so that somebody can be reminded
CUSTOMERS, EACH = 90, 30
ARRIVED = 3
SECONDS = 10.0
WELCOME = "您好，欢迎光临云杉生活！本周到店可免费品茶。"
MOMENT = "新茶到店：明前龙井，本周末到店品鉴，名额有限。"
GROUPS = {"chen.hao": "徐汇店茶友群", "lin.yue": "静安店会员群"}
TEXT = {
    "en": "This Saturday we taste the new teas in the shop. Shall I keep a seat for you?",
    "zh-hans": "本周六店内品鉴新茶，要为您留个位子吗？",
}


def seed(account: ChannelAccount, households: Sequence[str], users: Sequence[User], now: datetime) -> None:
    """Let staff know households, read them, and give the staff a task; ``users`` are who asks and who approves.

    Raises
    ------
    campaigns.wechat.connecting.NoConnection
        The imitation does not run.
    """
    _befriend(account, households[:CUSTOMERS], now)
    _read(account, now)
    _arrive(account, households[CUSTOMERS : CUSTOMERS + ARRIVED], now)
    if len(users) > 1:
        _moment(account, users, now)
        if campaign := _campaign(users[0], now):
            _task(account, campaign, users, now)
    _hand_over(account, now)


def _order(account: ChannelAccount, what: str, **told: Any) -> dict[str, Any]:
    return connecting.imitation(f"wecom/{what}", {"appid": account.settings["corpid"], **told})


def _befriend(account: ChannelAccount, households: Sequence[str], now: datetime) -> None:
    """Let each member of staff know some; none of them does anything that is not ordered here."""
    since = int((now - timedelta(days=20)).timestamp())
    for place, userid in enumerate(STAFF):
        _order(account, "staff", userid=userid, confirms=None)
        own = list(households[place * EACH : (place + 1) * EACH])
        if own:
            _order(account, "customers", userid=userid, persons=own, createtime=since, add_way=1)
        if userid in GROUPS and own:
            _order(account, "chats", owner=userid, name=GROUPS[userid], persons=own[:12])


def _read(account: ChannelAccount, now: datetime) -> None:
    customer_tags.sync(account, now)
    for kind in (staff_sync.KIND, customer_groups.KIND):
        wecom_jobs.run(wecom_jobs.order(kind, account, None, now, ring=False).pk, timezone.now)


def _arrive(account: ChannelAccount, households: Sequence[str], now: datetime) -> None:
    """Make a way with a welcome; some come by it, and one goes again."""
    way = ArrivalWay.objects.create(account=account, name="徐汇店门口", welcome=WELCOME, created_at=now)
    way.staff.set(Staff.objects.filter(account=account, userid=STAFF[0]))
    arrival_ways.make(way, now)
    for household in households:
        _heard(account, _order(account, "friend", config_id=way.config_id, person=household), now)
    welcoming.work(timezone.now, SECONDS)
    if households:
        _heard(account, _order(account, "unfriend", userid=STAFF[0], person=households[-1]), now)
    inbound.work(timezone.now())


def _heard(account: ChannelAccount, told: Mapping[str, Any], now: datetime) -> None:
    """Take in what the platform would call us with."""
    inbound.take(account, notice(told["message"], now), now)


def _moment(account: ChannelAccount, users: Sequence[User], now: datetime) -> None:
    moment = Moment.objects.create(account=account, text=MOMENT, created_by=users[0], created_at=now)
    staff_moments.hand_over(moment, users[1], now)


def _hand_over(account: ChannelAccount, now: datetime) -> None:
    """Let one hand some customers over: they may refuse for a day."""
    giver, taker = (Staff.objects.filter(account=account, userid=userid).first() for userid in STAFF[:2])
    if giver is None or taker is None:
        return
    some = StaffContact.objects.filter(staff=giver, ended_at=None).order_by("pk").values_list("pk", flat=True)[:3]
    if some:
        handovers.order(giver, taker, "您好，今后由林悦为您服务。", None, now, only=list(some))
        handovers.work(now)


def _campaign(by: User, now: datetime) -> Campaign | None:
    purpose = Purpose.objects.filter(code="marketing").first()
    if purpose is None:
        return None
    segment = Segment.objects.create(name=NAME, created_at=now)
    segments.save(segment, {"all": [{"address": "wecom", "is": "known"}]}, None, now)
    template = Template.objects.create(name=CAMPAIGN, created_at=now)
    forms = {"wecom": {language: {"text": text} for language, text in TEXT.items()}}
    version = template_saving.save(template, forms, {}, by=None, now=now)
    facts = {"purpose": purpose, "segment": segment, "channels": [Channel.WECOM], "created_by": by, "created_at": now}
    campaign = Campaign.objects.create(name=CAMPAIGN, **facts)
    Variant.objects.create(campaign=campaign, name="A", template=version)
    return campaign


def _task(account: ChannelAccount, campaign: Campaign, users: Sequence[User], now: datetime) -> None:
    """Submit, approve and start the campaign as two people would by day; some of the staff confirm, one does not."""
    day = _by_day(now)
    try:
        approving.submit(campaign, users[0], day)
    except approving.NotReady:
        return  # a draft that says why
    approving.approve(campaign, users[1], day)
    running.schedule(campaign, users[1], "", day)
    run = starting.start_due(campaign.pk, day)
    if run is None:
        return
    running.plan(JobRun.objects.get(kind=running.PLAN, parameters__run=str(run.pk)), _clock(day))
    BulkWorker(_clock(day)).run(SECONDS)
    for userid in CONFIRM:
        _order(account, "confirm", userid=userid)
    BulkJob.objects.filter(run=run, poll_at__isnull=False).update(poll_at=now)
    staff_tasks.poll(_clock(now))


def _by_day(now: datetime) -> datetime:
    """Return now, or the last hour before in which people may be written to."""
    policy, zone = policies.policy(), timezone.get_default_timezone()
    hours = (now - timedelta(hours=number) for number in range(24))
    return next((hour for hour in hours if not quiet.is_quiet(hour, zone, policy)), now)


def _clock(at: datetime) -> Callable[[], datetime]:
    return lambda: at
