"""How much of a personal value is shown to somebody who need not see it whole."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from crm.chinese_names import COMPOUND_SURNAMES

STAR = "*"
HIDDEN = STAR * 3
MIDDLE_DOTS = "·•・‧．∙⋅"


def plain(text: str) -> str:
    """Return the text as a person reads it: composed, full-width made narrow, without marks that nobody sees.

    >>> plain("１３８００１３８０００"), plain("\\u202e\\u200d张\\u200b伟")
    ('13800138000', '张伟')
    """
    # Cf: direction marks and joiners; Cc: control characters; Mn at the start would hang on nothing.
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in {"Cf", "Cc"})


def masked_name(name: str) -> str:
    """Return the surname, or the first letter, and nothing of how long the rest is.

    >>> masked_name("张小明"), masked_name("欧阳娜娜"), masked_name("阿迪力·买买提"), masked_name("𠮷田")
    ('张*', '欧阳**', '阿*·*', '𠮷*')
    >>> masked_name("Anna Li"), masked_name(""), masked_name("明")
    ('A*', '', '*')
    """
    dotted = any(dot in name for dot in MIDDLE_DOTS)  # before one of them is made a full stop
    seen = plain(name).strip()
    first = _first_sign(seen)
    if len(seen) <= len(first) or not first[:1].isalpha():
        return STAR if seen else ""  # the first sign would be the whole name
    if dotted:
        return f"{first}{STAR}·{STAR}"
    if len(seen) > 2 and seen[:2] in COMPOUND_SURNAMES:
        return seen[:2] + STAR * 2
    return first + STAR


def _first_sign(text: str) -> str:
    """Return the first letter with the accents that hang on it, four at most: some texts stack hundreds."""
    end = 1
    while end < min(len(text), 5) and unicodedata.combining(text[end]):
        end += 1
    return text[:end]


LANDLINE = re.compile(
    r"\s*\(?(?P<area>0(?:10|2\d|[3-9]\d{2}))\)?[ -]?\d{3,4}[ -]?(?P<last>\d{4})"
    r"(?:\s*(?:转|轉|分机|ext\.?|x|#|-)\s*\d{1,6})?\s*\Z",
    re.IGNORECASE,
)


def masked_phone(phone: str) -> str:
    """Return the operator's digits and the last four, as Chinese receipts show it.

    >>> masked_phone("13800138000"), masked_phone("+8613800138000"), masked_phone("12345")
    ('138****8000', '+86138****8000', '*****')
    >>> masked_phone("１３８ ００１３-８０００"), masked_phone("+1 (415) 555-2671")
    ('138****8000', '+141****2671')
    >>> masked_phone("010-65001234-8012"), masked_phone("0755 2600 1234转12")
    ('010****1234', '0755****1234')
    """
    if landline := LANDLINE.match(plain(phone)):
        return f"{landline['area']}{STAR * 4}{landline['last']}"  # not who picks it up, either
    digits = "".join(c for c in plain(phone) if c.isdecimal() or c == "+")
    if len(digits) < 9:
        return STAR * min(len(phone), 8)
    return f"{digits[:-8]}{STAR * 4}{digits[-4:]}"


def masked_email(email: str) -> str:
    """Return the first letters of mailbox and host, and the ending.

    >>> masked_email("zhang@qq.com"), masked_email("a@qq.com"), masked_email("broken")
    ('z***@q*.com', '***@q*.com', 'b***')
    """
    mailbox, at, host = plain(email).rpartition("@")
    if not at:
        return masked_id(email)
    name, dot, ending = host.rpartition(".") if "." in host else (host, "", "")
    return f"{_begun(mailbox)}{HIDDEN}@{_begun(name)}{STAR}{dot}{ending}"


def _begun(text: str) -> str:
    """Return the first letter, if it is not all there is."""
    return text[:1] if len(text) > 1 else ""


def masked_id(value: str) -> str:
    """Return enough of an id to tell two of them apart on one page.

    >>> masked_id("till-7-customer-8872"), masked_id("household-12"), masked_id("123"), masked_id("")
    ('til***72', 'hou***12', '1***', '')
    """
    value = plain(value)
    if len(value) < 8:
        return value[:1] + HIDDEN if value else ""
    return f"{value[:3]}{HIDDEN}{value[-2:]}"


def masked_resident_id(value: str) -> str:
    """Return the province's and the last digits: 36 million people share them with every tenth of a region.

    >>> masked_resident_id("11010519491231002x"), masked_resident_id("110105491231002"), masked_resident_id("12")
    ('110**************X', '110***********2', '***')
    """
    number = re.sub(r"[^0-9A-Za-z]", "", plain(value)).upper()
    return f"{number[:3]}{STAR * (len(number) - 4)}{number[-1]}" if len(number) in {15, 18} else HIDDEN


def masked_document(value: str) -> str:
    """Return the first and the last two characters of a passport's or a permit's number.

    >>> masked_document("E12345678"), masked_document("H1")
    ('E******78', '***')
    """
    number = re.sub(r"\W", "", plain(value))
    return f"{number[:1]}{STAR * (len(number) - 3)}{number[-2:]}" if 7 <= len(number) <= 18 else HIDDEN


def masked_card(value: str) -> str:
    """Return the first and the last four digits of a bank card, as a till receipt shows them.

    >>> masked_card("6222 0212 3456 7894"), masked_card("12")
    ('6222 **** **** 7894', '***')
    """
    digits = "".join(c for c in plain(value) if c.isdecimal())
    return f"{digits[:4]} **** **** {digits[-4:]}" if len(digits) >= 13 else HIDDEN


ADDRESS = re.compile(
    r"\s*(?P<shown>(?:中国)?"
    r"(?:[^\s\d省区市县]{2,7}(?:省|自治区|特别行政区)\s*|(?:内蒙古|广西|西藏|宁夏|新疆|香港|澳门)\s*)?"
    r"(?:[^\s\d省区市县]{1,8}?(?:市|自治州|盟|地区)\s*)?"
    r"(?:[^\s\d省区市县旗路街道]{1,8}(?:区|县|旗|市)(?<!小区|社区|校区|园区|厂区)(?!路|街|道))?)"
)


def masked_address(address: str) -> str:
    """Return province, city and district of an address.

    >>> masked_address("上海市浦东新区世纪大道100号"), masked_address("广东省深圳市南山区科苑路15号")
    ('上海市浦东新区***', '广东省深圳市南山区***')
    >>> masked_address("浙江省杭州市西湖区文三路398号"), masked_address("云南省大理白族自治州大理市人民路1号")
    ('浙江省杭州市西湖区***', '云南省大理白族自治州大理市***')
    >>> masked_address("1 High St")
    '***'
    """
    found = ADDRESS.match(plain(address)[:60])
    return f"{found['shown'].strip() if found else ''}{HIDDEN}"


def masked_plate(plate: str) -> str:
    """Return place and the last character of a number plate.

    >>> masked_plate("沪A12348"), masked_plate("粤B·D12345")
    ('沪A****8', '粤B****5')
    """
    number = re.sub(r"\W", "", plain(plate)).upper()
    return f"{number[:2]}{STAR * 4}{number[-1]}" if len(number) >= 7 else HIDDEN


def masked_ip(address: str) -> str:
    """Return the network: of IPv4 the first 24 bits, of IPv6 the first 48.

    >>> masked_ip("203.0.113.77"), masked_ip("2001:db8:12:34::1"), masked_ip("::ffff:203.0.113.77"), masked_ip("x")
    ('203.0.113.0/24', '2001:db8:12::/48', '203.0.113.0/24', '***')
    """
    try:
        found = ip_address(plain(address).strip())
    except ValueError:
        return HIDDEN
    found = getattr(found, "ipv4_mapped", None) or found
    bits, kept = (32, 24) if found.version == 4 else (128, 48)
    network = int(found) >> (bits - kept) << (bits - kept)
    return f"{type(found)(network)}/{kept}"


def masked_imei(value: str) -> str:
    """Return the last two digits of a device's number.

    >>> masked_imei("490154203237518")
    '*************18'
    """
    digits = "".join(c for c in plain(value) if c.isdecimal())
    return STAR * 13 + digits[-2:] if len(digits) >= 14 else HIDDEN


DEGREES = re.compile(r"\s*[-+]?\d{1,3}(?:\.\d+)?(?:[\s,，;/]+[-+]?\d{1,3}(?:\.\d+)?)?\s*", re.ASCII)


def masked_position(value: str) -> str:
    """Return a position to two decimals, about a kilometre; what is beyond them is cut, never rounded.

    >>> masked_position("31.230416, 121.473701"), masked_position("-33.8688"), masked_position("N")
    ('31.23, 121.47', '-33.86', '***')
    """
    seen = plain(value)
    if not DEGREES.fullmatch(seen):
        return HIDDEN  # minutes and seconds, millionths of degrees: nothing that cutting digits would make coarse
    return re.sub(r"(\.\d{2})\d*", r"\1", seen)


def hidden(value: str) -> str:
    """Return nothing of the value.

    >>> hidden("oX1z"), hidden("")
    ('***', '')
    """
    return HIDDEN if value else ""


MASKS: Mapping[str, Callable[[str], str]] = {
    "name": masked_name,
    "phone": masked_phone,
    "email": masked_email,
    "resident_id": masked_resident_id,
    "document": masked_document,
    "bank_card": masked_card,
    "address": masked_address,
    "plate": masked_plate,
    "ip": masked_ip,
    "imei": masked_imei,
    "position": masked_position,
    "openid": hidden,
    "account": masked_id,
    "birth_date": hidden,
    "secret": hidden,
}
