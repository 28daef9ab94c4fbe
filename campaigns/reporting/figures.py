"""What a campaign's report is made of, counted in the database: sums over groups of people, never a person.

Everybody who was assigned counts in the group that she was assigned to, reached or not: only those groups are alike by
chance alone. A person counts once in each run, from the first time she was assigned; of profiles that were merged
since, the one that was kept says which group. Whose data are restricted counts nowhere. Of a run that was cancelled
those count whose turn had come (``campaigns.reporting.outcome_statements.TURN``).

Refunds within the window take from the revenue. Clicks by machines are left out and counted apart, and so are opens.

Rows of what each person did (``campaigns.reporting.outcomes``) are made from the log once, kept up with what arrives,
and added up anew each time. A night's recount finds what keeping up may have missed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from campaigns.models import Campaign, Delivery, Figures, JourneyEntry, Run
from campaigns.reporting import adding_up, arms, journey_statements, observed, outcomes, strata
from campaigns.reporting import figure_statements as sql
from campaigns.reporting.outcomes import FORM, HISTORY, World
from campaigns.segmenting.statements import OutOfTime, limited
from crm.locks import Busy, only_one

__all__ = ["FORM", "HISTORY", "bring_up", "cells", "closes", "count", "is_waiting", "of", "refresh", "update"]

log = logging.getLogger(__name__)

AT_ONCE = 50_000  # deliveries: about a second
FRESH = timedelta(minutes=1)  # so old may be what is shown of a campaign for which something can still change
BUDGET = timedelta(seconds=1.5)  # of a statement while somebody waits for a page; a worker takes longer
PATIENCE = 5.0  # seconds, for somebody else who counts the same
CURVED = timedelta(hours=1)  # sorting a million people for the curve takes as long as all the rest: so old it may be
A_DAY = timedelta(days=1)
MEMORY = "SET LOCAL work_mem = '256MB'"  # a million people fit, and nothing is sorted on disk; one count at a time
SETTINGS = (MEMORY, "SET LOCAL jit = off")  # compiling takes longer than counting does


def count(campaign: Campaign, now: datetime) -> Figures:
    """Make all rows anew from the log, add them up, and keep the sums.

    Raises
    ------
    crm.locks.Busy
        Somebody else is counting this campaign.
    """
    return _count(campaign, now)[0]


def _count(campaign: Campaign, now: datetime) -> tuple[Figures, int]:
    """Count anew; return also how many rows had been another way."""
    with _alone(campaign, PATIENCE), _cursor() as cursor:
        world = World.of(campaign, now)
        asked, state, corrected = outcomes.make(cursor, world)
        extra = {"observed": observed.estimate(campaign, now)} if campaign.kind == Campaign.Kind.IMPORTED else {}
        kept = _keep(cursor, world, asked, state, extra | {"curves": None})
        if not _changes(campaign, now):
            outcomes.forget(campaign)
    outcomes.settle(world)
    return kept, corrected


def keep_up(campaign: Campaign, now: datetime, budget: timedelta | None = None) -> Figures | None:
    """Take in what changed since the last time, add up, and keep the sums; ``None`` where all has to be counted anew.

    Raises
    ------
    campaigns.segmenting.statements.OutOfTime
        There is too much of it for the budget, and nothing was changed.
    crm.locks.Busy
        Somebody else is counting this campaign.
    """
    with _alone(campaign, 0.0), limited(budget, everybody=False) as cursor:
        cursor.execute(MEMORY)
        told = Figures.objects.filter(campaign=campaign, counted__form=FORM).first()
        world = World.of(campaign, now)
        found = outcomes.keep_up(cursor, world, told) if told and _changes(campaign, now) else None
        if told is None or found is None:
            return None
        asked, state = found
        held = budget is not None or datetime.fromisoformat(state["curved_at"]) > now - CURVED
        extra = {"curves": told.counted["curves"] if held and _is_large(campaign) else None}
        extra |= {"observed": told.counted["observed"]} if "observed" in told.counted else {}
        return _keep(cursor, world, asked, state, extra)


def update(campaign: Campaign, now: datetime) -> Figures:
    """Bring a campaign's figures up to date, whatever it takes."""
    return keep_up(campaign, now) or count(campaign, now)


def update_once(campaign: Campaign, now: datetime) -> bool:
    """Bring a campaign's figures up to date unless they are, or somebody does it just now; return whether this did."""
    told = Figures.objects.filter(campaign=campaign).first()
    if (
        told
        and told.counted.get("form") == FORM
        and (told.made_at > now - FRESH or not _changes(campaign, told.made_at))
    ):
        return False
    try:
        return bool(update(campaign, now))
    except Busy:
        return False


def bring_up(campaign: Campaign, now: datetime) -> bool:
    """Let a page show nothing older than a minute if that takes no longer than a page may; return whether it does.

    Nothing is done where nothing was counted yet: see :func:`is_waiting`.
    """
    told = Figures.objects.filter(campaign=campaign, counted__form=FORM).first()
    if told is None or told.made_at > now - FRESH or not _stale(campaign, told):
        return True
    try:
        return keep_up(campaign, now, BUDGET) is not None
    except (Busy, OutOfTime):
        return False


