"""The numbers that behaviour is clustered by, and the words for having more or less of them than others.

Hours, weekdays and short trends were tried and left out: they scatter too much for clusters to come out alike twice.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Trait:
    """One column: whether its logarithm is taken, and what high and low values are called."""

    column: str
    logarithm: bool
    high: tuple[str, str]  # English, Chinese
    low: tuple[str, str]


TRAITS: Final = (
    Trait(
        column="days_since_last_purchase",
        logarithm=True,
        high=("not seen lately", "近期未到店"),
        low=("seen very lately", "最近刚到店"),
    ),
    Trait(
        column="shopping_days_91", logarithm=True, high=("frequent visits", "购物频繁"), low=("rare visits", "购物较少")
    ),
    Trait(
        column="value_per_day_91",
        logarithm=True,
        high=("large baskets", "单次消费高"),
        low=("small baskets", "单次消费低"),
    ),
    Trait(
        column="discount_share_182",
        logarithm=False,
        high=("bargain hunting", "偏好优惠"),
        low=("little use of discounts", "较少使用优惠"),
    ),
    Trait(
        column="category_entropy",
        logarithm=False,
        high=("broad choice", "品类广泛"),
        low=("few categories", "品类集中"),
    ),
    Trait(
        column="redeemed_all",
        logarithm=True,
        high=("redeeming coupons", "常兑换优惠券"),
        low=("hardly any coupons", "很少兑换优惠券"),
    ),
)


def category_trait(column: str, category: str) -> Trait:
    """Return the trait of spending a larger share on a category."""
    words = category.capitalize()
    return Trait(
        column=column,
        logarithm=False,
        high=(f"much on {words}", f"{words} 占比高"),
        low=(f"little on {words}", f"{words} 占比低"),
    )
