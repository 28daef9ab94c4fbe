"""Handing customers over from one of the staff to another; a customer may refuse within a day."""

from campaigns.channels.wechat.stub import staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, action, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

OK = {"errcode": 0, "errmsg": "ok"}
AT_ONCE, CUSTOMERS = 100, 100
MOVED, WAITING, REFUSED_BY_CUSTOMER, LIMIT = 1, 2, 3, 4
AFTER = 86400


def transfers(app: Account) -> Json:
    return app.topic("transfers")


@route("/cgi-bin/externalcontact/transfer_customer", WECOM)
def transfer(call: Call) -> Json:
    """Ask customers to move; they have a day to refuse."""
    return _asked(call, resigned=False)


@route("/cgi-bin/externalcontact/resigned/transfer_customer", WECOM)
def transfer_resigned(call: Call) -> Json:
    return _asked(call, resigned=True)


def _asked(call: Call, *, resigned: bool) -> Json:
    old, new = str(call.need("handover_userid")), staff.member(call.app, call.need("takeover_userid"))["userid"]
    known = staff.staff(call.app).get(old)
    if known is None:
        raise Refused(60111)
    if known["active"] == resigned or old == new:
        raise Refused(40097 if old == new else 40058, "handover_userid")
    customers = call.need("external_userid")
    if not 1 <= len(customers) <= CUSTOMERS:
        raise Refused(40058, "external_userid")
    return {**OK, "customer": [{"external_userid": who, "errcode": _begun(call, old, new, who)} for who in customers]}


def _begun(call: Call, old: str, new: str, who: str) -> int:
    relation = staff.relations(call.app).get(f"{old}|{who}")
    if relation is None or relation["ended"]:
        return 84061
    key = f"{old}|{new}|{who}"
    if transfers(call.app).get(key, {}).get("status") == WAITING:
        return 40130
    transfers(call.app)[key] = {"status": WAITING, "at": 0, "old": old, "new": new, "who": who}
    call.world.later(call.now + AFTER, "handover.moved", appid=call.app.appid, key=key)
    return 0


@action("handover.moved")
def moved(world: World, at: float, appid: str, key: str) -> None:
    app = world.account(appid)
    one = transfers(app)[key]
    if one["status"] != WAITING:
        return
    one |= {"status": MOVED, "at": int(at)}
    before = staff.relations(app)[f"{one['old']}|{one['who']}"]
    if before["ended"]:
        one["status"] = LIMIT
        return
    kept = {name: before[name] for name in ("remark", "description", "tags", "state", "remark_mobiles")}
    staff.end(world, app, one["old"], one["who"], "transfer", at)
    staff.befriend(world, app, one["new"], one["who"], **kept, add_way=202, createtime=int(at))
    about = {"UserID": one["new"], "ExternalUserID": one["who"]}
    world.push(app, staff.event(app, at, "add_external_contact", **about))


@control("POST", "wecom/refuse_transfer")
def refuse(world: World, asked: Json) -> Json:
    """Let a customer refuse: `{appid, handover_userid, takeover_userid, external_userid}`."""
    app = staff.corp(world, asked["appid"])
    key = f"{asked['handover_userid']}|{asked['takeover_userid']}|{asked['external_userid']}"
    must(transfers(app).get(key, {}).get("status") == WAITING, "no transfer waits for this customer")
    transfers(app)[key]["status"] = REFUSED_BY_CUSTOMER
    about = {"FailReason": "customer_refused", "UserID": asked["takeover_userid"]}
    told = staff.event(app, world.clock.now(), "transfer_fail", **about, ExternalUserID=asked["external_userid"])
    world.push(app, told)
    return {"message": told}


@route("/cgi-bin/externalcontact/transfer_result", WECOM)
@route("/cgi-bin/externalcontact/resigned/transfer_result", WECOM)
def result(call: Call) -> Json:
    old, new = call.need("handover_userid"), call.need("takeover_userid")
    found = (
        (key, {"external_userid": one["who"], "status": one["status"], "takeover_time": one["at"]})
        for key, one in transfers(call.app).items()
        if (one["old"], one["new"]) == (old, new)
    )
    page, following = cut(call, found, most=1000, usual=1000)
    return {**OK, "customer": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/get_unassigned_list", WECOM)
def unassigned(call: Call) -> Json:
    """List the customers of staff who left."""
    gone = {one["userid"] for one in staff.staff(call.app).values() if not one["active"]}
    found = (
        (f"{one['userid']}|{one['external_userid']}", one) for one in staff.friends(call.app) if one["userid"] in gone
    )
    page, following = cut(call, found, most=1000, usual=1000)
    left = {userid: one.get("left_at") or int(call.now) for userid, one in staff.staff(call.app).items()}
    info = [
        {
            "handover_userid": one["userid"],
            "external_userid": one["external_userid"],
            "dimission_time": left[one["userid"]],
        }
        for one in page
    ]
    return {**OK, "info": info, "is_last": not following, "next_cursor": following}
