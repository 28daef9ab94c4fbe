"""What is asked of messages: who answers one, and for whom one changes anything."""

from collections.abc import Collection, Mapping
from typing import Final

from mlengine.specs.spec import DAY, Fact, Spec

CHANNELS: Final[Mapping[str, str]] = {
    "wechat": "WeChat",
    "wecom": "WeCom",
    "mini_program": "mini program",
    "email": "e-mail",
    "sms": "SMS",
    "post": "a letter",
}


def _by_channel(prefix: str, title: str, unit: str = "probability", without: Collection[str] = ()) -> dict[str, Fact]:
    """Return a number for each channel, and beside it the ends of its interval, ``<name>_low`` and ``<name>_high``."""
    ends = (("", ""), ("_low", ", at least"), ("_high", ", at most"))
    return {
        f"{prefix}_{channel}{end}": Fact(title=f"{title} {words}{at_end}", unit=unit)
        for channel, words in CHANNELS.items()
        if channel not in without
        for end, at_end in ends
    }


RESPONSE: Final = Spec(
    name="response",
    title="Message response",
    description="The probability that somebody clicks the next message, on her best channel and at her best hour;"
    " judged by what was said of the messages that were then sent.",
    answers="score",
    task="mlengine.estimators.message_response.MessageResponse",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="roc_auc",
    min_profiles=200,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=2,
    parameters={"window": 7 * DAY, "least": 500, "least_answers": 30},
    kind="sent",
    facts={
        "best_hour": Fact(title="Best hour of the day", unit="hour"),
        **_by_channel("by", "Clicks by", without={"post"}),
        "in_morning": Fact(title="Clicks in the morning", unit="probability"),
        "in_midday": Fact(title="Clicks at midday", unit="probability"),
        "in_afternoon": Fact(title="Clicks in the afternoon", unit="probability"),
        "in_evening": Fact(title="Clicks in the evening", unit="probability"),
    },
    is_optional=True,
)

CONVERSION: Final = Spec(
    name="conversion",
    title="Orders after a message",
    description="How likely somebody purchases in the 14 days after the next message, be it because of it or not;"
    " judged by what was said of the messages that were then sent.",
    answers="score",
    task="mlengine.estimators.message_conversion.MessageConversion",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="roc_auc",
    min_profiles=200,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=2,
    parameters={"window": 14 * DAY, "clicked_within": 7 * DAY, "least": 500, "least_answers": 30},
    kind="sent",
    answered_by="purchase",
    facts={
        "best_hour": Fact(title="Best hour of the day", unit="hour"),
        **_by_channel("by", "Orders after"),
        "in_morning": Fact(title="Orders after a message in the morning", unit="probability"),
        "in_midday": Fact(title="Orders after a message at midday", unit="probability"),
        "in_afternoon": Fact(title="Orders after a message in the afternoon", unit="probability"),
        "in_evening": Fact(title="Orders after a message in the evening", unit="probability"),
    },
    is_optional=True,
)

REDEMPTION: Final = Spec(
    name="redemption",
    title="Coupon use",
    description="How likely somebody uses a coupon of the next message in the six weeks after it, whatever it offers;"
    " judged by what was said of the messages that were then sent.",
    answers="score",
    task="mlengine.estimators.message_redemption.MessageRedemption",
    horizon=70 * DAY,
    activity_window=126 * DAY,
    decided_by="roc_auc",
    min_profiles=200,
    min_events=1_000,
    min_days=56,
    backtest_cutoffs=4,
    # Coupons by mail are good for five to eight weeks; of a thousand of them some ten are used.
    parameters={
        "window": 42 * DAY, "clicked_within": 7 * DAY, "least": 500, "least_answers": 30, "strength": 0.01,
    },
    kind="sent",
    answered_by="purchase",  # coupons arrive with them; that none is used does not say that nothing arrives
    facts=_by_channel("by", "Coupon use after"),
    is_optional=True,
)  # fmt: skip

UPLIFT: Final = Spec(
    name="uplift",
    title="Campaign uplift",
    description="By how much a campaign raises the probability that somebody purchases in the 14 days after.",
    answers="score",
    task="mlengine.estimators.campaign_uplift.CampaignUplift",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="qini",
    min_profiles=500,
    min_events=5_000,
    min_days=120,
    backtest_cutoffs=2,
    parameters={"window": 14 * DAY, "least": 300, "least_judged": 100, "strength": 0.03, "again": 20},
    search={"strength": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)},
    unit="effect",
    facts={
        "untreated": Fact(title="Purchases without a campaign", unit="probability"),
        **_by_channel("effect", "Effect by", "effect", without={"mini_program", "post"}),
    },
    is_optional=True,
)
