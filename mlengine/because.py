"""Reasons for the person who is shown an item, with the titles of the items that they name; one query for many."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crm.models import Item
from mlengine.estimators import recommendation_reasons

Reason = Mapping[str, Any]
AT_LEAST: Final = (10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000)


def at_least(people: int) -> int:
    """Return a count of people as programs are told it: so coarse that two answers do not tell who came between.

    >>> at_least(9), at_least(10), at_least(731)
    (0, 10, 500)
    """
    return max((step for step in AT_LEAST if step <= people), default=0)


def coarse(reason: Reason) -> dict[str, Any]:
    """Return a reason with its count of people made coarse."""
    values = reason.get("values") or {}
    if not isinstance(values.get("people"), int):
        return dict(reason)
    return {**reason, "values": {**values, "people": at_least(values["people"])}}


def named(reasons: Iterable[Reason]) -> set[int]:
    """Return the items that reasons name."""
    values = [one.get("values") or {} for one in reasons]
    return {said["item"] for said in values if "item" in said}


def titled(reasons: Iterable[Reason], titles: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """Return the numbers of reasons, items in them by title; asked for where the reader does not know the titles."""
    told = list(reasons)
    if titles is None:
        titles = {pk: str(item) for pk, item in Item.objects.only("title", "code").in_bulk(named(told)).items()}
    values = [dict(one.get("values") or {}) for one in told]
    return [said | ({"item": titles.get(said["item"], "?")} if "item" in said else {}) for said in values]


def say_to_her(code: str, values: Mapping[str, Any], language: str) -> str:
    """Return why, as the person herself reads it: empty where a release does not know the code, or a number lacks."""
    try:
        return recommendation_reasons.say_to_her(code, values, language)
    except KeyError:
        return ""


def to_her(reasons: Sequence[Reason], titles: Mapping[int, str], language: str) -> list[str]:
    """Return the same for several reasons, whose items are still numbers."""
    told = zip(reasons, titled(reasons, titles), strict=True)
    return [say_to_her(str(one.get("code", "")), said, language) for one, said in told]
