"""What the platforms allow: one table, from their public pages; a row of ``ChannelLimit`` puts another value in place.

The platforms change these without notice. Nothing else in the house knows a number of theirs.
"""

from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import F, Q

from campaigns.models import ChannelAccount, ChannelLimit

MASS = "developers.weixin.qq.com: mass messages"
SERVICE = "developers.weixin.qq.com: customer-service messages, since 2023-06"
TEMPLATE = "developers.weixin.qq.com: template messages"
SUBSCRIPTION = "developers.weixin.qq.com: subscription messages"
MENU = "developers.weixin.qq.com: menus"
DAILY = "developers.weixin.qq.com: calls a day of new verified accounts"
LINKS = "developers.weixin.qq.com: announcement on links,"
CORP = "developer.work.weixin.qq.com: group messages"
CORP_CALLS = "developer.work.weixin.qq.com: frequency of calls"


class Limit(NamedTuple):
    """At most so many; where the limit is that of one kind of account, ``kind`` names it.

    Without a value it is known and not in force: a row of ``ChannelLimit`` puts it in force.
    """

    value: int | None
    source: str
    kind: str = ""


# By provider and name. ``…_a_call``, ``…_a_minute``, ``…_a_day``, ``…_a_month``, ``…_seconds`` say per what.
LIMITS: Mapping[str, Mapping[str, Limit | tuple[Limit, ...]]] = {
    "wechat_official": {
        "mass_calls_a_day": (Limit(1, MASS, "subscription"), Limit(100, MASS, "service")),
        "mass_calls_a_minute": Limit(60, MASS),
        "mass_to_one_person_a_month": Limit(4, MASS, "service"),
        "mass_people_a_call": Limit(10_000, MASS),
        "mass_least_people_a_call": Limit(2, MASS),
        "mass_key_hours": Limit(24, MASS),
        "mass_preview_a_day": Limit(100, MASS),
        "service_after_message": Limit(5, SERVICE),
        "service_after_message_seconds": Limit(48 * 3600, SERVICE),
        "service_after_menu": Limit(3, SERVICE),
        "service_after_menu_seconds": Limit(60, SERVICE),
        "service_after_follow": Limit(3, SERVICE),
        "service_after_follow_seconds": Limit(60, SERVICE),
        "service_after_scan": Limit(3, SERVICE),
        "service_after_scan_seconds": Limit(60, SERVICE),
        "service_a_day": Limit(500_000, DAILY),
        "template_a_day": Limit(100_000, TEMPLATE),
        "templates": Limit(25, TEMPLATE),
        "template_value_signs": Limit(20, TEMPLATE),
        "tags": Limit(100, "developers.weixin.qq.com: tags"),
        "tags_reserved": Limit(20, "kept free for campaigns"),
        "tag_name_bytes": Limit(30, "developers.weixin.qq.com: tags"),
        "tag_people_a_call": Limit(50, "developers.weixin.qq.com: tags"),
        "tag_calls_a_minute": Limit(300, "ours: 15,000 followers a minute, the rest is for who is waiting"),
        "remark_signs": Limit(29, "developers.weixin.qq.com: users, fewer than thirty"),
        "tags_of_one_person": Limit(20, "developers.weixin.qq.com: tags"),
        "followers_a_page": Limit(10_000, "developers.weixin.qq.com: users"),
        "follower_pages_a_day": Limit(500, DAILY),
        "user_info_a_call": Limit(100, "developers.weixin.qq.com: users"),
        "menu_changes_a_day": Limit(1_000, DAILY),
        "menu_buttons": Limit(3, MENU),
        "menu_entries_a_button": Limit(5, MENU),
        "menu_button_width": Limit(8, MENU),  # four Chinese characters: more is cut on telephones
        "menu_entry_width": Limit(16, MENU),
        "codes_a_day": Limit(100_000, DAILY),
        "lasting_codes": Limit(100_000, "developers.weixin.qq.com: codes"),
        "code_seconds": Limit(2_592_000, "developers.weixin.qq.com: codes"),
        "code_scene_signs": Limit(64, "developers.weixin.qq.com: codes"),
        "article_title_signs": Limit(32, "developers.weixin.qq.com: drafts"),
        "article_author_signs": Limit(16, "developers.weixin.qq.com: drafts"),
        "article_digest_signs": Limit(128, "developers.weixin.qq.com: drafts"),
        "statistics_a_day": Limit(1_000, DAILY),
        "stable_token_a_minute": Limit(10_000, "developers.weixin.qq.com: stable token"),
    },
    "wechat_mini": {
        "subscription_a_day": Limit(10_000_000, SUBSCRIPTION),
        "subscription_asked_at_once": Limit(3, SUBSCRIPTION),
        "service_after_message": Limit(5, SERVICE),
        "service_after_message_seconds": Limit(48 * 3600, SERVICE),
        "service_after_entering": Limit(2, SERVICE),
        "service_after_entering_seconds": Limit(60, SERVICE),
        "logins_a_minute_of_one_person": Limit(100, "developers.weixin.qq.com: login"),
        "phone_code_seconds": Limit(300, "developers.weixin.qq.com: phone numbers"),
        "free_phone_numbers": Limit(1_000, "developers.weixin.qq.com: phone numbers"),
        "link_days": Limit(30, f"{LINKS} 2022-04"),
        "links_a_day": Limit(500_000, f"{LINKS} 2022-04: links and schemes together"),
        "link_openings_a_day": Limit(3_000_000, f"{LINKS} 2023-12: links and schemes together"),
        "scene_signs": Limit(32, "developers.weixin.qq.com: codes"),
    },
    "wecom": {
        # The page said four a month once, and says one a day now: the newer text is in force, the older one is not.
        "group_to_one_person_a_day": Limit(1, f"{CORP}, newer text: one a day, of the corporation or its staff"),
        "group_to_one_person_a_month": Limit(None, f"{CORP}, older text: four a month; replaced by one a day"),
        "group_people_a_call": Limit(10_000, CORP),
        "group_reminders_a_day": Limit(3, CORP),
        "group_poll_hours": Limit(72, "ours: how long staff are waited for"),
        "welcome_seconds": Limit(20, "developer.work.weixin.qq.com: welcome messages"),
        "welcome_give_up_seconds": Limit(18, "ours: what is left for the call"),
        "attachments": Limit(9, CORP),
        "text_bytes": Limit(4_000, CORP),
        "customers_a_page": Limit(100, "developer.work.weixin.qq.com: customers"),
        "tags": Limit(3_000, "developer.work.weixin.qq.com: tags"),
        "state_signs": Limit(30, "developer.work.weixin.qq.com: ways of arrival"),
        "staff_of_a_way": Limit(100, "developer.work.weixin.qq.com: ways of arrival"),
        "remark_signs": Limit(20, "developer.work.weixin.qq.com: customers' remarks"),
        "description_signs": Limit(150, "developer.work.weixin.qq.com: customers' remarks"),
        "staff_of_a_link": Limit(500, "developer.work.weixin.qq.com: acquisition links"),
        "calls_a_minute": Limit(10_000, CORP_CALLS),
        "calls_an_hour": Limit(150_000, CORP_CALLS),
    },
}


