"""The one statement against the plain meaning, over random worlds and random rules."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import rules
from campaigns.rules import RuleError, scope
from campaigns.segmenting import counting, segments
from tests.campaigns import rule_oracle as oracle
from tests.campaigns.factories import NOW

pytestmark = pytest.mark.django_db

TEXTS = ["上海", "O'Brien", "gold", "3", "%s", "'; DROP TABLE crm_event --"]
NUMBERS: Any = st.sampled_from([0, 1, 2, 3, 10.5, -2, 100])
HOW_MANY = st.sampled_from([0, 1, 2, 3, -1])


def of(operators: list[str], value: Any) -> Any:
    return st.fixed_dictionaries({"is": st.sampled_from(operators), "value": value})


def pair(value: Any) -> Any:
    return st.lists(value, min_size=2, max_size=2).map(sorted).map(lambda both: {"is": "between", "value": both})


KNOWN = st.sampled_from([{"is": "known"}, {"is": "unknown"}])
TEXT = st.sampled_from(TEXTS)
ANY = st.one_of(TEXT, NUMBERS, st.booleans())
OF_TEXT = st.one_of(of(["is", "is_not", "contains"], TEXT), of(["in", "not_in"], st.lists(TEXT, max_size=3)), KNOWN)
OF_NUMBER = st.one_of(of(["is", "is_not", "at_least", "at_most"], NUMBERS), pair(NUMBERS), KNOWN)
OF_JSON = st.one_of(
    of(["is", "is_not"], ANY),
    of(["in", "not_in"], st.lists(ANY, max_size=3)),
    of(["at_least", "at_most"], NUMBERS),
    KNOWN,
)
CATEGORY = st.sampled_from(oracle.CATEGORIES)
OF_CATEGORY = st.one_of(of(["is", "is_not"], CATEGORY), of(["in", "not_in"], st.lists(CATEGORY, max_size=2)), KNOWN)
WHEN = st.one_of(
    of(["within_days", "over_days_ago"], st.sampled_from([0, 1, 7, 30])),
    of(["before", "after"], st.sampled_from(list(oracle.moments()))),
)
COUNTED = st.one_of(of(["is", "at_least", "at_most"], HOW_MANY), pair(HOW_MANY))


def named(names: list[str], test: Any) -> Any:
    return st.tuples(st.sampled_from(names), test).map(lambda both: {"field": both[0]} | both[1])


WHERE = st.lists(
    st.one_of(
        named(["category"], OF_CATEGORY),
        named(["value"], OF_NUMBER),
        named(["brand", "channel"], OF_TEXT),
        named(["properties.plan", "properties.seats", "properties.vip"], OF_JSON),
    ),
    max_size=2,
)
MEASURE = st.one_of(
    COUNTED.map(lambda test: {"count": test}),
    st.one_of(of(["is", "at_least", "at_most"], NUMBERS), pair(NUMBERS)).map(lambda test: {"sum": test}),
    WHEN.map(lambda test: {"first": test}),
    WHEN.map(lambda test: {"last": test}),
    st.just({"never": True}),
)
KIND = st.sampled_from(oracle.KINDS)
THEN = st.fixed_dictionaries(
    {"event": KIND, "within_days": st.sampled_from([0.05, 1, 3, 30])}, optional={"where": WHERE}
)
DID = st.fixed_dictionaries(
    {"event": KIND},
    optional={
        "name": st.just("a"),
        "where": WHERE,
        "within": st.sampled_from([{"days": 7}, {"days": 30}]),
        "measure": MEASURE,
        "then": THEN,
    },
)
PLAIN = st.one_of(
    named(["city", "gender"], st.one_of(of(["is", "is_not"], st.sampled_from(["female", "male"])), KNOWN)),
    named(["city"], OF_TEXT),
    named(["birth_month"], OF_NUMBER),
    named(["created_at"], WHEN),
    named(["birthday"], of(["birthday_within"], st.sampled_from([0, 4, 366]))),
    named(["personalisation"], of(["is"], st.booleans())),
    named(["attributes.plan", "attributes.seats", "attributes.vip"], OF_JSON),
    DID,
    DID,
    st.fixed_dictionaries({"address": st.just("email"), "is": st.sampled_from(["known", "unknown", "verified"])}),
    st.one_of(
        of(["at_least", "at_most", "top_share"], st.sampled_from([0, 0.25, 0.5, 1])), pair(st.sampled_from([0.1, 0.6]))
    ).map(lambda test: {"score": "churn"} | test),
    of(["in", "not_in"], st.lists(st.integers(0, 3), max_size=2)).map(lambda test: {"cluster": "rfm"} | test),
    st.tuples(st.sampled_from([0, 0.3]), st.sampled_from([0.3, 0.8, 1])).map(
        lambda ends: {"bucket": "a%s'", "from": ends[0], "until": ends[1]}
    ),
    st.just({"segment": 0}),
)


def tree(plain: Any) -> Any:
    related = st.fixed_dictionaries(
        {"related": st.just("referred")}, optional={"to": plain, "is": st.sampled_from(["any", "none"])}
    )
    grouped = st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(plain, max_size=3))
    return st.one_of(grouped.map(lambda both: {both[0]: both[1]}), related)


RULES = st.one_of(PLAIN, st.recursive(PLAIN, tree, max_leaves=6))


def placed(rule: Any, segment: int) -> Any:
    """Return the rule with the number of the list that this world has."""
    if isinstance(rule, list):
        return [placed(part, segment) for part in rule]
    if isinstance(rule, dict):
        return {key: segment if key == "segment" else placed(value, segment) for key, value in rule.items()}
    return rule


def check(seed: int, examples: int) -> None:
    world = oracle.made(seed)
    some = set(list(world.people)[::2])

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(RULES)
    def same(drawn: Any) -> None:
        rule = placed(drawn, world.list.pk)
        parsed = rules.parse(rule)
        expected = oracle.members(world, rule)
        found = segments.fetched(segments.compile(parsed, NOW)).tolist()
        assert len(found) == len(set(found))
        assert set(found) == expected
        assert segments.among(parsed, some, NOW) == expected & some

    same()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_statement_finds_whom_the_rule_means(seed: int) -> None:
    check(seed, 60)


def every() -> Iterator[dict[str, Any]]:
    """Yield each operator of each kind of value once at least, at the values where it turns."""
    pairs: list[Any] = [{"is": "between", "value": both} for both in ([-1, 0], [0, 2], [1, 2], [5, 10.5])]
    numbers = [{"is": is_, "value": value} for is_ in ("is", "at_least", "at_most") for value in (-2, 0, 1, 2, 5, 10.5)]
    times = [{"is": is_, "value": days} for is_ in ("within_days", "over_days_ago") for days in (0, 1, 7, 30)]
    times += [{"is": is_, "value": at} for is_ in ("before", "after") for at in oracle.moments()]
    tests = {"count": numbers + pairs, "sum": numbers + pairs, "first": times, "last": times}
    purchase = {"event": "purchase"}
    yield from (purchase | {"measure": {measure: test}} for measure, some in tests.items() for test in some)
    yield from (
        purchase | {"then": {"event": kind, "within_days": days}} for kind in oracle.KINDS for days in (0.05, 1, 3)
    )
    yield from (purchase | {"within": {"days": days}} for days in (1, 7, 30))
    yield from ({"field": "created_at"} | test for test in times)  # type: ignore[operator]
    of_numbers = [*numbers, *pairs, {"is": "known"}, {"is": "unknown"}, {"is": "is_not", "value": 5}]
    yield from (purchase | {"where": [{"field": "value"} | test]} for test in of_numbers)
    yield from ({"field": "attributes.seats"} | test for test in of_numbers)
    for is_, value in [("is", "tea"), ("is_not", "tea"), ("in", ["tea", "milk"]), ("not_in", ["tea"])]:
        yield purchase | {"where": [{"field": "category", "is": is_, "value": value}]}
        yield {"field": "city", "is": is_, "value": "上海" if isinstance(value, str) else ["上海", "杭州"]}
        yield {"field": "attributes.plan", "is": is_, "value": "gold" if isinstance(value, str) else ["gold", 3]}
    for is_ in ("known", "unknown"):
        yield purchase | {"where": [{"field": "category", "is": is_}]}
        yield {"field": "city", "is": is_}
        yield {"field": "birth_month", "is": is_}
        yield {"address": "email", "is": is_}
    for share in (0, 0.1, 0.5, 1):
        yield {"score": "churn", "is": "top_share", "value": share}
        yield {"score": "churn", "is": "at_least", "value": share}


def test_each_operator_means_what_it_says() -> None:
    world = oracle.made(4, events=240)
    for rule in every():
        found = segments.fetched(segments.compile(rules.parse(rule), NOW)).tolist()
        assert set(found) == oracle.members(world, rule), rule


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_a_statement_finds_whom_the_rule_means_in_many_worlds(seed: int) -> None:
    check(seed, 400)


def test_counting_by_a_sample_of_everybody_is_exact() -> None:
    oracle.made(3)
    everybody = rules.parse({"all": []})
    exact = counting.exact(everybody, NOW)
    assert counting.estimated(everybody, NOW) == counting.Count(value=exact, low=exact, high=exact, exact=True)
    assert scope.everybody().pairs


def test_what_is_refused_is_refused_by_its_place() -> None:
    with pytest.raises(RuleError) as refused:
        rules.parse({"all": [{"any": []}, {"field": "password", "is": "is", "value": "x"}]})
    assert refused.value.path == "all[1].field"
