"""How much history a model is asked for: what its own rule says, and what the dates to judge it at take."""

from datetime import datetime, timedelta

import pytest

from mlengine.backtest import Extent, cutoffs
from mlengine.specs import SPECS, Dated, NotEnoughData
from tests.mlengine.test_message_redemption import world
from tests.mlengine.test_message_response import BEGAN, DAY

CUTOFF = datetime(2025, 9, 9)


def after(days: int) -> Extent:
    """Return an extent that lacks nothing but, perhaps, days."""
    return Extent(begins=CUTOFF - timedelta(days=days), events=1_000_000, profiles=10_000, active=10_000)


@pytest.mark.parametrize("name", ["response", "conversion", "redemption", "uplift"])
def test_whoever_names_the_dates_to_be_judged_at_is_asked_for_its_own_days_only(name: str) -> None:
    spec = SPECS[name]
    assert isinstance(spec.verbs, Dated)
    for days in (spec.min_days, 365):
        after(days).refuse_unless_enough(spec, CUTOFF)
    with pytest.raises(NotEnoughData, match=rf": {spec.min_days - 1} days of history, {spec.min_days} needed\.$"):
        after(spec.min_days - 1).refuse_unless_enough(spec, CUTOFF)


def test_where_all_was_sent_of_late_the_dates_themselves_are_refused() -> None:
    with pytest.raises(NotEnoughData, match="all of late: wait a month"):
        cutoffs(SPECS["redemption"], BEGAN, BEGAN + 100 * DAY, world())


def test_a_model_that_is_judged_every_horizon_is_asked_for_as_many_of_them() -> None:
    spec = SPECS["recommendations"]
    asked = (spec.activity_window + spec.horizon * spec.backtest_cutoffs).days
    assert asked > spec.min_days
    after(asked).refuse_unless_enough(spec, CUTOFF)
    with pytest.raises(NotEnoughData, match=f"{asked - 1} days of history, {asked} needed"):
        after(asked - 1).refuse_unless_enough(spec, CUTOFF)
