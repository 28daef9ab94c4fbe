"""Articles: drafts, what the platform strips from them, and their publishing, which ends later."""

import re

from campaigns.channels.wechat.stub import material
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.people import message
from campaigns.channels.wechat.stub.routing import OA, Call, Json, action, route
from campaigns.channels.wechat.stub.world import Account, World

LENGTHS = {"title": (32, 45003), "author": (16, 45110), "digest": (128, 45004)}
CONTENT_CHARACTERS, CONTENT_BYTES, MOST_ARTICLES = 20_000, 1 << 20, 8
_SCRIPT = re.compile(r"<script\b.*?</script\s*>|\son\w+\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE | re.DOTALL)
_IMAGE = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*[\"']?([^\"'\s>]+)[^>]*>", re.IGNORECASE)
PUBLISHED, RUNNING, ORIGINAL_FAILED, FAILED, REFUSED, DELETED = 0, 1, 2, 3, 4, 5


def stripped(content: str) -> str:
    """Take out scripts, and pictures that were not uploaded."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if re.match(r"https?://mmbiz\.q(pic|logo)\.cn/", found[1]) else ""

    return _IMAGE.sub(kept, _SCRIPT.sub("", content))


def _checked(call: Call, article: Json) -> Json:
    if not article.get("title"):
        raise Refused(40035, "title is missing")
    for name, (most, code) in LENGTHS.items():
        if len(str(article.get(name) or "")) > most:
            raise Refused(code)
    content = str(article.get("content") or "")
    if not content:
        raise Refused(44004)
    if len(content) >= CONTENT_CHARACTERS or len(content.encode()) >= CONTENT_BYTES:
        raise Refused(45002)
    _check_pictures(call, article)
    return {**article, "content": stripped(content)}


def _check_pictures(call: Call, article: Json) -> None:
    """Refuse an article whose pictures are not kept for ever."""
    if article.get("article_type") == "newspic":
        pictures = [one.get("image_media_id") for one in (article.get("image_info") or {}).get("image_list", [])]
        if not pictures:
            raise Refused(40007)
    else:
        pictures = [article.get("thumb_media_id")]
    for one in pictures:
        if material.good(call.app, one, call.now)["expires"]:
            raise Refused(40007)


@route("/cgi-bin/draft/add", OA, capability="draft")
def add(call: Call) -> Json:
    articles = call.need("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= MOST_ARTICLES:
        raise Refused(44003 if not articles else 45008)
    checked = [_checked(call, one) for one in articles]
    media_id = material.keep(call, "news", checked[0]["title"])
    drafts(call.app)[media_id] = {"articles": checked, "at": int(call.now)}
    return {"media_id": media_id}


def drafts(app: Account) -> Json:
    return app.topic("drafts")


def _draft(call: Call) -> Json:
    kept: Json | None = drafts(call.app).get(str(call.need("media_id")))
    if kept is None:
        raise Refused(40007)
    return kept


@route("/cgi-bin/draft/get", OA, capability="draft")
def shown(call: Call) -> Json:
    kept = _draft(call)
    return {"news_item": kept["articles"], "create_time": kept["at"], "update_time": kept["at"]}


@route("/cgi-bin/draft/update", OA, capability="draft")
def change(call: Call) -> Json:
    kept, index = _draft(call), int(call.body.get("index") or 0)
    if not 0 <= index < len(kept["articles"]):
        raise Refused(40114)
    kept["articles"][index] = _checked(call, call.need("articles"))
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/draft/delete", OA, capability="draft")
def remove(call: Call) -> Json:
    _draft(call)
    _forget(call.app, call.body["media_id"])
    return {"errcode": 0, "errmsg": "ok"}


def _forget(app: Account, media_id: str) -> None:
    drafts(app).pop(media_id, None)
    material.all_of(app).pop(media_id, None)


@route("/cgi-bin/draft/count", OA, method="GET", capability="draft")
def counted(call: Call) -> Json:
    return {"total_count": len(drafts(call.app))}


@route("/cgi-bin/draft/batchget", OA, capability="draft")
def listed(call: Call) -> Json:
    begin, count = int(call.need("offset")), int(call.need("count"))
    if not 1 <= count <= 20:
        raise Refused(40035)
    bare = call.body.get("no_content") == 1
    items = [
        {
            "media_id": media_id,
            "content": {"news_item": [{**one, "content": ""} if bare else one for one in kept["articles"]]},
            "update_time": kept["at"],
        }
        for media_id, kept in list(drafts(call.app).items())[::-1][begin : begin + count]
    ]
    return {"total_count": len(drafts(call.app)), "item_count": len(items), "item": items}


@route("/cgi-bin/draft/switch", OA, capability="draft")
def switched(call: Call) -> Json:
    return {"errcode": 0, "errmsg": "ok", "is_open": 1}


def url_of(article_id: str, index: int) -> str:
    return f"http://mp.weixin.qq.com/s?__biz=stub&mid={article_id[:10]}&idx={index}"


@route("/cgi-bin/freepublish/submit", OA, capability="publish")
def submit(call: Call) -> Json:
    """Accept a draft for publishing; how it ended is told later."""
    kept = _draft(call)
    publish_id, data_id = str(2_247_483_000 + call.world.number()), 100_000_000 + call.world.number()
    job = {"media_id": call.body["media_id"], "articles": kept["articles"], "status": RUNNING, "article_id": ""}
    call.app.topic("publishing")[publish_id] = {**job, "data_id": data_id, "at": call.now}
    due = call.now + call.world.pause("publish", publish_id)
    call.world.later(due, "articles.published", appid=call.app.appid, publish_id=publish_id)
    return {"errcode": 0, "errmsg": "ok", "publish_id": publish_id, "msg_data_id": data_id}


@action("articles.published")
def published(world: World, at: float, appid: str, publish_id: str) -> None:
    app = world.account(appid)
    job = app.topic("publishing")[publish_id]
    failed = world.chance("publish", publish_id) < world.outcomes["publish_fail"]
    job["status"] = FAILED if failed else PUBLISHED
    if not failed:
        job["article_id"] = world.name("article", publish_id, size=64)
        _forget(app, job["media_id"])
        app.topic("published")[job["article_id"]] = {**job, "at": at}
    event = message(app, app.gh_id, at, "event", Event="PUBLISHJOBFINISH", PublishEventInfo=_told(publish_id, job))
    world.push(app, event)


def _told(publish_id: str, job: Json) -> Json:
    told: Json = {"publish_id": publish_id, "publish_status": job["status"]}
    if job["status"] == PUBLISHED:
        items = [{"idx": n, "article_url": url_of(job["article_id"], n)} for n in range(1, len(job["articles"]) + 1)]
        told |= {"article_id": job["article_id"], "article_detail": {"count": len(items), "item": items}}
    elif job["status"] != RUNNING:
        told["fail_idx"] = [1]
    return told


@route("/cgi-bin/freepublish/get", OA, capability="publish")
def state(call: Call) -> Json:
    publish_id = str(call.need("publish_id"))
    job = call.app.topic("publishing").get(publish_id)
    if job is None:
        raise Refused(53502)
    return {"fail_idx": [], **_told(publish_id, job)}


def _article(call: Call) -> Json:
    kept: Json | None = call.app.topic("published").get(str(call.need("article_id")))
    if kept is None:
        raise Refused(53600)
    return kept


@route("/cgi-bin/freepublish/getarticle", OA, capability="publish")
def article(call: Call) -> Json:
    kept = _article(call)
    return {"news_item": kept["articles"], "create_time": int(kept["at"]), "update_time": int(kept["at"])}


@route("/cgi-bin/freepublish/delete", OA, capability="publish")
def unpublish(call: Call) -> Json:
    _article(call)
    call.app.topic("published").pop(call.body["article_id"])
    for job in call.app.topic("publishing").values():
        if job["article_id"] == call.body["article_id"]:
            job["status"] = DELETED
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/freepublish/batchget", OA, capability="publish")
def all_published(call: Call) -> Json:
    begin, count = int(call.need("offset")), int(call.need("count"))
    if not 1 <= count <= 20:
        raise Refused(40035)
    kept = list(call.app.topic("published").items())[::-1]
    items = [
        {"article_id": name, "content": {"news_item": one["articles"]}, "update_time": int(one["at"])}
        for name, one in kept[begin : begin + count]
    ]
    return {"total_count": len(kept), "item_count": len(items), "item": items}
