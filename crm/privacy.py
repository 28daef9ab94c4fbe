"""What is shown of a personal value to somebody who need not see it whole."""

from typing import Any

STAR = "*"

# Traits that sources send under these names are personal, whatever their value.
PERSONAL_TRAITS = frozenset(
    (
        *("name", "first_name", "last_name", "firstname", "lastname", "full_name", "nickname", "username"),
        *("phone", "mobile", "tel", "email", "address", "street", "zip", "postal_code", "id_card", "passport"),
        *("birthday", "avatar", "wechat", "openid", "unionid", "姓名", "手机", "电话", "邮箱", "地址", "昵称"),
    )
)


def masked_name(name: str) -> str:
    """Return the first character only, and nothing of how long the rest is.

    >>> masked_name("张小明"), masked_name("Anna Li"), masked_name("")
    ('张*', 'A*', '')
    """
    return name[:1] + STAR if name else ""


def masked_phone(phone: str) -> str:
    """Return the operator's digits and the last four, as Chinese receipts show it.

    >>> masked_phone("13800138000"), masked_phone("+8613800138000"), masked_phone("12345")
    ('138****8000', '+86138****8000', '*****')
    """
    if len(phone) < 9:
        return STAR * len(phone)
    return f"{phone[:-8]}{STAR * 4}{phone[-4:]}"


def masked_email(email: str) -> str:
    """Return the first letters of mailbox and host, and the ending.

    >>> masked_email("zhang@qq.com"), masked_email("broken")
    ('z***@q*.com', 'b***')
    """
    mailbox, at, host = email.partition("@")
    if not at:
        return masked_id(email)
    name, _, ending = host.rpartition(".")
    return f"{mailbox[:1]}{STAR * 3}@{name[:1]}{STAR}.{ending}"


def masked_id(value: str) -> str:
    """Return enough of an id to tell two of them apart on one page.

    >>> masked_id("oX1z-openid-8872"), masked_id("household-12"), masked_id("123"), masked_id("")
    ('oX1***72', 'hou***12', '1***', '')
    """
    if len(value) < 8:
        return value[:1] + STAR * 3 if value else ""
    return f"{value[:3]}{STAR * 3}{value[-2:]}"


MASKS = {"phone": masked_phone, "email": masked_email, "name": masked_name}


def masked(type: str, value: str) -> str:
    """Return an identifier's value as somebody without ``crm.view_unmasked`` sees it."""
    return MASKS.get(type, masked_id)(value)


def masked_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the traits with the personal ones masked; nested values of personal traits are hidden whole.

    >>> masked_attributes({"income": "50-74K", "email": "zhang@qq.com", "address": {"street": "1 High St"}})
    {'income': '50-74K', 'email': 'z***@q*.com', 'address': '***'}
    """
    return {name: _masked_trait(name, value) for name, value in attributes.items()}


def _masked_trait(name: str, value: Any) -> Any:
    if name.lower() not in PERSONAL_TRAITS:
        return value
    return masked(name.lower(), value) if isinstance(value, str) else STAR * 3
