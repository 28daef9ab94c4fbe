"""What a campaign's report is made of, counted in the database: sums over groups of people, never a person.

Everybody who was assigned counts in the group that she was assigned to, reached or not: only those groups are alike by
chance alone. A person counts once in each run, from the first time she was assigned; of profiles that were merged
since, the one that was kept says which group. Whose data are restricted counts nowhere.

Refunds within the window take from the revenue. Clicks by machines are left out and counted apart, and so are opens.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction

from campaigns import curves, observed, strata
from campaigns import figure_statements as sql
from campaigns.models import Campaign, Delivery, Figures, Run
from mlengine.models import PredictionRun

FORM = 2  # of what is kept; whatever was counted in another form is counted anew
HISTORY = timedelta(days=28)  # of what people did before, at least; as long as the attribution window if that is longer
CLUSTERS = "rfm"  # by which groups that a model found a report is broken down
SCORES = ("churn",)  # besides what people bought before: by which scores the most promising come first
AT_ONCE = 50_000  # deliveries: about a second
MEMORY = "SET LOCAL work_mem = '256MB'"  # a million people fit, and nothing is sorted on disk; one count at a time


def count(campaign: Campaign, now: datetime) -> Figures:
    """Count everything anew and keep it."""
    before = Figures.objects.filter(campaign=campaign).first()
    with _outcomes(campaign, now) as (cursor, asked):
        counted = _counted(cursor, campaign, asked)
    counted["kept"] = strata.keep(counted["groups"], before.counted.get("kept", {}) if before else {})
    if campaign.kind == Campaign.Kind.IMPORTED:
        counted["observed"] = observed.estimate(campaign, now)
    kept, _ = Figures.objects.update_or_create(campaign=campaign, defaults={"counted": counted, "made_at": now})
    return kept


def of(campaign: Campaign, now: datetime) -> Figures:
    """Return what was counted last, or count now if nothing was yet."""
    told = Figures.objects.filter(campaign=campaign).first()
    return told if told and told.counted.get("form") == FORM else count(campaign, now)


def is_waiting(campaign: Campaign) -> bool:
    """Return whether nothing was counted yet and counting would take longer than somebody waits for a page."""
    told = Figures.objects.filter(campaign=campaign, counted__form=FORM)
    if told.exists():
        return False
    return Delivery.objects.filter(run__campaign=campaign)[: AT_ONCE + 1].count() > AT_ONCE


def refresh(now: datetime) -> int:
    """Count anew for all campaigns for whose people the attribution window was still open; return for how many."""
    done = 0
    for campaign in Campaign.objects.filter(runs__planned_at__lte=now).distinct().select_related("figures"):
        if _stale(campaign, getattr(campaign, "figures", None)):
            count(campaign, now)
            done += 1
    return done


def _stale(campaign: Campaign, told: Figures | None) -> bool:
    if told is None or told.counted.get("form") != FORM:
        return True
    return campaign.status in Campaign.LIVE or told.made_at < closes(campaign) + HISTORY


def closes(campaign: Campaign) -> datetime:
    """Return when the window of the run that was planned last is over."""
    planned = [at for at in campaign.runs.values_list("planned_at", flat=True) if at]
    return max(planned, default=campaign.created_at) + campaign.attribution_window


def cells(campaign: Campaign, now: datetime) -> dict[str, int]:
    """Return how many people of each group did and did not reach the goal, each person in one cell: for noise."""
    with _outcomes(campaign, now) as (cursor, _asked_for):
        cursor.execute(sql.CELLS)
        found = {(variant, did): people for variant, did, people in cursor.fetchall()}
    variants = [0, *campaign.variants.order_by("pk").values_list("pk", flat=True)]
    both = ((True, "yes"), (False, "no"))  # known beforehand, so that an empty cell tells nothing
    return {f"{variant} {word}": found.get((variant, did), 0) for variant in variants for did, word in both}


@contextmanager
def _outcomes(campaign: Campaign, now: datetime) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Make the table of people and what each did, and drop it at the end; yield the cursor and what is asked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MEMORY)
        cursor.execute(sql.DROP)
        cursor.execute(sql.MERGED)
        runs = list(campaign.runs.values_list("pk", flat=True))
        cursor.execute(sql.PEOPLE, {"runs": runs, "strata": _alike(campaign, runs), "now": now})
        cursor.execute("SELECT min(at), max(at) FROM report_person")
        first, last = cursor.fetchone()
        asked = _asked(campaign, runs, (first or now, last or now), now)
        asked["currency"], asked["others"] = _currency(cursor, asked)
        cursor.execute("ANALYZE report_merged; ANALYZE report_person")
        cursor.execute(sql.OUTCOMES.format(goal=f"({sql.GOAL})", money=sql.TAKEN), asked)
        yield cursor, asked
        cursor.execute(sql.DROP)


def _alike(campaign: Campaign, runs: Sequence[Any]) -> list[int]:
    """Return a number for each run, the same for those whose people were drawn by the same shares."""
    shares = {
        pk: orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        for pk, told in Run.objects.filter(campaign=campaign).values_list("pk", "shares")
    }
    numbers = {told: number for number, told in enumerate(sorted(set(shares.values())))}
    return [numbers[shares[run]] for run in runs]


def _counted(cursor: Any, campaign: Campaign, asked: dict[str, Any]) -> dict[str, Any]:
    groups = [_group(row) for row in _rows(cursor, sql.GROUPS, asked)]
    parts = _parts((row[:3], _group(row[3:])) for row in _rows(cursor, sql.PARTS, asked))
    return {
        "form": FORM,
        "currency": asked["currency"],
        "other_currencies": asked["others"],
        "closes_at": closes(campaign).isoformat(),
        "groups": groups,
        "parts": parts,
        "curves": _curves(cursor, asked, groups) if any(row["variant"] is None for row in groups) else [],
        "cohorts": [[str(week), *rest] for week, *rest in _rows(cursor, sql.COHORTS, asked)],
        "funnel": [list(row) for row in _rows(cursor, sql.FUNNEL, asked)],
        "converted": [list(row) for row in _rows(cursor, sql.CONVERTED, asked)],
        "reasons": [list(row) for row in _rows(cursor, sql.REASONS, asked)],
        "days": [list(row) for row in _rows(cursor, sql.DAYS, asked)],
        "clicks": [list(row) for row in _rows(cursor, sql.CLICKS, asked)],
        "machines": [list(row) for row in _rows(cursor, sql.MACHINES, asked)],
    }


def _parts(rows: Iterable[tuple[Sequence[Any], dict[str, Any]]]) -> list[list[Any]]:
    """Return the sums by each fact that was known before; a fact that is not known of somebody is no part."""
    by_part: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for (bought, age, cluster), row in rows:
        for kind, name in (("before", "yes" if bought else "no"), ("age", age), ("cluster", cluster)):
            if name:
                by_part[kind, name].append(row)
    return [[kind, name, row] for (kind, name), found in sorted(by_part.items()) for row in curves.added(found)]


def _curves(cursor: Any, asked: dict[str, Any], groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the most promising share of people brought, by each order that was known before the campaign."""
    orders: dict[str, tuple[str, str, int | None]] = {"value_before": ("one.value_before", "", None)}
    for spec in SCORES:
        if run := _run_before(spec, asked["since"]):
            orders[spec] = ("score.value", sql.SCORES, run)
    found = []
    for name, (order, scores, run) in orders.items():
        statement = sql.TWENTIETHS.format(order=order, scores=scores)
        rows = [(row[1], _group(row[2:])) for row in _rows(cursor, statement, asked | {"scores": run})]
        found.append({"by": name, "points": curves.points(rows)})
    return found if groups else []


