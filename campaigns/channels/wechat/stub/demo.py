"""A believable shop to try the product on: a service account, a mini program, a corp of three, and their people."""

import hashlib

from campaigns.channels.wechat.stub import contacts, control, people, staff, subscriptions, tags, templates
from campaigns.channels.wechat.stub.routing import Json, must
from campaigns.channels.wechat.stub.routing import control as order
from campaigns.channels.wechat.stub.world import Account, World

ACCOUNTS = {  # kind: appid, name
    "oa_service": ("wxdemo0000service", "云杉生活"),
    "mini": ("wxdemo000000mini", "云杉生活商城"),
    "wecom": ("wwdemo00000wecom", "云杉生活"),
}
STAFF = {"lin.yue": "林悦", "chen.hao": "陈浩", "zhao.min": "赵敏"}
TAGS = ("新客", "会员", "咖啡", "烘焙", "沉睡")
SCENES = ("ADD_SCENE_SEARCH", "ADD_SCENE_QR_CODE", "ADD_SCENE_PROFILE_CARD", "ADD_SCENE_PAID", "ADD_SCENE_WXA")
SHOPS = ("store-xuhui", "store-jingan", "store-pudong")
MOST, YEARS = 20_000, 2 * 365 * 86400
MINI_SHARE, CORP_SHARE, GONE, DEAF = 0.4, 0.15, 0.04, 0.02
PAGES = ["pages/index/index", "pages/product/product", "pages/coupon/coupon", "pages/order/order"]


@order("POST", "demo")
def furnish(world: World, asked: Json) -> Json:
    """Make the shop, once; `callbacks` are set each time."""
    followers = int(asked.get("followers", 3000))
    must(1 <= followers <= MOST, f"followers are 1 to {MOST}")
    new = ACCOUNTS["oa_service"][0] not in world.accounts
    callbacks = asked.get("callbacks") or {}
    made = [_account(world, kind, callbacks) for kind in ACCOUNTS]
    if new:
        service, mini, corp = (world.account(one["appid"]) for one in made)
        _words(world, service, mini)
        _staff(world, corp)
        _people(world, service, mini, corp, followers)
    return {"accounts": [control.shown(world.account(one["appid"])) for one in made]}


def _account(world: World, kind: str, callbacks: Json) -> Json:
    appid, name = ACCOUNTS[kind]
    asked: Json = {"appid": appid, **({"callback_url": callbacks[kind]} if kind in callbacks else {})}
    if appid not in world.accounts:
        secret = hashlib.sha256(f"secret of {appid}".encode()).hexdigest()[:32]
        asked |= {"kind": kind, "name": name, "secret": secret, "token": "token" + secret[:16]}
        asked |= {"aes_key": (secret + secret)[:42] + "E", **({"pages": PAGES} if kind == "mini" else {})}
    made: Json = control.make(world, asked)
    return made


def _words(world: World, service: Account, mini: Account) -> None:
    for number, (title, keys) in templates.LIBRARY.items():
        name = hashlib.sha256(number.encode()).hexdigest()[:43]
        templates.make(world, {"appid": service.appid, "title": title, "keys": keys, "template_id": name})
    keys = {"商品名称": "thing1", "到货时间": "time2", "备注": "thing3"}
    for app in (service, mini):
        name = hashlib.sha256(app.appid.encode()).hexdigest()[:43]
        subscriptions.make(world, {"appid": app.appid, "title": "到货提醒", "keys": keys, "template_id": name})
    for tag_id, tag in enumerate(TAGS, start=tags.FIRST_OWN):
        tags.named(service)[str(tag_id)] = tag
    service.topic("tag_counter")["last"] = tags.FIRST_OWN + len(TAGS) - 1


def _staff(world: World, corp: Account) -> None:
    for userid, name in STAFF.items():
        staff.make(world, {"appid": corp.appid, "userid": userid, "name": name, "confirms": [20, 600]})
    for group, names in {"客户等级": ("普通", "重要", "核心"), "偏好": ("咖啡", "茶", "烘焙")}.items():
        known = {hashlib.sha256(f"{group}{name}".encode()).hexdigest()[:32]: name for name in names}
        group_id = hashlib.sha256(group.encode()).hexdigest()[:32]
        about = {"group_id": group_id, "group_name": group, "create_time": int(world.clock.now()), "order": 0}
        contacts.groups(corp)[group_id] = {**about, "tags": known}


def _people(world: World, service: Account, mini: Account, corp: Account, count: int) -> None:
    """Let the same persons know the shop in several ways; most came lately."""
    now, userids = world.clock.now(), list(STAFF)
    tag_ids = list(contacts.tag_names(corp))
    for number in range(count):
        person = f"demo-{number:05d}"
        dice = [_dice(person, name) for name in ("when", "scene", "tag", "gone", "deaf", "mini", "corp", "who")]
        scene = SCENES[int(dice[1] * len(SCENES))]
        since = int(now - dice[0] ** 2 * YEARS)
        follower = people.join(world, service, person, subscribe_time=since, scene=scene)
        follower.qr_scene = SHOPS[int(dice[1] * 97) % 3] if scene == "ADD_SCENE_QR_CODE" else ""
        follower.tags = [tags.FIRST_OWN + int(dice[2] * 10)] if dice[2] < 0.5 else []
        follower.subscribed, follower.receiving = dice[3] >= GONE, dice[4] >= DEAF
        if dice[5] < MINI_SHARE:
            people.join(world, mini, person, subscribe_time=since)
        if dice[6] < CORP_SHARE:
            who = staff.customer(corp, person)["external_userid"]
            marks = [tag_ids[int(dice[2] * len(tag_ids))]]
            staff.befriend(world, corp, userids[int(dice[7] * 3)], who, createtime=since, tags=marks, add_way=1)


def _dice(person: str, about: str) -> float:
    return int.from_bytes(hashlib.blake2b(f"{person}|{about}".encode(), digest_size=6).digest(), "big") / 2**48
