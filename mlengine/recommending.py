"""One person's recommendations, now: what the models said, what the session says, what marketing decided.

Everything is rows that a batch wrote and events that have arrived; nothing is learned here. An answer takes two
statements: what is known of the person (``mlengine.moment``), then the items that this leads to; one more in a session
where the model has a network that is asked anew (``mlengine.network``).
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Max

from crm import profiling
from crm.merging import members_of
from crm.models import Event, Item
from mlengine import because, live, moment, network, new_items, online, shelf, standing
from mlengine.live import Session
from mlengine.models import PredictionRun, Recommendation
from mlengine.moment import Seen
from mlengine.shelf import Candidate, Left, Shelf
from mlengine.shop_rules import RecommendationRule

Rules = Sequence[RecommendationRule]
MOST_LED_TO: Final = 20
EVERYBODY: Final = 0  # nobody's number: the list of all who have none of their own


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to show a person, best first; on which ground; and what a reader may want to know of how it came about."""

    basis: str  # personal, session, popular or none
    run: PredictionRun | None
    shown: Sequence[Candidate] = ()
    left: Sequence[Left] = ()
    session: Session = field(default_factory=Session)
    rules: Rules = ()
    titles: Mapping[int, str] = field(default_factory=dict)  # of the items that reasons name


@dataclass(frozen=True, kw_only=True)
class Had:
    """What a person has: items that no source may bring again, and the days since each was bought."""

    gone: Set[int] = frozenset()
    days: Mapping[int, int] = field(default_factory=dict)


def answer(profiles: Sequence[int], person: int, k: int, now: datetime, spec: str | None = None) -> Answer:
    """Return ``k`` items for a person, of whom ``profiles`` are all profiles; of the first model if none is named.

    Who may not be profiled gets what is popular: neither what a model said of her nor what she does now is looked at.
    """
    holds, seen = moment.seen(profiles, person, now, spec)
    run = holds.run(spec)
    if run is None:
        return Answer(basis="none", run=None)
    if not seen.is_empty and profiling.refused_of(person, holds.purposes, now):  # also who said no since last night
        seen = Seen()
    doing = live.session(seen.done, now)
    onward = network.leads_to(run, profiles, doing)
    said, following, leading, titles = _read(seen, onward, live.led_to(doing, seen.links), now)
    # The network knows what the batch knew, and what came since: its word counts as much.
    model = shelf.merged(said, following, weight=1.0) if following else said
    candidates = shelf.merged(model, leading)
    basis = "personal" if said else "session" if candidates else "popular"
    had = Had(
        gone=doing.bought | (seen.bought.keys() if standing.is_new_only(run) else set()),
        days={item: (now - at).days for item, at in seen.bought.items()},
    )
    made = _with_new(candidates or popular(run, now), holds.rules, k, had, now)
    if made.left and len(made.shown) < k and candidates:  # rules left holes: what is popular may stand there
        made = _with_new([*candidates, *_below(popular(run, now), candidates)], holds.rules, k, had, now)
    return Answer(
        basis=basis, run=run, shown=made.shown, left=made.left, session=doing, rules=holds.rules, titles=titles
    )


def answers(people: Sequence[int], k: int, now: datetime) -> tuple[dict[int, list[Candidate]], list[Candidate]]:
    """Return lists for a batch of people who have some, and the one for all others; a number of queries that is fixed.

    For messages, which nobody reads in the session in which they are written: sessions do not count here.
    """
    run = online.recommending_run()
    if run is None:
        return {}, []
    rules = list(RecommendationRule.objects.active())
    rows = Recommendation.objects.filter(profile__in=profiling.scored_of(people), run=run)
    rows = rows.filter(item__in=Item.objects.available(now)).select_related("item").defer("item__body")
    said: dict[int, list[Recommendation]] = {}
    for row in rows.order_by("profile_id", "rank"):
        said.setdefault(row.profile_id, []).append(row)
    found = {person: _candidates((row.item, row.value, row.reason) for row in hers) for person, hers in said.items()}
    bought = _bought_by(found, rules, now)
    found[EVERYBODY] = popular(run, now)
    new = new_items.new(found, rules, now)
    lists = {
        person: list(_arranged(shown, new.get(person, ()), rules, k, Had(days=bought.get(person, {}))).shown)
        for person, shown in found.items()
    }
    return lists, lists.pop(EVERYBODY)


