"""Where people live: Chinese addresses, found from the house number leftwards, and street addresses in English."""

import re
from collections.abc import Iterator

from crm.chinese_names import PROVINCES
from crm.recognisers import Span

REACH = 48  # characters before a house number in which its street, district and city stand
NUMBER = re.compile(
    r"[0-9一二三四五六七八九十百]{1,6}(?:[-—~至][0-9]{1,6})?\s?(?:号楼?|號|弄|栋|棟|幢|座|单元|單元|室|楼|樓|层|組|组|户)"
)
TAIL = re.compile(
    r"(?:\s?(?:[0-9A-Za-z一二三四五六七八九十]{1,6}(?:[-—][0-9]{1,6})?\s?(?:号楼?|號|弄|栋|幢|座|单元|室|楼|层|组|户)|[0-9]{3,4}(?![0-9])))*"
)
RUN = re.compile(r"[\u3400-\u9fff0-9A-Za-z()（）·\s-]*\Z")
STREET = re.compile(
    r"路|街|大道|巷|弄|胡同|村|镇|乡|小区|社区|花园|大厦|广场|公寓|新村|家园|里|道|苑|府|城|园|屯|公馆|山庄"
)
PLACE = re.compile("|".join([*PROVINCES, r"[\u3400-\u9fff]{2,4}?(?:市|区|县|镇)"]))
CALLED = re.compile(
    r"(?:收货地址|收件地址|家庭住址|家庭地址|联系地址|通讯地址|邮寄地址|送货地址|地址|住址|住所|户籍|address|我家住在|我家在|家住|我住在|住在|寄到|寄往|送到|送至|发到|快递到|搬到)"
    r"[\s:：=为是\"'在]{0,4}(?P<place>[^\n。；;!！?？\"']{4,60})",
    re.IGNORECASE,
)
ENGLISH = re.compile(
    r"(?<![\w.-])\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w.'’-]{0,19} ){1,4}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd"
    r"|Court|Ct|Square|Sq|Terrace|Close|Crescent|Highway|Hwy|Parkway|Place|Pl|Way)\b\.?"
    r"(?:,? (?:Apt|Apartment|Suite|Ste|Flat|Unit|Floor|Room|#)\.? ?\w{1,6})?"
)
CLAUSE_END = re.compile(
    r"[,，、](?=[^,，、]{0,8}(?:电话|手机|姓名|收件|联系|邮编|谢|请|我|微信|快|什么|多久|可以))|\s(?:电话|手机|收件人|联系)"
)


def chinese_addresses(text: str) -> Iterator[Span]:
    """Yield house numbers with the street, district and city before them."""
    before = 0
    for found in NUMBER.finditer(text):
        if found.start() < before:
            continue
        run = RUN.search(text, max(before, found.start() - REACH), found.start())
        begin = _beginning(text, run.start() if run else found.start(), found.start())
        if begin is not None:
            before = TAIL.match(text, found.end(), found.end() + 40).end()  # type: ignore[union-attr]  # may be empty
            yield Span(begin, before, "address")


def _beginning(text: str, left: int, right: int) -> int | None:
    """Return where the address begins whose house number begins at ``right``; ``None`` without a street."""
    streets = list(STREET.finditer(text, left, right))
    if not streets or right - streets[-1].end() > 8:
        return None
    if place := PLACE.search(text, left, streets[-1].end()):
        return place.start()
    return max(left, streets[-1].start() - 6)


def called_addresses(text: str) -> Iterator[Span]:
    """Yield what follows words like "address:", if it looks like a place, to the end of its clause."""
    for found in CALLED.finditer(text):
        place = found["place"]
        if end := CLAUSE_END.search(place):
            place = place[: end.start()]
        if STREET.search(place) or PLACE.search(place) or "address" in found[0][:8].lower():
            yield Span(found.start("place"), found.start("place") + len(place), "address")


def english_addresses(text: str) -> Iterator[Span]:
    return (Span(*found.span(), "address") for found in ENGLISH.finditer(text))
