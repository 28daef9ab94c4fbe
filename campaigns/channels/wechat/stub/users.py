"""What an account may ask about its followers: openids by pages, a few facts, remarks, the blacklist."""

import itertools

from campaigns.channels.wechat.stub import service
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.people import join
from campaigns.channels.wechat.stub.routing import OA, Call, Json, route
from campaigns.channels.wechat.stub.world import Account, Follower, World

PAGE, BATCH, BLACKLIST_BATCH = 10_000, 100, 20


def paged(app: Account, chosen: set[str], after: str) -> Json:
    """Give one page of those chosen; the order is that of arrival, and stays while people leave."""
    if after and after not in app.followers:
        raise Refused(40003)
    everybody = iter(app.followers)
    if after:
        everybody = itertools.dropwhile(lambda openid: openid != after, everybody)
        next(everybody)
    openids = list(itertools.islice((openid for openid in everybody if openid in chosen), PAGE))
    told: Json = {"count": len(openids), "next_openid": openids[-1] if openids else ""}
    return {**told, "data": {"openid": openids}} if openids else told


@route("/cgi-bin/user/get", OA, method="GET", verified=True)
def listed(call: Call) -> Json:
    following = {follower.openid for follower in call.app.followers.values() if follower.subscribed}
    return {"total": len(following), **paged(call.app, following, call.query.get("next_openid", ""))}


def facts(app: Account, follower: Follower) -> Json:
    """Tell what the platform still tells of a follower since 2021: no name, no picture."""
    if not follower.subscribed:
        return {"subscribe": 0, "openid": follower.openid}
    told: Json = {
        "subscribe": 1,
        "openid": follower.openid,
        "nickname": "",
        "sex": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": follower.subscribe_time,
        "remark": follower.remark,
        "groupid": follower.tags[0] if follower.tags else 0,
        "tagid_list": list(follower.tags),
        "subscribe_scene": follower.scene,
        "qr_scene": 0,
        "qr_scene_str": follower.qr_scene,
    }
    return {**told, "unionid": follower.unionid} if follower.unionid else told


@route("/cgi-bin/user/info", OA, method="GET", verified=True)
def one(call: Call) -> Json:
    return facts(call.app, service.known(call.app, call.query.get("openid")))


@route("/cgi-bin/user/info/batchget", OA, verified=True)
def several(call: Call) -> Json:
    asked = call.need("user_list")
    if not isinstance(asked, list) or not 1 <= len(asked) <= BATCH:
        raise Refused(40032)
    return {"user_info_list": [facts(call.app, service.known(call.app, who.get("openid"))) for who in asked]}


@route("/cgi-bin/user/info/updateremark", OA, verified=True)
def remark(call: Call) -> Json:
    words = str(call.need("remark"))
    if len(words) >= 30:
        raise Refused(40035, "remark too long")
    service.known(call.app, call.need("openid")).remark = words
    return {"errcode": 0, "errmsg": "ok"}


def _blacklist(call: Call, on: bool) -> Json:
    openids = call.need("openid_list")
    if not 1 <= len(openids) <= BLACKLIST_BATCH:
        raise Refused(40032)
    for follower in [of_account(call.world, call.app, openid) for openid in openids]:
        follower.blacklisted = on
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/tags/members/batchblacklist", OA, verified=True)
def blacklist(call: Call) -> Json:
    return _blacklist(call, True)


@route("/cgi-bin/tags/members/batchunblacklist", OA, verified=True)
def unblacklist(call: Call) -> Json:
    return _blacklist(call, False)


@route("/cgi-bin/tags/members/getblacklist", OA, verified=True)
def blacklisted(call: Call) -> Json:
    chosen = {follower.openid for follower in call.app.followers.values() if follower.blacklisted}
    return {"total": len(chosen), **paged(call.app, chosen, str(call.body.get("begin_openid") or ""))}


def of_account(world: World, app: Account, openid: object) -> Follower:
    """Find a follower: 49003 where the openid belongs to another account, 40003 where to nobody."""
    if str(openid) in app.followers:
        return app.followers[str(openid)]
    raise Refused(49003 if str(openid) in world.where else 40003)


@route("/cgi-bin/changeopenid", OA, verified=True)
def changed(call: Call) -> Json:
    """Tell the new openids of followers who moved here with their account."""
    old = call.world.accounts.get(str(call.need("from_appid")))
    openids = call.need("openid_list")
    if old is None or len(openids) > BATCH:
        raise Refused(40013 if old is None else 40032)
    told = []
    for openid in openids:
        person = old.followers.get(openid)
        new = join(call.world, call.app, person.person).openid if person else ""
        told.append({"ori_openid": openid, "new_openid": new, "err_msg": "ok" if new else "ori_openid error"})
    return {"errcode": 0, "errmsg": "ok", "result_list": told}


@route("/cgi-bin/ticket/getticket", OA, method="GET")
def ticket(call: Call) -> Json:
    name = call.world.name("ticket", call.app.appid, int(call.now // 7200), size=64)
    return {"errcode": 0, "errmsg": "ok", "ticket": name, "expires_in": 7200 - int(call.now % 7200)}
