"""What may lie open: the quick way of a whole message and the way of a single value say the same."""

import json
import math
from decimal import Decimal
from typing import Any

import pytest

from crm.checks import number
from crm.coarse import is_coarse, split

NAMES = ["plan", "seats", "note", "product_id", "coupon_upc", "email", "list", "13800138000", "", "user_id", "price"]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 5, 10**9 - 1, 10**9, -(10**9), 10**12, 0.5, -0.0, 1e9, math.nan, math.inf, -math.inf),
    *("", "gold", "13800138000", "10000085475", "zhang@qq.com", "a b c d e f", "x" * 49, "tea\n", "知音", "1 234 567"),
    *([], [1, "gold"], ["13800138000"], list(range(21)), [[1]], {}, {"plan": "gold"}, {"note": "x"}, {"plan": {}}),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_parted_as_each_of_its_values_is(name: str) -> None:
    for value in VALUES:
        coarse, personal = split({"plan": "gold", name: value} if name != "plan" else {name: value})
        assert (name in coarse, name in personal) == (is_coarse(name, value), not is_coarse(name, value)), value


@pytest.mark.parametrize(
    "value", [0, 1, 7, 12.5, 0.005, 0.015, 2.675, 19.995, 1e-9, -0.0, 10**6, 10**6 + 0.5, 123456.789]
)
@pytest.mark.parametrize("places", [2, 3])
def test_a_number_is_the_same_by_the_quick_way_and_as_a_text(value: float, places: int) -> None:
    found = number(value, "price", places=places)
    assert (found, str(found)) == (
        number(str(value), "price", places=places),
        str(number(str(value), "price", places=places)),
    )
    assert isinstance(found, Decimal)
    assert number(json.loads(json.dumps(value)), "price", places=places) == found
