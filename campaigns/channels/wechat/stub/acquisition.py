"""Acquisition links of a corp (获客助手): each customer who comes by one is paid for, until nothing is left."""

from campaigns.channels.wechat.stub import staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

OK = {"errcode": 0, "errmsg": "ok"}
BASE = "/cgi-bin/externalcontact/customer_acquisition"
BOUGHT, STAFF = 1000, 500


def links(app: Account) -> Json:
    return app.topic("acquisition_links")


def _quota(app: Account) -> Json:
    kept: Json = app.topic("acquisition_quota")
    kept.setdefault("total", BOUGHT)
    kept.setdefault("balance", kept["total"])
    return kept


@route(f"{BASE}/create_link", WECOM)
def create(call: Call) -> Json:
    name, users = str(call.need("link_name")), call.need("range").get("user_list") or []
    if not name or len(name) > 30 or not 1 <= len(users) <= STAFF:
        raise Refused(40058, "link_name or range")
    for userid in users:
        staff.member(call.app, userid)
    return {**OK, "link": _made(call.world, call.app, name, users, int(call.now))}


def _made(world: World, app: Account, name: str, users: list[str], now: int) -> Json:
    link_id = "cawcde" + world.name("link", app.appid, world.number(), size=12)
    made: Json = {"link_id": link_id, "link_name": name, "url": f"https://work.weixin.qq.com/ca/{link_id}"}
    links(app)[link_id] = {**made, "create_time": now, "users": users, "came": {}}
    return {**made, "create_time": now}


@control("POST", "wecom/links")
def in_the_console(world: World, asked: Json) -> Json:
    """Make a link in the corp's console: `{appid, name, userid}`."""
    app = staff.corp(world, asked["appid"])
    return _made(world, app, str(asked["name"]), [str(asked["userid"])], int(world.clock.now()))


def _link(call: Call) -> Json:
    found: Json | None = links(call.app).get(str(call.need("link_id")))
    if found is None:
        raise Refused(40058, "link_id")
    return found


@route(f"{BASE}/list_link", WECOM)
def listed(call: Call) -> Json:
    page, following = cut(call, ((name, name) for name in links(call.app)), most=100, usual=100)
    return {**OK, "link_id_list": page, "next_cursor": following}


@route(f"{BASE}/get", WECOM)
def shown(call: Call) -> Json:
    one = _link(call)
    about = {name: one[name] for name in ("link_name", "url", "create_time")}
    return {**OK, "link": {**about, "skip_verify": True}, "range": {"user_list": one["users"], "department_list": []}}


@route(f"{BASE}/delete_link", WECOM)
def remove(call: Call) -> Json:
    del links(call.app)[_link(call)["link_id"]]
    return OK


@route(f"{BASE}/customer", WECOM)
def customers(call: Call) -> Json:
    page, following = cut(call, _link(call)["came"].items(), most=1000, usual=100)
    return {**OK, "customer_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/customer_acquisition_quota", WECOM, method="GET")
def quota(call: Call) -> Json:
    kept = _quota(call.app)
    ends = [{"expire_date": int(call.now) + 30 * 86400, "balance": kept["balance"]}]
    return {**OK, "total": kept["total"], "balance": kept["balance"], "quota_list": ends}


@control("POST", "wecom/acquired")
def acquired(world: World, asked: Json) -> Json:
    """Let a person come by a link: `{appid, url, person, writes?}`; `customer_channel` of the address comes back."""
    app = staff.corp(world, asked["appid"])
    address, _, mark = str(asked["url"]).partition("?customer_channel=")
    one = next((link for link in links(app).values() if link["url"] == address), None)
    must(one is not None and _quota(app)["balance"] > 0, "no such link, or nothing left of the quota")
    assert one is not None  # noqa: S101 (must)
    _quota(app)["balance"] -= 1
    told: Json = staff.friend(
        world, {"appid": asked["appid"], "userid": one["users"][0], "person": asked["person"], "state": mark}
    )
    who = told["external_userid"]
    facts = {"external_userid": who, "userid": one["users"][0], "chat_status": int(bool(asked.get("writes")))}
    one["came"][who] = {**facts, "state": mark}
    return told
