"""Mass sends: who gets one, what is known again, what is left of the day and the month, and the counts at the end."""

import hashlib
from collections.abc import Iterable

from campaigns.channels.wechat.stub import articles, service, tags, words
from campaigns.channels.wechat.stub.clock import day, month
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.people import message
from campaigns.channels.wechat.stub.routing import OA, SERVICE, Call, Json, action, route
from campaigns.channels.wechat.stub.world import Account, Delivery, Follower, World

FEWEST, MOST = 2, 10_000
A_PERSON_A_MONTH = 4
KNOWN_FOR, AGAIN_AFTER, ID_BYTES = 86400, 60, 64
ADMIN_WAITS = 1800
MINUTE = 60
ADMIN = "oAdminOfTheAccount0000000000"


@route("/cgi-bin/message/mass/sendall", OA, verified=True, escapes="text")
def to_all(call: Call) -> Json:
    """Send to everybody, or to all with a tag."""
    text = words.of_message(call, words.MASS)
    asked = call.need("filter")
    followers = [one for one in call.app.followers.values() if one.subscribed]
    everybody = bool(asked.get("is_to_all"))
    if not everybody:
        tag_id = tags.known(call.app, asked.get("tag_id"))
        followers = [one for one in followers if tag_id in one.tags]
    audience = f"{everybody}|{asked.get('tag_id')}"
    return _submitted(call, followers, audience, text, admin=call.app.admin_confirms if everybody else "yes")


@route("/cgi-bin/message/mass/send", SERVICE, verified=True, escapes="text")
def to_list(call: Call) -> Json:
    """Send to the openids named."""
    text = words.of_message(call, words.MASS)
    openids = call.need("touser")
    if not isinstance(openids, list) or len(openids) < FEWEST:
        raise Refused(40130)
    if len(openids) > MOST:
        raise Refused(40032)
    followers = [service.known(call.app, openid) for openid in dict.fromkeys(openids)]
    return _submitted(call, followers, "|".join(openids), text, admin="yes")


def _submitted(call: Call, followers: list[Follower], audience: str, text: str, *, admin: str) -> Json:
    client_id = str(call.body.get("clientmsgid") or "")
    if len(client_id.encode()) > ID_BYTES:
        raise Refused(45067)
    told = f"{audience}|{call.body['msgtype']}|{call.body[call.body['msgtype']]}"
    key = client_id or hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    _refuse_known(call, key)
    _spend(call)
    world = call.world
    msg_id, data_id = world.message_id(), 2_650_000_000 + world.number()
    job = {
        "status": "SENDING",
        "data_id": data_id,
        "at": call.now,
        "openids": [one.openid for one in followers],
        "text": text,
        "client_id": client_id,
        "admin": admin,
        "msgtype": call.body["msgtype"],
        "media_id": call.body[call.body["msgtype"]].get("media_id", ""),
    }
    call.app.topic("mass")[str(msg_id)] = job
    call.app.topic("mass_ids")[key] = [call.now, call.now, msg_id]
    wait = ADMIN_WAITS if admin == "silent" else world.pause("mass", msg_id)
    world.later(call.now + wait, "mass.ended", appid=call.app.appid, msg_id=msg_id)
    return {"errcode": 0, "errmsg": "send job submission success", "msg_id": msg_id, "msg_data_id": data_id}


def _refuse_known(call: Call, key: str) -> None:
    """Refuse what was sent within a day: at once after it without, later with the message it was."""
    kept: dict[str, list[float]] = call.app.topic("mass_ids")
    for old in [name for name, (first, _, _) in kept.items() if first <= call.now - KNOWN_FOR]:
        del kept[old]
    if key not in kept:
        return
    _, last, msg_id = kept[key]
    kept[key][1] = call.now
    if call.now - last < AGAIN_AFTER:
        raise Refused(45066)
    raise Refused(45065, msg_id=int(msg_id))


