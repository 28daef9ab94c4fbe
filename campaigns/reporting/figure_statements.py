"""The statements that add up the rows of people's outcomes; :mod:`reporting.figures` runs them in one transaction.

A million rows are read once, into cells of people who are alike in all that a report tells apart; the tables of the
report are sums of cells.
"""

DROP = "DROP TABLE IF EXISTS report_cell"

# Amounts are whole hundredths: as doubles, their sums and those of their squares are exact up to 2**53.
ADDED = """
    count(*) AS people, count(reached_at) AS y, count(*) FILTER (WHERE reached_before) AS x,
    count(reached_at) FILTER (WHERE reached_before) AS xy, sum(value::float8) AS value,
    sum(value::float8 * value) AS value_2, sum(value_before::float8) AS before,
    sum(value_before::float8 * value_before) AS before_2, sum(value::float8 * value_before) AS product,
    count(*) FILTER (WHERE value <> 0) AS paid, sum(others) AS others
"""
# The sums of campaigns.reporting.moments.Moments, twice: of reaching the goal, and of money.
SUMS = (
    "sum(people)::bigint, sum(y)::float8, sum(y)::float8, sum(x)::float8, sum(x)::float8, sum(xy)::float8,"
    " sum(value) / 100, sum(value_2) / 10000, sum(before) / 100, sum(before_2) / 10000, sum(product) / 10000,"
    " sum(paid)::bigint"
)
COUNTED = """
FROM campaigns_outcome AS one
JOIN unnest(%(runs)s::uuid[], %(strata)s::int[]) AS run (id, stratum) ON run.id = one.run_id
WHERE one.run_id = ANY(%(runs)s::uuid[]) AND NOT one.barred
"""
# Of whom people are compared to whom: runs of the same shares together, versions of a journey apart.
STRATUM = "(run.stratum + 1000000 * one.version)"
# No zone's weeks begin but at a quarter of an hour.
CELLS = f"""
CREATE TEMP TABLE report_cell ON COMMIT DROP AS
SELECT concat_ws(' ', one.run_id, nullif(one.version, 0)) AS run, {STRATUM} AS stratum, one.variant_id, one.channel,
       date_bin('15 minutes', one.assigned_at, timestamptz 'epoch') AS since,
       floor(date_part('epoch', one.reached_at - one.assigned_at) / 86400)::int AS day,
       one.value_before <> 0 OR one.reached_before AS bought, one.age_band, one.cluster, {ADDED}
{COUNTED} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
GROUPS = f"""
SELECT run, variant_id, {SUMS} FROM report_cell GROUP BY run, variant_id ORDER BY run, variant_id NULLS FIRST
"""
# By what was known of people before: whether they bought of late, their age band, and the group that a model had found
# them in; crossed, and added up by each of the three afterwards.
PARTS = f"""
SELECT bought, age_band, cluster, stratum, CASE WHEN variant_id IS NULL THEN NULL ELSE 0 END, {SUMS}
FROM report_cell GROUP BY 1, 2, 3, 4, 5
"""
# Everybody in twentieths, the most promising first, by what was known before the campaign; chance breaks ties.
TWENTIETHS = f"""
SELECT 0, twentieth, stratum, variant, {SUMS} FROM (
    SELECT twentieth, stratum, CASE WHEN variant_id IS NULL THEN NULL ELSE 0 END AS variant, {ADDED} FROM (
        SELECT one.*, {STRATUM} AS stratum, ntile(20) OVER (
                   PARTITION BY {STRATUM} ORDER BY {{order}} DESC NULLS LAST, hashint8(one.profile_id), one.profile_id
               ) AS twentieth
        {COUNTED.replace("WHERE", "{scores} WHERE")}
    ) AS ranked GROUP BY 1, 2, 3
) AS added GROUP BY 2, 3, 4 ORDER BY 2, 3, 4 NULLS FIRST
"""
SCORES = "LEFT JOIN mlengine_score AS score ON score.profile_id = one.profile_id AND score.run_id = %(scores)s"
# By the week in which people were assigned: how many there were, and in which week after it they reached the goal.
COHORTS = """
SELECT date_trunc('week', since AT TIME ZONE %(zone)s)::date, variant_id IS NULL, floor(day / 7.0)::int,
    sum(people)::bigint, sum(value) / 100
FROM report_cell GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
CONVERTED = """
SELECT variant_id, channel, sum(y)::bigint FROM report_cell WHERE variant_id IS NOT NULL GROUP BY variant_id, channel
"""
# Of each group, how many reached the goal for the first time on which day after they were assigned.
DAYS = """
SELECT variant_id IS NULL, day, sum(people)::bigint FROM report_cell WHERE day IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""
OTHERS = "SELECT coalesce(sum(others), 0)::bigint FROM report_cell"
# All messages, by what became of them; what a cancelled run never sent is no message, and stands among the reasons.
TALLY = """
SELECT variant_id, channel, status, reason, run_id = ANY(%(cancelled)s::uuid[]) AND reason = 'cancelled', count(*),
       coalesce(sum(cost), 0)::float8
FROM campaigns_delivery WHERE run_id = ANY(%(runs)s::uuid[]) GROUP BY 1, 2, 3, 4, 5
"""
CLICKED = """
SELECT variant_id, channel, count(DISTINCT delivery_id) FROM campaigns_reaction
WHERE run_id = ANY(%(runs)s::uuid[]) AND kind = 'clicked' AND automatic = '' AND variant_id IS NOT NULL
GROUP BY 1, 2
"""
CLICKS = """
SELECT nullif(link, ''), device, count(*) FROM campaigns_reaction
WHERE run_id = ANY(%(runs)s::uuid[]) AND kind = 'clicked' AND automatic = ''
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 200
"""
# What machines asked for, left out of every rate: how many messages, by what gave them away.
MACHINES = """
SELECT kind, automatic, count(*) FROM campaigns_reaction
WHERE run_id = ANY(%(runs)s::uuid[]) AND automatic <> '' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
# Each person once, in the group of her first run: the cells of an answer with noise, of which she is in one.
ANSWERS = """
SELECT coalesce(variant_id, 0), did, count(*) FROM (
    SELECT DISTINCT ON (profile_id) profile_id, variant_id, reached_at IS NOT NULL AS did FROM campaigns_outcome
    WHERE run_id = ANY(%(runs)s::uuid[]) AND NOT barred ORDER BY profile_id, assigned_at, run_id
) AS once GROUP BY 1, 2
"""
