"""Who fulfils a condition that is no column of the person: for each kind, one set of persons, each once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import singledispatch

from django.utils.timezone import localtime

from campaigns.models import Campaign, Delivery
from campaigns.rules import consents, events
from campaigns.rules.conditions import holds_of_nothing, of_number
from campaigns.rules.fields import ADDRESS_TYPES, BOUNDS
from campaigns.rules.nodes import (
    Condition,
    Consented,
    Did,
    HasAddress,
    InCluster,
    InSegment,
    NeedsAgain,
    OfCampaign,
    Recommended,
    Related,
    Scored,
    Window,
)
from campaigns.rules.scope import Making
from crm import profiling
from crm.copying import int_array, text_array
from mlengine.models import PredictionRun

RECEIVED = (Delivery.Status.ACCEPTED.value, Delivery.Status.DELIVERED.value)
HELD_OUT = Delivery.Status.HELD_OUT.value
BOUGHT = (
    "AND e.kind = 'purchase' AND e.occurred_at >= {cutoff}"
    " AND (e.item_id = t.item_id OR t.item_id IS NULL AND i.categories @> ARRAY[t.category])"
)
ASSIGNED = "d.status <> 'suppressed' AND (d.status <> 'held_out' OR d.reason = '')"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A statement of the persons who fulfil a condition (``None``: nobody), or of all others (``opposite``)."""

    sql: str | None
    opposite: bool = False


@singledispatch
def of(rule: Condition, _made: Making) -> Found:
    raise TypeError(f"{rule!r} has no statement.")


@of.register
def _(rule: Did, made: Making) -> Found:
    opposite = rule.measure in ("count", "sum") and holds_of_nothing(rule.test)
    return Found(sql=events.people(rule, made.scope, made.parameters, made.now, opposite=opposite), opposite=opposite)


@of.register
def _(rule: Consented, made: Making) -> Found:
    sql, opposite = consents.people(rule, made.scope, made.parameters, made.now)
    return Found(sql=sql, opposite=opposite)


@of.register
def _(rule: HasAddress, made: Making) -> Found:
    types = made.parameters.add(text_array(ADDRESS_TYPES[rule.type]))
    verified = " AND t.verified" if rule.is_ == "verified" else ""
    sql = _of_table(made, "crm_identifier", "profile_id", f"t.type = ANY ({types}::text[]){verified}")
    return Found(sql=sql, opposite=rule.is_ == "unknown")


@of.register
def _(rule: InSegment, made: Making) -> Found:
    # Of a list: rules that are named were put in their place.
    condition = f"t.segment_id = {made.parameters.add(rule.segment)}"
    return Found(sql=_of_table(made, "campaigns_listmember", "profile_id", condition))


@of.register
def _(rule: Related, made: Making) -> Found:
    condition = f"t.kind = {made.parameters.add(rule.kind)}"
    if rule.to is not None:
        others = made.everybody()
        person = others.person("t.to_profile_id", "o")
        condition += f" AND {person} IN ({made.nested(rule.to)})"
        join = others.join("t.to_profile_id", "o")
    else:
        join = ""
    sql = _of_table(made, "crm_relation", "from_profile_id", condition, join)
    return Found(sql=sql, opposite=rule.is_ == "none")


@of.register
def _(rule: Scored, made: Making) -> Found:
    run = PredictionRun.objects.latest_finished(rule.spec)
    if run is None:
        return Found(sql=None)
    scores = f"FROM mlengine_score t WHERE t.run_id = {made.parameters.add(run.pk)}{_may_be_scored()}"
    number = _number_of(rule, made)
    if rule.test.is_ != "top_share":
        return Found(
            sql=f"SELECT t.profile_id AS id {scores} AND {of_number(number, rule.test, made.parameters, 'float8')}"
        )
    share = made.parameters.add(rule.test.value, "numeric")
    scores += f" AND {number} IS NOT NULL" if rule.fact else ""
    most = f"SELECT ceil(count(*) * {share})::bigint {scores}"
    return Found(sql=f"SELECT t.profile_id AS id {scores} ORDER BY {number} DESC, t.profile_id LIMIT ({most})")


def _may_be_scored() -> str:
    """Return whose answers count, asked when people are found: a run that is served again may be older than a "no"."""
    return f" AND EXISTS (SELECT FROM crm_profile WHERE crm_profile.id = t.profile_id AND {profiling.scored_sql()})"


def _number_of(rule: Scored, made: Making) -> str:
    """Return the column that a condition on scores asks for: the score, a bound of it, or a number beside it."""
    if not rule.fact:
        return "t.value"
    if rule.fact in BOUNDS:
        return f"t.{rule.fact}"
    return f"(t.facts ->> {made.parameters.add(rule.fact, 'text')})::float8"


@of.register
def _(rule: InCluster, made: Making) -> Found:
    run = PredictionRun.objects.latest_finished(rule.spec)
    opposite = rule.is_ == "not_in"
    if run is None:
        return Found(sql=None, opposite=opposite)
    codes = made.parameters.add(int_array(rule.codes))
    clusters = f"SELECT c.id FROM mlengine_cluster c WHERE c.code = ANY ({codes}::bigint[])"
    of_run = f"t.run_id = {made.parameters.add(run.pk)} AND t.cluster_id IN ({clusters}){_may_be_scored()}"
    return Found(sql=f"SELECT t.profile_id AS id FROM mlengine_clustermember t WHERE {of_run}", opposite=opposite)


