"""Where people live: Chinese addresses, found from the house number leftwards, and street addresses in English."""

import re
from collections.abc import Iterator

from crm.chinese_names import PROVINCES
from crm.recognisers import Span

REACH = 48  # characters before a house number in which its street, district and city stand
NUMBER = re.compile(
    r"[0-9一二三四五六七八九十百]{1,6}(?:[-—~至][0-9]{1,6})?\s?(?:号楼?|號|弄|栋|棟|幢|座|单元|單元|室|楼|樓|层|組|组|户)"
)
UNIT = r"(?:号楼?|號|弄|栋|幢|座|单元|室|楼|层|户)"
BUILDING = r"[\u3400-\u9fff]{2,8}?(?:广场|大厦|中心|小区|花园|公寓|大楼|商场|家园)"
TAIL = re.compile(
    rf"(?:\s?(?:[\u3400-\u9fff]{{0,10}}?[0-9A-Za-z一二三四五六七八九十]{{1,6}}(?:[-—][0-9]{{1,6}})?\s?{UNIT}|[0-9]{{3,4}}(?![0-9])|{BUILDING})){{0,6}}"
)
LEADING = re.compile(
    r"(?:我家)?(?:住在|住|就在|在|送到|寄到|寄往|搬到|发到|快递放|放在|新地址是?|收货地址是?|地址是?|老家在|老家|到|家在)"
)
RUN = re.compile(r"[\u3400-\u9fff0-9A-Za-z()（）·\s-]*\Z")
STREET = re.compile(
    r"路|街|大道|巷|弄|胡同|村|镇|乡|小区|社区|花园|大厦|广场|公寓|新村|家园|里|道|苑|府|城|园|屯|公馆|山庄"
)
PLACE = re.compile("|".join([*PROVINCES, r"[\u3400-\u9fff]{2,4}?(?:市|区|县|镇)"]))
CALLED = re.compile(
    r"(?:收货地址|收件地址|家庭住址|家庭地址|联系地址|通讯地址|邮寄地址|送货地址|地址|住址|住所|户籍|address|我家住在|我家在|家住|我住在|住在|寄到|寄往|送到|送至|发到|快递到|搬到)"
    r"[\s:：=为是\"'在]{0,4}(?P<place>[^\n。；;!！?？\"'*]{4,60})",
    re.IGNORECASE,
)
ENGLISH = re.compile(
    r"(?<![\w.-])\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w.'’-]{0,19} ){1,4}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd"
    r"|Court|Ct|Square|Sq|Terrace|Close|Crescent|Highway|Hwy|Parkway|Place|Pl|Way)\b\.?"
    r"(?:,? (?:Apt|Apartment|Suite|Ste|Flat|Unit|Floor|Room|#)\.? ?\w{1,6})?"
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
    for lead in LEADING.finditer(text, left, streets[-1].start()):
        left = lead.end()
    if place := PLACE.search(text, left, streets[-1].end()):
        return place.start()
    return max(left, streets[-1].start() - 6)


def called_addresses(text: str) -> Iterator[Span]:
    """Yield what follows words like "address:", if it looks like a place, to the end of its clause."""
    for found in CALLED.finditer(text):
        if text[found.end() : found.end() + 1] == "*":
            continue  # masked before
        end = found.start("place")
        for piece in re.finditer(r"[^,，、]+(?:[,，、]|$)", found["place"]):
            if not (STREET.search(piece[0]) or PLACE.search(piece[0]) or NUMBER.search(piece[0])):
                break
            if end > found.start("place") and LEADING.search(piece[0]):
                break  # the next sentence has an address of its own
            end = found.start("place") + len(piece[0].rstrip(",，、")) + piece.start()
        if end > found.start("place"):
            yield Span(found.start("place"), end, "address")


def english_addresses(text: str) -> Iterator[Span]:
    return (Span(*found.span(), "address") for found in ENGLISH.finditer(text))
