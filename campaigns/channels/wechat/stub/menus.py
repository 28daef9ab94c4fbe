"""The menu below an account's conversation."""

from typing import Any

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import OA, Call, Json, route

BUTTONS, SUBS, NAME_BYTES, SUB_NAME_BYTES, KEY_BYTES, URL_BYTES = 3, 5, 16, 60, 128, 1024
NEEDS = {  # what a button of each type must carry
    "click": "key",
    "view": "url",
    "scancode_push": "key",
    "scancode_waitmsg": "key",
    "pic_sysphoto": "key",
    "pic_photo_or_album": "key",
    "pic_weixin": "key",
    "location_select": "key",
    "media_id": "media_id",
    "article_id": "article_id",
    "article_view_limited": "article_id",
    "miniprogram": "pagepath",
}


def _check(buttons: Any) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS:
        raise Refused(40016)
    for button in buttons:
        subs = button.get("sub_button") or []
        _check_name(button, NAME_BYTES, 40018)
        if len(subs) > SUBS:
            raise Refused(40023)
        for one in subs:
            _check_name(one, SUB_NAME_BYTES, 40025)
        for one in subs or [button]:
            _check_button(one)


def _check_name(button: Json, most: int, code: int) -> None:
    if not 1 <= len(str(button.get("name") or "").encode()) <= most:
        raise Refused(code)


def _check_button(button: Json) -> None:
    needed = NEEDS.get(str(button.get("type")))
    if needed is None:
        raise Refused(40017)
    value = str(button.get(needed) or "").encode()
    if needed == "url" and not (value.startswith((b"http://", b"https://")) and len(value) <= URL_BYTES):
        raise Refused(40020 if len(value) > URL_BYTES else 40055)
    if not value or (needed == "key" and len(value) > KEY_BYTES):
        raise Refused(40019)


@route("/cgi-bin/menu/create", OA, verified=True, escapes="no")
def create(call: Call) -> Json:
    _check(call.body.get("button"))
    call.app.topic("menu")["button"] = call.body["button"]
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/menu/get", OA, method="GET", verified=True)
def shown(call: Call) -> Json:
    kept = call.app.topic("menu")
    if "button" not in kept:
        raise Refused(46003)
    own = {"menu": {"button": kept["button"], "menuid": 1}}
    return {**own, "conditionalmenu": list(kept["conditional"].values())} if kept.get("conditional") else own


@route("/cgi-bin/menu/delete", OA, method="GET", verified=True)
def remove(call: Call) -> Json:
    call.app.topic("menu").clear()
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/menu/addconditional", OA, verified=True, escapes="no")
def add_conditional(call: Call) -> Json:
    _check(call.body.get("button"))
    call.need("matchrule", "tag_id")
    menuid = call.world.number()
    told = {"button": call.body["button"], "matchrule": call.body["matchrule"], "menuid": menuid}
    call.app.topic("menu").setdefault("conditional", {})[str(menuid)] = told
    return {"menuid": str(menuid)}


@route("/cgi-bin/menu/delconditional", OA, verified=True)
def remove_conditional(call: Call) -> Json:
    if call.app.topic("menu").get("conditional", {}).pop(str(call.need("menuid")), None) is None:
        raise Refused(65301)
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/get_current_selfmenu_info", OA, method="GET")
def current(call: Call) -> Json:
    kept = call.app.topic("menu").get("button")
    return {"is_menu_open": 1 if kept else 0, "selfmenu_info": {"button": kept or []}}
