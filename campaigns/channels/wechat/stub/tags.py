"""Tags that an account puts on its followers."""

from collections import Counter

from campaigns.channels.wechat.stub import service
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import OA, Call, Json, route
from campaigns.channels.wechat.stub.users import of_account, paged
from campaigns.channels.wechat.stub.world import Account, Follower

MOST, A_PERSON, BATCH, NAME_BYTES = 100, 20, 50, 30
FIRST_OWN, SYSTEM = 100, (0, 1, 2)
TOO_FULL_TO_DELETE = 100_000


def named(app: Account) -> dict[str, str]:
    """Give the account's tags: id (as text) to name."""
    return app.topic("tags")


def known(app: Account, tag_id: object) -> int:
    if str(tag_id) not in named(app):
        raise Refused(45159)
    return int(str(tag_id))


def _named(call: Call, besides: str = "") -> str:
    name = str(call.need("tag", "name"))
    if len(name.encode()) > NAME_BYTES:
        raise Refused(45158)
    taken = {kept for tag_id, kept in named(call.app).items() if tag_id != besides}
    if not name.strip() or name in taken:
        raise Refused(45157)
    return name


def _own(call: Call) -> int:
    tag_id = call.need("tag", "id")
    if tag_id in SYSTEM:
        raise Refused(45058)
    return known(call.app, tag_id)


@route("/cgi-bin/tags/create", OA, verified=True)
def create(call: Call) -> Json:
    name = _named(call)
    if len(named(call.app)) >= MOST:
        raise Refused(45056)
    kept = call.app.topic("tag_counter")
    kept["last"] = kept.get("last", FIRST_OWN - 1) + 1
    named(call.app)[str(kept["last"])] = name
    return {"tag": {"id": kept["last"], "name": name}}


@route("/cgi-bin/tags/get", OA, method="GET", verified=True)
def listed(call: Call) -> Json:
    counts = Counter(tag for follower in call.app.followers.values() if follower.subscribed for tag in follower.tags)
    return {
        "tags": [{"id": int(tag), "name": name, "count": counts[int(tag)]} for tag, name in named(call.app).items()]
    }


@route("/cgi-bin/tags/update", OA, verified=True)
def rename(call: Call) -> Json:
    tag_id = _own(call)
    named(call.app)[str(tag_id)] = _named(call, besides=str(tag_id))
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/tags/delete", OA, verified=True)
def remove(call: Call) -> Json:
    tag_id = _own(call)
    tagged = [follower for follower in call.app.followers.values() if tag_id in follower.tags]
    if len(tagged) > TOO_FULL_TO_DELETE:
        raise Refused(45057)
    for follower in tagged:
        follower.tags.remove(tag_id)
    del named(call.app)[str(tag_id)]
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/tags/members/batchtagging", OA, verified=True)
def put(call: Call) -> Json:
    tag_id, followers = known(call.app, call.need("tagid")), _several(call)
    new = [follower for follower in followers if tag_id not in follower.tags]
    if any(len(follower.tags) >= A_PERSON for follower in new):
        raise Refused(45059)
    for follower in new:
        follower.tags.append(tag_id)
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/tags/members/batchuntagging", OA, verified=True)
def take(call: Call) -> Json:
    tag_id = known(call.app, call.need("tagid"))
    for follower in _several(call):
        if tag_id in follower.tags:
            follower.tags.remove(tag_id)
    return {"errcode": 0, "errmsg": "ok"}


def _several(call: Call) -> list[Follower]:
    openids = call.need("openid_list")
    if not isinstance(openids, list) or not 1 <= len(openids) <= BATCH:
        raise Refused(40032)
    return [of_account(call.world, call.app, openid) for openid in dict.fromkeys(openids)]


@route("/cgi-bin/user/tag/get", OA, verified=True)
def tagged(call: Call) -> Json:
    tag_id = known(call.app, call.need("tagid"))
    everybody = call.app.followers.values()
    chosen = {follower.openid for follower in everybody if follower.subscribed and tag_id in follower.tags}
    return paged(call.app, chosen, str(call.body.get("next_openid") or ""))


@route("/cgi-bin/tags/getidlist", OA, verified=True)
def of_person(call: Call) -> Json:
    return {"tagid_list": list(service.known(call.app, call.need("openid")).tags)}