def _spend(call: Call) -> None:
    app, kept = call.app, call.app.topic("mass_used")
    today, this_month, minute = day(call.now), month(call.now), int(call.now // MINUTE)
    used = {name: kept.get(name, ["", 0]) for name in ("day", "month", "minute")}
    periods = {"day": (today, app.mass_per_day), "month": (this_month, app.mass_per_month), "minute": (minute, 60)}
    counts = {name: used[name][1] if used[name][0] == now else 0 for name, (now, _) in periods.items()}
    if counts["minute"] >= MINUTE:
        raise Refused(45011)
    if any(most is not None and counts[name] >= most for name, (_, most) in periods.items()):
        raise Refused(45028)
    kept |= {name: [now, counts[name] + 1] for name, (now, _) in periods.items()}


@action("mass.ended")
def ended(world: World, at: float, appid: str, msg_id: int) -> None:
    """Deliver, or fail, and tell the counts; who got what is told to nobody."""
    app = world.account(appid)
    job = app.topic("mass")[str(msg_id)]
    if job["status"] != "SENDING":
        return
    followers = [app.followers[openid] for openid in job.pop("openids")]
    status = _verdict(world, job, msg_id)
    allowed = [one for one in followers if _may_receive(app, one, at)] if status == "send success" else []
    errors = sum(not _delivered(world, app, job, msg_id, one, at) for one in allowed)
    job["status"] = "SEND_SUCCESS" if status == "send success" else "SEND_FAIL"
    counts = {
        "TotalCount": len(followers),
        "FilterCount": len(allowed),
        "SentCount": len(allowed) - errors,
        "ErrorCount": errors,
    }
    job["counts"] = counts
    about = {"Event": "MASSSENDJOBFINISH", "MsgID": msg_id, "Status": status, **counts, **_articles(app, job)}
    world.push(app, message(app, ADMIN, at, "event", **about))


def _verdict(world: World, job: Json, msg_id: int) -> str:
    if job["admin"] != "yes":
        return "err(40001)" if job["admin"] == "refuse" else "err(40002)"
    if code := int(world.outcomes["mass_err_code"]):
        return f"err({code})"
    return "send fail" if world.chance("mass", msg_id) < world.outcomes["mass_fail"] else "send success"


def _may_receive(app: Account, follower: Follower, at: float) -> bool:
    """Say whether a follower is still there, listens, and has had fewer than four this month."""
    if not (follower.subscribed and follower.receiving) or follower.blacklisted:
        return False
    if follower.mass[0] != month(at):
        follower.mass = [month(at), 0]
    return app.kind != "oa_service" or follower.mass[1] < A_PERSON_A_MONTH


def _delivered(world: World, app: Account, job: Json, msg_id: int, follower: Follower, at: float) -> bool:
    good = world.chance("mass", msg_id, follower.openid) >= world.outcomes["mass_error"]
    follower.mass[1] += good
    about = str(job["data_id"])
    status = "success" if good else "error"
    world.deliver(
        Delivery(at, app.appid, follower.openid, "mass", msg_id, about, job["client_id"], status, job["text"])
    )
    return good


def _articles(app: Account, job: Json) -> Json:
    """Tell of the articles sent: their originality and their addresses."""
    kept = articles.drafts(app).get(job["media_id"])
    if job["msgtype"] != "mpnews" or kept is None:
        return {}
    indexes = range(1, len(kept["articles"]) + 1)
    checks = [{"ArticleIdx": n, "UserDeclareState": 0, "AuditState": 2, "CanReprint": 0} for n in indexes]
    urls = [{"ArticleIdx": n, "ArticleUrl": articles.url_of(str(job["data_id"]), n)} for n in indexes]
    job["articles"] = kept["articles"]
    return {
        "CopyrightCheckResult": {"Count": len(checks), "ResultList": {"item": checks}, "CheckState": 2},
        "ArticleUrlResult": {"Count": len(urls), "ResultList": {"item": urls}},
    }


@route("/cgi-bin/message/mass/get", OA, verified=True)
def state(call: Call) -> Json:
    msg_id = call.need("msg_id")
    return {"msg_id": msg_id, "msg_status": _job(call, msg_id)["status"]}


def _job(call: Call, msg_id: object) -> Json:
    job: Json | None = call.app.topic("mass").get(str(msg_id))
    if job is None:
        raise Refused(40059)
    return job


@route("/cgi-bin/message/mass/delete", OA, verified=True)
def remove(call: Call) -> Json:
    job = _job(call, call.need("msg_id"))
    if job["msgtype"] not in {"mpnews", "mpvideo"} or call.now - job["at"] > 30 * 86400:
        raise Refused(40059)
    job["status"] = "DELETE"
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/message/mass/preview", OA, verified=True, escapes="text")
def preview(call: Call) -> Json:
    text = words.of_message(call, words.MASS)
    if not call.body.get("towxname"):
        follower = service.receiving(call.app, call.need("touser"))
        msg_id = call.world.message_id()
        call.world.deliver(
            Delivery(call.now, call.app.appid, follower.openid, "preview", msg_id, "", "", "success", text)
        )
    return {"errcode": 0, "errmsg": "preview success", "msg_id": call.world.message_id()}


SPEEDS = (80, 60, 45, 30, 10)  # ten thousand a minute


@route("/cgi-bin/message/mass/speed/get", OA, verified=True)
def speed(call: Call) -> Json:
    level = call.app.topic("mass_speed").get("level", 0)
    return {"speed": level, "realspeed": SPEEDS[level]}


@route("/cgi-bin/message/mass/speed/set", OA, verified=True)
def set_speed(call: Call) -> Json:
    level = call.need("speed")
    if level not in range(len(SPEEDS)):
        raise Refused(45083)
    call.app.topic("mass_speed")["level"] = level
    return {"errcode": 0, "errmsg": "ok"}


def finished(app: Account) -> Iterable[Json]:
    """Give the mass sends that reached people, for the statistics."""
    return (job for job in app.topic("mass").values() if job["status"] == "SEND_SUCCESS")
