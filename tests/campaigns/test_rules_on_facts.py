"""Rules on the numbers beside a score: whether still a customer, what is spent at least, when the next order comes."""

from typing import Any

import pytest
from django.utils import translation

from campaigns import rules
from campaigns.admin import segment_words
from campaigns.rules.sentences import phrase
from mlengine.models import ModelVersion, PredictionRun, Score
from tests import factories
from tests.campaigns.factories import NOW
from tests.campaigns.test_segments import found

pytestmark = pytest.mark.django_db


def people() -> list[int]:
    """Return three people valued from high to low, of whom the first is hardly a customer any more; a fourth is not."""
    version = ModelVersion.objects.create(
        spec="value", number=1, artifact="-", sha256="-", cutoff=NOW, trained_at=NOW, stage="champion"
    )
    run = PredictionRun.objects.create(spec="value", version=version, cutoff=NOW, started_at=NOW, finished_at=NOW)
    keys = [factories.profile(f"person {n}").pk for n in range(4)]
    facts: list[dict[str, float] | None] = [{"alive": 0.2, "next_order_days": 90.0}, {"alive": 0.9}, None]
    for key, value, low, beside in zip(keys, (300.0, 200.0, 100.0), (0.0, 120.0, None), facts, strict=False):
        Score.objects.create(profile_id=key, run=run, value=value, low=low, high=500.0, facts=beside, reasons=[])
    return keys


@pytest.mark.parametrize(
    ("asked", "who"),
    [
        ({"is": "at_least", "value": 200}, [0, 1]),
        ({"fact": "alive", "is": "at_least", "value": 0.5}, [1]),
        ({"fact": "alive", "is": "at_most", "value": 0.5}, [0]),
        ({"fact": "next_order_days", "is": "between", "value": [30, 120]}, [0]),
        ({"fact": "low", "is": "at_least", "value": 0}, [0, 1]),
        ({"fact": "high", "is": "at_most", "value": 499}, []),
        ({"fact": "alive", "is": "top_share", "value": 0.5}, [1]),  # of the two of whom it is known
        ({"is": "top_share", "value": 0.5}, [0, 1]),
    ],
)
def test_a_condition_asks_for_a_number_beside_the_score(asked: dict[str, Any], who: list[int]) -> None:
    keys = people()
    assert found({"score": "value"} | asked) == {keys[n] for n in who}


def test_a_condition_on_a_fact_is_told_by_its_name() -> None:
    rule = {"score": "value", "fact": "alive", "is": "at_least", "value": 0.5}
    assert phrase(rules.parse(rule)) == "the score “Customer value: Still a customer” is at least 50%"
    rule = {"score": "value", "fact": "low", "is": "top_share", "value": 0.1}
    assert "“Customer value: lower bound”" in phrase(rules.parse(rule))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"fact": "away_42", "is": "at_least", "value": 0.625},
            "the score “Staying away: No purchase in the next 42 days” is at least 62.5%",
        ),
        ({"is": "between", "value": [14, 30]}, "the score “Staying away” is between 14 and 30 days"),
        ({"fact": "away_7", "is": "between", "value": [0, 0.5]}, None),
    ],
)
def test_how_long_somebody_stays_away_is_told_in_its_unit(asked: dict[str, Any], said: str | None) -> None:
    found = phrase(rules.parse({"score": "staying_away"} | asked))
    assert found == said if said else found.endswith("is between 0 and 50%")


def test_the_builder_names_models_in_the_readers_language_and_says_units() -> None:
    with translation.override("zh-hans"):
        told = segment_words.catalogue()
    assert dict(told["scores"])["staying_away"] == "不再光顾"
    assert all(not title.isascii() for name, title in told["clusters"] if name != "rfm")
    away = told["units"]["staying_away"]
    assert (away[""], away["away_28"] == told["units"]["churn"][""]) == ("天", True)
    assert set(told["units"]["value"]) >= {"alive", "next_order_days"}
    assert "purchases" not in told["units"]["value"]
