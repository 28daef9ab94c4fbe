"""Group sends of a corp: a task for the staff, who confirm it or do not; a customer gets one a day."""

from collections.abc import Iterable

from campaigns.channels.wechat.stub import arrivals, staff
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, action, control, must, route
from campaigns.channels.wechat.stub.world import Account, Delivery, World

CUSTOMERS, CHATS, REMINDERS, LIST_SPAN = 10_000, 2000, 3, 31 * 86400
UNSENT, SENT, NO_FRIEND, HAD_ONE = 0, 1, 2, 3
WAITS, DONE = 0, 2
A_DAY = 1
OK = {"errcode": 0, "errmsg": "ok"}


def tasks(app: Account) -> Json:
    return app.topic("group_sends")


@route("/cgi-bin/externalcontact/add_msg_template", WECOM)
def add(call: Call) -> Json:
    """Make a task for the staff; nothing is sent by this."""
    text, chat_type = arrivals.content(call), call.body.get("chat_type", "single")
    if chat_type not in {"single", "group"}:
        raise Refused(40058, "chat_type")
    given, failed = _of_customers(call) if chat_type == "single" else _of_chats(call)
    if not any(given.values()):
        raise Refused(81013)
    msgid = "msg" + call.world.name("task", call.app.appid, call.world.number(), size=30)
    tasks(call.app)[msgid] = {
        "msgid": msgid,
        "chat_type": chat_type,
        "create_time": int(call.now),
        "text": text,
        "said": {name: call.body[name] for name in ("text", "attachments") if call.body.get(name)},
        "given": given,
        "staff": {userid: [WAITS, 0] for userid in given},
        "results": {},
        "reminded": [],
        "cancelled": False,
        "ignored": [],
    }
    _plan(call, msgid, given)
    return {**OK, "fail_list": failed, "msgid": msgid}


def _plan(call: Call, msgid: str, given: Iterable[str]) -> None:
    """Let those of the staff who act by themselves confirm later, or never."""
    for userid in given:
        wait = staff.staff(call.app)[userid]["confirms"]
        if wait and call.world.chance("confirms", msgid, userid) < call.world.outcomes["staff_confirms"]:
            due = call.now + wait[0] + (wait[1] - wait[0]) * call.world.chance("confirm wait", msgid, userid)
            call.world.later(due, "group_send.confirm", appid=call.app.appid, msgid=msgid, userid=userid)


def _of_customers(call: Call) -> tuple[dict[str, list[str]], list[str]]:
    """Give each customer to one of the staff, and list those who cannot be reached."""
    asked, sender = call.body.get("external_userid") or [], str(call.body.get("sender") or "")
    if not asked and not sender:
        raise Refused(40058, "external_userid and sender are empty")
    if len(asked) > CUSTOMERS:
        raise Refused(40058, "external_userid")
    if sender:
        staff.member(call.app, sender)
    serving: dict[str, list[str]] = {}
    for one in staff.friends(call.app, sender):
        if _tagged(call, one):
            serving.setdefault(one["external_userid"], []).append(one["userid"])
    wanted = list(dict.fromkeys(asked)) or list(serving)
    given: dict[str, list[str]] = {}
    for who in wanted:
        if who in serving and not _had_one(call.app, who, call.now):
            given.setdefault(serving[who][-1], []).append(who)
    reached = {who for several in given.values() for who in several}
    return given, [who for who in wanted if who not in reached]


def _tagged(call: Call, relation: Json) -> bool:
    """Say whether a customer has one tag of each list that the filter names."""
    lists = (call.body.get("tag_filter") or {}).get("group_list") or []
    return all(set(one.get("tag_list") or []) & set(relation["tags"]) for one in lists)


def _of_chats(call: Call) -> tuple[dict[str, list[str]], list[str]]:
    sender = staff.member(call.app, call.need("sender"))["userid"]
    asked = call.body.get("chat_id_list") or []
    if len(asked) > CHATS:
        raise Refused(40058, "chat_id_list")
    own = [name for name, chat in call.app.topic("chats").items() if chat["owner"] == sender and not chat["dismissed"]]
    wanted = asked or own
    return {sender: [name for name in wanted if name in own]}, [name for name in wanted if name not in own]


def _had_one(app: Account, who: str, now: float) -> bool:
    when, count = app.topic("group_send_days").get(who, [0, 0])
    return bool(when == day(now) and count >= A_DAY)


