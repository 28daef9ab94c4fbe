"""The statements that count a report; :mod:`campaigns.figures` runs them in one transaction, in this order."""

from crm.models import Event

MONEY = (Event.Kind.PURCHASE.value, Event.Kind.REFUND.value)
DROP = "DROP TABLE IF EXISTS report_merged, report_person, report_outcome"

# The end of each chain of merges; UNION ends even a circle, which no constraint can forbid.
MERGED = """
CREATE TEMP TABLE report_merged ON COMMIT DROP AS
WITH RECURSIVE step (id, person) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION
    SELECT step.id, next.canonical_id FROM step
    JOIN crm_profilealias AS next ON next.duplicate_id = step.person AND next.undone_at IS NULL
)
SELECT id, person FROM step WHERE NOT EXISTS (
    SELECT FROM crm_profilealias AS next WHERE next.duplicate_id = step.person AND next.undone_at IS NULL
)
"""

PEOPLE = """
CREATE TEMP TABLE report_person ON COMMIT DROP AS
SELECT DISTINCT ON (sent.run_id, person) sent.run_id, run.stratum, coalesce(merged.person, sent.profile_id) AS person,
       sent.variant_id, sent.channel, sent.planned_at AS at
FROM campaigns_delivery AS sent
JOIN unnest(%(runs)s::uuid[], %(strata)s::int[]) AS run (id, stratum) ON run.id = sent.run_id
LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
WHERE sent.run_id = ANY(%(runs)s::uuid[]) AND sent.planned_at <= %(now)s
  AND (sent.variant_id IS NOT NULL OR (sent.status = 'held_out' AND sent.reason = ''))
  AND NOT EXISTS (
      SELECT FROM crm_profile AS barred
      WHERE barred.restricted_at IS NOT NULL AND barred.id IN (sent.profile_id, merged.person)
  )
ORDER BY sent.run_id, person, (merged.id IS NULL) DESC, sent.planned_at, sent.id
"""

# Names a person who did nothing too. The bounds spare the partitions outside of them.
OUTCOMES = """
CREATE TEMP TABLE report_outcome ON COMMIT DROP AS
WITH done AS (
    SELECT one.run_id, one.person,
           min(event.occurred_at) FILTER (WHERE event.occurred_at >= one.at AND {goal}) AS reached_at,
           bool_or(event.occurred_at < one.at AND {goal}) AS reached_before,
           sum({money}) FILTER (WHERE event.occurred_at >= one.at) AS value,
           sum({money}) FILTER (WHERE event.occurred_at < one.at) AS value_before
    FROM crm_event AS event
    LEFT JOIN report_merged AS merged ON merged.id = event.profile_id
    JOIN report_person AS one ON one.person = coalesce(merged.person, event.profile_id)
    WHERE event.kind = ANY(%(kinds)s) AND event.occurred_at >= %(from)s AND event.occurred_at < %(until)s
      AND event.occurred_at <= %(now)s
      AND event.occurred_at >= one.at - %(history)s AND event.occurred_at < one.at + %(window)s
    GROUP BY one.run_id, one.person
)
SELECT one.*, done.reached_at, (done.reached_at IS NOT NULL)::int AS y, coalesce(done.reached_before, false)::int AS x,
       coalesce(done.value, 0) AS value, coalesce(done.value_before, 0) AS value_before
FROM report_person AS one LEFT JOIN done USING (run_id, person)
"""
GOAL = "event.kind = %(goal)s AND (%(goal_name)s = '' OR event.name = %(goal_name)s)"
TAKEN = (
    "CASE WHEN event.currency NOT IN ('', %(currency)s) THEN 0"
    " WHEN event.kind = 'refund' THEN -abs(event.value)::float8"
    " WHEN event.kind = 'purchase' THEN event.value::float8 ELSE 0 END"
)

