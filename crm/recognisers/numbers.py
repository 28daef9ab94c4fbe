"""Numbers of people: phones, identity numbers, passports, bank cards, devices."""

import re
from collections.abc import Iterator

import phonenumbers

from crm.chinese_numbers import is_hong_kong_id, is_luhn, is_resident_id
from crm.recognisers import Span

UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])")
ORDER = re.compile(
    r"(?:订单|運單|运单|快递|物流|流水|交易|发票|商品|货号|条码|单号|编码|批次|order|tracking|invoice|waybill|parcel|transaction|sku|item|trade)"
    r"(?:单?号码?|编号|码|s?\s?(?:no|number|id|nr|code))?[.]?[\s:：#＃=为是\"'-]{0,4}(?P<number>[A-Za-z]{0,4}\d[\d-]{5,31})(?![\d*])",
    re.IGNORECASE,
)
RESIDENT_ID = re.compile(
    r"(?<!\d)[1-9]\d{5}[ -]?(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ -]?\d{3}[\dXx](?![\dA-Za-z])"
)
# In groups, as people write long numbers; only the check digit can tell it from two numbers side by side.
GROUPED_RESIDENT_ID = re.compile(
    r"(?<![\dA-Za-z-])(?<!\d )[1-9]\d{2,5}(?:[ -]\d{1,8}){1,5}[ -]?[\dXx](?![\dA-Za-z]|[ -]\d)"
)
OLD_RESIDENT_ID = re.compile(
    r"(?<![\dA-Za-z.-])[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![\dA-Za-z.-])"
)
NAMED_ID = re.compile(
    r"(?:身份证|身份證|证件|id\s?card|id\s?number|identity\s?(?:card|number))(?:号码?|號碼?|no\.?|number)?"
    r"[\s:：=为是\"'#]{0,4}(?P<number>\d{14,17}[\dXx])(?![\dA-Za-z])",
    re.IGNORECASE,
)
DOCUMENT = re.compile(
    r"(?:护照|護照|passport|通行证|通行證|回乡证|回鄉證|台胞证|臺胞證|居住证|居留证|军官证|驾驶证|permit)"
    r"(?:号码?|號碼?|\s?no\.?|\s?number|\s?id)?[\s:：=为是\"'#.]{0,4}(?:is )?"
    r"(?P<number>[A-Za-z]{0,2}\d{6,10})(?![\dA-Za-z])",
    re.IGNORECASE,
)
OFFICER = re.compile(
    r"(?:军官|士兵|警官|文职干部)证(?:号码?)?[\s:：为是]{0,3}(?P<number>[\u4e00-\u9fff]{1,4}字第?\d{5,9}号?)"
)
HONG_KONG_ID = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{1,2}\d{6}(?:\([0-9Aa]\)|[0-9Aa])(?![0-9A-Za-z])")
MOBILE = re.compile(
    r"(?<![\dA-Za-z_@.])(?<!\d-)(?:\(?(?:\+|00?)?86\)?[ -]?)?1[3-9]\d(?P<gap>[ .-]?)\d{4}(?P=gap)\d{4}(?![\d@*]|[.-]\d)"
)
INTERNATIONAL = re.compile(r"(?<![0-9A-Za-z_.])(?:\+|00)[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)")
EXTENSION = r"(?:(?: ?(?:转|轉|分机|ext\.?|x) ?|-)\d{1,6})?"
LANDLINE = re.compile(
    r"(?<![\d.-])(?:\(0(?:10|2\d|[3-9]\d{2})\) ?|0(?:10|2\d|[3-9]\d{2})[ -])\d{3,4}[ -]?\d{4}(?!\d)"
    + EXTENSION
    + r"(?!\d)"
)
# Without a gap it is one only where the numbering plan has it.
RUN_TOGETHER = re.compile(r"(?<![\dA-Za-z.-])0(?:10|2\d|[3-9]\d{2})\d{7,8}(?![\dA-Za-z]|[.-]\d)")
AMERICAN = re.compile(r"(?<![\d.-])\([2-9]\d{2}\) ?[2-9]\d{2}-\d{4}(?!\d|-\d)")
NAMED_PHONE = re.compile(
    r"(?:\b(?:tel|telephone|phone|mobile|mob|cell|call|whatsapp|dial)|电话|電話|手机|手機|联系方式|致电)"
    r"(?:号码?|號碼?| me at| us at| number| no\.?| is| me on)?[\s:：.=为是\"'#-]{0,4}"
    r"(?P<number>\(?\d(?:[ ().-]{0,2}\d){6,13})(?![\d*])",
    re.IGNORECASE,
)
SPOKEN_MOBILE = re.compile(
    r"[一幺壹][ -]?[三四五六七八九叁肆伍陆柒捌玖]"
    r"(?:[ -]?[〇零一二两三四五六七八九幺洞拐勾壹贰叁肆伍陆柒捌玖]){9}(?![〇零一二三四五六七八九幺])"
)
CARD = re.compile(r"(?<![\d.])(?<!\d[ -])\d(?:[ -]?\d){12,18}(?!\d|[ .-]\d)")
CARD_BEGINNINGS = {
    13: "4", 14: "30 36 38", 15: "34 37", 16: "4 51 52 53 54 55 35 60 62 22 23 24 25 26 27", 17: "62 60", 18: "62",
    19: "62 60 4 9558 9559 9555",
}  # fmt: skip
IMEI = re.compile(
    r"(?:imei|meid|串号|串碼|设备号)(?:号码?|number)?[\s:：=为是\"'#]{0,4}(?P<number>\d{14,16})(?!\d)", re.IGNORECASE
)


