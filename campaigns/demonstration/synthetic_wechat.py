"""An official account, a mini program and WeCom to try: their people are households of the sample, all made up.

It lives at the imitation that this machine runs (``manage.py wechat_stub``): nothing leaves. What a follower does there
comes in as a callback would, so conversations, windows and codes are what they are with a real account.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campaigns.channels.wechat.inbound import notice
from campaigns.channels.wechat.stub import drawing
from campaigns.demonstration import synthetic_mini, synthetic_wecom
from campaigns.demonstration.synthetic import SAMPLE, SEGMENTS
from campaigns.demonstration.synthetic import SOURCE as ADDRESSES
from campaigns.models import Campaign, ChannelAccount, Segment, Template, Variant
from campaigns.templating import template_saving
from campaigns.wechat import (
    account_tags,
    articles,
    asking_statistics,
    catalogue,
    connecting,
    entry_codes,
    followers,
    inbound,
    menus,
)
from crm import identity
from crm.models import Channel, Identifier, Purpose, Source

NAME = "Imitation of an official account (demonstration)"
NAMES = {
    "oa_service": NAME,
    "mini": "Imitation of a mini program (demonstration)",
    "wecom": "Imitation of WeCom (demonstration)",
}
PEOPLE, DAYS = 480, 12
SCENE = "shop-1.door"
TEXT = {
    "en": "This weekend: new in the shop, and two for one on all teas. We look forward to seeing you!",
    "zh-hans": "本周末：店内上新，全部茶叶买一送一。期待您的光临！",
}
MENU = [
    {"name": "本周新品", "type": "view", "url": "https://shop.example/new"},
    {
        "name": "会员中心",
        "sub_button": [
            {"name": "我的积分", "type": "view", "url": "https://shop.example/points"},
            {"name": "附近门店", "type": "view", "url": "https://shop.example/shops"},
        ],
    },
    {"name": "联系我们", "type": "click", "key": "contact"},
]
ARTICLE = {
    "title": "新茶上市：本周末到店品鉴",
    "digest": "明前龙井到店，周六周日免费品茶。",
    "html": "<h2>新茶上市</h2><p>明前龙井、碧螺春已到店。周六、周日下午，欢迎来坐坐，喝一杯。</p>",
    "url": "https://shop.example/new",
}
TEMPLATES = {
    "订单发货通知": "订单编号：{{character_string1.DATA}}\n商品名称：{{thing2.DATA}}\n发货时间：{{time3.DATA}}",
    "积分变动提醒": "会员名称：{{thing1.DATA}}\n变动积分：{{number2.DATA}}\n变动时间：{{time3.DATA}}",
}
WROTE = ("你好，请问周末几点开门？", "上周买的茶可以退吗？", "积分怎么兑换？")


def seed(now: datetime, base: str, users: Sequence[User] = ()) -> bool:
    """Connect the imitation's accounts and fill them; tell whether they were not there already.

    ``base`` is where this server will be reached, for the imitation's callbacks. ``users`` are who asks for a task of
    WeCom's staff and who approves it; without two of them there is none.

    Raises
    ------
    campaigns.wechat.connecting.NoConnection
        The imitation does not run.
    """
    if ChannelAccount.objects.filter(name=NAME).exists():
        return False
    accounts = connecting.furnish(now, NAMES, base=base)
    account, households = accounts["oa_service"], _households()
    openids = _people(account, households, now)
    job = followers.order(account, None, now, ring=False)
    followers.run(job, timezone.now)
    _house(account, now)
    _article(account, now)
    _campaign(now)
    for openid, text in zip(openids, WROTE, strict=False):
        _act(account, openid, "text", now, Content=text)
    _act(account, openids[-1], "scan", now, scene_str=SCENE)
    inbound.work(timezone.now())
    # Others than those who know staff: what they agree to here is later than the task that staff were given by day.
    synthetic_mini.seed(accounts["mini"], households[::-1], now)
    synthetic_wecom.seed(accounts["wecom"], households, users, now)
    return True


def _households() -> list[str]:
    rows = Identifier.objects.filter(source__name=SAMPLE, type=Identifier.Type.EXTERNAL_ID).order_by("pk")[:PEOPLE]
    return [str(one.value) for one in rows]


def _people(account: ChannelAccount, households: Sequence[str], now: datetime) -> list[str]:
    """Let households follow, some each day; we know them by their number in the sample."""
    openids: list[str] = []
    for day in range(DAYS):
        since = now - timedelta(days=DAYS - day, hours=1)
        scene = ("ADD_SCENE_QR_CODE", "ADD_SCENE_SEARCH", "ADD_SCENE_PROFILE_CARD")[day % 3]
        told = {"appid": account.settings["appid"], "persons": households[day::DAYS], "scene": scene}
        made = connecting.imitation("users", told | {"subscribe_time": int(since.timestamp())})
        openids += made["openids"]
        _link(households[day::DAYS], made["openids"], now)
    return openids


def _link(households: Sequence[str], openids: Sequence[str], now: datetime) -> None:
    source, _new = Source.objects.get_or_create(name=ADDRESSES, defaults={"kind": Source.Kind.SYSTEM})
    external, openid = Identifier.Type.EXTERNAL_ID.value, Identifier.Type.OPENID.value
    pairs = zip(households, openids, strict=True)
    identity.resolve([[(external, one), (openid, other)] for one, other in pairs], source=source, now=now)


def _house(account: ChannelAccount, now: datetime) -> None:
    """Give the account a menu, a code, templates, and the days that the platform has counted."""
    menus.publish(menus.save(account, MENU, None, now), now)
    entry_codes.create(account, "门店入口", SCENE, welcome="欢迎光临！有什么可以帮您？", now=now)
    for title, content in TEMPLATES.items():
        told = {"appid": account.settings["appid"], "title": title, "content": content}
        connecting.imitation("templates", told)
    catalogue.read(account, now)
    account_tags.read(account, now)
    asking_statistics.note_days(account, now)
    while asking_statistics.take_of(account, now, 500):
        pass


def _article(account: ChannelAccount, now: datetime) -> None:
    """Draft an article; its cover is the picture of a code, for want of a better one."""
    template = Template.objects.create(name="New teas, an article (demonstration)", created_at=now)
    forms = {"wechat": {"zh-hans": {"kind": "article", **ARTICLE}}}
    version = template_saving.save(template, forms, {}, by=None, now=now)
    articles.draft(account, version, "zh-hans", author="云杉生活", cover=drawing.code(ARTICLE["url"]), now=now)


def _act(account: ChannelAccount, openid: str, act: str, now: datetime, **facts: str) -> None:
    """Let a follower do something; what the platform would call us with is taken in as if it had."""
    told = connecting.imitation(f"users/{openid}/{act}", facts)
    inbound.take(account, notice(told["message"], now), now)


def _campaign(now: datetime) -> None:
    """Write a draft that lacks nothing: to submit, approve and start it is the visitor's."""
    purpose = Purpose.objects.filter(code="marketing").first()
    segment = Segment.objects.filter(name=list(SEGMENTS)[-1]).first()
    if purpose is None or segment is None:
        return
    with transaction.atomic():
        template = Template.objects.create(name="Weekend on WeChat (demonstration)", created_at=now)
        forms = {"wechat": {language: {"kind": "text", "text": text} for language, text in TEXT.items()}}
        version = template_saving.save(template, forms, {}, by=None, now=now)
        campaign = Campaign.objects.create(
            name="Weekend on WeChat (demonstration)",
            purpose=purpose,
            segment=segment,
            channels=[Channel.WECHAT],
            created_at=now,
        )
        Variant.objects.create(campaign=campaign, name="A", template=version)