@of.register
def _(rule: Recommended, made: Making) -> Found:
    run = PredictionRun.objects.latest_finished("recommendations")
    if run is None:
        return Found(sql=None)
    is_meant = (
        f"i.code = {made.parameters.add(rule.item)}"
        if rule.item
        else f"i.categories @> ARRAY[{made.parameters.add(rule.category)}]::varchar[]"
    )
    items = f"SELECT i.id FROM crm_item i WHERE {is_meant}"
    ranked = f"t.run_id = {made.parameters.add(run.pk)} AND t.rank <= {made.parameters.add(rule.within_rank)}"
    table = f"FROM mlengine_recommendation t WHERE {ranked} AND t.item_id IN ({items})"
    return Found(sql=f"SELECT DISTINCT t.profile_id AS id {table}{_may_be_scored()}")


@of.register
def _(rule: NeedsAgain, made: Making) -> Found:
    run = PredictionRun.objects.latest_finished("repurchase")
    if run is None:
        return Found(sql=None)
    # Counted from the night of the answers; what was bought since needs no reminder.
    last = localtime(run.cutoff).date() + timedelta(days=rule.within_days)
    condition = f"t.run_id = {made.parameters.add(run.pk)} AND t.due_on <= {made.parameters.add(last)}"
    if rule.item:
        condition += f" AND t.item_id IN (SELECT i.id FROM crm_item i WHERE i.code = {made.parameters.add(rule.item)})"
    if rule.category:
        condition += f" AND t.item_id IS NULL AND t.category = {made.parameters.add(rule.category)}"
    # Also by a profile that was merged into hers since.
    person, join = made.scope.person("e.profile_id"), made.scope.join("e.profile_id")
    since = f"SELECT FROM crm_event e {join} JOIN crm_item i ON i.id = e.item_id WHERE {person} = t.profile_id {BOUGHT}"
    since = since.format(cutoff=made.parameters.add(run.cutoff))
    table = f"FROM mlengine_repurchase t WHERE {condition}{_may_be_scored()} AND NOT EXISTS ({since})"
    return Found(sql=f"SELECT DISTINCT t.profile_id AS id {table}")


@of.register
def _(rule: OfCampaign, made: Making) -> Found:
    runs = f"SELECT r.id FROM campaigns_run r WHERE r.campaign_id = {made.parameters.add(rule.campaign)}"
    time = _within(rule.within, "d.planned_at", made)
    person, join = made.scope.person("d.profile_id"), made.scope.join("d.profile_id")
    condition = STATUS.get(rule.is_, "").format(received=made.parameters.add(text_array(RECEIVED)))
    if rule.is_ == "clicked":
        join += " JOIN crm_event e ON e.profile_id = d.profile_id AND e.occurred_at >= d.planned_at"
        condition = "e.kind = 'clicked' AND e.session = d.run_id::text"
    if rule.is_ == "converted":
        goal = Campaign.objects.filter(pk=rule.campaign).values_list("goal", "goal_name", "attribution_window").first()
        if goal is None:
            return Found(sql=None)
        condition += f" AND {_reached(goal, made)}"
        join += " JOIN crm_event e ON e.profile_id = d.profile_id"
    tables = f"FROM campaigns_delivery d {join} WHERE d.run_id IN ({runs}) AND {condition}{time}"
    return Found(sql=f"SELECT DISTINCT {person} AS id {tables}", opposite=rule.is_ == "not_received")


def _reached(goal: tuple[str, str, timedelta], made: Making) -> str:
    kind, name, window = (made.parameters.add(one) for one in goal)
    named = f" AND e.name = {name}" if goal[1] else ""
    return (
        f"e.kind = {kind}{named} AND e.occurred_at >= d.called_at AND e.occurred_at < d.called_at + {window}::interval"
        f" AND e.occurred_at <= {made.parameters.add(made.now)}"
    )


def _within(window: Window | None, column: str, made: Making) -> str:
    begins, ends = events.bounds(window, made.now)
    lower = f" AND {column} >= {made.parameters.add(begins)}" if begins else ""
    return f"{lower} AND {column} {'<' if ends < made.now else '<='} {made.parameters.add(ends)}"


def _of_table(made: Making, table: str, column: str, condition: str, join: str = "") -> str:
    person, members = made.scope.person(f"t.{column}"), made.scope.join(f"t.{column}")
    return f"SELECT DISTINCT {person} AS id FROM {table} t {members} {join} WHERE {condition}"


STATUS: Mapping[str, str] = {
    "assigned": ASSIGNED,
    "received": "d.status = ANY ({received}::text[])",
    "not_received": "d.status = ANY ({received}::text[])",
    "converted": "d.status = ANY ({received}::text[])",
    "held_out": f"d.status = '{HELD_OUT}'",
}
