"""How a fact about a person is made coarser, step by step, until it says nothing."""

import re
from collections.abc import Callable, Mapping, Sequence

ANY = "*"
Step = Callable[[str], str]

REGIONS: Mapping[str, str] = {
    "华北": "北京 天津 河北 山西 内蒙古",
    "东北": "辽宁 吉林 黑龙江",
    "华东": "上海 江苏 浙江 安徽 福建 江西 山东 台湾",
    "华中": "河南 湖北 湖南",
    "华南": "广东 广西 海南 香港 澳门",
    "西南": "重庆 四川 贵州 云南 西藏",
    "西北": "陕西 甘肃 青海 宁夏 新疆",
}
REGION_OF = {province: region for region, provinces in REGIONS.items() for province in provinces.split()}


def anything(_value: str) -> str:
    """Say nothing."""
    return ANY


def wide_age(band: str) -> str:
    """Return the twenty years in which the middle of an age band lies; what has no number says nothing.

    >>> wide_age("35-44"), wide_age("19-24"), wide_age("65+"), wide_age("young")
    ('20-39', '20-39', '60+', '*')
    """
    years = [int(number) for number in re.findall(r"\d{1,3}", band, re.ASCII)]
    if not years:
        return ANY
    low = int(sum(years[:2]) / len(years[:2])) // 20 * 20
    return "60+" if low >= 60 else f"{low}-{low + 19}"


def region(province: str) -> str:
    """Return the part of China in which a province lies; elsewhere it says nothing.

    >>> region("浙江省"), region("内蒙古自治区"), region("Texas")
    ('华东', '华北', '*')
    """
    return next((found for name, found in REGION_OF.items() if province.startswith(name)), ANY)


def quarter(month: str) -> str:
    """Return the quarter of a month.

    >>> quarter("2"), quarter("12"), quarter("")
    ('1-3', '10-12', '*')
    """
    if not month.isdecimal() or not 1 <= int(month) <= 12:
        return ANY
    first = (int(month) - 1) // 3 * 3 + 1
    return f"{first}-{first + 2}"


# From the least loss to the most; each step starts from the value as it was.
HIERARCHIES: Mapping[str, Sequence[Step]] = {
    "birth_day": (anything,),
    "city": (anything,),
    "birth_month": (quarter, anything),
    "age_band": (wide_age, anything),
    "province": (region, anything),
    "language": (anything,),
    "gender": (anything,),
}


def coarse(column: str, value: str, level: int) -> str:
    """Return a value at a level of its column's hierarchy; level 0 is the value itself."""
    return value if level == 0 else HIERARCHIES[column][level - 1](value)
