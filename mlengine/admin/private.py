"""Figures of people for somebody who may not see the people: with noise, what it may be off by, and the budget left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series, written
from crm.models import PrivacyBudget, Profile
from mlengine import figures, releases
from mlengine.admin import drawings
from mlengine.admin.words import spec_title
from mlengine.figures import UNKNOWN, Figure, NothingYet, Told
from mlengine.releases import Audience, BudgetSpent

TALLEST = 24  # bars; of cities there may be thousands, the largest are drawn


def sees_people(user: Any) -> bool:
    """Return whether somebody may see (masked) rows of people, and so exact counts of them."""
    return bool(user.has_perm("crm.view_profile"))


def audience_of(user: User) -> Audience | None:
    """Return who is told, and ``None`` for those who may see the people."""
    return None if sees_people(user) else Audience.staff(user)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A figure on a page: the answer, or why there is none."""

    name: str
    title: str
    told: Told | None = None
    chart: Chart | None = None
    refused: str = ""

    @property
    def margin(self) -> str:
        return written(self.told.margin, "integer") if self.told else ""


def answered(figure: Figure, user: User, now: datetime) -> Answered:
    """Return a figure for this reader, drawn now if it has to be."""
    try:
        told = figures.tell(figure, audience_of(user), now)
    except NothingYet:
        return Answered(name=figure.name, title=title_of(figure), refused=_("There is nothing to count yet."))
    except BudgetSpent as spent:
        return Answered(name=figure.name, title=title_of(figure), refused=str(spent))
    return presented(told)


def presented(told: Told) -> Answered:
    return Answered(name=told.figure.name, title=title_of(told.figure), told=told, chart=chart_of(told))


def title_of(figure: Figure) -> str:
    kind, _dash, spec = figure.name.partition("-")
    return str(figure.title) % spec_title(spec) if kind in {"sizes", "scores"} else str(figure.title)


def chart_of(told: Told, *, height: int = 0) -> Chart:
    """Return the bars of a figure, the largest first where its keys have no order of their own."""
    cells = list(told.cells.told.items())
    if told.figure.mechanism.threshold:
        cells = sorted(cells, key=lambda cell: (-cell[1], cell[0]))[:TALLEST]
    names = labels_of(told.figure)
    if told.figure.name.startswith("scores"):
        cells.sort(key=lambda cell: float(cell[0]))  # what was stored as JSON comes back in another order
    upright = told.figure.name.startswith(("scores", "weekly"))
    return Chart(
        id=told.figure.name,
        title=title_of(told.figure),
        labels=[names.get(key, label_of(key)) for key, _count in cells],
        series=[Series(label=_("People"), values=[count for _key, count in cells], kind="bar")],
        horizontal=not upright,
        height=height or (220 if upright else 70 + 28 * len(cells)),
        legend=False,
    )


def labels_of(figure: Figure) -> Mapping[str, str]:
    """Return what the keys of a figure are called."""
    kind, _dash, spec = figure.name.partition("-")
    match figure.name:
        case "people-by-gender":
            return {value: str(label) for value, label in Profile.Gender.choices}
        case "people-by-personalisation":
            return {"True": _("on"), "False": _("off")}
        case "active-people":
            return {f"{first}-{last}": _window(first, last) for first, last in figures.WINDOWS}
        case _ if kind == "sizes":
            return drawings.names_by_code(spec)
        case _ if kind == "scores":
            return {str(n / 20): f"{n * 5}–{n * 5 + 5} %" for n in range(20)}
    return {}


def _window(first: int, last: int) -> str:
    if not last:
        return _("last %(days)d days") % {"days": first}
    return _("%(days)d days before") % {"days": first - last}


def label_of(key: str) -> str:
    if key == UNKNOWN:
        return _("not known")
    try:
        return date_format(date.fromisoformat(key), "MONTH_DAY_FORMAT")
    except ValueError:
        return key


def about(value: int, margin: int) -> str:
    """Return a private number as a sentence says it, rounded to what its noise allows.

    >>> about(1237, 24), about(3, 24)
    ('≈ 1,240 ± 24', '≈ 0 ± 24')
    """
    step = 10 if margin >= 10 else 1
    return f"≈ {written(round(value / step) * step, 'integer')} ± {written(margin, 'integer')}"


def budget(user: Any, now: datetime) -> PrivacyBudget:
    return releases.budget_of(releases.STAFF, now)


def all_of(names: Sequence[str], user: User, now: datetime) -> dict[str, Answered]:
    known = figures.figures()
    return {name: answered(known[name], user, now) for name in names if name in known}
