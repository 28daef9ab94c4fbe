"""Who opened a mini program: a login code becomes a person, and the session key is forgotten at once."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson
from django.db import transaction

from campaigns.channels.wechat import mini
from campaigns.models import ChannelAccount, Follower, MiniLink
from campaigns.runs.planning import source
from crm import identity, ingest
from crm.encryption import possible_indexes
from crm.models import Event, Identifier

CHANNEL, PROVIDER = "mini_program", "wechat_mini"
OPENID, UNIONID = "openid", "unionid"


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who it is: a profile, with what the person is to this account."""

    profile_id: int
    follower: Follower
    is_new: bool


def account_of(appid: str) -> ChannelAccount | None:
    """Return the mini program that an app names itself by, if it is ours and in use."""
    rows = ChannelAccount.objects.filter(provider=PROVIDER, settings__appid=appid)
    return rows.filter(status=ChannelAccount.Status.ACTIVE).order_by("-preferred", "pk").first()


def log_in(account: ChannelAccount, code: str, scene: str, now: datetime) -> Login:
    """Return whose login code this is, known from now on; ``scene`` is that of the link or code that led here.

    Of the platform's answer only openid and unionid are used. The session key decrypts what the person tells the
    mini program: it is not kept, so nobody can lose it.

    Raises
    ------
    WeChatError
        The code is not good (40029), was used (40163), the person is blocked (40226), or asks too often.
    """
    told = mini.sns_jscode2session(account, code)
    openid, unionid = str(told["openid"]), str(told.get("unionid") or "")
    del told
    refs = [(OPENID, openid), *([(UNIONID, unionid)] if unionid else [])]
    with transaction.atomic():
        (profile,) = identity.resolve([refs], source=source(), now=now)
        rows = Identifier.objects.filter(type=OPENID, digest__in=possible_indexes(OPENID, openid))
        link = MiniLink.objects.named(account, scene).first() if scene else None
        follower, new = Follower.objects.get_or_create(
            account=account,
            identifier=rows.get(),
            defaults={"following": True, "scene": "login", "entry": scene, "followed_at": now, "synced_at": now},
        )
        if not new:
            # Who took her authorisation back has given it anew; what she had allowed us stays withdrawn.
            Follower.objects.filter(pk=follower.pk).update(synced_at=now, following=True, unfollowed_at=None)
        _tell(account, profile, code, scene, link, now)
    return Login(profile_id=profile, follower=follower, is_new=new)


def follower_of(account: ChannelAccount, profiles: tuple[int, ...]) -> Follower | None:
    """Return what one person, with all her profiles, is to an account."""
    rows = Follower.objects.filter(account=account, identifier__profile__in=profiles)
    return rows.select_related("identifier", "account").order_by("-synced_at").first()


def _tell(account: ChannelAccount, profile: int, code: str, scene: str, link: MiniLink | None, now: datetime) -> None:
    facts = {
        "account": account.pk,
        "scene": scene or None,
        "link": link.pk if link else None,
        "campaign": link.campaign_id if link else None,
    }
    event = ingest.NewEvent(
        kind=Event.Kind.SCREEN.value,
        profile_id=profile,
        occurred_at=now,
        received_at=now,
        message_id=f"mini-login:{account.pk}:{sha256(code.encode()).hexdigest()}",
        name="Mini Program Opened",
        channel=CHANNEL,
        properties=orjson.dumps({key: value for key, value in facts.items() if value is not None}).decode(),
    )
    if ingest.record(source(), event, now=now) and link is not None:
        link.count_login()