def of(campaign: Campaign, now: datetime) -> Figures:
    """Return what was counted last, or count now if nothing was yet."""
    told = Figures.objects.filter(campaign=campaign).first()
    return told if told and told.counted.get("form") == FORM else count(campaign, now)


def is_waiting(campaign: Campaign) -> bool:
    """Return whether nothing was counted yet and counting would take longer than somebody waits for a page."""
    told = Figures.objects.filter(campaign=campaign, counted__form=FORM)
    return not told.exists() and _is_large(campaign)


def refresh(now: datetime) -> int:
    """Bring up to date all for whose people the attribution window was still open; return how many.

    What is being planned just now waits until it is.
    """
    planned = Campaign.objects.filter(runs__planned_at__lte=now).exclude(runs__status=Run.Status.PLANNING)
    done = 0
    for campaign in planned.distinct().select_related("figures"):
        if _stale(campaign, getattr(campaign, "figures", None)):
            try:
                update(campaign, now)
                done += 1
            except Busy:
                continue
    return done


def recount(now: datetime) -> int:
    """Count anew, once a day, what was only kept up since: what was missed is corrected and logged; return how many."""
    done = 0
    for told in Figures.objects.exclude(state={}).select_related("campaign"):
        made_at = told.state.get("made_at")
        if _changes(told.campaign, told.made_at) and made_at and datetime.fromisoformat(made_at) <= now - A_DAY / 2:
            try:
                kept = keep_up(told.campaign, now)  # so that what the recount corrects is what was missed
                anew, corrected = _count(told.campaign, now)
                done += 1
            except Busy:
                continue
            if kept and corrected and all(kept.state[name] == anew.state[name] for name in outcomes.RULES):
                log.warning("A recount of campaign %s corrected %s rows of people.", told.campaign.pk, corrected)
    return done


def _stale(campaign: Campaign, told: Figures | None) -> bool:
    return told is None or told.counted.get("form") != FORM or _changes(campaign, told.made_at)


def _changes(campaign: Campaign, at: datetime) -> bool:
    """Return whether what was counted at this time may have changed since, or may yet."""
    return campaign.status in Campaign.LIVE or at < closes(campaign) + HISTORY


def _is_large(campaign: Campaign) -> bool:
    people = JourneyEntry if campaign.kind == Campaign.Kind.JOURNEY else Delivery
    return people._default_manager.filter(run__campaign=campaign)[: AT_ONCE + 1].count() > AT_ONCE


def closes(campaign: Campaign) -> datetime:
    """Return when the window is over of the run that was planned last; people come to one that stands to its end."""
    ends = "finished_at" if campaign.kind in Campaign.STANDING else "planned_at"
    last = [at for pair in campaign.runs.values_list("planned_at", ends) for at in pair if at]
    return max(last, default=campaign.created_at) + campaign.attribution_window


def cells(campaign: Campaign, now: datetime) -> dict[str, int]:
    """Return how many people of each group did and did not reach the goal, each person in one cell: for noise."""
    with _alone(campaign, PATIENCE), _cursor() as cursor:
        world = World.of(campaign, now)
        asked, _state, _corrected = outcomes.make(cursor, world)
        cursor.execute(sql.ANSWERS, asked)
        found = {(variant, did): people for variant, did, people in cursor.fetchall()}
        if not _changes(campaign, now):
            outcomes.forget(campaign)
    variants = [0, *arms.of(campaign)]
    both = ((True, "yes"), (False, "no"))  # known beforehand, so that an empty cell tells nothing
    return {f"{variant} {word}": found.get((variant, did), 0) for variant in variants for did, word in both}


@contextmanager
def _alone(campaign: Campaign, patience: float) -> Iterator[None]:
    with only_one(f"figures of campaign {campaign.pk}", patience=patience):
        yield


@contextmanager
def _cursor() -> Iterator[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in SETTINGS:
            cursor.execute(statement)
        yield cursor


def _keep(cursor: Any, world: World, asked: Mapping[str, Any], state: dict[str, Any], extra: dict[str, Any]) -> Figures:
    """Add up the rows, and keep the sums; ``extra`` has what is not added up, and ``curves`` unless it is ``None``."""
    before = Figures.objects.filter(campaign=world.campaign).first()
    converted = journey_statements.CONVERTED if world.is_journey else sql.CONVERTED
    counted = adding_up.added_up(cursor, asked, converted)
    last = [asked["last"] + asked["window"]] if counted["groups"] else []  # people may still come
    counted |= {"form": FORM, "closes_at": max([closes(world.campaign), *last]).isoformat()} | extra
    if counted["curves"] is None:
        counted["curves"] = adding_up.profit(cursor, asked, counted["groups"])
        state["curved_at"] = world.now.isoformat()
    counted["kept"] = strata.keep(counted["groups"], before.counted.get("kept", {}) if before else {})
    kept, _ = Figures.objects.update_or_create(
        campaign=world.campaign, defaults={"counted": counted, "state": state, "made_at": world.now}
    )
    return kept
