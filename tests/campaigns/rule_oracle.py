"""What a rule means, person by person, the slow and plain way: the answer that the one statement is held to."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from django.db import connection

from campaigns.models import Segment
from campaigns.segmenting import lists
from crm import partitions
from crm.models import Identifier, Item, Profile, ProfileAlias, Relation
from mlengine.models import Cluster, ClusterMember, ModelVersion, PredictionRun, Score
from tests import factories
from tests.campaigns.factories import NOW

CITIES, CATEGORIES, KINDS = ["", "上海", "杭州", "O'Brien"], ["tea", "coffee", "milk"], ["purchase", "view", "page"]
ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"plan": "gold"},
    {"plan": "silver", "seats": 3},
    {"seats": 2.5},
    {"plan": None},
]
ATTRIBUTES += [{"seats": "3"}, {"vip": True}]
EVENT = """INSERT INTO crm_event (id, source_id, profile_id, item_id, kind, name, value, channel, properties,
occurred_at, received_at) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)"""


@dataclass(kw_only=True)
class World:
    """What was written, as plain values."""

    people: dict[int, Profile] = field(default_factory=dict)
    read_as: dict[int, int] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[tuple[int, str, bool]] = field(default_factory=list)
    relations: list[tuple[int, int]] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    clusters: dict[int, int] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    list: Segment = field(default_factory=Segment)

    def person(self, profile: int) -> int:
        while profile in self.read_as:
            profile = self.read_as[profile]
        return profile

    def usable(self) -> set[int]:
        hidden = {self.person(pk) for pk, one in self.people.items() if one.restricted_at}
        return {pk for pk in self.people if pk not in self.read_as} - hidden

    def profiles(self, person: int) -> set[int]:
        return {pk for pk in self.people if self.person(pk) == person}


def made(seed: int, people: int = 24, events: int = 160) -> World:
    """Write a random world, and return what was written."""
    random, world = Random(seed), World()
    _people(random, world, people)
    source = factories.source()
    for number in range(6):
        item = factories.item(f"I{number}", categories=random.sample(CATEGORIES, random.randrange(3)), brand="")
        world.items[item.pk] = item
    moments = [
        NOW - timedelta(days=random.choice([-1, 0, 1, 3, 6, 7, 8, 29, 30, 31, 59]), hours=random.randrange(3))
        for _ in range(events)
    ]
    partitions.ensure(partitions.months_of(moments))
    with connection.cursor() as cursor:
        for at in moments:
            told = {
                "profile": random.choice(list(world.people)),
                "item": random.choice([None, *world.items]),
                "kind": random.choice(KINDS),
                "name": random.choice(["", "a"]),
                "value": random.choice([None, 0, 5, 10.5, -2, 100]),
                "channel": random.choice(["", "web"]),
                "properties": random.choice(ATTRIBUTES),
                "at": at,
            }
            world.events.append(told)
            values: list[Any] = [
                source.pk,
                told["profile"],
                told["item"],
                told["kind"],
                told["name"],
                told["value"],
                told["channel"],
            ]
            cursor.execute(EVENT, [*values, json.dumps(told["properties"]), at, at])
    _answers(random, world)
    return world


def _people(random: Random, world: World, number: int) -> None:
    for _ in range(number):
        one = factories.profile(
            city=random.choice(CITIES),
            gender=random.choice(["", "female", "male"]),
            birth_month=random.choice([None, 3]),
            birth_day=random.choice([None, 1, 5]),
            attributes=random.choice(ATTRIBUTES),
            personalisation=random.random() < 0.7,
            restricted_at=NOW if random.random() < 0.08 else None,
            created_at=NOW - timedelta(days=random.randrange(40)),
        )
        world.people[one.pk] = one
    ids = list(world.people)
    for duplicate, kept in zip(random.sample(ids, 5), random.choices(ids, k=5), strict=True):
        if world.person(kept) != duplicate and kept != duplicate:
            ProfileAlias.objects.create(duplicate_id=duplicate, canonical_id=kept, reason="", merged_at=NOW)
            world.read_as[duplicate] = kept
    for place, pk in enumerate(random.sample(ids, number // 2)):
        verified = random.random() < 0.5
        Identifier.objects.create(
            type="email", value=f"{place}@example.com", profile_id=pk, verified=verified, created_at=NOW
        )
        world.addresses.append((pk, "email", verified))
    for _ in range(number):
        from_, to = random.sample(ids, 2)
        if (from_, to) not in world.relations:
            Relation.objects.create(from_profile_id=from_, to_profile_id=to, kind="referred", created_at=NOW)
            world.relations.append((from_, to))


def _answers(random: Random, world: World) -> None:
    persons = [pk for pk in world.people if pk not in world.read_as]
    facts = {"artifact": "-", "sha256": "-", "cutoff": NOW, "trained_at": NOW, "number": 1}
    for spec in ("churn", "rfm"):
        version = ModelVersion.objects.create(spec=spec, **facts)
        run = PredictionRun.objects.create(spec=spec, version=version, cutoff=NOW, started_at=NOW, finished_at=NOW)
        clusters = [Cluster.objects.create(spec=spec, code=code, first_seen_at=NOW) for code in range(3)]
        for pk in random.sample(persons, len(persons) * 2 // 3):
            hers = [world.people[key] for key in world.profiles(pk)]
            may_be_scored = all(one.personalisation and one.restricted_at is None for one in hers)
            if spec == "churn":
                value = random.randrange(0, 100) / 100
                Score.objects.create(profile_id=pk, run=run, value=value)
                world.scores |= {pk: value} if may_be_scored else {}
            else:
                code = random.randrange(3)
                ClusterMember.objects.create(profile_id=pk, run=run, cluster=clusters[code])
                world.clusters |= {pk: code} if may_be_scored else {}
    world.list = lists.create(f"list {random.random()}", None, NOW)
    world.listed = set(random.sample(list(world.people), 8))
    lists.add(world.list, world.listed, NOW)


def members(world: World, rule: dict[str, Any]) -> set[int]:
    """Return whom a rule describes."""
    return {person for person in world.usable() if holds(world, rule, person)}


def holds(world: World, rule: dict[str, Any], person: int) -> bool:  # noqa: C901, PLR0911  # one case a kind
    match rule:
        case {"all": parts}:
            return all(holds(world, part, person) for part in parts)
        case {"any": parts}:
            return any(holds(world, part, person) for part in parts)
        case {"none": parts}:
            return not any(holds(world, part, person) for part in parts)
        case {"field": name}:
            return of_profile(world.people[person], name, rule)
        case {"address": type_, "is": is_}:
            mine = [verified for pk, kind, verified in world.addresses if world.person(pk) == person and kind == type_]
            return {"known": bool(mine), "unknown": not mine, "verified": any(mine)}[is_]
        case {"event": _}:
            return did(world, rule, person)
        case {"related": _}:
            others = {world.person(to) for from_, to in world.relations if world.person(from_) == person}
            others &= members(world, rule["to"]) if "to" in rule else others
            return bool(others) == (rule.get("is", "any") == "any")  # type: ignore[no-any-return]
        case {"score": _, "is": "top_share", "value": share}:
            ranked = sorted(world.scores, key=lambda pk: (-world.scores[pk], pk))
            return person in ranked[: -int(-(len(ranked) * round(share * 100)) // 100)]
        case {"score": _}:
            return person in world.scores and compared(world.scores[person], rule)
        case {"cluster": _, "value": codes}:
            return (world.clusters.get(person) in codes) == (rule.get("is", "in") == "in")  # type: ignore[no-any-return]
        case {"bucket": salt, "from": low, "until": high}:
            return bool(low <= int(sha256(f"{salt}:{person}".encode()).hexdigest()[:13], 16) / 2**52 < high)
        case {"segment": _}:
            return bool(world.profiles(person) & world.listed)
    raise AssertionError(rule)


def of_profile(one: Profile, name: str, rule: dict[str, Any]) -> bool:
    if name.startswith("attributes."):
        return compared(one.attributes.get(name.partition(".")[2]), rule)
    if name == "birthday":
        days = {(NOW + timedelta(days=day)).astimezone().date() for day in range(rule["value"] + 1)}
        return (one.birth_month, one.birth_day) in {(day.month, day.day) for day in days}
    if name == "created_at":
        return when(one.created_at, rule)
    return compared(getattr(one, name), rule)


def did(world: World, rule: dict[str, Any], person: int) -> bool:
    events = [one for one in world.events if world.person(one["profile"]) == person and one["at"] <= NOW]
    mine = [one for one in events if matches(world, one, rule) and within(one, rule.get("within"))]
    if then := rule.get("then"):
        later = [one for one in events if matches(world, one, then)]
        most = timedelta(days=then["within_days"])
        mine = [one for one in mine if any(timedelta(0) < b["at"] - one["at"] <= most for b in later)]
    ((measure, test),) = rule.get("measure", {"count": {"is": "at_least", "value": 1}}).items()
    if measure == "never":
        return not mine
    if measure == "count":
        return compared(len(mine), test)
    if measure == "sum":
        return compared(sum(one["value"] or 0 for one in mine), test)
    return bool(mine) and when((min if measure == "first" else max)(one["at"] for one in mine), test)


def matches(world: World, event: dict[str, Any], rule: dict[str, Any]) -> bool:
    if event["kind"] != rule["event"] or event["name"] != (rule.get("name") or event["name"]):
        return False
    return all(of_event(world, event, one) for one in rule.get("where", []))


def of_event(world: World, event: dict[str, Any], test: dict[str, Any]) -> bool:
    name, item = test["field"], world.items.get(event["item"])
    if name.startswith("properties."):
        return compared(event["properties"].get(name.partition(".")[2]), test)
    if name == "category":
        found = item.categories if item else []
        asked = set(test["value"] if isinstance(test.get("value"), list) else [test.get("value")])
        is_in = bool(found) if test["is"] in ("known", "unknown") else bool(asked & set(found))
        return is_in == (test["is"] in ("is", "in", "known"))
    if name in ("item", "brand"):
        return compared((item.code if name == "item" else item.brand) if item else None, test)
    return compared(event[name], test)


def within(event: dict[str, Any], window: dict[str, Any] | None) -> bool:
    return window is None or bool(event["at"] >= NOW - timedelta(days=window["days"]))


def compared(found: Any, test: dict[str, Any]) -> bool:  # noqa: PLR0911  # one case an operator
    """Compare one value; nothing known (nothing, or an empty text) fulfils no test but the negative ones."""
    is_, value = test["is"], test.get("value")
    if is_ in ("is_not", "not_in", "unknown"):
        return not compared(found, test | {"is": {"is_not": "is", "not_in": "in", "unknown": "known"}[is_]})
    if found is None or found == "":
        return False
    match is_:
        case "known":
            return True
        case "is":
            return same(found, value)
        case "in":
            return any(same(found, one) for one in value)  # type: ignore[union-attr]
        case "contains":
            return isinstance(found, str) and value.lower() in found.lower()  # type: ignore[union-attr]
    if isinstance(found, bool | str):
        return False
    low, high = value if is_ == "between" else (value, value)  # type: ignore[misc]
    return {"at_least": found >= low, "at_most": found <= high, "between": low <= found <= high}[is_]  # type: ignore[no-any-return]


def same(found: Any, value: Any) -> bool:
    return (
        isinstance(found, bool) == isinstance(value, bool)
        and isinstance(found, str) == isinstance(value, str)
        and found == value
    )


def when(at: datetime, test: dict[str, Any]) -> bool:
    match test:
        case {"is": "within_days", "value": days}:
            return NOW - timedelta(days=days) <= at <= NOW
        case {"is": "over_days_ago", "value": days}:
            return at < NOW - timedelta(days=days)
        case {"is": "before", "value": moment}:
            return at < datetime.fromisoformat(moment)
        case {"is": "after", "value": moment}:
            return at >= datetime.fromisoformat(moment)
    raise AssertionError(test)


def moments() -> Iterable[str]:
    return [(NOW - timedelta(days=days)).astimezone(UTC).isoformat() for days in (2, 20, 45)]
