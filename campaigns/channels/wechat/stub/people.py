"""The people of the imitation: who they are, and what they do to an account."""

import base64
import hashlib
from collections.abc import Callable

from campaigns.channels.wechat.stub import material, service
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.routing import Json, control, must
from campaigns.channels.wechat.stub.world import Account, Follower, World

SETTABLE = ("subscribed", "receiving", "blacklisted", "scene", "qr_scene", "remark", "subscribe_time")


def openid_of(appid: str, person: str) -> str:
    """Give the id by which one account knows a person: always the same, another for each account."""
    digest = hashlib.sha256(f"openid|{appid}|{person}".encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


def unionid_of(open_platform: str, person: str) -> str:
    return openid_of("union:" + open_platform, person) if open_platform else ""


def join(world: World, app: Account, person: str, **about: object) -> Follower:
    """Let an account know a person, who counts as a follower unless said otherwise."""
    openid = openid_of(app.appid, person)
    follower = app.followers.get(openid)
    if follower is None:
        follower = Follower(person, openid, unionid_of(app.open_platform, person))
        follower.subscribe_time = int(world.clock.now())
        app.followers[openid] = follower
        world.where[openid] = app.appid
    for name, value in about.items():
        setattr(follower, name, value)
    return follower


@control("POST", "users")
def make(world: World, asked: Json) -> Json:
    """Make followers, of whom no event tells: `{appid, person | persons | count, prefix?, subscribed?, …}`."""
    app = world.account(asked["appid"])
    must(app.kind != "wecom", "a corp has customers: POST /_stub/wecom/customers")
    persons = asked.get("persons") or ([asked["person"]] if "person" in asked else [])
    persons = [*persons, *(f"{asked.get('prefix', 'p')}{n}" for n in range(int(asked.get("count", 0))))]
    about = {name: asked[name] for name in SETTABLE if name in asked}
    return {"openids": [join(world, app, str(person), **about).openid for person in persons]}


@control("GET", "users")
def listed(world: World, asked: Json) -> Json:
    followers = list(world.account(asked["appid"]).followers.values())
    begin, limit = int(asked.get("begin", 0)), int(asked.get("limit", 100))
    return {"total": len(followers), "users": followers[begin : begin + limit]}


@control("GET", "users/<openid>")
def shown(world: World, asked: Json, openid: str) -> Json:
    app, follower = world.person(openid)
    return {"appid": app.appid, "user": follower}


def message(app: Account, openid: str, now: float, kind: str, **fields: object) -> Json:
    """Write a message or an event as it comes from one person."""
    head = {"ToUserName": app.gh_id, "FromUserName": openid, "CreateTime": int(now), "MsgType": kind}
    return {**head, **fields}


Act = Callable[[World, Account, Follower, Json, float], Json]


def _event(name: str, scene: str = "", *needed: str) -> Act:
    """Make an act that is one event, opens a window if it names a scene, and carries the fields it needs."""

    def act(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
        if scene:
            service.opened(who, scene, now)
        return message(app, who.openid, now, "event", Event=name, **{field: asked[field] for field in needed})

    return act


def _said(kind: str, *needed: str) -> Act:
    """Make an act that is one message of this type."""

    def act(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
        service.opened(who, "message", now)
        told = {name: asked.get(name, _MADE_UP.get(name, "")) for name in needed}
        if "MediaId" in needed and "MediaId" not in asked:
            told["MediaId"] = material.sent_by_person(world, app, kind)
        return message(app, who.openid, now, kind, **told, MsgId=world.message_id())

    return act


_MADE_UP: dict[str, object] = {
    "PicUrl": "http://mmbiz.qpic.cn/mmbiz_jpg/stub/0",
    "ThumbMediaId": "stub-thumb",
    "Format": "amr",
    "Location_X": 31.2304,
    "Location_Y": 121.4737,
    "Scale": 15,
    "Label": "上海市黄浦区",
}


def follow(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Follow, perhaps by a QR code: `{scene_str?}`."""
    scanned = str(asked.get("scene_str") or "")
    who.subscribed, who.receiving, who.subscribe_time = True, True, int(now)
    who.scene, who.qr_scene = ("ADD_SCENE_QR_CODE", scanned) if scanned else ("ADD_SCENE_SEARCH", "")
    service.opened(who, "follow", now)
    fields = {"EventKey": "qrscene_" + scanned, "Ticket": ticket(app, scanned)} if scanned else {"EventKey": ""}
    return message(app, who.openid, now, "event", Event="subscribe", **fields)


def ticket(app: Account, scene: str) -> str:
    """Give the ticket of the code with this scene; one is made up for a code nobody asked for."""
    known: str = app.topic("qrcodes").get(scene, {}).get("ticket", "gQ" + openid_of(app.appid, scene))
    return known


def unfollow(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    who.subscribed = False
    who.windows.clear()
    gone, today = app.topic("unfollowed"), str(day(now))
    gone[today] = gone.get(today, 0) + 1

    who.tags.clear()
    return message(app, who.openid, now, "event", Event="unsubscribe", EventKey="")


def scan(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Scan a QR code: who does not follow yet follows by it."""
    scene = str(asked["scene_str"])
    if not who.subscribed:
        return follow(world, app, who, asked, now)
    service.opened(who, "scan", now)
    return message(app, who.openid, now, "event", Event="SCAN", EventKey=scene, Ticket=ticket(app, scene))


def revoke(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Withdraw what was allowed to the account."""
    about = {"OpenID": who.openid, "AppID": app.appid, "RevokeInfo": str(asked.get("RevokeInfo", "1,2"))}
    return message(app, who.openid, now, "event", Event="user_authorization_revoke", **about)


def switch(name: str) -> Act:
    """Make an act of which no event tells: `{on: true|false}`."""

    def act(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
        setattr(who, name, bool(asked.get("on", True)))
        return {}

    return act


ACTS: dict[str, Act] = {
    "follow": follow,
    "unfollow": unfollow,
    "scan": scan,
    "revoke": revoke,
    "text": _said("text", "Content"),
    "image": _said("image", "PicUrl", "MediaId"),
    "voice": _said("voice", "MediaId", "Format"),
    "video": _said("video", "MediaId", "ThumbMediaId"),
    "location": _said("location", "Location_X", "Location_Y", "Scale", "Label"),
    "link": _said("link", "Title", "Description", "Url"),
    "click": _event("CLICK", "menu", "EventKey"),
    "view": _event("VIEW", "", "EventKey"),
    "enter": _event("user_enter_tempsession", "enter"),
    "receiving": switch("receiving"),
    "blacklist": switch("blacklisted"),
}
WHO_NEED_NOT_FOLLOW = {"follow", "scan", "receiving", "blacklist", "revoke"}


@control("POST", "users/<openid>/<verb>")
def act(world: World, asked: Json, openid: str, verb: str) -> Json:
    """Let somebody do something; the account's owner is told of it at once."""
    app, who = world.person(openid)
    must(verb in ACTS, f"nobody can {verb!r}; they can {', '.join(ACTS)}")
    follows = app.kind == "mini" or who.subscribed or verb in WHO_NEED_NOT_FOLLOW
    must(follows, f"{openid} does not follow")
    told = ACTS[verb](world, app, who, asked, world.clock.now())
    if told:
        _count(app, told, world.clock.now())
        world.push(app, told)
    return {"message": told}


def _count(app: Account, told: Json, now: float) -> None:
    """Count who wrote how much on a day, for the statistics."""
    if told["MsgType"] != "event":
        kinds = app.topic("written").setdefault(str(day(now)), {}).setdefault(told["MsgType"], {})
        kinds[told["FromUserName"]] = kinds.get(told["FromUserName"], 0) + 1


@control("POST", "same_second")
def same_second(world: World, asked: Json) -> Json:
    """Let one person do several things in one second: `{openid, acts: [{verb, …}]}`."""
    app, who = world.person(asked["openid"])
    now = world.clock.now()
    told = [ACTS[one["verb"]](world, app, who, one, now) for one in asked["acts"]]
    for one in told:
        world.push(app, one)
    return {"messages": told}
