"""Why a score is what it is, in plain words: a code and numbers are stored, the sentence is made when it is read.

Pure: no Django here, and nothing heavy, since web processes read it. The admin picks the language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason for one person's score.

    Attributes
    ----------
    code : str
        A key of ``TEXTS``.
    feature : str
        The column that weighed most among those the code stands for.
    contribution : float
        What the columns of this code add to the log-odds: above 0 they raise the score.
    values : mapping of str to float
        The numbers in the sentence; absent where unknown.
    value : float or None
        The feature's own value, None where unknown.
    """

    code: str
    feature: str
    contribution: float
    values: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None

    def say(self, language: str = "en") -> str:
        return say(self.code, self.values, language)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A sentence in both languages, and the columns (by placeholder) whose numbers it names."""

    en: str
    zh: str
    numbers: Mapping[str, str]


OTHER: Final = "other"  # a test holds every score to not needing it

TEXTS: Final[dict[str, Text]] = {
    OTHER: Text(en="Something else that is known of them", zh="其他已知情况", numbers={}),
    "silence": Text(
        en="No purchase for {days} days; usually every {gap}",
        zh="已 {days} 天未购买；平时每 {gap} 天一次",
        numbers={"days": "days_since_last_purchase", "gap": "gap_median"},
    ),
    "quiet": Text(
        en="No purchase for {days} days", zh="已 {days} 天未购买", numbers={"days": "days_since_last_purchase"}
    ),
    "single": Text(
        en="No purchase for {days} days, and only one shopping day before",
        zh="已 {days} 天未购买，此前只在一天内购买过",
        numbers={"days": "days_since_last_purchase"},
    ),
    "rhythm": Text(
        en="Usually {gap} days between visits; the longest pause was {longest}",
        zh="两次购买通常相隔 {gap} 天；最长一次间隔 {longest} 天",
        numbers={"gap": "gap_mean", "longest": "gap_max"},
    ),
    "no_rhythm": Text(
        en="Came on one day only so far: no rhythm is known", zh="至今只有一个购物日，尚无购买节奏", numbers={}
    ),
    "absence": Text(
        en="{percent} % of all four-week periods so far passed without a purchase",
        zh="至今 {percent}% 的四周时段内没有购买",
        numbers={"percent": "absent_28"},
    ),
    "frequency": Text(
        en="Shopping days in the last 13 weeks: {days}, of these in the last 4: {recent}",
        zh="近 13 周有 {days} 天购物，其中近 4 周 {recent} 天",
        numbers={"days": "shopping_days_91", "recent": "shopping_days_28"},
    ),
    "spending": Text(
        en="Spent {value} in the last 13 weeks, {recent} of it in the last 4",
        zh="近 13 周消费 {value}，其中近 4 周 {recent}",
        numbers={"value": "value_91", "recent": "value_28"},
    ),
    "trend": Text(
        en="Weeks with a purchase: {recent} of the last 4, {weeks} of the last 13",
        zh="近 4 周中有 {recent} 周购物，近 13 周中有 {weeks} 周",
        numbers={"recent": "weeks_4", "weeks": "weeks_13"},
    ),
    "tenure": Text(
        en="First purchase {days} days ago",
        zh="首次购买在 {days} 天前",
        numbers={"days": "days_since_first_purchase"},
    ),
    "breadth": Text(
        en="In half a year, different items bought: {items}; categories: {categories}",
        zh="半年内购买了 {categories} 个品类的 {items} 种商品",
        numbers={"items": "items_182", "categories": "categories_182"},
    ),
    "discounts": Text(
        en="Discounts saved {percent} % of the price in half a year",
        zh="半年内优惠占原价的 {percent}%",
        numbers={"percent": "discount_share_182"},
    ),
    "campaigns": Text(
        en="In the last 13 weeks, campaigns received: {assigned}; coupons redeemed: {redeemed}",
        zh="近 13 周收到 {assigned} 个活动，兑换 {redeemed} 张优惠券",
        numbers={"assigned": "assigned_91", "redeemed": "redeemed_91"},
    ),
    "clock": Text(
        en="Comes around {hour} o'clock on average; {percent} % of baskets on a weekend",
        zh="平均在 {hour} 点左右购物；{percent}% 的购物在周末",
        numbers={"hour": "hour_mean", "percent": "weekend_share"},
    ),
    "answers": Text(
        en="Clicks about {percent} % of what is sent; messages so far: {messages}",
        zh="约点击所收消息的 {percent}%；至今收到 {messages} 条",
        numbers={"percent": "person_rate", "messages": "person_messages"},
    ),
    "by_channel": Text(
        en="On this channel, about {percent} % of messages are clicked",
        zh="该渠道的消息约有 {percent}% 被点击",
        numbers={"percent": "channel_rate"},
    ),
    "message": Text(
        en="About {percent} % of people click such a message",
        zh="约 {percent}% 的人点击此类消息",
        numbers={"percent": "message_rate"},
    ),
    "orders": Text(
        en="Orders after about {percent} % of what is sent; messages so far: {messages}",
        zh="约 {percent}% 的消息之后有下单；至今收到 {messages} 条",
        numbers={"percent": "person_rate", "messages": "person_messages"},
    ),
    "orders_by_channel": Text(
        en="On this channel, about {percent} % of messages are followed by an order of theirs",
        zh="该渠道约有 {percent}% 的消息之后，此人有下单",
        numbers={"percent": "channel_rate"},
    ),
    "orders_of_message": Text(
        en="About {percent} % of people order after such a message",
        zh="约 {percent}% 的人在此类消息之后下单",
        numbers={"percent": "message_rate"},
    ),
    "redemptions": Text(
        en="Uses a coupon of about {percent} % of what is sent; messages so far: {messages}",
        zh="约兑换所收消息中 {percent}% 的优惠券；至今收到 {messages} 条",
        numbers={"percent": "person_rate", "messages": "person_messages"},
    ),
    "redemptions_by_channel": Text(
        en="On this channel, uses a coupon of about {percent} % of messages",
        zh="该渠道约有 {percent}% 的消息的优惠券被此人兑换",
        numbers={"percent": "channel_rate"},
    ),
    "redemptions_of_message": Text(
        en="About {percent} % of people use a coupon of such a message",
        zh="约 {percent}% 的人兑换此类消息的优惠券",
        numbers={"percent": "message_rate"},
    ),
    "coupons": Text(
        en="Coupons used so far: {coupons}, of these in the last 13 weeks: {recent}",
        zh="至今兑换优惠券 {coupons} 张，其中近 13 周 {recent} 张",
        numbers={"coupons": "coupons_all", "recent": "coupons_91"},
    ),
    "clicks": Text(
        en="Clicks about {percent} % of what is sent",
        zh="约点击所收消息的 {percent}%",
        numbers={"percent": "clicks_rate"},
    ),
    "moment": Text(en="The hour and the day it would be sent", zh="拟发送的时段与日期", numbers={}),
    "expected": Text(
        en="At the pace so far, {purchases} purchases are to be expected",
        zh="按目前的节奏，预计购买 {purchases} 次",
        numbers={"purchases": "expected_purchases"},
    ),
    "basket": Text(
        en="Spends {value} a shopping day on average",
        zh="平均每个购物日消费 {value}",
        numbers={"value": "spend_a_time"},
    ),
}

# The longest beginning that fits a column decides its code.
BEGINNINGS: Final[dict[str, str]] = {
    "days_since_last_purchase": "silence",
    "overdue": "silence",
    "gaps_as_long": "silence",
    "gap_": "rhythm",
    "absent_": "absence",
    "shopping_days_": "frequency",
    "sessions_": "frequency",
    "pace_": "frequency",
    "value_": "spending",
    "value_trend_": "trend",
    "days_trend_": "trend",
    "week_": "trend",
    "weeks_": "trend",
    "days_since_first_purchase": "tenure",
    "items_": "breadth",
    "categories_": "breadth",
    "category_": "breadth",
    "discount": "discounts",
    "assigned_": "campaigns",
    "redeemed_": "campaigns",
    "days_since_assigned": "campaigns",
    "days_since_redeemed": "campaigns",
    "visits_": "campaigns",
    "hour_": "clock",
    "morning_share": "clock",
    "evening_share": "clock",
    "weekend_share": "clock",
    "weekday_top_share": "clock",
    "person_": "answers",
    "channel_": "by_channel",
    "everybody_": "by_channel",
    "on_": "by_channel",
    "message_": "message",
    "clicks_": "clicks",
    "coupons_": "coupons",
    "coupon_": "coupons",
    "hour_sin": "moment",
    "hour_cos": "moment",
    "hour_late": "moment",
    "weekend": "moment",
    "time_more": "moment",
    "expected_": "expected",
    "alive": "expected",
    "spend_a_time": "basket",
}


MONEY: Final = frozenset(code for code, text in TEXTS.items() if "value" in text.numbers)


def code_of(feature: str) -> str:
    """Return the code that a column of features belongs to; ``OTHER`` for one that nobody has put into words.

    Examples
    --------
    >>> code_of("value_91"), code_of("value_trend_28"), code_of("horoscope")
    ('spending', 'trend', 'other')
    """
    start = max((start for start in BEGINNINGS if feature.startswith(start)), key=len, default="")
    return BEGINNINGS[start] if start else OTHER


def say(code: str, values: Mapping[str, float], language: str = "en", currency: str = "") -> str:
    """Return the sentence of a stored reason, in Simplified Chinese for languages that begin with ``zh``.

    Money stands with its currency where the reader knows it. Of who came once no rhythm is told.

    Examples
    --------
    >>> say("silence", {"days": 40, "gap": 6.5})
    'No purchase for 40 days; usually every 6.5'
    >>> say("absence", {"percent": 0.25}, "zh-hans")
    '至今 25% 的四周时段内没有购买'
    >>> say("clock", {"hour": 17.2})
    "Comes around 17 o'clock on average; ? % of baskets on a weekend"
    >>> say("basket", {"value": 85.2}, currency="USD")
    'Spends 85 USD a shopping day on average'
    """
    text = TEXTS["no_rhythm" if code == "rhythm" and "gap" not in values else code]
    sentence = text.zh if language.startswith("zh") else text.en
    said = {name: _number(name, values.get(name)) for name in text.numbers}
    if currency and "value" in said:
        said["value"] += f" {currency}"
    return sentence.format(**said)


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "?"
    if name == "percent":
        return f"{value * 100:.0f}"
    if name in {"value", "hour"} or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0")
