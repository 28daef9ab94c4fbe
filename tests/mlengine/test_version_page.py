"""What a model's page draws and says: hours, what weighs, how many people have which score, why it could not learn."""

import ast
import json
import re
from datetime import datetime, timedelta
from math import exp, log
from pathlib import Path

import pytest

from config.templatetags.zhiyin import fact
from mlengine import backtest
from mlengine.admin import column_words, drawings, hours
from mlengine.admin.refusals import refusal_text, told
from mlengine.admin.words import SAID, column_title, subject_title
from mlengine.backtest import Extent
from mlengine.estimators import message_conversion, message_redemption, message_response
from mlengine.models import PredictionRun
from mlengine.specs import SPECS, NotEnoughData

CUTOFF = datetime(2025, 9, 9)
ROOT = Path(backtest.__file__).parent


def test_hours_are_drawn_by_day_beside_the_best_one_with_their_doubt() -> None:
    half = [log(0.5), 0.1]
    chart = hours.of({"hours": [half] * 20 + [[0.0, 0.0]] + [half] * 3, "messages": {}})
    assert chart is not None
    assert (chart.labels[0], chart.labels[-1], len(chart.labels)) == ("8:00", "22:00", 15)
    odds, low, high = (dict(zip(chart.labels, series.values, strict=True)) for series in chart.series)
    assert (odds["20:00"], low["20:00"], high["20:00"]) == (1.0, 1.0, 1.0)
    assert odds["9:00"] == pytest.approx(0.5)
    assert [low["9:00"], high["9:00"]] == pytest.approx([0.5 * exp(-0.196), 0.5 * exp(0.196)])


@pytest.mark.parametrize("kept", [None, {}, {"hours": [], "messages": {}}, {"hours": [[0.0, 0.0]] * 24}])
def test_where_no_hour_differs_or_is_known_nothing_is_drawn(kept: dict[str, object] | None) -> None:
    assert hours.of(kept) is None


def test_what_is_missing_is_told_with_how_much_there_is() -> None:
    extent = Extent(begins=CUTOFF - timedelta(days=90), events=900, profiles=200, active=170)
    with pytest.raises(NotEnoughData) as refused:
        extent.refuse_unless_enough(SPECS["churn"], CUTOFF)
    said = refusal_text(str(refused.value))
    assert said.startswith("Churn risk: not enough to learn from until 9 Sep 2025. ")
    assert f"{SPECS['churn'].min_events:,} events are needed, there are 900." in said
    assert f"{SPECS['churn'].min_profiles} people active in the 90 days before are needed, there are 170." in said
    assert said.endswith("days of history are needed, there are 90.")


def refusals_in(file: Path) -> list[str]:
    """Return the sentences of ``NotEnoughData`` and ``NoSuchChoice`` in a file, with something in each gap."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call) and node.args]
    raised = [node.args[0] for node in calls if getattr(node.func, "id", "") in {"NotEnoughData", "NoSuchChoice"}]
    return ["".join(map(_part, getattr(one, "values", [one]))) for one in raised]


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    gap = ast.unparse(getattr(part, "value", part))
    return IN_GAPS.get(gap, "2025-09-09" if "%Y" in ast.unparse(part) else "7")


IN_GAPS = {
    "self.said_by": "clicks on them", "did": "paid anything", "what": "bought again", "name": "recommender",
    "', '.join(missing)": "7 items bought (there are 3), 9 purchases (there are 3)",
    "'; '.join(missing)": "7 events, 8 needed",
}  # fmt: skip
LEARNING = [*(ROOT / "estimators").rglob("*.py"), *(ROOT / f"{name}.py" for name in ("backtest", "search", "training"))]
REFUSALS = [(file.name, said) for file in LEARNING if file.name != "tabular.py" for said in refusals_in(file)]


@pytest.mark.parametrize(("file", "error"), REFUSALS)
def test_every_refusal_to_learn_is_told_in_the_readers_language(file: str, error: str) -> None:
    said = told(error)
    assert said, file
    assert set(re.findall(r"\d+", said)) <= set(re.findall(r"\d+", error)) | {"9"}  # of the date in words


def test_refusals_are_found_where_they_are_raised() -> None:
    assert {"examples.py", "recommendations.py", "message_response.py", "training.py"} <= {file for file, _ in REFUSALS}
    assert len(REFUSALS) > 25


def test_what_recommendations_miss_is_told_piece_by_piece() -> None:
    said = refusal_text(
        "Recommendations need at least 50 people who bought (there are 3), 20 items bought (there are 7)."
    )
    assert said == "50 people who bought are needed, there are 3. 20 items bought are needed, there are 7."


@pytest.mark.parametrize(
    "error",
    [
        "",
        "Recommendations need at least luck.",
        "rate.json differ",
        "A: not enough to learn from until 2025-09-09: love.",
    ],
)
def test_any_other_error_stands_as_it_is(error: str) -> None:
    assert refusal_text(error) == error


@pytest.mark.parametrize(
    ("spec", "coloured"), [("churn", True), ("response", False), ("conversion", False), ("redemption", False)]
)
def test_only_risks_are_amber_and_red_where_they_are_high(spec: str, coloured: bool) -> None:
    run = PredictionRun(pk=1, spec=spec, summary={"histogram": {"edges": [0.0, 0.5, 1.0], "counts": [3, 4]}})
    chart = drawings.histogram(run)
    assert chart is not None
    assert chart.colours == (["amber", "red"] if coloured else [])


def test_a_model_of_orders_calls_its_columns_orders_as_its_reasons_do() -> None:
    assert SAID["conversion"] == message_conversion.SAID
    assert column_title("person_rate") == "Clicks so far · own rate"
    assert column_title("person_rate", "conversion") == "Orders after messages so far · own rate"
    assert SAID["redemption"] == message_redemption.SAID
    assert column_title("person_rate", "redemption") == "Coupons of messages used so far · own rate"


def test_every_column_of_a_model_of_messages_has_words() -> None:
    made = (message_conversion.MessageConversion, message_redemption.MessageRedemption)
    columns = {*message_response.COLUMNS, *(name for one in made for name in one.names)}
    assert [one for one in columns if one not in column_words.UNDER_A_THEME and not column_words.told(one)] == []


def test_effects_are_drawn_in_percent() -> None:
    run = PredictionRun(pk=1, spec="uplift", summary={"histogram": {"edges": [-0.02, 0.0, 0.02], "counts": [3, 4]}})
    chart = drawings.histogram(run)
    assert chart is not None
    assert (chart.labels, chart.x_title) == (["-2.00–0.00", "0.00–2.00"], "Campaign uplift (%)")


def test_a_champion_of_then_is_told_in_the_readers_language() -> None:
    assert subject_title("champion v3") == "the champion v3"


@pytest.mark.parametrize(("value", "said"), [(28.0, "28"), (0.125, "0.1250"), (7, "7"), (True, "yes")])
def test_whole_numbers_of_a_recipe_have_no_decimals(value: object, said: str) -> None:
    assert fact(value) == said


@pytest.mark.parametrize("told", ["1e999", "-1e999", "NaN"])
def test_a_number_that_is_none_is_a_dash(told: str) -> None:
    assert fact(json.loads(f"[{told}, 1]")) == "–, 1"


def test_a_whole_number_of_any_length_is_shown() -> None:
    assert fact(10**400).replace(",", "") == str(10**400)
