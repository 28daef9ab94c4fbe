"""Which clock hangs on a person's wall: her own zone where it is told, that of her place, or the organisation's."""

from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils.timezone import get_default_timezone

# Places whose clock is not Beijing's, as people write them in profiles. All of mainland China keeps Beijing time.
PLACES: Mapping[str, str] = {
    **dict.fromkeys(("香港", "Hong Kong"), "Asia/Hong_Kong"),
    **dict.fromkeys(("澳门", "澳門", "Macau", "Macao"), "Asia/Macau"),
    **dict.fromkeys(("台湾", "臺灣", "台灣", "Taiwan", "台北", "臺北", "Taipei"), "Asia/Taipei"),
    **dict.fromkeys(("新加坡", "Singapore"), "Asia/Singapore"),
    **dict.fromkeys(("东京", "東京", "Tokyo", "大阪", "Osaka"), "Asia/Tokyo"),
    **dict.fromkeys(("首尔", "Seoul"), "Asia/Seoul"),
    **dict.fromkeys(("曼谷", "Bangkok"), "Asia/Bangkok"),
    **dict.fromkeys(("吉隆坡", "Kuala Lumpur"), "Asia/Kuala_Lumpur"),
    **dict.fromkeys(("悉尼", "Sydney", "墨尔本", "Melbourne"), "Australia/Sydney"),
    **dict.fromkeys(("伦敦", "London"), "Europe/London"),
    **dict.fromkeys(("巴黎", "Paris"), "Europe/Paris"),
    **dict.fromkeys(("柏林", "Berlin"), "Europe/Berlin"),
    **dict.fromkeys(("纽约", "New York", "多伦多", "Toronto"), "America/New_York"),
    **dict.fromkeys(("洛杉矶", "Los Angeles", "旧金山", "San Francisco", "California"), "America/Los_Angeles"),
    **dict.fromkeys(("温哥华", "Vancouver"), "America/Vancouver"),
}
MAINLAND = "Asia/Shanghai"
PROVINCES = frozenset(
    [
        "北京",
        "天津",
        "河北",
        "山西",
        "内蒙古",
        "辽宁",
        "吉林",
        "黑龙江",
        "上海",
        "江苏",
        "浙江",
        "安徽",
        "福建",
        "江西",
        "山东",
        "河南",
        "湖北",
        "湖南",
        "广东",
        "广西",
        "海南",
        "重庆",
        "四川",
        "贵州",
        "云南",
        "西藏",
        "陕西",
        "甘肃",
        "青海",
        "宁夏",
        "新疆",
    ]
)
ENDINGS = ("特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市")


@lru_cache(maxsize=10_000)
def zone_of(told: str | None, province: str | None, city: str | None) -> ZoneInfo:
    """Return the zone of what a profile tells: ``attributes.time_zone``, or else the city's or the province's.

    >>> zone_of("Europe/Berlin", "上海", "").key, zone_of("../etc", "新疆维吾尔自治区", "").key
    ('Europe/Berlin', 'Asia/Shanghai')
    """
    if told and (named := _named(told)):
        return named
    for place in (_short(city), _short(province)):
        if found := PLACES.get(place):
            return ZoneInfo(found)
        if place in PROVINCES:
            return ZoneInfo(MAINLAND)
    return ZoneInfo(str(get_default_timezone()))


def _named(told: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(told)
    except (ValueError, OSError, KeyError):  # no name of a zone, a directory of zones, or unknown
        return None


def _short(place: str | None) -> str:
    place = (place or "").strip()
    for ending in ENDINGS:
        place = place.removesuffix(ending)
    return place
