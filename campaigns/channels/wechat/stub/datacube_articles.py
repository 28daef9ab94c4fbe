"""What the platform counts of articles: each followed for a month, and all together by the day.

Names that no public page gives, and that are taken from what others read of it: the figures of `getarticleread`,
`getarticleshare` and `getbizsummary` stand in `detail`, and ways of reading are `{user_count, scene_desc}` there.
"""

from collections.abc import Callable

from campaigns.channels.wechat.stub.articles import url_of
from campaigns.channels.wechat.stub.clock import date, day, day_number
from campaigns.channels.wechat.stub.datacube import late, span, statistic
from campaigns.channels.wechat.stub.mass import finished
from campaigns.channels.wechat.stub.routing import Call, Json
from campaigns.channels.wechat.stub.world import Account, World

TRACKED_DAYS = 30
FIRST_DAY = day_number("2025-11-01")


def articles(app: Account) -> list[Json]:
    """Give every article that was sent or published: its id, day, title and how many got it."""
    found = []
    for job in finished(app):
        for index, one in enumerate(job.get("articles", []), start=1):
            found.append(_article(f"{job['data_id']}_{index}", job["at"], one, 0, job["counts"]["SentCount"], index))
    for job in app.topic("published").values():
        for index, one in enumerate(job["articles"], start=1):
            found.append(_article(f"{job['data_id']}_{index}", job["at"], one, 1, 0, index))
    return found


def _article(msgid: str, at: float, article: Json, kind: int, sent: int, index: int) -> Json:
    url = url_of(msgid, index)
    return {"msgid": msgid, "day": day(at), "title": article["title"], "type": kind, "sent": sent, "url": url}


def readers(world: World, app: Account, article: Json, number: int) -> int:
    """Give how many had read an article by the end of a day: a curve that rises, steeply at first, and flattens."""
    age = number - article["day"]
    if age < 0:
        return 0
    share = 0.05 + 0.15 * world.chance("readers", article["msgid"])
    audience = article["sent"] or max(10, len(app.followers) // 20)
    return int(audience * share * (1 - 0.45 ** (age + 1)) * 1.1)


def stat(world: World, app: Account, article: Json, number: int) -> Json:
    """Give an article's figures at the end of a day; all of them only grow, some are missing now and then."""
    read = readers(world, app, article, number)
    told: Json = {"stat_date": date(number), "read_user": read, "share_user": read // 12, "zaikan_user": read // 25}
    told |= {"like_user": read // 15, "comment_count": read // 60, "collection_user": read // 30}
    told |= {"praise_money": read // 80 * 200, "read_subscribe_user": read // 90}
    told["read_user_source"] = [
        {"type": 0, "scene": "会话", "value": read - read // 4},
        {"type": 1, "scene": "朋友圈", "value": read // 4},
    ]
    told |= {"read_finish_rate": round(0.3 + 0.4 * world.chance("finish", article["msgid"]), 4)}
    told["read_delivery_rate"] = round(read / article["sent"], 4) if article["sent"] else 0.0
    told["read_avg_activetime"] = int(20 + 80 * world.chance("active", article["msgid"]))
    told["read_jump_position"] = [{"position": n, "rate": round(1 - n / 10, 2)} for n in (1, 3, 5)]
    return _with_gaps(world, article["msgid"], number, told)


def _with_gaps(world: World, msgid: str, number: int, told: Json) -> Json:
    kept = {"stat_date"}
    gap = world.outcomes["missing_figure"]
    return {
        name: value for name, value in told.items() if name in kept or world.chance("gap", msgid, number, name) >= gap
    }


def _on(article: Json, day_of: range) -> bool:
    return article["day"] in day_of


@statistic("getarticletotaldetail")
def total_detail(call: Call) -> Json:
    """Follow each article of one day for thirty days."""
    days = span(call, 1)
    if late(call, days):
        return {"list": [], "is_delay": True}
    last = day(call.now) - (2 if late(call, range(day(call.now) - 1, day(call.now))) else 1)
    told = []
    for one in articles(call.app):
        if _on(one, days) and one["day"] >= FIRST_DAY:
            until = min(last, one["day"] + TRACKED_DAYS - 1)
            detail = [stat(call.world, call.app, one, number) for number in range(one["day"], until + 1)]
            about = {"ref_date": date(one["day"]), "msgid": one["msgid"], "publish_type": one["type"]}
            told.append({**about, "title": one["title"], "content_url": one["url"], "detail_list": detail})
    return {"list": told, "is_delay": False}


def _a_day(figures: Callable[[Call, Json, int], Json]) -> Callable[[Call], Json]:
    """Make a call that tells of one day, article by article."""

    def play(call: Call) -> Json:
        days = span(call, 1)
        if late(call, days):
            return {"list": [], "is_delay": True}
        number = days[0]
        told = [
            {"ref_date": date(number), "msgid": one["msgid"], "detail": figures(call, one, number)}
            for one in articles(call.app)
            if one["day"] <= number < one["day"] + TRACKED_DAYS
        ]
        return {"list": told, "is_delay": False}

    return play


def _read(call: Call, one: Json, number: int) -> Json:
    """Give who read it on one day: those who had not before, and a few who had."""
    before, until = (readers(call.world, call.app, one, n) for n in (number - 1, number))
    read = until - before + before // 50
    return {"read_user": read, "read_user_source": [{"user_count": read, "scene_desc": "全部"}]}


def _shared(call: Call, one: Json, number: int) -> Json:
    before, now = (readers(call.world, call.app, one, n) // 12 for n in (number - 1, number))
    return {"share_user": now - before}


statistic("getarticleread")(_a_day(_read))
statistic("getarticleshare")(_a_day(_shared))


@statistic("getbizsummary")
def business(call: Call) -> Json:
    days = span(call, 30)
    if late(call, days):
        return {"list": [], "is_delay": True}
    known = articles(call.app)
    told = []
    for number in days:
        read = sum(_read(call, one, number)["read_user"] for one in known)
        detail = {"read_user": read, "share_user": read // 12, "like_user": read // 15, "comment_count": read // 60}
        detail["send_page_count"] = sum(one["day"] == number for one in known)
        told.append({"ref_date": date(number), "detail": detail})
    return {"list": told, "is_delay": False}
