"""One spelling of each identifier and name, so that equal ones have equal keyed hashes.

Full-width digits, invisible marks (zero-width joiners, right-to-left marks), spaces, ``+86`` and ``0086`` are ways to
write the same number; capitals are ways to write the same mailbox. Ids that systems give are left as they are but for
what nobody can see: two of them that differ in a letter's case mean two people.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from django.conf import settings

# Format characters (Cf: joiners, direction marks, the byte order mark, tags) and variation selectors. The Hangul and
# Mongolian fillers and the soft hyphen are invisible too.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
NOT_DIALLED = re.compile(r"[\s().\-/·‐-―－・ー_]")
CHINESE_MOBILE = re.compile(r"(?P<code>\+?86|0086)?(?P<number>1[3-9]\d{9})")
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
DOTS = str.maketrans(dict.fromkeys("•‧∙⋅・･．.᛫", "·"))


def normal(type: str, value: str) -> str:
    """Return the one spelling of an identifier or a name; ``type`` as in ``Identifier.Type``, or ``name``.

    >>> normal("phone", "００８６ 138-0013-8000"), normal("email", "Zhang@QQ.com "), normal("name", " Zhang\u200d  Wei")
    ('+8613800138000', 'zhang@qq.com', 'zhang wei')
    """
    return NORMAL.get(type, normal_id)(value)


def normal_id(value: str) -> str:
    """Return an id without what cannot be seen, full-width signs as plain ones; capitals stay.

    >>> normal_id("ＵＳＥＲ\u200f-1 ")
    'USER-1'
    """
    if value.isascii():
        return value.strip()
    return unicodedata.normalize("NFC", INVISIBLE.sub("", value)).translate(FULL_WIDTH).strip()


def normal_email(value: str) -> str:
    """Return a mailbox in small letters.

    >>> normal_email("ＺＨＡＮＧ＠qq．com")
    'zhang@qq.com'
    """
    if value.isascii():
        return value.strip().lower()
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", value)).strip().casefold()


def normal_phone(value: str) -> str:
    """Return a number as E.164; what no numbering plan knows, as its digits.

    A number without a country's code is one of ``PHONE_REGION``.

    >>> normal_phone("+44 20 7946 0958"), normal_phone("86 13800138000"), normal_phone("400-820-8820 x2")
    ('+442079460958', '+8613800138000', '4008208820x2')
    """
    plain = NOT_DIALLED.sub("", _plain(value))
    found = CHINESE_MOBILE.fullmatch(plain)
    if found and (found["code"] or settings.PHONE_REGION == "CN"):  # eleven digits that begin with 1 are American, too
        return f"+86{found['number']}"
    return _parsed(plain, settings.PHONE_REGION)


def normal_name(value: str) -> str:
    """Return a name in small letters, one space between words, none between Chinese characters, one kind of dot.

    >>> normal_name("欧阳　娜娜"), normal_name("买买提 • 阿不都")
    ('欧阳娜娜', '买买提·阿不都')
    """
    words = _plain(value).translate(DOTS).casefold().split()
    joined = "".join(f"{word} " if word[-1].isascii() else word for word in words).strip()
    return re.sub(r"\s*·\s*", "·", joined)


def _plain(value: str) -> str:
    return value.strip() if value.isascii() else unicodedata.normalize("NFKC", INVISIBLE.sub("", value)).strip()


@lru_cache(maxsize=4096)
def _parsed(plain: str, region: str) -> str:
    international = re.sub(r"^00", "+", plain)
    try:
        number = phonenumbers.parse(international, region)
    except phonenumbers.NumberParseException:
        return plain
    if not phonenumbers.is_valid_number(number) or number.extension:
        return plain
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


NORMAL = {"phone": normal_phone, "email": normal_email, "name": normal_name}
