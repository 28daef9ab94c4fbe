"""Traits of a person, as Segment names them, in the columns of a profile."""

from datetime import date, datetime
from typing import Any

from crm.checks import Invalid, mapping, text
from crm.drafts import Ref

GENDERS = {
    **dict.fromkeys(("f", "female", "woman", "女"), "female"),
    **dict.fromkeys(("m", "male", "man", "男"), "male"),
}
BANDS = ((14, "under 14"), (18, "14-17"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))
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
    email = text(traits.get("email"), "traits.email", 255).lower()
    phone = "".join(sign for sign in text(traits.get("phone"), "traits.phone", 64) if sign not in " -().")
    if email and "@" not in email:
        raise Invalid("traits.email", "is not an e-mail address")
    return tuple((type_, value) for type_, value in (("email", email), ("phone", phone)) if value)


def facts(traits: dict[str, Any], language: str, now: datetime) -> dict[str, Any]:
    """Return what traits say, by the names of a profile's columns; what they do not say is absent."""
    address = mapping(traits.get("address"), "traits.address")
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
        "attributes": {key: value for key, value in traits.items() if key not in NOT_ATTRIBUTES and value is not None},
        **_born(traits, now),
    }
    return {key: value for key, value in found.items() if value}


def age_band(age: int) -> str:
    """Return the band an age falls into.

    >>> age_band(13), age_band(30), age_band(80)
    ('under 14', '25-34', '65+')
    """
    return next((band for end, band in BANDS if age < end), "65+")


def _gender(traits: dict[str, Any]) -> str:
    told = text(traits.get("gender"), "traits.gender", 64).lower()
    return GENDERS.get(told, "other") if told else ""


def _born(traits: dict[str, Any], now: datetime) -> dict[str, Any]:
    told = text(traits.get("birthday"), "traits.birthday", 64)
    if not told:
        return _aged(traits)
    try:
        day = datetime.fromisoformat(told).date()
    except ValueError:
        raise Invalid("traits.birthday", f"{told[:40]!r} is not a date in ISO 8601") from None
    age = _age(day, now.date())
    if not 0 <= age <= 130:
        raise Invalid("traits.birthday", f"{day} is no living person's birthday")
    return {"birth_month": day.month, "birth_day": day.day, "age_band": age_band(age)}


def _aged(traits: dict[str, Any]) -> dict[str, Any]:
    age = traits.get("age")
    if isinstance(age, int) and not isinstance(age, bool) and 0 <= age <= 130:
        return {"age_band": age_band(age)}
    return {}


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