class Rule(NamedTuple):
    """What holds for an account: so many (nothing: not in force), who says so, and whether a row of ours does."""

    name: str
    value: int | None
    source: str
    ours: bool


def of(account: ChannelAccount, name: str) -> int | None:
    """Return an account's limit: its own, its provider's, or that of the table; nothing where none is in force."""
    return rule(account, name).value


def rule(account: ChannelAccount, name: str) -> Rule:
    """Return what holds for an account, and why.

    Raises
    ------
    KeyError
        No platform has a limit of that name: a misspelt one must not mean "as many as you like".
    """
    if not any(name in limits for limits in LIMITS.values()):
        raise KeyError(name)
    rows = ChannelLimit.objects.filter(Q(account=account) | Q(account=None), provider=account.provider, name=name)
    row = rows.order_by(F("account").asc(nulls_last=True)).first()
    if row is not None:
        return Rule(name, row.value, row.source, ours=True)
    found = shipped(account, name)
    return Rule(name, found.value if found else None, found.source if found else "", ours=False)


def shipped(account: ChannelAccount, name: str) -> Limit | None:
    """Return what the table says, by the account's kind where that matters."""
    kind = str(account.settings.get("kind") or "")
    return next((one for one in alternatives(account.provider, name) if one.kind in ("", kind)), None)


def alternatives(provider: str, name: str) -> tuple[Limit, ...]:
    """Return what the table says of each kind of account."""
    found = LIMITS.get(provider, {}).get(name, ())
    return (found,) if isinstance(found, Limit) else found
