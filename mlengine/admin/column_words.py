"""What the columns of features are called in charts: a number in a name is a count of days or weeks."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

# By the whole name; a test holds every column that models of people learn from to being here.
COLUMNS: Final[Mapping[str, Any]] = {
    r"days_since_last_purchase": _("days since the last purchase"),
    r"days_since_first_purchase": _("days since the first purchase"),
    r"overdue": _("last purchase ago, in usual gaps"),
    r"overdue_p90": _("last purchase ago, in long gaps"),
    r"overdue_(?P<n>\d+)": _("last purchase ago, in gaps of %(n)s days"),
    r"gaps_as_long": _("share of gaps that were as long"),
    r"gap_mean": _("mean gap (days)"),
    r"gap_std": _("spread of gaps (days)"),
    r"gap_median": _("usual gap (days)"),
    r"gap_p90": _("long gap: 9 of 10 are shorter (days)"),
    r"gap_max": _("longest gap (days)"),
    r"gap_last": _("last gap (days)"),
    r"gap_median_(?P<n>\d+)": _("usual gap in the last %(n)s days"),
    r"gap_max_(?P<n>\d+)": _("longest gap in the last %(n)s days"),
    r"absent_(?P<n>\d+)": _("%(n)s days without a purchase (share)"),
    r"absent_(?P<n>\d+)_recent": _("%(n)s days without a purchase, lately"),
    r"shopping_days_(?P<n>\d+)": _("shopping days in the last %(n)s days"),
    r"sessions_(?P<n>\d+)": _("baskets in the last %(n)s days"),
    r"pace_(?P<n>\d+)": _("recent pace (halves in %(n)s days)"),
    r"value_(?P<n>\d+)": _("spent in the last %(n)s days"),
    r"value_per_day_(?P<n>\d+)": _("spent a shopping day, last %(n)s days"),
    r"value_trend_(?P<n>\d+)": _("spending of %(n)s days against before"),
    r"days_trend_(?P<n>\d+)": _("shopping days of %(n)s against before"),
    r"week_slope": _("rise or fall from week to week"),
    r"week_std": _("spread between weeks"),
    r"weeks_(?P<n>\d+)": _("weeks with a purchase, of the last %(n)s"),
    r"items_(?P<n>\d+)": _("different items in the last %(n)s days"),
    r"categories_(?P<n>\d+)": _("categories in the last %(n)s days"),
    r"category_entropy": _("how evenly over categories (bits)"),
    r"category_top_share": _("share of the largest category"),
    r"discount_share_(?P<n>\d+)": _("share saved in the last %(n)s days"),
    r"discounted_lines_(?P<n>\d+)": _("purchases with a discount, %(n)s days"),
    r"assigned_all": _("campaigns received so far"),
    r"assigned_(?P<n>\d+)": _("campaigns received in the last %(n)s days"),
    r"redeemed_all": _("coupons redeemed so far"),
    r"redeemed_(?P<n>\d+)": _("coupons redeemed in the last %(n)s days"),
    r"coupons_all": _("coupons used so far"),
    r"coupons_(?P<n>\d+)": _("coupons used in the last %(n)s days"),
    r"coupon_days_all": _("days with a coupon used, so far"),
    r"days_since_assigned": _("days since the last campaign"),
    r"days_since_redeemed": _("days since the last coupon redeemed"),
    r"visits_(?P<n>\d+)": _("other visits in the last %(n)s days"),
    r"hour_mean": _("usual hour"),
    r"hour_std": _("spread of hours"),
    r"morning_share": _("share before noon"),
    r"evening_share": _("share from 18:00 on"),
    r"weekend_share": _("share at weekends"),
    r"weekday_top_share": _("share of the usual weekday"),
    r"expected_purchases": _("expected purchases"),
    r"expected_spend": _("expected spending"),
    r"spend_a_time": _("spending a time"),
    r"alive": _("probability of still being a customer"),
}

# Of columns whose theme says what is counted: clicks or orders.
UNDER_A_THEME: Final[Mapping[str, Any]] = {
    "person_messages": _("messages so far"),
    "person_rate": _("own rate"),
    "channel_messages": _("messages there"),
    "channel_rate": _("own rate there"),
    "everybody_messages": _("messages to everybody"),
    "everybody_rate": _("everybody's rate"),
    "message_rate": _("rate of this one"),
    "clicks_rate": _("own rate"),
    "on_wechat": _("by WeChat"),
    "on_wecom": _("by WeCom"),
    "on_mini_program": _("by mini program"),
    "on_email": _("by e-mail"),
    "on_sms": _("by SMS"),
    "on_post": _("by post"),
    "hour_sin": _("morning or evening"),
    "hour_cos": _("midday or night"),
    "hour_late": _("late in the evening"),
    "weekend": _("at the weekend"),
    "time_more": _("own time of the day"),
}


def told(name: str) -> str:
    """Return a column's name in words; nothing for one that nobody has put into words.

    >>> told("gap_max"), told("weeks_8"), told("horoscope")
    ('longest gap (days)', 'weeks with a purchase, of the last 8', '')
    """
    for pattern, words in COLUMNS.items():
        if found := re.fullmatch(pattern, name):
            return str(words) % found.groupdict() if found.groupdict() else str(words)
    return ""
