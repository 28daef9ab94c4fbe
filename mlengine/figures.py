"""The counts of people that may be asked for: exactly by those who may see the people, with noise by all others.

A person is counted once, as the profile that was kept of all that were merged. What each figure's mechanism says of a
person's part in it holds for what is counted here: one cell of a partition, or as many cells as the queries cut it to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from crm import activity
from crm.models import Profile, ProfileAlias, Release
from mlengine.anonymity.noise import Bound, Mechanism
from mlengine.anonymity.tidying import Cells, tidied
from mlengine.models import Cluster, PredictionRun
from mlengine.releases import Audience, Question, ask, mechanism_of
from mlengine.specs import SPECS

EPSILON = 0.25  # of one answer, taken alone
DELTA = 1e-8  # of one answer with keys that are not known beforehand
WINDOWS = ((30, 0), (60, 30), (90, 0), (180, 90))
QUARTER = timedelta(days=90)
UNKNOWN = "?"
Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One question about people: what it is called, how it is counted, and the noise that it gets."""

    name: str
    title: Any
    mechanism: Mechanism
    count: Callable[[datetime], Counts]
    of: Callable[[datetime], datetime | None] = lambda now: now  # the moment of the data it is about

    @property
    def is_partition(self) -> bool:
        """Whether everybody is in one cell, so that the cells add up to all people."""
        return self.mechanism.bound == Bound()


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer as it is shown: exact, or private with how far the truth may be (95 %)."""

    figure: Figure
    cells: Cells
    raw: Counts
    data_at: datetime
    margin: int = 0

    @property
    def exact(self) -> bool:
        return self.margin == 0


class NothingYet(LookupError):
    """There are no data yet that the figure could be about."""


def tell(figure: Figure, audience: Audience | None, now: datetime) -> Told:
    """Return a figure: exact where the audience is ``None`` (it may see the people), else private.

    Raises
    ------
    NothingYet
        There are no data for it.
    mlengine.releases.BudgetSpent
        The audience has to wait for next month.
    """
    data_at = figure.of(now)
    if data_at is None:
        raise NothingYet(figure.name)
    if audience is None:
        counts = figure.count(data_at)
        whole = sum(counts.values())
        cells = Cells(told=dict(counts), small=[], rest=0, total=whole)
        return Told(figure=figure, cells=cells, raw=counts, data_at=data_at)
    question = Question(name=figure.name, mechanism=figure.mechanism, data_at=data_at)

    def count() -> Counts:
        counts = figure.count(data_at)
        if not counts and not figure.mechanism.threshold:  # known keys are there whatever the data
            raise NothingYet(figure.name)
        return counts

    return shown(ask(question, audience, count=count, now=now), figure)


def shown(release: Release, figure: Figure) -> Told:
    """Return a release as it may be read: nothing negative, small cells by name only, parts that add up."""
    answer: dict[str, int] = release.answer
    mechanism = mechanism_of(release)
    cells = tidied(answer) if figure.is_partition else _one_by_one(answer)
    return Told(figure=figure, cells=cells, raw=answer, data_at=release.data_at, margin=mechanism.margin())


def _one_by_one(answer: Counts) -> Cells:
    told = {key: max(0, value) for key, value in answer.items()}
    return Cells(told=told, small=[], rest=0, total=sum(told.values()))


# -- who there is --


def people() -> QuerySet[Profile]:
    merges = ProfileAlias.objects.filter(duplicate=OuterRef("pk"), undone_at=None)
    return Profile.objects.filter(~Exists(merges), restricted_at=None)


def _by(column: str, known: Sequence[Any] = ()) -> Callable[[datetime], Counts]:
    def count(_data_at: datetime) -> Counts:
        rows = people().values_list(column).annotate(people=Count("pk")).order_by()
        found = {UNKNOWN if key in (None, "") else str(key): number for key, number in rows}
        return {str(key): found.get(str(key), 0) for key in (*known, UNKNOWN)} if known else found

    return count


ONE = Mechanism.laplace(EPSILON, Bound())
ANY_KEY = Mechanism.unknown_keys(EPSILON, DELTA, Bound())


def _profiles() -> list[Figure]:
    genders = [value for value in Profile.Gender.values if value]
    return [
        Figure(name="people-by-gender", title=_("People by gender"), mechanism=ONE, count=_by("gender", genders)),
        Figure(name="people-by-age", title=_("People by age band"), mechanism=ANY_KEY, count=_by("age_band")),
        Figure(name="people-by-province", title=_("People by province"), mechanism=ANY_KEY, count=_by("province")),
        Figure(name="people-by-city", title=_("People by city"), mechanism=ANY_KEY, count=_by("city")),
        Figure(name="people-by-language", title=_("People by language"), mechanism=ANY_KEY, count=_by("language")),
        Figure(
            name="people-by-birth-month",
            title=_("People by month of birth"),
            mechanism=ONE,
            count=_by("birth_month", range(1, 13)),
        ),
        Figure(
            name="people-by-personalisation",
            title=_("People by whether personalisation is on"),
            mechanism=ONE,
            count=_by("personalisation", (True, False)),
        ),
    ]


# -- what they did --


def end_of_data(_now: datetime | None = None) -> datetime | None:
    """Return up to when people's doings are told: the last whole day that the log knows; ``None`` of an empty one.

    Where nobody paid anything in the quarter before, and models answered for a day before that, it is their day: beside
    a shop's history of years ago, as in the demonstration, a few messages of today are not what people do.
    """
    latest = activity.latest()
    if latest is None:
        return None
    end = activity.last_whole_day(latest)
    answered = PredictionRun.objects.finished().order_by("-cutoff").values_list("cutoff", flat=True).first()
    if answered and answered < end - QUARTER and not activity.currencies(end, days=QUARTER.days):
        return activity.last_whole_day(answered - timedelta(seconds=1))
    return end


def _active(data_at: datetime) -> Counts:
    found = activity.active_people(data_at, WINDOWS)
    return {f"{first}-{last}": found[first, last] for first, last in WINDOWS}


def _weekly(column: str) -> Callable[[datetime], Counts]:
    def count(data_at: datetime) -> Counts:
        weeks = activity.by_week(data_at)
        return {f"{week.begins:%Y-%m-%d}": int(getattr(week, column)) for week in weeks}

    return count


def _activity() -> list[Figure]:
    weeks = activity.WEEKS
    limits = {"people": 1, "events": activity.MOST_EVENTS, "revenue": settings.PRIVATE_FIGURES_WEEKLY_VALUE}
    titles = {"people": _("Active people by week"), "events": _("Events by week"), "revenue": _("Revenue by week")}
    return [
        Figure(
            name="active-people",
            title=_("Active people"),
            mechanism=Mechanism.laplace(2 * EPSILON, Bound(cells=len(WINDOWS))),
            count=_active,
            of=end_of_data,
        ),
        *(
            Figure(
                name=f"weekly-{column}",
                title=titles[column],
                mechanism=Mechanism.gaussian(0.02, Bound(cells=weeks, most=most)),
                count=_weekly(column),
                of=end_of_data,
            )
            for column, most in limits.items()
        ),
    ]


# -- what was learned of them --


def _run(spec: str) -> Callable[[datetime], datetime | None]:
    def cutoff(_now: datetime) -> datetime | None:
        run = PredictionRun.objects.latest_finished(spec)
        return run.cutoff if run else None

    return cutoff


def _summary(spec: str) -> dict[str, Any]:
    run = PredictionRun.objects.latest_finished(spec)
    return dict(run.summary) if run else {}


def _sizes(spec: str) -> Callable[[datetime], Counts]:
    def count(_data_at: datetime) -> Counts:
        sizes = _summary(spec).get("sizes", {})
        codes = Cluster.objects.filter(spec=spec).order_by("code").values_list("code", flat=True)
        return {str(code): int(sizes.get(str(code), 0)) for code in codes}

    return count


def _scores(spec: str) -> Callable[[datetime], Counts]:
    def count(_data_at: datetime) -> Counts:
        found = _summary(spec).get("histogram", {})
        edges = found.get("edges", [])
        if not edges or (edges[0], edges[-1]) != (0.0, 1.0):
            return {}  # edges that follow the data would tell the extremes, which are somebody's
        return {str(round(low, 4)): int(people) for low, people in zip(edges[:-1], found["counts"], strict=True)}

    return count


def _learned() -> list[Figure]:
    made = []
    for spec in SPECS.values():
        if spec.answers == "cluster":
            made.append(("sizes", _("People by segment: %s"), _sizes(spec.name), spec))
        if spec.answers == "score":
            made.append(("scores", _("People by score: %s"), _scores(spec.name), spec))
    return [
        Figure(name=f"{kind}-{spec.name}", title=title, mechanism=ONE, count=count, of=_run(spec.name))
        for kind, title, count, spec in made
    ]


def figures() -> dict[str, Figure]:
    """Return every figure by its name."""
    return {figure.name: figure for figure in (*_profiles(), *_activity(), *_learned())}
