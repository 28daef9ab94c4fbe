"""One person's recommendations, now: what the models said, what the session says, what marketing decided.

Everything is rows that a batch wrote and events that have arrived; nothing is learned or loaded here.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Max, Q

from crm import profiling
from crm.merging import members_of
from crm.models import Event, Item
from mlengine import live, online, shelf
from mlengine.live import Session
from mlengine.models import PredictionRun, Recommendation
from mlengine.shelf import Candidate, Left, Shelf
from mlengine.shop_rules import RecommendationRule
from mlengine.specs import SPECS

Does = RecommendationRule.Does
Rules = Sequence[RecommendationRule]
MODELS: Final = tuple(spec.name for spec in SPECS.values() if spec.answers == "recommendation")
LIKED: Final = 5  # the categories of so many first items say where new ones are looked for
MOST_LED_TO: Final = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to show a person, best first; on which ground; and what a reader may want to know of how it came about."""

    basis: str  # personal, session, popular or none
    run: PredictionRun | None
    shown: Sequence[Candidate] = ()
    left: Sequence[Left] = ()
    session: Session = field(default_factory=Session)
    rules: Rules = ()


def answer(profiles: Sequence[int], person: int, k: int, now: datetime, spec: str | None = None) -> Answer:
    """Return ``k`` items for a person, of whom ``profiles`` are all profiles; of the first model if none is named.

    Who may not be profiled gets what is popular: neither what a model said of her nor what she does now is looked at.
    """
    run = online.recommending_run(spec)
    if run is None:
        return Answer(basis="none", run=None)
    rules = list(RecommendationRule.objects.active())
    said, doing = _said(run, person, now), live.session(profiles, now)
    asks = bool(said) or not doing.is_empty or _asks_what_was_bought(rules) or _is_new_only(run)
    if asks and not allowed(profiles, person, now):  # also where she said no since last night
        profiles, said, doing = (), [], Session()
    gone = doing.bought | (_ever_bought(profiles, now) if _is_new_only(run) else set())
    leading = live.led_to(doing, now)[:MOST_LED_TO]
    candidates = shelf.merged(said, leading)
    basis = "personal" if said else "session" if candidates else "popular"
    candidates = candidates or popular(run, now)
    made = _arranged(candidates, rules, k, profiles, gone, now)
    if made.left and len(made.shown) < k and basis != "popular":  # rules left holes: what is popular may stand there
        known = {one.item.pk for one in candidates}
        more = [one for one in popular(run, now) if one.item.pk not in known]
        lowest = min((one.value for one in candidates), default=1.0)
        made = _arranged([*candidates, *_below(more, lowest)], rules, k, profiles, gone, now)
    return Answer(basis=basis, run=run, shown=made.shown, left=made.left, session=doing, rules=rules)


def answers(people: Sequence[int], k: int, now: datetime) -> tuple[dict[int, list[Candidate]], list[Candidate]]:
    """Return lists for a batch of people who have some, and the one for all others; a number of queries that is fixed.

    For messages, which nobody reads in the session in which they are written: sessions do not count here.
    """
    run = online.recommending_run()
    if run is None:
        return {}, []
    rules = list(RecommendationRule.objects.active())
    rows = Recommendation.objects.filter(profile__in=people, run=run, **online.MAY_BE_SCORED)
    said: dict[int, list[Recommendation]] = {}
    for row in rows.filter(item__in=Item.objects.available(now)).select_related("item").order_by("profile_id", "rank"):
        said.setdefault(row.profile_id, []).append(row)
    found = {person: _candidates(rows) for person, rows in said.items()}
    bought = _bought_by(found, rules, now)
    lists = {
        person: list(shelf.arrange(candidates, rules, k, bought=bought.get(person)).shown)
        for person, candidates in found.items()
    }
    return lists, list(shelf.arrange(popular(run, now), rules, k).shown)


def popular(run: PredictionRun, now: datetime) -> list[Candidate]:
    """Return the items that a run gave to most people."""
    found = online.popular(run, online.MOST_POPULAR, now)
    return [Candidate(item=one.item, value=one.value, reason=one.reason, source="popular") for one in found]


def allowed(profiles: Sequence[int], person: int, now: datetime) -> bool:
    """Return whether somebody may be profiled: by her switch, her age, and the consents that are asked for."""
    return online.may_be_scored(profiles) and not profiling.refused_of(person, now)


def _said(run: PredictionRun, person: int, now: datetime) -> list[Candidate]:
    rows = Recommendation.objects.filter(profile=person, run=run, **online.MAY_BE_SCORED)
    return _candidates(rows.filter(item__in=Item.objects.available(now)).select_related("item").order_by("rank"))


