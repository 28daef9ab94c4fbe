"""Groups of people: what is unequal is found, what chance does is not, and what is unfair does not serve by itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.contrib.auth.models import Permission, User
from numpy.typing import NDArray

from mlengine import fairness, registry, training
from mlengine.admin import fairness as pages
from mlengine.admin.decision_words import decision_text
from mlengine.backtest import Backtest
from mlengine.metrics.fairness import Question, named, treated, verdict
from mlengine.models import ModelVersion
from mlengine.specs import SPECS, Measure
from tests.mlengine import house
from tests.mlengine.house import DAY, END, NOW, spec


def asked(values: NDArray[Any], *, limit: float | None = 0.8, kind: Any = "ratio") -> Question:
    return Question(name="selection_rate", values=values.astype(float), kind=kind, limit=limit)


def verdicts(question: Question, groups: NDArray[Any], of: int = 1) -> dict[str, str]:
    return {one.group: one.verdict for one in treated(question, groups, of=of, floor=10)}


def test_a_group_selected_half_as_often_is_unequal_with_a_thousand_people_and_unclear_with_twenty() -> None:
    def half(n: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.r_[np.tile([1, 1, 0, 0], n // 4), np.tile([1, 0, 0, 0], n // 4)], np.repeat(["a", "b"], n)

    assert verdicts(asked(half(1000)[0]), half(1000)[1]) == {"a": "best", "b": "unfair"}
    assert verdicts(asked(half(20)[0]), half(20)[1]) == {"a": "best", "b": "unclear"}


def test_ten_people_of_whom_nobody_was_selected_prove_nothing() -> None:
    values, groups = np.r_[np.zeros(10), np.tile([1, 0, 0, 0], 5)], np.repeat(["few", "others"], [10, 20])
    found = {one.group: one for one in treated(asked(values), groups, of=1, floor=10)}
    assert (found["few"].value, found["few"].verdict) == (0.0, "unclear")
    assert found["few"].high > 0.1  # not certain that it is so for everybody


@pytest.mark.parametrize("groups", [2, 6])
def test_where_all_are_treated_alike_chance_is_called_unequal_in_less_than_one_report_of_twenty(groups: int) -> None:
    """On the edge of the limit, and against whichever group happens to look best: the worst case for the promise."""
    rng = np.random.default_rng(5)
    names = np.repeat([f"g{n}" for n in range(groups)], 150)
    rates = np.where(names == "g0", 0.5, 0.4)  # exactly four fifths of the best
    pairs = groups * (groups - 1) // 2
    wrong = sum(
        "unfair" in verdicts(asked(rng.random(len(names)) < rates), names, of=pairs).values() for _ in range(100)
    )
    assert wrong <= 5


def test_small_groups_are_hidden_and_whoever_says_nothing_is_in_none() -> None:
    told = ["a"] * 12 + ["b"] * 9 + [None] * 30
    groups, hidden = named(told, floor=10)
    assert (set(groups), hidden) == ({"a", ""}, 1)
    assert treated(asked(np.ones(51)), groups, of=1, floor=10) == []  # one group has nobody to be compared with


def test_a_measure_that_is_asked_of_few_is_not_told_of_them() -> None:
    values, groups = np.r_[np.ones(40), np.full(40, np.nan), np.zeros(20)], np.repeat(["a", "b", "c"], [40, 40, 20])
    assert [one.group for one in treated(asked(values), groups, of=1, floor=10)] == ["a", "c"]


@pytest.mark.parametrize(
    ("kind", "gap", "found"),
    [
        ("difference", (0.3, 0.2, 0.4), "unfair"),
        ("difference", (0.3, 0.05, 0.5), "unclear"),
        ("difference", (0.05, -0.2, 0.3), "fair"),
        ("bias", (-0.3, -0.4, -0.2), "unfair"),
        ("bias", (-0.3, -0.7, 0.2), "unclear"),
        ("ratio", (0.9, 0.5, 1.2), "fair"),
    ],
)
def test_only_an_interval_wholly_beyond_the_limit_is_unfair(kind: Any, gap: Any, found: str) -> None:
    assert verdict(kind, 0.8 if kind == "ratio" else 0.1, *gap) == found


def test_ties_at_the_edge_are_selected_in_part_so_that_the_order_of_people_does_not_matter() -> None:
    assert fairness.leading(np.array([0.2, 0.9, 0.2, 0.2]), 0.5).tolist() == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3])


def test_a_group_that_gets_no_score_is_not_selected_and_found_unequal() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(["old", "young"], 400)
    score = np.where(groups == "old", np.nan, rng.random(800))
    chosen = fairness.leading(score, 0.2)
    assert (chosen[:400].sum(), chosen[400:].sum()) == (0.0, 80.0)
    assert verdicts(asked(chosen), groups) == {"old": "unfair", "young": "best"}
    assert fairness.leading(np.array([]), 0.2).tolist() == []
    assert fairness.leading(np.full(3, np.nan), 0.2).tolist() == [0.0] * 3


@pytest.mark.parametrize("scores", [[], [None] * 30, [float("nan"), float("inf"), float("-inf")] * 10])
def test_without_a_score_that_is_a_number_nothing_is_measured_and_nothing_promoted(scores: list[float | None]) -> None:
    import narwhals as nw

    from tests.mlengine.frames import log_of, purchases

    at = house.OPENED.replace(tzinfo=None) + 200 * DAY
    log = log_of(purchases([(user, at - 3 * DAY, 5.0) for user in range(1, 31)]))
    frame = pl.DataFrame({"user": range(len(scores)), "score": scores}, schema={"user": pl.Int64, "score": pl.Float64})
    found = fairness.report(SPECS["churn"], nw.from_native(frame, eager_only=True), log, at)
    assert found["unmeasured"]
    silence = spec()
    measures = {"model": {at: {silence.decided_by: Measure(value=1.0)}}}
    wins, decision = training.decide(silence, Backtest(measures=measures, details={"fairness": found}))
    assert not wins
    assert decision.startswith("Not promoted, how it treats groups of people could not be measured: concordance 1.0")
    said = decision_text(decision)
    assert said.startswith("Not promoted, how it treats groups of people could not be measured; it had Order of waits")
    with pytest.raises(fairness.Unfair, match=r"^How silence v1 treats groups of people could not be measured"):
        fairness.require(ModelVersion(spec="silence", number=1, card={"details": {"fairness": found}}), None)


def test_the_report_of_churn_finds_those_whose_risk_is_said_too_high() -> None:
    import narwhals as nw

    from tests.mlengine.frames import log_of, purchases

    cutoff = house.OPENED.replace(tzinfo=None) + 200 * DAY
    people = range(1, 401)
    stays = [user for user in people if user % 2]
    rows = [(user, cutoff - 3 * DAY, 5.0) for user in people] + [(user, cutoff + 3 * DAY, 5.0) for user in stays]
    bands = ["old" if user % 4 < 2 else "young" for user in people]
    profiles = pl.DataFrame({"user": people, "age_band": bands, "gender": [None] * 400})
    log = log_of(purchases(rows), profiles=profiles)
    said = [0.95 if band == "old" else 0.5 for band in bands]
    answers = nw.from_native(pl.DataFrame({"user": people, "score": said}), eager_only=True)
    churn = replace(SPECS["churn"], fair=replace(SPECS["churn"].fair, selected=0.5))
    found = fairness.report(churn, answers, log, cutoff)
    assert [one["name"] for one in found["attributes"]] == ["age_band"]  # nothing is known of anybody's gender
    unfair = {(one["measure"], one["group"]) for one in found["unfair"]}
    assert unfair == {("selection_rate", "young"), ("equal_opportunity", "young"), ("calibration_gap", "old")}
    assert fairness.wording(found).startswith("age_band ")
    measures = {one["name"]: one["groups"] for one in found["attributes"][0]["measures"]}
    assert [(one["group"], one["people"], one["value"]) for one in measures["selection_rate"]] == [
        ("old", 200, 1.0),
        ("young", 200, 0.0),
    ]
    assert [round(one["value"], 2) for one in measures["calibration_gap"]] == [0.45, 0.0]


UNFAIR = {"unfair": [{"attribute": "age_band", "group": "65+", "measure": "selection_rate", "gap": 0.4}]}


@pytest.fixture
def unequal(monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """Train a model that wins its backtest, and of which the report says that it is unfair."""
    house.shop()
    monkeypatch.setitem(SPECS, "silence", spec())
    monkeypatch.setattr(fairness, "report", lambda *_: UNFAIR)
    from crm import lake

    lake.export(NOW)
    return training.train(spec(), cutoff=END, now=NOW, progress=house.progress())


def officer(**facts: Any) -> User:
    user = User.objects.create_user(username="officer", **facts)
    user.user_permissions.add(Permission.objects.get(codename="override_fairness"))
    return User.objects.get(pk=user.pk)


@pytest.mark.django_db(transaction=True)
def test_an_unfair_winner_is_not_promoted_and_only_who_has_the_right_may_let_it_serve(unequal: ModelVersion) -> None:
    assert unequal.stage == ModelVersion.Stage.CANDIDATE
    assert unequal.decision.startswith(
        "Not promoted, it treats groups of people unequally (age_band 65+ by selection_rate (0.40)): concordance 1.0"
    )
    for nobody in (None, User.objects.create_user(username="analyst")):
        with pytest.raises(fairness.Unfair, match=r"silence v1 treats groups of people unequally \(age_band 65\+"):
            registry.promote(unequal, by=nobody, reason="it is the best", now=NOW)
    registry.promote(unequal, by=officer(), reason="older people asked to be left alone", now=NOW)
    assert unequal.stage == ModelVersion.Stage.CHAMPION
    assert unequal.decision == "older people asked to be left alone"


def test_limits_are_those_of_the_spec() -> None:
    limits: Mapping[str, float | None] = SPECS["churn"].fair.limits
    assert limits["selection_rate"] == 0.8


def test_exact_rates_are_for_who_may_see_people() -> None:
    group = {"group": "65+", "verdict": "unfair", "value": 0.123, "low": 0.1, "high": 0.15, "gap": 0.4, "people": 57}
    measure = {"name": "selection_rate", "kind": "ratio", "limit": 0.8, "groups": [group]}
    attribute = {"name": "age_band", "hidden": 0, "unknown": 3, "measures": [measure]}
    unfair = {"attribute": "age_band", "group": "65+", "measure": "selection_rate", "gap": 0.4, "gap_low": 0.3}
    report = {"selected": 0.1, "attributes": [attribute], "unfair": [unfair | {"gap_high": 0.5, "limit": 0.8}]}
    (told,) = pages.about(report, counts=True)["attributes"][0]["rows"]
    assert (told["people"], told["cells"][0]["text"]) == ("57", "12.3 %")
    hidden = pages.about(report, counts=False)
    (told,) = hidden["attributes"][0]["rows"]
    assert (told["people"], told["cells"][0]["text"], hidden["attributes"][0]["chart"]) == (None, "unequal", None)
    assert "interval" not in told["cells"][0]
    assert "0." not in hidden["unfair"][0]