def _all(pattern: re.Pattern[str], kind: str, text: str) -> Iterator[Span]:
    name = "number" if "number" in pattern.groupindex else 0
    return (Span(*found.span(name), kind) for found in pattern.finditer(text))


def no_personal_numbers(text: str) -> Iterator[Span]:
    """Yield numbers that are known to be something else: UUIDs, and what is called an order or a parcel."""
    yield from _all(UUID, "", text)
    yield from _all(ORDER, "", text)


def identity_numbers(text: str) -> Iterator[Span]:
    for pattern in (RESIDENT_ID, OLD_RESIDENT_ID):
        yield from (
            Span(*found.span(), "resident_id")
            for found in pattern.finditer(text)
            if is_resident_id(found[0].replace(" ", "").replace("-", ""))
        )
    for found in GROUPED_RESIDENT_ID.finditer(text):
        number = found[0].replace(" ", "").replace("-", "")
        if len(number) == 18 and is_resident_id(number):
            yield Span(*found.span(), "resident_id")
    yield from _all(NAMED_ID, "resident_id", text)  # mistyped, it is still somebody's
    yield from (Span(*one.span(), "document") for one in HONG_KONG_ID.finditer(text) if is_hong_kong_id(one[0]))


def documents(text: str) -> Iterator[Span]:
    yield from _all(DOCUMENT, "document", text)
    yield from _all(OFFICER, "document", text)
    yield from _all(IMEI, "imei", text)


def bank_cards(text: str) -> Iterator[Span]:
    for found in CARD.finditer(text):
        digits = found[0].replace(" ", "").replace("-", "")
        if digits.startswith(tuple(CARD_BEGINNINGS[len(digits)].split())) and is_luhn(digits):
            yield Span(*found.span(), "bank_card")


def phones(text: str) -> Iterator[Span]:
    for pattern in (MOBILE, LANDLINE, AMERICAN, SPOKEN_MOBILE):
        yield from _all(pattern, "phone", text)
    yield from (Span(*one.span(), "phone") for one in RUN_TOGETHER.finditer(text) if _is_phone(f"+86{one[0][1:]}"))
    yield from (Span(*one.span(), "phone") for one in INTERNATIONAL.finditer(text) if _is_phone(one[0]))
    yield from _all(NAMED_PHONE, "phone", text)


def _is_phone(text: str) -> bool:
    written = f"+{text[2:]}" if text.startswith("00") else text
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written))
    except phonenumbers.NumberParseException:
        return False
