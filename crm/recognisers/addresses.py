"""Where people live: Chinese addresses, found from the house number leftwards, and street addresses in English."""

import re
from collections.abc import Iterator

from crm.chinese_names import PROVINCES
from crm.recognisers import Span

REACH = 48  # characters before a house number in which its street, district and city stand
NUMBER = re.compile(
    r"[0-9一二三四五六七八九十百]{1,6}(?:[-—~至][0-9]{1,6})?\s?(?:号楼?|號|弄|栋|棟|幢|座|单元|單元|室|楼|樓|层|組|组|户)"
)
UNIT = r"(?:号楼?|號樓?|弄|栋|棟|幢|座|单元|單元|室|楼|樓|层|層|户|戶|铺|组|組|期|区)"
BUILDING = (
    r"[\u3400-\u9fff]{2,10}?(?:广场|廣場|大厦|大廈|中心|小区|花园|花園|公寓|大楼|大樓|商场|家园|大学|学院|校区|学校|医院|园区"
    r"|科技园|产业园|创意园|工业园|软件园|写字楼|商城|宿舍|山庄|公馆|国际|雅苑|新村)"
)
TAIL = re.compile(
    rf"(?:\s?(?:[\u3400-\u9fff]{{0,10}}?[0-9A-Za-z一二三四五六七八九十]{{1,6}}(?:[-—][0-9]{{1,6}})?\s?{UNIT}"
    rf"|(?<=[座栋幢楼樓厦层室号广场心园区])[0-9]{{0,4}}[A-Za-z](?:[0-9]{{1,5}})?(?![0-9A-Za-z])"
    rf"|(?:[A-Za-z]|[0-9]{{1,2}}-)?[0-9]{{1,5}}(?:-[0-9]{{1,4}})?(?![0-9A-Za-z])|附[0-9]{{1,3}}号|{BUILDING})){{0,7}}"
)
LEADING = re.compile(
    r"(?:我家)?(?:住在|住|就在|在|送货到|送到|送至|送去|寄到|寄往|寄回|寄去|搬到|搬去|发到|发往|快递放|放在|新地址是?|收货地址是?"
    r"|地址[是写改为]?|改成|改为|换成|写成?|寄件|收件|老家在|老家|到|家在)|(?:^|(?<=[\s,，。:：;；、]))[送放寄从发往至]"
)
RUN = re.compile(r"[\u3400-\u9fff0-9A-Za-z()（）·\s-]*\Z")
STREET = re.compile(
    r"路|街|大道|巷|弄|胡同|村|镇|乡|小区|社区|花园|大厦|广场|公寓|新村|家园|里|道|苑|府|城|园|屯|公馆|山庄"
)
PLACE = re.compile("|".join([*PROVINCES, r"[\u3400-\u9fff]{2,4}?(?:市|区|县|镇)"]))
NO_PLACE = re.compile(r"[要想买坐走看有来去]")  # between a street and its number stands no verb
PARTICLES = "吧了呢啊哦哈吗呀收"  # that end a sentence, and no address
CALLED = re.compile(
    r"(?:收货地址|收件地址|家庭住址|家庭地址|联系地址|通讯地址|邮寄地址|送货地址|地址|住址|住所|户籍|address|我家住在|我家在|家住|我住在|住在|寄到|寄往|送到|送至|发到|快递到|搬到)"
    r"[\s:：=为是\"'在]{0,4}(?P<place>[^\n。；;!！?？\"'*]{4,60})",
    re.IGNORECASE,
)
WORD = r"[A-Z][a-zà-ÿ.'’-][\w.'’-]{0,18}"
ENGLISH = re.compile(
    r"(?<![\w.-])(?:(?:Room|Rm\.?|Flat|Unit|Suite|Apt\.?|Apartment) ?\w{1,6}, ?)?"
    r"(?:(?:Tower|Block|Building|Floor) ?\w{1,6}, ?)?"
    r"(?:No\. ?)?\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w.'’-]{0,19} ){1,4}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd"
    r"|Court|Ct|Square|Sq|Terrace|Close|Crescent|Highway|Hwy|Parkway|Place|Pl|Way)\b\.?"
    r"(?:,? (?:Apt|Apartment|Suite|Ste|Flat|Unit|Floor|Room|#)\.? ?\w{1,6})?"
    rf"(?:, {WORD}(?: {WORD}){{0,2}}){{0,3}}"
    r"(?:,? [A-Z]{2}(?= \d{5}))?(?: \d{5,6}(?:-\d{4})?(?!\d)| [A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b)?"
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
    if not streets or right - streets[-1].end() > 8 or NO_PLACE.search(text, streets[-1].end(), right):
        return None
    for lead in LEADING.finditer(text, left, streets[-1].start()):
        left = lead.end()
    while left < right and text[left] in "送放寄从往至在到住去写":
        left += 1
    if place := PLACE.search(text, left, streets[-1].end()):
        return place.start()
    return max(left, streets[-1].start() - 6)


def addresses(text: str) -> Iterator[Span]:
    """Yield Chinese addresses, each whole: what a house number and what a word before it say of one place, as one."""
    called = {(span.start, span.end) for span in called_addresses(text)}
    whole: Span | None = None
    for span in sorted([*chinese_addresses(text), *(Span(*edges, "address") for edges in called)]):
        if whole and span.start < whole.end:
            # The word "address" says where one ends less well than what looks like one says where it begins.
            lead = text[whole.start : span.start]
            starts = whole.start if PLACE.match(lead) or STREET.search(lead) else span.start
            whole = Span(starts, max(whole.end, span.end), "address")
            continue
        if whole:
            yield whole
        whole = span
    if whole:
        yield whole


def called_addresses(text: str) -> Iterator[Span]:
    """Yield what follows words like "address:", if it looks like a place, to the end of its clause."""
    for found in CALLED.finditer(text):
        if text[found.end() : found.end() + 1] == "*":
            continue  # masked before
        begin = found.start("place")
        if text[begin] in ",，、" or not _is_place(found[0], found["place"]):
            continue
        end = begin + len(_of_the_place(found["place"]).rstrip(PARTICLES))
        if end > begin:
            yield Span(begin, end, "address")


def _of_the_place(clause: str) -> str:
    """Return the beginning of a clause that is the address, without what is said after it."""
    end = 0
    for piece in re.finditer(r"[^,，、]+(?:[,，、]|$)", clause):
        if not (STREET.search(piece[0]) or PLACE.search(piece[0]) or NUMBER.search(piece[0])):
            break
        if end and LEADING.search(piece[0]):
            break  # the next sentence has an address of its own
        end = piece.start() + len(piece[0].rstrip(",，、"))
    return clause[:end]


def _is_place(called: str, place: str) -> bool:
    """ "Address: ..." names a place by any word of one; "sent to ..." only when a number or a district stands there."""
    return (
        "址" in called
        or "ddress" in called
        or bool(NUMBER.search(place) or PLACE.search(place) or re.search(r"\d", place))
    )


def english_addresses(text: str) -> Iterator[Span]:
    return (Span(*found.span(), "address") for found in ENGLISH.finditer(text))
