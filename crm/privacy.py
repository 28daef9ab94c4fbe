"""What is shown of people to somebody who need not see them whole: their names, identifiers, traits and texts."""

from base64 import b32encode
from collections.abc import Mapping
from typing import Any

from django.utils.crypto import salted_hmac

from crm.finder import masked_text
from crm.masks import HIDDEN, MASKS, masked_id, masked_name

__all__ = ["PERSONAL_TRAITS", "masked", "masked_attributes", "masked_name", "masked_text", "personal_kind"]

# Traits that sources send under these names are personal, whatever their value; with the mask that each one wears.
KINDS_OF_TRAITS: Mapping[str, str] = {
    name: kind
    for kind, names in {
        "name": "name first_name last_name firstname lastname full_name fullname nickname username real_name recipient"
        " 姓名 昵称 收件人",
        "phone": "phone mobile tel telephone cellphone phone_number 手机 手机号 电话",
        "email": "email e_mail mail email_address 邮箱",
        "address": "address street street_address home_address 地址 住址",
        "resident_id": "id_card idcard resident_id id_number 身份证 身份证号",
        "document": "passport passport_no permit 护照",
        "bank_card": "bank_card card_number 银行卡",
        "plate": "plate license_plate 车牌",
        "ip": "ip ip_address remote_addr",
        "imei": "imei device_id idfa oaid",
        "position": "latitude longitude lat lng position gps",
        "openid": "openid open_id unionid union_id external_userid",
        "account": "wechat weixin wechat_id qq",
        "birth_date": "birthday birth_date birthdate date_of_birth dob 生日 出生日期",
        "secret": "avatar zip postal_code zipcode password token authorization user_agent useragent referrer url 邮编",
    }.items()
    for name in names.split()
}
PERSONAL_TRAITS = frozenset(KINDS_OF_TRAITS)
DEEPEST = 12  # levels of a trait that are looked into; what lies deeper is hidden


def masked(type: str, value: str) -> str:
    """Return an identifier's value as somebody sees it to whom it was not revealed.

    An openid is never shown: its place takes a token that tells two of them apart, and is good for nothing else.

    >>> masked("phone", "13800138000"), masked("external_id", "household-12")
    ('138****8000', 'hou***12')
    """
    if type in {"openid", "unionid", "external_userid"}:
        return f"{type}:{_token(type, value)}" if value else ""
    return MASKS.get(type, masked_id)(value)


def _token(type: str, value: str) -> str:
    digest = salted_hmac("crm.privacy.display", f"{type}:{value}", algorithm="sha256").digest()
    return b32encode(digest[:5]).decode().lower()


def personal_kind(name: str) -> str:
    """Return which kind of personal value a trait of this name has; empty if its name does not say.

    >>> personal_kind("Mobile"), personal_kind("homeAddress"), personal_kind("income")
    ('phone', 'address', '')
    """
    plain = name.strip().replace("-", "_").replace(" ", "_")
    spaced = "".join(f"_{c}" if c.isupper() else c for c in plain).lstrip("_")
    return KINDS_OF_TRAITS.get(plain.lower()) or KINDS_OF_TRAITS.get(spaced.lower(), "")


def masked_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the traits with the personal ones masked, and with what is personal in the texts of all others.

    >>> masked_attributes({"income": "50-74K", "email": "zhang@qq.com", "address": {"street": "1 High St"}})
    {'income': '50-74K', 'email': 'z***@q*.com', 'address': '***'}
    >>> masked_attributes({"note": "call 13800138000", "home": [{"phone": "13800138000"}], "phone": 13800138000})
    {'note': 'call 138****8000', 'home': [{'phone': '138****8000'}], 'phone': '138****8000'}
    """
    return {masked_text(str(name)): _masked_trait(str(name), value, DEEPEST) for name, value in attributes.items()}


def _masked_trait(name: str, value: Any, levels: int) -> Any:
    kind = personal_kind(name)
    if not kind:
        return _masked_value(value, levels)
    if value is None or isinstance(value, bool) or value == "":
        return value
    return MASKS[kind](str(value)) if isinstance(value, str | int | float) else HIDDEN


def _masked_value(value: Any, levels: int) -> Any:
    if levels == 0:
        return HIDDEN
    match value:
        case str():
            return masked_text(value)
        case int() if not isinstance(value, bool):
            text = masked_text(str(value))
            return value if text == str(value) else text
        case dict():
            return {masked_text(str(k)): _masked_trait(str(k), v, levels - 1) for k, v in value.items()}
        case list():
            return [_masked_value(one, levels - 1) for one in value]
        case _:
            return value
