"""Tokens, keys, passwords and signed links; and personal values beside their names, as programs write them."""

import re
from collections.abc import Iterator

from crm.recognisers import Span

NAMED = re.compile(
    r"(?:write_?key|api_?key|secret(?:_?key)?|client_?secret|password|passwd|pwd|passphrase|token|access_?token|refresh_?token|session_?key"
    r"|sessionid|csrftoken|csrfmiddlewaretoken|authorization|otp|private_?key|密码|口令|密钥|验证码)"
    r"[\"']?\s{0,2}(?:[:：=]|是|为)\s{0,2}[\"']?(?:(?:Bearer|Basic|Token)\s{1,2})?(?P<value>[^\s\"',;&<>，。；]{3,512})",
    re.IGNORECASE,
)
CODE = re.compile(
    r"(?:验证码|校验码|动态码|verification code)[\s:：是为]{0,3}(?:is )?(?P<value>\d{4,8})(?!\d)", re.IGNORECASE
)
SCHEME = re.compile(r"\b(?:Bearer|Basic)\s{1,2}(?P<value>[\w.~+/=-]{8,2048})", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)(?P<value>[^\s/@:]{0,64}:[^\s/@]{1,128})(?=@)")
LINK = re.compile(r"/p/(?P<value>[\w.:=~-]{12,600})")
OPAQUE = re.compile(r"(?<![\w/+-])(?P<value>[\w-]{40,512})(?![\w-])", re.ASCII)
JWT = re.compile(r"(?<![\w-])(?P<value>eyJ[\w-]{8,2048}\.[\w-]{8,4096}\.[\w-]{0,1024})", re.ASCII)
KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?P<value>[\sA-Za-z0-9+/=]{16,8192})")
VALUE = (
    r"[\"']?\s{0,2}[:=]\s{0,2}(?:\"(?P<double>[^\"\n]{1,512})\"|'(?P<single>[^'\n]{1,512})'"
    r"|(?P<bare>[^\s\"',;&{}\[\]<>()]{2,128}))"
)
FIELDS = {
    "name": "full_?name|first_?name|last_?name|nick_?name|real_?name|user_?name|display_?name|姓名|昵称",
    "phone": "phone|mobile|telephone|phone_?number|手机|电话",
    "email": "e-?mail|email_?address|邮箱",
    "address": "address|street|home_?address|地址",
    "openid": "openid|open_?id|unionid|union_?id|external_?userid",
    "resident_id": "id_?card|resident_?id|id_?number|身份证",
    "document": "passport|passport_?no",
    "birth_date": "birth_?date|birthday|date_?of_?birth|dob",
}
NUMBERED = frozenset({"phone", "resident_id", "document", "birth_date"})
BESIDE = re.compile(
    r"(?<![\w.])(?:" + "|".join(f"(?P<{kind}>{names})" for kind, names in FIELDS.items()) + ")" + VALUE, re.IGNORECASE
)
QUOTED_NAME = re.compile(r"[\"']name[\"']\s?:\s?[\"'](?P<value>[^\"'\n]{1,200})[\"']", re.IGNORECASE)


def secrets(text: str) -> Iterator[Span]:
    for pattern in (NAMED, CODE, SCHEME, USER_INFO, LINK, JWT, KEY_BLOCK):
        yield from (Span(*found.span("value"), "secret") for found in pattern.finditer(text))
    for found in OPAQUE.finditer(text):
        if _is_random(found["value"]):
            yield Span(*found.span("value"), "secret")


def _is_random(text: str) -> bool:
    """Return whether letters of both cases and digits are mixed, as no word and no digest in hexadecimal has them."""
    return any(c.isupper() for c in text) and any(c.islower() for c in text) and any(c.isdigit() for c in text)


def fields(text: str) -> Iterator[Span]:
    """Yield values of personal fields in JSON, in ``key=value`` and in what Python prints."""
    for found in BESIDE.finditer(text):
        value = next(name for name in ("double", "single", "bare") if found[name] is not None)
        kind = next(kind for kind in FIELDS if found[kind] is not None)
        if kind in NUMBERED and sum(character.isdigit() for character in found[value]) < 4:
            continue  # "身份证：330开头那个错了"
        if "*" not in found[value] and found[value] not in {"None", "null", "True", "False", "true", "false"}:
            yield Span(*found.span(value), kind)
    yield from (Span(*found.span("value"), "name") for found in QUOTED_NAME.finditer(text))