# The sums of campaigns.moments.Moments, twice: of reaching the goal, and of money.
SUMS = (
    "count(*), sum(y), sum(y), sum(x), sum(x), sum(x * y), sum(value), sum(value * value), sum(value_before),"
    " sum(value_before * value_before), sum(value * value_before), count(*) FILTER (WHERE value <> 0)"
)
GROUPS = """
SELECT run_id, variant_id, {SUMS} FROM report_outcome
GROUP BY run_id, variant_id ORDER BY run_id, variant_id NULLS FIRST
""".replace("{SUMS}", SUMS)
# By what was known of people before: whether they bought of late, their age band, and the group that a model had found
# them in; crossed, so that each person is looked at once, and added up by each of the three afterwards.
PARTS = """
SELECT (value_before <> 0 OR x > 0), profile.age_band, coalesce(cluster.code::text, ''), stratum,
       CASE WHEN variant_id IS NULL THEN NULL ELSE 0 END, {SUMS}
FROM report_outcome AS one
JOIN crm_profile AS profile ON profile.id = one.person
LEFT JOIN mlengine_clustermember AS member ON member.profile_id = one.person AND member.run_id = %(clusters)s
LEFT JOIN mlengine_cluster AS cluster ON cluster.id = member.cluster_id
GROUP BY 1, 2, 3, 4, 5
""".replace("{SUMS}", SUMS)
# Everybody in twentieths, the most promising first, by what was known before the campaign; chance breaks ties.
TWENTIETHS = """
SELECT 0, twentieth, stratum, CASE WHEN variant_id IS NULL THEN NULL ELSE 0 END, {SUMS}
FROM (
    SELECT one.*, ntile(20) OVER (PARTITION BY stratum ORDER BY {order} DESC NULLS LAST, hashint8(one.person))
               AS twentieth
    FROM report_outcome AS one {scores}
) AS ranked GROUP BY 2, 3, 4 ORDER BY 2, 3, 4 NULLS FIRST
""".replace("{SUMS}", SUMS)
SCORES = "LEFT JOIN mlengine_score AS score ON score.profile_id = one.person AND score.run_id = %(scores)s"
# By the week in which people were assigned: how many there were, and in which week after it they reached the goal.
COHORTS = """
SELECT date_trunc('week', at AT TIME ZONE %(zone)s)::date, variant_id IS NULL,
       floor(extract(epoch FROM reached_at - at) / 604800)::int, count(*), sum(value)
FROM report_outcome GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
FUNNEL = """
WITH clicked AS (
    SELECT DISTINCT event.properties ->> 'delivery' AS delivery FROM crm_event AS event
    WHERE event.kind = 'clicked' AND event.session = ANY(%(sessions)s) AND event.properties ->> 'automatic' IS NULL
      AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
)
SELECT sent.variant_id, sent.channel, count(*),
       count(*) FILTER (WHERE sent.status IN ('accepted', 'delivered', 'bounced')),
       count(*) FILTER (WHERE sent.status = 'delivered'), count(*) FILTER (WHERE sent.status = 'bounced'),
       count(*) FILTER (WHERE sent.status = 'failed'),
       count(*) FILTER (WHERE sent.status IN ('unknown', 'calling')), count(clicked.delivery),
       coalesce(sum(sent.cost), 0)::float8
FROM campaigns_delivery AS sent LEFT JOIN clicked ON clicked.delivery = sent.id::text
WHERE sent.run_id = ANY(%(runs)s::uuid[]) AND sent.variant_id IS NOT NULL
GROUP BY sent.variant_id, sent.channel ORDER BY sent.variant_id, sent.channel
"""
CONVERTED = """
SELECT variant_id, channel, sum(y) FROM report_outcome WHERE variant_id IS NOT NULL GROUP BY variant_id, channel
"""
REASONS = """
SELECT status, reason, count(*) FROM campaigns_delivery
WHERE run_id = ANY(%(runs)s::uuid[]) AND reason <> '' GROUP BY status, reason ORDER BY count(*) DESC, status, reason
"""
# Of each group, how many reached the goal for the first time on which day after they were assigned.
DAYS = """
SELECT variant_id IS NULL, floor(extract(epoch FROM reached_at - at) / 86400)::int, count(*)
FROM report_outcome WHERE reached_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""
CLICKS = """
SELECT event.properties ->> 'link', coalesce(event.properties ->> 'device', ''),
       count(DISTINCT event.properties ->> 'delivery')
FROM crm_event AS event
WHERE event.kind = 'clicked' AND event.session = ANY(%(sessions)s) AND event.properties ->> 'automatic' IS NULL
  AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 200
"""
# What machines asked for, left out of every rate: how many messages, by what gave them away.
MACHINES = """
SELECT event.kind, event.properties ->> 'automatic', count(DISTINCT event.properties ->> 'delivery')
FROM crm_event AS event
WHERE event.kind IN ('clicked', 'opened') AND event.session = ANY(%(sessions)s)
  AND event.properties ->> 'automatic' IS NOT NULL
  AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
# Each person once, in the group of her first run: the cells of an answer with noise, of which she is in one.
CELLS = """
SELECT coalesce(variant_id, 0), y = 1, count(*) FROM (
    SELECT DISTINCT ON (person) person, variant_id, y FROM report_outcome ORDER BY person, at
) AS once GROUP BY 1, 2
"""
CURRENCIES = """
SELECT currency, count(*) FROM crm_event WHERE kind = 'purchase' AND currency <> ''
  AND occurred_at >= %(from)s AND occurred_at < %(until)s GROUP BY currency ORDER BY 2 DESC, 1
"""