def popular(run: PredictionRun, now: datetime) -> list[Candidate]:
    """Return the items that a run gave to most people."""
    found = online.popular(run, online.MOST_POPULAR, now)
    return [Candidate(item=one.item, value=one.value, reason=one.reason, source="popular") for one in found]


def _read(
    seen: Seen, onward: Sequence[live.Told], led: Sequence[live.Told], now: datetime
) -> tuple[list[Candidate], list[Candidate], list[Candidate], dict[int, str]]:
    """Return what a model said, and what its network and links make of a session, as far as it is available; one query.

    With them the titles of the items that reasons name.
    """
    told = [*seen.said, *onward, *led]
    named = because.named(reason for _item, _value, reason in told)
    items = moment.items({item for item, _value, _reason in told} | named) if told else {}
    here = {pk: item for pk, item in items.items() if item.is_available(now)}
    said, following, leading = (
        _candidates(((here[pk], value, reason) for pk, value, reason in part if pk in here), source)
        for part, source in ((seen.said, "model"), (onward, "session"), (led, "session"))
    )
    return said, following, leading[:MOST_LED_TO], {pk: str(items[pk]) for pk in named if pk in items}


def _candidates(told: Iterable[tuple[Item, float, Mapping[str, Any]]], source: str = "model") -> list[Candidate]:
    all_told = list(told)
    values = shelf.scaled([value for _item, value, _reason in all_told])
    return [
        Candidate(item=item, value=value, reason=reason, source=source)
        for (item, _value, reason), value in zip(all_told, values, strict=True)
    ]


def _with_new(candidates: Sequence[Candidate], rules: Rules, k: int, had: Had, now: datetime) -> Shelf:
    new = new_items.new({EVERYBODY: candidates}, rules, now)
    return _arranged(candidates, new.get(EVERYBODY, ()), rules, k, had)


def _arranged(candidates: Sequence[Candidate], new: Sequence[Candidate], rules: Rules, k: int, had: Had) -> Shelf:
    """Return ``k`` places of which rules gave the last to new items; what these do not fill stays with the others."""
    kept = shelf.arrange(new, rules, len(new), just_bought=had.gone, bought=had.days) if new else Shelf(shown=[])
    places = max(k - len(kept.shown), 1) if kept.shown else k
    made = shelf.arrange(candidates, rules, places, just_bought=had.gone, bought=had.days)
    return Shelf(shown=[*made.shown, *kept.shown][:k], left=[*made.left, *kept.left])


def _below(more: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return what fills holes, in its order, each worth less than the last of the others."""
    known, lowest = {one.item.pk for one in candidates}, min(one.value for one in candidates)
    others = [one for one in more if one.item.pk not in known]
    return [replace(one, value=lowest * 0.5 / place) for place, one in enumerate(others, start=1)]


def _bought_by(found: Mapping[int, Sequence[Candidate]], rules: Rules, now: datetime) -> dict[int, dict[int, int]]:
    """Return for each person the days since the items of her list were bought, if a rule asks."""
    span = shelf.asks_back(rules)
    if not span:
        return {}
    items = {one.item.pk for candidates in found.values() for one in candidates}
    read_as = {member: person for person, members in members_of(found).items() for member in members}
    rows = Event.objects.filter(profile__in=list(read_as), kind=Event.Kind.PURCHASE, item__in=items)
    rows = rows.filter(occurred_at__gte=now - timedelta(days=span), occurred_at__lte=now).order_by()
    days: dict[int, dict[int, int]] = {}
    for row in rows.values("profile_id", "item_id").annotate(last=Max("occurred_at")):
        hers, since = days.setdefault(read_as[row["profile_id"]], {}), (now - row["last"]).days
        hers[row["item_id"]] = min(since, hers.get(row["item_id"], since))
    return days
