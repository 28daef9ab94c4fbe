"""Traits of a person, as Segment names them, in the columns of a profile."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from crm import ages
from crm.checks import Invalid, mapping, text
from crm.coarse import split
from crm.drafts import Ref
from crm.normal import normal_email, normal_phone

GENDERS = {
    **dict.fromkeys(("f", "female", "woman", "女"), "female"),
    **dict.fromkeys(("m", "male", "man", "男"), "male"),
}
# These have a column or an identifier of their own; copies of personal values elsewhere would outlive their erasure.
NOT_ATTRIBUTES = frozenset(
    {
        "name",
        "firstName",
        "lastName",
        "first_name",
        "last_name",
        "email",
        "phone",
        "gender",
        "birthday",
        "age",
        "address",
    }
) | {"city", "province", "state", "language", "avatar", "username", "id", "title", "description"}


def contacts(traits: dict[str, Any]) -> tuple[Ref, ...]:
    """Return the identifiers that traits hold."""
    email = normal_email(text(traits.get("email"), "traits.email", 255))
    phone = normal_phone(text(traits.get("phone"), "traits.phone", 64))
    if email and "@" not in email:
        raise Invalid("traits.email", "is not an e-mail address")
    return tuple((type_, value) for type_, value in (("email", email), ("phone", phone)) if value)


def facts(traits: dict[str, Any], language: str, now: datetime) -> dict[str, Any]:
    """Return what traits say, by the names of a profile's columns; what they do not say is absent."""
    address = mapping(traits.get("address"), "traits.address")
    coarse, personal = split(
        {key: value for key, value in traits.items() if key not in NOT_ATTRIBUTES and value is not None}
    )
    whole = text(traits.get("name"), "traits.name", 200)
    parts = (text(traits.get(key), f"traits.{key}", 100) for key in ("firstName", "lastName"))
    found = {
        "name": whole or " ".join(part for part in parts if part),
        "gender": _gender(traits),
        "province": text(
            address.get("state") or traits.get("province") or traits.get("state"), "traits.address.state", 64
        ),
        "city": text(address.get("city") or traits.get("city"), "traits.address.city", 64),
        "language": text(traits.get("language"), "traits.language", 16) or language,
        "attributes": coarse,
        "traits": personal,
        **_born(traits, now),
    }
    return {key: value for key, value in found.items() if value}


def _gender(traits: dict[str, Any]) -> str:
    told = text(traits.get("gender"), "traits.gender", 64).lower()
    return GENDERS.get(told, "other") if told else ""


def _born(traits: dict[str, Any], now: datetime) -> dict[str, Any]:
    told = text(traits.get("birthday"), "traits.birthday", 64)
    if not told:
        return _aged(traits)
    try:
        told_at = datetime.fromisoformat(told)
        # A browser writes midnight in Shanghai as 16:00 UTC of the day before.
        day = timezone.localdate(told_at) if told_at.tzinfo else told_at.date()
    except (ValueError, OverflowError):
        raise Invalid("traits.birthday", f"{told[:40]!r} is not a date in ISO 8601") from None
    years = ages.age(day, ages.today(now))
    if not 0 <= years <= ages.OLDEST:
        raise Invalid("traits.birthday", f"'{day}' is no living person's birthday")
    return {"birth_date": day, "birth_month": day.month, "birth_day": day.day, "age_band": ages.age_band(years)}


def _aged(traits: dict[str, Any]) -> dict[str, Any]:
    told = traits.get("age")
    plain = str(told).strip() if isinstance(told, int | float | str) else ""
    years = plain.removesuffix(".0")
    if years.isdecimal() and len(years) <= 3 and int(years) <= ages.OLDEST:
        return {"age_band": ages.age_band(int(years))}
    return {}
