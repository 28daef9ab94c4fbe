"""Shop events in Segment's words: which kind they are, and one event for each product of an order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.checks import MOST_MONEY, Invalid, currency, mapping, number, text
from crm.drafts import Draft
from crm.models import Event

KINDS: Mapping[str, str] = {
    "Product Viewed": Event.Kind.VIEW.value,
    "Product Clicked": Event.Kind.VIEW.value,
    "Product Added": Event.Kind.CART.value,
    "Order Completed": Event.Kind.PURCHASE.value,
    "Order Refunded": Event.Kind.REFUND.value,
    "Products Searched": Event.Kind.SEARCH.value,
    "WeChat Privacy Agreed": Event.Kind.PRIVACY_AGREED.value,  # accepted the platform's guide: no consent to marketing
}
ORDERS = frozenset({Event.Kind.PURCHASE.value, Event.Kind.REFUND.value})
MOST_PRODUCTS = 500
CENT = Decimal("0.01")


def events(facts: dict[str, Any], properties: dict[str, Any]) -> tuple[Draft, ...]:
    """Return the events that a shop event stands for: an order is one of each of its products, anything else itself.

    ``facts`` are the fields of a draft that are known already.
    """
    money = currency(properties.get("currency"), "properties.currency")
    if facts["kind"] in ORDERS:
        return _order(Draft(**facts, currency=money), properties)
    return (Draft(**facts, currency=money, **_product(properties, "properties")),)


def _order(order: Draft, properties: dict[str, Any]) -> tuple[Draft, ...]:
    order_id = text(properties.get("order_id") or properties.get("orderId"), "properties.order_id", 128)
    order = order._replace(session=order_id)
    if order_id:
        # A thank-you page that is loaded twice sends two messages of one order.
        order = order._replace(message_id=f"{order.kind}:{order.refs[0][1]}:{order_id}")
    products = properties.get("products")
    discount = number(properties.get("discount"), "properties.discount", places=2)
    if not products:
        return (order._replace(value=_total(properties), discount=discount),)
    if not isinstance(products, list) or len(products) > MOST_PRODUCTS:
        raise Invalid("properties.products", f"must be a list of at most {MOST_PRODUCTS} products")
    lines = [
        _line(order, mapping(product, f"properties.products[{n}]"), f"properties.products[{n}]", n)
        for n, product in enumerate(products)
    ]
    return tuple(_shared(lines, discount or Decimal(0)))


def _line(order: Draft, product: dict[str, Any], where: str, place: int) -> Draft:
    return order._replace(
        message_id=order.message_id and f"{order.message_id}:{place}",
        discount=number(product.get("discount"), f"{where}.discount", places=2),
        **_product({"quantity": 1} | product, where),
    )


def _product(product: dict[str, Any], where: str) -> dict[str, Any]:
    """Return which item it is, how many, and for how much."""
    code = text(product.get("product_id") or product.get("productId") or product.get("sku"), f"{where}.product_id", 128)
    quantity = number(product.get("quantity"), f"{where}.quantity", places=3)
    price = number(product.get("price"), f"{where}.price", places=2)
    value = _total(product) if price is None or quantity is None else (price * quantity).quantize(CENT)
    if value is not None and value > MOST_MONEY:
        raise Invalid(f"{where}.price", f"times the quantity is more than {MOST_MONEY}")
    return {
        "item": ("product", code) if code else None,
        "item_title": text(product.get("name"), f"{where}.name", 1000)[:300],
        "quantity": quantity,
        "value": value,
    }


def _total(properties: dict[str, Any]) -> Decimal | None:
    for key in ("revenue", "total", "value"):
        if (found := number(properties.get(key), f"properties.{key}", places=2)) is not None:
            return found
    return None


def _shared(lines: list[Draft], discount: Decimal) -> list[Draft]:
    """Return the lines net of their discounts, the order's discount shared out by what each line costs."""
    whole = sum((line.value or Decimal(0) for line in lines), Decimal(0))
    left = min(discount, whole) if not any(line.discount for line in lines) else Decimal(0)
    shared = []
    for line in lines:
        value = line.value or Decimal(0)
        own = line.discount or (left * value / whole if whole else Decimal(0)).quantize(CENT)
        left, whole = left - min(own, left), whole - value  # what rounding leaves over goes to the later lines
        net = None if line.value is None else max(value - own, Decimal(0))
        shared.append(line._replace(value=net, discount=own or line.discount))
    return shared
