"""Names of models, metrics and reasons in the reader's language."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from crm.models import JobRun
from mlengine import reasons
from mlengine.admin import column_words
from mlengine.estimators import recommendation_reasons
from mlengine.specs import SPECS

# Metrics keep their usual names in the data; people read these.
METRICS: Mapping[str, Any] = {
    "roc_auc": _("ROC AUC"),
    "average_precision": _("Average precision"),
    "brier": _("Brier score (lower is better)"),
    "calibration_error": _("Calibration error (lower is better)"),
    "expected_ratio": _("Expected over observed, all together (1 is right)"),
    "lift_top_decile": _("Lift in the top tenth"),
    "ndcg_at_10": _("NDCG of the first 10"),
    "ndcg_new_at_10": _("NDCG of the first 10, new items only"),
    "recall_at_10": _("Recall of the first 10"),
    "coverage": _("Share of the catalogue shown"),
    "novelty": _("Novelty (bits)"),
    "popularity_share": _("Share of popular items"),
    "value_explained": _("Variance of later value explained"),
    "lines_explained": _("Variance of the number of bought lines explained"),
    "behaviour_explained": _("Variance of later behaviour explained"),
    "stability": _("Stability (adjusted Rand)"),
    "concordance": _("Order of waits (concordance, 1 is perfect)"),
    "days_error": _("Mean error in days (lower is better)"),
    "silhouette": _("Separation (silhouette)"),
    "days_off": _("Days between expected and real date (median; lower is better)"),
    "psi": _("Drift (PSI)"),
    "correlation": _("Correlation"),
    "gini": _("Order of spending (Gini, 1 is perfect)"),
    "mean_absolute_error": _("Mean absolute error (lower is better)"),
    "root_mean_squared_error": _("Root mean squared error (lower is better)"),
    "total_ratio": _("Expected over spent, all together"),
    "coverage_95": _("Share within its interval (95 %)"),
    "qini": _("Qini (share of a perfect order)"),
    "auuc": _("Area under the uplift curve (share of a perfect order)"),
    "uplift_at_30": _("Effect among the first 30 %"),
    "uplift_at_100": _("Effect on everybody"),
    "policy_gain_30": _("Purchases gained a person: 30 % aimed, not drawn"),
    "policy_revenue_30": _("Revenue gained a person: 30 % aimed, not drawn"),
}


RECOMMENDER = "recommender"  # the parameter of specs that recommend: what they learn from
CHAMPION = "champion v"
SUBJECTS: Mapping[str, Any] = {
    "model": _("This model"),
    "days_since_last_purchase": _("Days since last purchase"),
    "rfm_logistic": _("RFM logistic regression"),
    "recency_quintiles": _("Quintiles of recency"),
    "popular": _("Popular items"),
    "own_history": _("Own history"),
    "item_knn": _("Items that the same people buy"),
    "ease": _("Items explained by all others (EASE)"),
    "ials": _("Tastes in few dimensions (iALS)"),
    "infinite": _("People of like baskets (∞-AE)"),
    "tastes": _("Three views of tastes, added up"),
    "social": _("Tastes, and those of friends"),
    "transitions": _("What follows what"),
    "sasrec": _("Network of sequences (SASRec)"),
    "sequence_blend": _("SASRec and what follows what, ranked together; new items only"),
    "content": _("What reads alike"),
    "blend": _("Repeats and discoveries, ranked together"),
    "rate_so_far": _("Rate so far times the time to come"),
    "pareto_nbd": _("Pareto/NBD and Gamma-Gamma"),
    "bg_nbd": _("BG/NBD and Gamma-Gamma"),
    "past_clicks": _("Past clicks alone"),
    "channel_rate": _("The channel's rate of clicks"),
    "past_orders": _("Purchases so far alone, message or not"),
    "past_conversions": _("Past orders after messages alone"),
    "channel_orders": _("The channel's rate of orders"),
    "past_redemptions": _("Past coupon use alone"),
    "past_coupons": _("All coupons so far alone"),
    "channel_redemptions": _("The channel's rate of coupon use"),
    "same_for_all": _("The same effect on all"),
    "likely_buyers": _("Likely buyers first"),
    "own_pace": _("Own pace so far"),
    "times": _("How often it was bought"),
}
TITLES: Mapping[str, Any] = {
    "audit_bundle": _("Audit bundle"),
    "fsck": _("Check of the ledger"),
    "train": _("Train: %(model)s"),
    "predict": _("Predict: %(model)s"),
    "judge": _("Judge: %(model)s"),
    "shadow": _("Answer in the shadow: %(model)s"),
    "search": _("Search for a better recipe: %(model)s"),
    "drift": _("Watch for drift: %(model)s"),
    "nightly": _("Nightly learning"),
    "wechat_followers": _("Read the followers of an account"),
    "wechat_tag_push": _("Give a segment's people a tag"),
}
STEPS: Mapping[str, Any] = {
    "followers": _("reading followers"),
    "tags": _("telling the platform who came and who left"),
    "export events": _("export events"),
    "compact the lake": _("compact the lake"),
    "read the log": _("read the log"),
    "predict": _("predict"),
    "search": _("search"),
    "explain": _("explain"),
    "write": _("write"),
    "writing": _("writing"),
    "look at groups of people": _("look at groups of people"),
    "learn from everything": _("learn from everything"),
    "keep and decide": _("keep and decide"),
}
TRIAL = re.compile(r"trial (?P<number>\d+), round (?P<round>\d+)")


# What a reason is about, by its code; columns of one theme go up and down together.
THEMES: Mapping[str, Any] = {
    "silence": _("Time since the last purchase"),
    "quiet": _("Time since the last purchase"),
    "single": _("One purchase only"),
    "rhythm": _("Rhythm of purchases"),
    "no_rhythm": _("Rhythm of purchases"),
    "absence": _("Times without a purchase"),
    "frequency": _("How often they come"),
    "spending": _("Spending"),
    "trend": _("Trend of late"),
    "tenure": _("How long a customer"),
    "breadth": _("Breadth of what is bought"),
    "discounts": _("Use of discounts"),
    "campaigns": _("Campaigns and coupons"),
    "clock": _("Time of day and week"),
    "answers": _("Clicks so far"),
    "by_channel": _("The channel"),
    "message": _("The message"),
    "orders": _("Orders after messages so far"),
    "orders_by_channel": _("The channel"),
    "orders_of_message": _("The message"),
    "redemptions": _("Coupons of messages used so far"),
    "redemptions_by_channel": _("The channel"),
    "redemptions_of_message": _("The message"),
    "coupons": _("Coupons used"),
    "clicks": _("Clicks so far"),
    "moment": _("When it is sent"),
    "expected": _("What is to be expected at the pace so far"),
    "basket": _("Spending a time"),
    "other": _("Something else"),
}


# Models of orders and of coupons learn from the columns of one of clicks, counted otherwise.
SAID: Mapping[str, Mapping[str, str]] = {
    "conversion": {"answers": "orders", "by_channel": "orders_by_channel", "message": "orders_of_message"},
    "redemption": {
        "answers": "redemptions",
        "by_channel": "redemptions_by_channel",
        "message": "redemptions_of_message",
    },
}

# What ``SPECS`` says in plain English, named for the catalogue; a test holds every spec to being here.
SPEC_WORDS = (
    gettext_noop("Churn risk"),
    gettext_noop("The probability that somebody who purchased in the last 90 days will not in the next 28."),
    gettext_noop("Staying away"),
    gettext_noop("How many days somebody who purchased in the last 90 will stay away, and how likely for how long."),
    gettext_noop("No purchase in the next 7 days"),
    gettext_noop("No purchase in the next 14 days"),
    gettext_noop("No purchase in the next 21 days"),
    gettext_noop("No purchase in the next 28 days"),
    gettext_noop("No purchase in the next 35 days"),
    gettext_noop("No purchase in the next 42 days"),
    gettext_noop("No purchase in the next 49 days"),
    gettext_noop("No purchase in the next 56 days"),
    gettext_noop("No purchase in the next 63 days"),
    gettext_noop("No purchase in the next 70 days"),
    gettext_noop("No purchase in the next 77 days"),
    gettext_noop("No purchase in the next 84 days"),
    gettext_noop("RFM segments"),
    gettext_noop("Eleven segments by how recently, how often and for how much people purchased in half a year."),
    gettext_noop("Behaviour clusters"),
    gettext_noop("People who purchase alike, grouped without names given beforehand, and what sets them apart."),
    gettext_noop("Item companions"),
    gettext_noop("Which items go with an item: in one basket, with the same people, and looked at next."),
    gettext_noop("Repurchase"),
    gettext_noop("When each person will want an item, or anything of a category, again."),
    gettext_noop("Discovery"),
    gettext_noop("The items that each person has never bought and is most likely to try in the next 28 days."),
    gettext_noop("Recommendations"),
    gettext_noop("The items that each person is most likely to buy in the next 28 days, out of all that is bought."),
    gettext_noop("Customer value"),
    gettext_noop("What somebody who purchased in the last half year will spend in the next twelve weeks."),
    gettext_noop("Expected purchases"),
    gettext_noop("Still a customer"),
    gettext_noop("Days until the next order"),
    gettext_noop("Expected spend in a year"),
    gettext_noop("Message response"),
    gettext_noop(
        "The probability that somebody clicks the next message, on her best channel and at her best hour;"
        " judged by what was said of the messages that were then sent."
    ),
    gettext_noop("Best hour of the day"),
    gettext_noop("Clicks by WeChat"),
    gettext_noop("Clicks by WeChat, at least"),
    gettext_noop("Clicks by WeChat, at most"),
    gettext_noop("Clicks by WeCom"),
    gettext_noop("Clicks by WeCom, at least"),
    gettext_noop("Clicks by WeCom, at most"),
    gettext_noop("Clicks by mini program"),
    gettext_noop("Clicks by mini program, at least"),
    gettext_noop("Clicks by mini program, at most"),
    gettext_noop("Clicks by e-mail"),
    gettext_noop("Clicks by e-mail, at least"),
    gettext_noop("Clicks by e-mail, at most"),
    gettext_noop("Clicks by SMS"),
    gettext_noop("Clicks by SMS, at least"),
    gettext_noop("Clicks by SMS, at most"),
    gettext_noop("Clicks in the morning"),
    gettext_noop("Clicks at midday"),
    gettext_noop("Clicks in the afternoon"),
    gettext_noop("Clicks in the evening"),
    gettext_noop("Orders after a message"),
    gettext_noop(
        "How likely somebody purchases in the 14 days after the next message, be it because of it or not;"
        " judged by what was said of the messages that were then sent."
    ),
    gettext_noop("Orders after WeChat"),
    gettext_noop("Orders after WeChat, at least"),
    gettext_noop("Orders after WeChat, at most"),
    gettext_noop("Orders after WeCom"),
    gettext_noop("Orders after WeCom, at least"),
    gettext_noop("Orders after WeCom, at most"),
    gettext_noop("Orders after mini program"),
    gettext_noop("Orders after mini program, at least"),
    gettext_noop("Orders after mini program, at most"),
    gettext_noop("Orders after e-mail"),
    gettext_noop("Orders after e-mail, at least"),
    gettext_noop("Orders after e-mail, at most"),
    gettext_noop("Orders after SMS"),
    gettext_noop("Orders after SMS, at least"),
    gettext_noop("Orders after SMS, at most"),
    gettext_noop("Orders after a letter"),
    gettext_noop("Orders after a letter, at least"),
    gettext_noop("Orders after a letter, at most"),
    gettext_noop("Orders after a message in the morning"),
    gettext_noop("Orders after a message at midday"),
    gettext_noop("Orders after a message in the afternoon"),
    gettext_noop("Orders after a message in the evening"),
    gettext_noop("Coupon use"),
    gettext_noop(
        "How likely somebody uses a coupon of the next message in the six weeks after it, whatever it offers;"
        " judged by what was said of the messages that were then sent."
    ),
    gettext_noop("Coupon use after WeChat"),
    gettext_noop("Coupon use after WeChat, at least"),
    gettext_noop("Coupon use after WeChat, at most"),
    gettext_noop("Coupon use after WeCom"),
    gettext_noop("Coupon use after WeCom, at least"),
    gettext_noop("Coupon use after WeCom, at most"),
    gettext_noop("Coupon use after mini program"),
    gettext_noop("Coupon use after mini program, at least"),
    gettext_noop("Coupon use after mini program, at most"),
    gettext_noop("Coupon use after e-mail"),
    gettext_noop("Coupon use after e-mail, at least"),
    gettext_noop("Coupon use after e-mail, at most"),
    gettext_noop("Coupon use after SMS"),
    gettext_noop("Coupon use after SMS, at least"),
    gettext_noop("Coupon use after SMS, at most"),
    gettext_noop("Coupon use after a letter"),
    gettext_noop("Coupon use after a letter, at least"),
    gettext_noop("Coupon use after a letter, at most"),
    gettext_noop("Campaign uplift"),
    gettext_noop("By how much a campaign raises the probability that somebody purchases in the 14 days after."),
    gettext_noop("Purchases without a campaign"),
    gettext_noop("Effect by WeChat"),
    gettext_noop("Effect by WeChat, at least"),
    gettext_noop("Effect by WeChat, at most"),
    gettext_noop("Effect by WeCom"),
    gettext_noop("Effect by WeCom, at least"),
    gettext_noop("Effect by WeCom, at most"),
    gettext_noop("Effect by e-mail"),
    gettext_noop("Effect by e-mail, at least"),
    gettext_noop("Effect by e-mail, at most"),
    gettext_noop("Effect by SMS"),
    gettext_noop("Effect by SMS, at least"),
    gettext_noop("Effect by SMS, at most"),
)


def spec_title(name: str) -> str:
    """Return a model's title; the catalogue translates what ``SPECS`` says in English."""
    return gettext(SPECS[name].title) if name in SPECS else name