def _run_before(spec: str, moment: datetime) -> int | None:
    """Return the latest answers of a model that knew nothing of what came after the moment."""
    runs = PredictionRun.objects.finished().filter(spec=spec, cutoff__lte=moment)
    return runs.order_by("-cutoff", "-pk").values_list("pk", flat=True).first()


def _asked(campaign: Campaign, runs: Sequence[Any], ends: tuple[datetime, datetime], now: datetime) -> dict[str, Any]:
    history = max(campaign.attribution_window, HISTORY)
    return {
        "runs": runs,
        "sessions": [str(run) for run in runs],
        "now": now,
        "since": ends[0],
        "from": ends[0] - history,
        "until": ends[1] + campaign.attribution_window,
        "history": history,
        "window": campaign.attribution_window,
        "goal": campaign.goal,
        "goal_name": campaign.goal_name,
        "kinds": sorted({*sql.MONEY, campaign.goal}),
        "zone": settings.TIME_ZONE,
        "clusters": _run_before(CLUSTERS, ends[0]),
    }


def _currency(cursor: Any, asked: dict[str, Any]) -> tuple[str, int]:
    """Return the currency most purchases were paid in, and how many were paid in another: sums know one only."""
    cursor.execute(sql.CURRENCIES, asked)
    found = cursor.fetchall()
    return (found[0][0], sum(number for _, number in found[1:])) if found else (settings.CURRENCY, 0)


def _rows(cursor: Any, statement: str, asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    cursor.execute(statement, asked)
    yield from cursor.fetchall()


def _group(row: Sequence[Any]) -> dict[str, Any]:
    run, variant, people, *sums, paid = row
    names = ("y", "yy", "x", "xx", "xy")
    return {
        "run": str(run),
        "variant": variant,
        "people": people,
        "paid": paid,
        "goal": dict(zip(names, map(float, sums[:5]), strict=True)),
        "value": dict(zip(names, map(float, sums[5:]), strict=True)),
    }


def planned_shares(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return what each run's people were assigned by."""
    return {str(pk): shares for pk, shares in Run.objects.filter(campaign=campaign).values_list("pk", "shares")}
