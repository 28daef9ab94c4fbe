"""Who belongs to a segment, by hand-made worlds of which the answer is known."""

from typing import Any

import pytest

from campaigns import rules, segments
from tests import factories
from tests.campaigns.factories import NOW

pytestmark = pytest.mark.django_db


def found(rule: Any) -> set[int]:
    return set(segments.fetched(segments.compile(rules.parse(rule), NOW)).tolist())


def test_an_empty_rule_is_everybody() -> None:
    people = {factories.profile().pk for _ in range(3)}
    factories.profile(restricted_at=NOW)
    assert found({"all": []}) == people
    assert found({"any": []}) == set()
    assert found({"none": []}) == people