def spec_description(name: str) -> str:
    return gettext(SPECS[name].description) if name in SPECS else ""


def fact_title(spec: str, name: str) -> str:
    """Return what a number beside a score is called, in the reader's language."""
    facts = SPECS[spec].facts if spec in SPECS else {}
    return gettext(facts[name].title) if name in facts else name.replace("_", " ")


def theme_title(code: str) -> str:
    """Return what a reason is about."""
    return str(THEMES.get(code, code.replace("_", " ").capitalize()))


def column_title(name: str, spec: str = "") -> str:
    """Return a column in words; one without them under its theme, as that model says it, or by its own name."""
    words = column_words.told(name)
    if words:
        return words
    code, plain = reasons.code_of(name), column_words.UNDER_A_THEME.get(name, name.replace("_", " "))
    code = SAID.get(spec, {}).get(code, code)
    return str(plain) if code == reasons.OTHER else f"{theme_title(code)} · {plain}"


def metric_title(name: str) -> str:
    return str(METRICS.get(name, name.replace("_", " ")))


def subject_title(name: str) -> str:
    """Return a baseline's name as words, in the reader's language; the champion of then is one by its number."""
    if name.startswith(CHAMPION):
        return gettext("the champion v%(number)s") % {"number": name.removeprefix(CHAMPION)}
    return str(SUBJECTS.get(name, name.replace("_", " ")))


