"""Why an item is recommended: the code and numbers that are stored, and the sentence they become when read.

Pure and light, since web processes read it. An item in a sentence is stored by its id; who reads puts its title there.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Sentence(NamedTuple):
    en: str
    zh: str


SENTENCES: Final[dict[str, Sentence]] = {
    "due_again": Sentence(
        "Bought {times} times, about every {gap} days; the last time was {days} days ago",
        "买过 {times} 次，约每 {gap} 天一次；上次是 {days} 天前",
    ),
    "bought_before": Sentence("Bought {times} times, last {days} days ago", "买过 {times} 次，上次是 {days} 天前"),
    "bought_once": Sentence("Bought once, {days} days ago", "买过 1 次，在 {days} 天前"),
    "goes_with": Sentence(
        "Goes with {item} that they buy: {people} people bought both",
        "与其购买的 {item} 相配：{people} 人两者都买过",
    ),
    "because": Sentence("Because they bought {item}", "因为购买过 {item}"),
    "because_of_now": Sentence(
        "Goes with {item} of this session: {people} people did both",
        "与本次访问中的 {item} 相配：{people} 人两者都有",
    ),
    "next_of_session": Sentence("Comes next after {item} of this session", "在本次访问中的 {item} 之后常见"),
    "new_item": Sentence(
        "New in {category} for {days} days: too young for the models, chosen by its category",
        "“{category}”中上架 {days} 天的新品：模型尚不了解，按品类选出",
    ),
    "reads_like": Sentence(
        "New: nobody has bought it yet; it reads like {item}, which they buy",
        "新品：尚无人购买；内容与其购买的 {item} 相似",
    ),
    "popular": Sentence("Bought by {people} people in the last four weeks", "近四周有 {people} 人购买"),
    "popular_in_segment": Sentence(
        "No purchases known yet; popular among people {segment}", "尚无购买记录；受 {segment} 的人欢迎"
    ),
    "popular_for_new": Sentence(
        "No purchases known yet; bought by {people} people in the last four weeks",
        "尚无购买记录；近四周有 {people} 人购买",
    ),
}

# The same reasons as the person herself reads them; nothing about other people but that they are many.
TO_HER: Final[dict[str, Sentence]] = {
    "due_again": Sentence("You buy it about every {gap} days", "您约每 {gap} 天购买一次"),
    "bought_before": Sentence("You have bought it before", "您之前买过"),
    "bought_once": Sentence("You have bought it before", "您之前买过"),
    "goes_with": Sentence("Because you bought {item}", "因为您买过 {item}"),
    "because_of_now": Sentence("Because you looked at {item}", "因为您看了 {item}"),
    "next_of_session": Sentence("Because you looked at {item}", "因为您看了 {item}"),
    "new_item": Sentence("New in {category}", "{category} 新品"),
    "reads_like": Sentence("New, and like {item} that you bought", "新品，与您买过的 {item} 相似"),
    "popular": Sentence("Popular now", "近期热门"),
    "popular_in_segment": Sentence("Popular now", "近期热门"),
    "because": Sentence("Because you bought {item}", "因为您买过 {item}"),
    "popular_for_new": Sentence("Popular now", "近期热门"),
}

SEGMENTS: Final[dict[str, Sentence]] = {
    "age_band": Sentence("aged {value}", "{value} 岁"),
    "gender": Sentence("of gender {value}", "性别为{value}"),
    "province": Sentence("in {value}", "{value}"),
    "city": Sentence("in {value}", "{value}"),
}
COUNTED: Final = frozenset({"people", "segment"})  # what is popular, among whom; of everybody it needs no number
_OTHER_SEGMENT: Final = Sentence("with {attribute} {value}", "{attribute} 为 {value}")


def say(code: str, values: Mapping[str, object], language: str = "en") -> str:
    """Return the sentence of a stored reason, in Simplified Chinese for languages that begin with ``zh``.

    Examples
    --------
    >>> say("bought_before", {"times": 5, "days": 12})
    'Bought 5 times, last 12 days ago'
    >>> say("popular_in_segment", {"attribute": "age_band", "value": "35-44"})
    'No purchases known yet; popular among people aged 35-44'
    >>> say("goes_with", {"item": "豆浆", "people": 31}, "zh-hans")
    '与其购买的 豆浆 相配：31 人两者都买过'
    >>> say("popular", {})
    'Popular now'
    """
    told = {**values}
    if "attribute" in told:
        attribute = str(told["attribute"])
        name = _in_language(SEGMENTS.get(attribute, _OTHER_SEGMENT), language)
        told["segment"] = name.format(attribute=attribute.replace("_", " "), value=told["value"])
    sentences = TO_HER if code.startswith("popular") and not COUNTED & told.keys() else SENTENCES
    return _in_language(sentences[code], language).format(**told)


def say_to_her(code: str, values: Mapping[str, object], language: str = "en") -> str:
    """Return the reason as the person herself reads it; nothing for a code that has no such words.

    Examples
    --------
    >>> say_to_her("goes_with", {"item": "Tea", "people": 31}), say_to_her("of_old", {})
    ('Because you bought Tea', '')
    """
    return _in_language(TO_HER[code], language).format(**values) if code in TO_HER else ""


def _in_language(sentence: Sentence, language: str) -> str:
    return sentence.zh if language.startswith("zh") else sentence.en
