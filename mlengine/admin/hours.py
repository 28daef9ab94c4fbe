"""What the hour of sending does for a message: what a model of messages keeps of hours, drawn."""

from collections.abc import Mapping
from math import exp
from typing import Any

from django.utils.translation import gettext as _

from crm.charts import Chart, Series
from mlengine.clicks import HOURS, Added, Parts

BY_DAY = range(HOURS[0], HOURS[-1] + 1)  # at night nobody is written to, so what a line says of it was never seen


def of(kept: Mapping[str, Any] | None) -> Chart | None:
    """Return the odds of an answer by hour, the best hour being all of it; ``None`` where none differs."""
    hours = Parts.of(kept).hours
    if not any(added.odds or added.error for added in hours):
        return None
    lines = ((_("Odds of an answer"), 0.0, "primary"), (_("95 %: from"), -1.96, "grey"), (_("95 %: to"), 1.96, "grey"))
    return Chart(
        id="hours",
        title=_("What the hour of sending does"),
        labels=[f"{hour}:00" for hour in BY_DAY],
        label_title=_("Hour of sending"),
        x_title=_("Hour of sending"),
        y_title=_("Odds beside the best hour"),
        series=[
            Series(
                label=label,
                values=[_odds(hours[hour], doubt) for hour in BY_DAY],
                unit="percent",
                colour=colour,
                dashed=bool(doubt),
            )
            for label, doubt, colour in lines
        ],
        height=230,
    )


def _odds(added: Added, doubt: float) -> float:
    return exp(added.odds + doubt * added.error)