def job_title(job: JobRun) -> str:
    """Return what a job is called, in the reader's language; its row keeps the English title."""
    if job.kind == "plan_campaign":
        return gettext("Plan: %(campaign)s") % {"campaign": job.title.removeprefix("Plan: ")}
    if job.kind not in TITLES:
        return gettext(job.title) if job.title else ""  # titles are words of the catalogue, but for names of files
    return str(TITLES[job.kind]) % {"model": spec_title(str(job.parameters.get("spec", "")))}


def step_title(step: str) -> str:
    """Return where a job is, in the reader's language: a known step, or a cutoff and who is judged there."""
    cutoff, colon, subject = step.removeprefix("backtest ").partition(": ")
    if step.startswith("backtest ") and colon:
        return gettext("backtest %(cutoff)s: %(subject)s") % {"cutoff": cutoff, "subject": subject_title(subject)}
    if step not in STEPS and step.startswith("backtest "):
        return gettext("backtest: %(subject)s") % {"subject": subject_title(cutoff)}
    if trial := TRIAL.fullmatch(step):
        return gettext("trial %(number)s, round %(round)s") % trial.groupdict()
    return str(STEPS.get(step, step))


def in_language(texts: Mapping[str, str]) -> str:
    """Return the text that is nearest to the reader's language."""
    language = get_language() or "en"
    return texts.get("zh-hans" if language.startswith("zh") else "en") or texts.get(language[:2]) or texts.get("en", "")


def because(reason: Mapping[str, Any], currency: str = "") -> str:
    """Return a stored reason as a sentence, money with its currency; nothing for a code that nobody knows any more."""
    code, values, language = str(reason.get("code", "")), reason.get("values") or {}, get_language() or "en"
    if code in reasons.TEXTS:
        return reasons.say(code, values, language, currency)
    try:
        return recommendation_reasons.say(code, values, language)
    except KeyError:
        return ""
