"""Names that machines know people by: e-mail, WeChat, number plates, addresses on the network, places on the globe."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from crm.recognisers import Span

HOST = re.compile(
    r"@(?:(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
    r"|(?:[^\W_](?:[\w-]{0,62})\.){1,8}(?:中国|中國|公司|网络|網絡|网址|商城|网店|集团|在线|中文网|我爱你|手机|世界|移动)"
    r"|(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_\u3400-\u9fff]{2,24}(?![\w-]))"
)
# With a space to either side, as some input methods set it.
SPACED_HOST = re.compile(r"(?<=[A-Za-z0-9]) ?@ ?(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,12}(?![A-Za-z0-9-])")
# As most are; and, where none such ends here, in any script or between quotes.
MAILBOX_ENDS = (
    re.compile(r"[A-Za-z0-9_\u00c0-\u024f][A-Za-z0-9_\u00c0-\u024f.!#$%&'*+/?^`{|}~-]{0,63}\Z"),
    re.compile(r"(?<=[是为到发给箱:\s])(?![是为给])[\u3400-\u9fff]{2,4}\Z"),
    re.compile(r"(?:[^\W_]{1,16}|\"[^\"\n]{1,62}\")\Z"),
)
WRITTEN_OUT = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}\s?[\[(（](?:at|AT|＠|@)[\])）]\s?[A-Za-z0-9-]{1,63}(?:\s?[\[(]?(?:dot|\.)[\])]?\s?)[A-Za-z]{2,6}\b"
)
OPENID = re.compile(r"(?<![\w-])(?:o[\w-]{27,28}|w[mo][\w-]{30})(?![\w-])", re.ASCII)
WECHAT = re.compile(
    r"(?:支付宝(?:账号|帐号|号)?|陌陌号?|抖音号|小红书号|快手号|微博"
    r"|微信号?|薇信|威信|wechat(?:\s?id)?|weixin|\bvx|\bwx|\bwx号|加我v|加v)[\s:：=为是\"']{0,4}(?:is )?"
    r"(?P<name>[A-Za-z][\w-]{5,19})(?![\w@-])",
    re.IGNORECASE | re.ASCII,
)
QQ = re.compile(r"(?:qq号?|扣扣)[\s:：=为是\"']{0,4}(?P<name>[1-9]\d{4,10})(?!\d)", re.IGNORECASE)
PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼滬遼魯蘇貴雲][A-HJ-NP-Za-hj-np-z][·• -]?"
    r"(?:[A-HJ-NP-Za-hj-np-z0-9]{4}[0-9A-HJ-NP-Za-hj-np-z挂学警港澳使领]|[DFdf][A-HJ-NP-Za-hj-np-z0-9]\d{4}|\d{5}[DFdf])(?![0-9A-Za-z])"
)
IPV4 = re.compile(r"(?<![\w.])(?<!v\.)(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d|/24\b)", re.ASCII)
VERSION = re.compile(r"(?:version|版本|ver\.?|v)\s?[:：=]?\s?$", re.IGNORECASE)
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,40}:)[0-9A-Fa-f:]{2,45}(?:%\w{1,16})?(?![\w:]|/48\b)", re.ASCII)
POSITION = re.compile(
    r"(?<![\d.])-?(?:[0-8]?\d|90)\.\d{4,12}\s?[,，;/ ]\s?-?(?:1[0-7]\d|180|\d{1,2})\.\d{4,12}(?![\d.])"
)
POSITION_REVERSED = re.compile(
    r"(?<![\d.])-?(?:1[0-7]\d|180|\d{1,2})\.\d{4,12}\s?[,，;/ ]\s?-?(?:[0-8]?\d|90)\.\d{4,12}(?![\d.])"
)
COORDINATE = re.compile(
    r"(?:lat|lng|lon|latitude|longitude|纬度|经度|緯度|經度)[\s:：=\"'为是]{0,4}(?P<name>-?\d{1,3}\.\d{3,12})(?!\d)",
    re.IGNORECASE,
)
BIRTH = re.compile(
    r"(?:出生年月日?|出生日期|出生于|出生|生日|birthday|birth\s?date|date of birth|born(?: on)?|\bdob)"
    r"[\s:：=为是\"']{0,4}(?:is )?"
    r"(?P<name>(?:(?:19|20)\d{2}\s?[年/.-]|\d{2}\s?年)\s?\d{1,2}\s?[月/.-]\s?\d{1,2}日?"
    r"|(?:19|20)\d{6}(?!\d)|\d{1,2}\s?[月/.-]\s?\d{1,2}[日号]?(?:[/.-]\d{2,4})?)",
    re.IGNORECASE,
)


def _named(pattern: re.Pattern[str], kind: str, text: str) -> Iterator[Span]:
    return (Span(*found.span("name"), kind) for found in pattern.finditer(text))


def emails(text: str) -> Iterator[Span]:
    """Yield addresses of mail: every @ with a host behind it, and at most 64 characters of mailbox before it."""
    for found in (*HOST.finditer(text), *SPACED_HOST.finditer(text)):
        begin = max(0, found.start() - 64)
        before = text[begin : found.start()]
        mailbox = next((end for pattern in MAILBOX_ENDS if (end := pattern.search(before))), None)
        if mailbox and (" " not in found[0] or any(c.isalpha() for c in mailbox[0])):
            yield Span(begin + mailbox.start(), found.end(), "email")
    yield from (Span(*found.span(), "email") for found in WRITTEN_OUT.finditer(text))


def wechat_accounts(text: str) -> Iterator[Span]:
    for found in OPENID.finditer(text):
        # One of many thousand openids has no capital; a long English word with hyphens never has one.
        if any(c.isupper() for c in found[0]) and any(c.islower() for c in found[0][1:]):
            yield Span(*found.span(), "openid")
    yield from _named(WECHAT, "account", text)
    yield from _named(QQ, "account", text)


def plates(text: str) -> Iterator[Span]:
    return (Span(*found.span(), "plate") for found in PLATE.finditer(text) if any(c.isdigit() for c in found[0]))


def network_addresses(text: str) -> Iterator[Span]:
    for found in IPV4.finditer(text):
        if not VERSION.search(text[max(0, found.start() - 9) : found.start()]) and _is_of_somebody(found[0]):
            yield Span(*found.span(), "ip")
    for found in IPV6.finditer(text):
        if found[0].count(":") > 1 and _is_of_somebody(found[0].partition("%")[0]):
            yield Span(*found.span(), "ip")


def _is_of_somebody(text: str) -> bool:
    try:
        found = IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def positions(text: str) -> Iterator[Span]:
    for pattern in (POSITION, POSITION_REVERSED):
        yield from (Span(*found.span(), "position") for found in pattern.finditer(text))
    yield from _named(COORDINATE, "position", text)


def birth_dates(text: str) -> Iterator[Span]:
    return _named(BIRTH, "birth_date", text)
