"""The statistics of an account: known the day after, from eight o'clock; cumulative, with gaps where nobody knows.

`POST /_stub/statistics {appid, name, day, share}` takes back what was said: from then on the figures of that statistic
and day are so much of what they were.
"""

from collections import Counter
from collections.abc import Callable

from campaigns.channels.wechat.stub.clock import date, day, day_number, second_of_day
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, OA, Call, Json, Play, control, route
from campaigns.channels.wechat.stub.world import World

READY_AT = 8 * 3600  # of the day in Shanghai
OFFLINE = ("getarticlesummary", "getarticletotal", "getuserread", "getuserreadhour", "getusershare", "getusersharehour")
SOURCES = {"ADD_SCENE_SEARCH": 1, "ADD_SCENE_PROFILE_CARD": 17, "ADD_SCENE_QR_CODE": 30, "ADD_SCENE_PAID": 51}
SOURCE_OTHER = 0
KEPT = ("ref_date", "stat_date", "msgid", "user_source", "msg_type", "publish_type")  # no figures


def span(call: Call, most: int) -> range:
    """Give the days asked for: 61500 where they are no dates or have not ended, 61501 where they are too many."""
    try:
        begin, end = day_number(str(call.need("begin_date"))), day_number(str(call.need("end_date")))
    except ValueError:
        raise Refused(61500) from None
    if end >= day(call.now):
        raise Refused(61500)
    if not 1 <= end - begin + 1 <= most:
        raise Refused(61501)
    return range(begin, end + 1)


def late(call: Call, days: range) -> bool:
    """Say whether the last of the days is yesterday, and it is not yet eight."""
    return days[-1] == day(call.now) - 1 and second_of_day(call.now) < READY_AT


@control("POST", "statistics")
def take_back(world: World, asked: Json) -> Json:
    """Say something else of a day than before: `{appid, name, day, share}`."""
    app = world.account(asked["appid"])
    app.topic("taken_back")[f"{asked['name']} {asked['day']}"] = float(asked["share"])
    return {}


def statistic(name: str) -> Callable[[Callable[[Call], Json]], Play]:
    """Let a function play a statistic, with what was taken back of it."""

    def added(play: Callable[[Call], Json]) -> Play:
        def told(call: Call) -> Json:
            return _as_said_now(call, name, play(call))

        return route(f"/datacube/{name}", OA, verified=True, capability="datacube")(told)

    return added


def _as_said_now(call: Call, name: str, told: Json) -> Json:
    """Give an answer with what was taken back."""
    shares = call.app.topic("taken_back")
    rows = [_by(one, shares.get(f"{name} {one['ref_date']}", 1.0)) for one in told["list"]]
    return {**told, "list": rows}


def _by(value: object, share: float) -> object:
    if share == 1.0:
        return value
    if isinstance(value, dict):
        return {name: _by(one, share) for name, one in value.items() if name not in KEPT} | {
            name: value[name] for name in KEPT if name in value
        }
    if isinstance(value, list):
        return [_by(one, share) for one in value]
    return int(value * share) if isinstance(value, int) else value


@statistic("getusersummary")
def summary(call: Call) -> Json:
    days = span(call, 7)
    if late(call, days):
        return {"list": []}
    new: Counter[tuple[int, int]] = Counter()
    for one in call.app.followers.values():
        new[day(one.subscribe_time), SOURCES.get(one.scene, SOURCE_OTHER)] += 1
    gone = call.app.topic("unfollowed")
    told = []
    for number in days:
        for source in sorted({source for when, source in new if when == number} | {SOURCE_OTHER}):
            lost = gone.get(str(number), 0) if source == SOURCE_OTHER else 0
            about = {"ref_date": date(number), "user_source": source}
            told.append({**about, "new_user": new[number, source], "cancel_user": lost})
    return {"list": told}


@statistic("getusercumulate")
def cumulated(call: Call) -> Json:
    days = span(call, 7)
    if late(call, days):
        return {"list": []}
    gone = call.app.topic("unfollowed")
    since = [day(one.subscribe_time) for one in call.app.followers.values() if one.subscribed]

    def at(number: int) -> int:
        lost_later = sum(int(count) for when, count in gone.items() if int(when) > number)
        return sum(when <= number for when in since) + lost_later

    return {"list": [{"ref_date": date(n), "user_source": 0, "cumulate_user": at(n)} for n in days]}


def _offline(call: Call) -> Json:
    raise Refused(47009)


for _name in OFFLINE:
    route(f"/datacube/{_name}", OA, verified=True)(_offline)


MESSAGE_TYPES = {"text": 1, "image": 2, "voice": 3, "video": 4, "link": 6}


@statistic("getupstreammsg")
def written(call: Call) -> Json:
    """Tell how many people wrote, and how much, by type."""
    days = span(call, 7)
    told = [
        {
            "ref_date": date(number),
            "msg_type": MESSAGE_TYPES.get(kind, 1),
            "msg_user": len(who),
            "msg_count": sum(who.values()),
        }
        for number in days
        for kind, who in call.app.topic("written").get(str(number), {}).items()
    ]
    return {"list": [] if late(call, days) else told}


@statistic("getinterfacesummary")
def interface(call: Call) -> Json:
    """Tell how our callbacks fared: how many, how many failed, how long they took."""
    days = span(call, 30)
    told = []
    for number in days:
        own = call.app.topic("callbacks").get(str(number))
        if own:
            told.append({"ref_date": date(number), **own})
    return {"list": [] if late(call, days) else told}


@route("/datacube/getweanalysisappdailysummarytrend", MINI)
def mini_summary(call: Call) -> Json:
    days = span(call, 1)
    known = sum(day(one.subscribe_time) <= days[0] for one in call.app.followers.values())
    return {"list": [{"ref_date": date(days[0]).replace("-", ""), "visit_total": known, "share_pv": 0, "share_uv": 0}]}


@route("/datacube/getweanalysisappdailyvisittrend", MINI)
def mini_visits(call: Call) -> Json:
    days = span(call, 1)
    visits = int(len(call.app.followers) * (0.05 + 0.1 * call.world.chance("visits", call.app.appid, days[0])))
    new = sum(day(one.subscribe_time) == days[0] for one in call.app.followers.values())
    about = {"session_cnt": visits * 2, "visit_pv": visits * 5, "visit_uv": visits, "visit_uv_new": new}
    return {"list": [{"ref_date": date(days[0]).replace("-", ""), **about, "stay_time_uv": 64.5, "visit_depth": 2.1}]}