def _candidates(rows: Iterable[Recommendation]) -> list[Candidate]:
    told = list(rows)
    values = shelf.scaled([row.value for row in told])
    return [Candidate(item=row.item, value=value, reason=row.reason) for row, value in zip(told, values, strict=True)]


def _arranged(
    candidates: Sequence[Candidate], rules: Rules, k: int, profiles: Sequence[int], gone: Set[int], now: datetime
) -> Shelf:
    fresh = (one for rule in rules if rule.does == Does.FRESH for one in _new(rule, candidates, now))
    new = list({one.item.pk: one for one in fresh}.values())  # two rules may mean the same item
    asks = _asks_what_was_bought(rules)
    bought = _days_since(profiles, [one.item.pk for one in (*candidates, *new)], rules, now) if asks else {}
    kept = shelf.arrange(new, rules, len(new), just_bought=gone, bought=bought)
    places = max(k - len(kept.shown), 1) if kept.shown else k
    made = shelf.arrange(candidates, rules, places, just_bought=gone, bought=bought)
    return Shelf(shown=[*made.shown, *kept.shown][:k], left=[*made.left, *kept.left])


def _below(more: Sequence[Candidate], lowest: float) -> list[Candidate]:
    """Return what fills holes, in its order, each worth less than the last of the others."""
    return [replace(one, value=lowest * 0.5 / place) for place, one in enumerate(more, start=1)]


def _new(rule: RecommendationRule, candidates: Sequence[Candidate], now: datetime) -> list[Candidate]:
    """Return items too young for the models, of the categories that the list begins with, the newest first."""
    liked = {one.item.categories[-1]: None for one in candidates[:LIKED] if one.item.categories}
    known = [one.item.pk for one in candidates]
    since = now - timedelta(days=rule.days or shelf.NEW_FOR)
    young = Item.objects.available(now).filter(categories__overlap=list(liked), created_at__gte=since)
    young = young.exclude(pk__in=known)
    held = [item for item in young.order_by("-created_at", "-pk")[:50] if shelf.holds_of(rule, item)]
    lowest = min((one.value for one in candidates), default=0.0)
    return [
        Candidate(item=item, value=lowest * 0.5, reason=_why_new(item, liked, now), source="new")
        for item in held[: rule.strength or 1]
    ]


def _why_new(item: Item, liked: Iterable[str], now: datetime) -> dict[str, object]:
    category = next(one for one in liked if one in item.categories)
    return {"code": "new_item", "values": {"category": category, "days": (now - item.created_at).days}}


def _is_new_only(run: PredictionRun) -> bool:
    return run.spec in SPECS and bool(SPECS[run.spec].parameters.get("new_only"))


def _asks_what_was_bought(rules: Rules) -> bool:
    return any(rule.does == Does.BOUGHT for rule in rules)


def _ever_bought(profiles: Sequence[int], now: datetime) -> set[int]:
    """Return the items that a person has bought: where only new ones are asked for, no other source may bring them."""
    rows = Event.objects.filter(profile__in=profiles, kind=Event.Kind.PURCHASE, item__isnull=False)
    return set(rows.filter(occurred_at__lte=now).order_by().values_list("item_id", flat=True).distinct())


def _days_since(profiles: Sequence[int], items: Sequence[int], rules: Rules, now: datetime) -> dict[int, int]:
    rows = _purchases(profiles, items, rules, now).values("item_id").annotate(last=Max("occurred_at"))
    return {row["item_id"]: (now - row["last"]).days for row in rows}


def _bought_by(found: Mapping[int, Sequence[Candidate]], rules: Rules, now: datetime) -> dict[int, dict[int, int]]:
    """Return for each person the days since the items of her list were bought, if a rule asks."""
    if not _asks_what_was_bought(rules):
        return {}
    items = {one.item.pk for candidates in found.values() for one in candidates}
    read_as = {member: person for person, members in members_of(found).items() for member in members}
    rows = _purchases(list(read_as), list(items), rules, now).values("profile_id", "item_id")
    days: dict[int, dict[int, int]] = {}
    for row in rows.annotate(last=Max("occurred_at")):
        hers, since = days.setdefault(read_as[row["profile_id"]], {}), (now - row["last"]).days
        hers[row["item_id"]] = min(since, hers.get(row["item_id"], since))
    return days


def _purchases(profiles: Sequence[int], items: Sequence[int], rules: Rules, now: datetime) -> Any:
    longest = max(rule.days or shelf.LATELY for rule in rules if rule.does == Does.BOUGHT)
    since = Q(occurred_at__gte=now - timedelta(days=longest), occurred_at__lte=now)
    return Event.objects.filter(since, profile__in=profiles, kind=Event.Kind.PURCHASE, item__in=items).order_by()