@action("group_send.confirm")
def confirm(world: World, at: float, appid: str, msgid: str, userid: str) -> None:
    """Let one of the staff confirm; what becomes of each customer is decided now."""
    app = world.account(appid)
    task = tasks(app)[msgid]
    if task["cancelled"] or task["staff"][userid][0] == DONE or userid in task["ignored"]:
        return
    task["staff"][userid] = [DONE, int(at)]
    for who in task["given"][userid]:
        status = _reaches(app, task, userid, who, at)
        task["results"][f"{userid}|{who}"] = [status, int(at) if status == SENT else 0]
        if status == SENT:
            app.topic("group_send_days")[who] = [day(at), 1]
            number = world.message_id()
            world.deliver(Delivery(at, appid, who, "staff_task", number, msgid, userid, "success", task["text"]))


def _reaches(app: Account, task: Json, userid: str, who: str, at: float) -> int:
    if task["chat_type"] == "single":
        relation = staff.relations(app).get(f"{userid}|{who}")
        if relation is None or relation["ended"]:
            return NO_FRIEND
    return HAD_ONE if _had_one(app, who, at) else SENT


@control("POST", "wecom/confirm")
def confirm_now(world: World, asked: Json) -> Json:
    """Let the staff confirm: `{appid, msgid?, userid?}`; all that wait, where one is not said."""
    app = staff.corp(world, asked["appid"])
    must(not asked.get("msgid") or asked["msgid"] in tasks(app), "no such task")
    done = _waiting(app, asked)
    for msgid, userid in done:
        confirm(world, world.clock.now(), app.appid, msgid, userid)
    return {"confirmed": done}


def _waiting(app: Account, asked: Json) -> list[list[str]]:
    return [
        [task["msgid"], userid]
        for task in tasks(app).values()
        if asked.get("msgid") in (None, task["msgid"]) and not task["cancelled"]
        for userid, (status, _) in task["staff"].items()
        if asked.get("userid") in (None, userid) and status == WAITS and userid not in task["ignored"]
    ]


@control("POST", "wecom/ignore")
def ignore(world: World, asked: Json) -> Json:
    """Let the staff never confirm, also those who would by themselves: `{appid, msgid?, userid?}`."""
    app = staff.corp(world, asked["appid"])
    done = _waiting(app, asked)
    for msgid, userid in done:
        tasks(app)[msgid]["ignored"].append(userid)
    return {"ignored": done}


@control("GET", "wecom/tasks")
def shown(world: World, asked: Json) -> Json:
    """Show the tasks as they are: `?appid=`."""
    return {"tasks": list(tasks(staff.corp(world, asked["appid"])).values())}


def _task(call: Call) -> Json:
    task: Json | None = tasks(call.app).get(str(call.need("msgid")))
    if task is None:
        raise Refused(41093)
    return task


@route("/cgi-bin/externalcontact/get_groupmsg_list_v2", WECOM)
def listed(call: Call) -> Json:
    begin, until, chat_type = int(call.need("start_time")), int(call.need("end_time")), call.need("chat_type")
    if not 0 <= until - begin <= LIST_SPAN:
        raise Refused(40058, "start_time and end_time")
    found = (
        (f"{task['create_time']}|{msgid}", _listed(task))
        for msgid, task in tasks(call.app).items()
        if begin <= task["create_time"] <= until and task["chat_type"] == chat_type
    )
    page, following = cut(call, found, most=100, usual=50)
    return {**OK, "group_msg_list": page, "next_cursor": following}


def _listed(task: Json) -> Json:
    told = {"msgid": task["msgid"], "create_time": task["create_time"], "create_type": 0}
    return {**told, **task["said"]}


@route("/cgi-bin/externalcontact/get_groupmsg_task", WECOM)
def progress(call: Call) -> Json:
    found = (
        (userid, {"userid": userid, "status": status, **({"send_time": at} if at else {})})
        for userid, (status, at) in _task(call)["staff"].items()
    )
    page, following = cut(call, found, most=1000, usual=500)
    return {**OK, "task_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/get_groupmsg_send_result", WECOM)
def results(call: Call) -> Json:
    """List what became of each customer of one of the staff; of chats only those that got it."""
    task, userid = _task(call), str(call.need("userid"))
    single = task["chat_type"] == "single"
    name = "external_userid" if single else "chat_id"
    found = []
    for who in task["given"].get(userid, []):
        status, at = task["results"].get(f"{userid}|{who}", [UNSENT, 0])
        if single or status == SENT:
            found.append((who, {name: who, "userid": userid, "status": status, **({"send_time": at} if at else {})}))
    page, following = cut(call, found, most=1000, usual=500)
    return {**OK, "send_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/remind_groupmsg_send", WECOM)
def remind(call: Call) -> Json:
    task = _task(call)
    task["reminded"] = [at for at in task["reminded"] if at > call.now - 86400]
    if len(task["reminded"]) >= REMINDERS:
        raise Refused(45009)
    task["reminded"].append(call.now)
    return OK


@route("/cgi-bin/externalcontact/cancel_groupmsg_send", WECOM)
def cancel(call: Call) -> Json:
    _task(call)["cancelled"] = True
    return OK
