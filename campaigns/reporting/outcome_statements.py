"""The statements that keep the rows of people's outcomes; :mod:`reporting.outcomes` runs them in one transaction.

Each is asked of everybody in a campaign, or of some (``AMONG…``): whoever something happened to since the last time.
"""

from crm.models import Event
from crm.watermarks import NEW_EVENTS, changed

MONEY = (Event.Kind.PURCHASE.value, Event.Kind.REFUND.value)
DROP = "DROP TABLE IF EXISTS report_merged, report_barred, report_turn, report_touched, report_member, report_person"

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
# Whose data are restricted, by any of the profiles that are read as her.
BARRED = """
CREATE TEMP TABLE report_barred ON COMMIT DROP AS
SELECT DISTINCT coalesce(merged.person, profile.id) AS person
FROM crm_profile AS profile LEFT JOIN report_merged AS merged ON merged.id = profile.id
WHERE profile.restricted_at IS NOT NULL
"""
# Of a run that was cancelled: how far it had come. Messages leave in this order, which was fixed when the run was
# planned, and those held out have a place in it as well. So those whose turn had come are alike by chance, and the
# others, whom nothing had reached or could have reached, are planned anew.
TURN = """
CREATE TEMP TABLE report_turn ON COMMIT DROP AS
SELECT DISTINCT ON (run_id, channel) run_id, channel, due_at, id FROM campaigns_delivery
WHERE run_id = ANY(%(cancelled)s::uuid[]) AND called_at IS NOT NULL
ORDER BY run_id, channel, due_at DESC, id DESC
"""

TURNS = "SELECT run_id::text, channel, due_at::text, id::text FROM report_turn ORDER BY 1, 2"

# Who has to be looked at again; whoever is named needlessly is found unchanged.
TOUCHED = f"""
CREATE TEMP TABLE report_touched ON COMMIT DROP AS
SELECT coalesce(merged.person, event.profile_id) AS person
FROM crm_event AS event LEFT JOIN report_merged AS merged ON merged.id = event.profile_id
WHERE {NEW_EVENTS} AND event.kind = ANY(%(kinds)s)
  AND event.occurred_at >= %(from)s AND event.occurred_at < %(until)s
UNION
SELECT profile_id FROM campaigns_outcome WHERE again_at <= %(now)s AND run_id = ANY(%(runs)s::uuid[])
UNION  -- two became one, or two again: either, and whoever they are read as now
SELECT coalesce(merged.person, either.id)
FROM crm_profilealias AS alias CROSS JOIN LATERAL (VALUES (alias.duplicate_id), (alias.canonical_id)) AS either (id)
LEFT JOIN report_merged AS merged ON merged.id = either.id
WHERE {changed("alias")}
UNION
SELECT either.id
FROM crm_profilealias AS alias CROSS JOIN LATERAL (VALUES (alias.duplicate_id), (alias.canonical_id)) AS either (id)
WHERE {changed("alias")}
UNION  -- newly restricted, or no longer
SELECT one.profile_id FROM report_barred AS barred
JOIN campaigns_outcome AS one ON one.profile_id = barred.person
WHERE one.run_id = ANY(%(runs)s::uuid[]) AND NOT one.barred
UNION
SELECT one.profile_id FROM campaigns_outcome AS one
WHERE one.run_id = ANY(%(runs)s::uuid[]) AND one.barred
  AND NOT EXISTS (SELECT FROM report_barred AS barred WHERE barred.person = one.profile_id)
"""
# Newly assigned, of the runs that still grow. Whoever is there stays as she is, if no other profile is read as her
# and nothing was planned for her earlier.
JOINED = f"""
INSERT INTO report_touched
SELECT coalesce(merged.person, sent.profile_id)
FROM campaigns_delivery AS sent LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
WHERE sent.run_id = ANY(%(growing)s::uuid[]) AND {changed("sent")} AND NOT EXISTS (
    SELECT FROM campaigns_outcome AS one
    WHERE one.profile_id = coalesce(merged.person, sent.profile_id) AND one.run_id = sent.run_id
      AND (one.assigned_at < sent.planned_at OR (one.assigned_at, one.channel, coalesce(one.variant_id, 0))
          = (sent.planned_at, sent.channel, coalesce(sent.variant_id, 0)))
      AND merged.id IS NULL
      AND NOT EXISTS (SELECT FROM report_merged AS other WHERE other.person = sent.profile_id)
)
"""
MEMBERS = """
CREATE TEMP TABLE report_member ON COMMIT DROP AS
SELECT person AS id FROM report_touched
UNION SELECT merged.id FROM report_merged AS merged JOIN report_touched AS touched ON touched.person = merged.person
"""
AMONG_SENT = "AND sent.profile_id IN (SELECT id FROM report_member)"
AMONG_EVENTS = "AND event.profile_id IN (SELECT id FROM report_member)"

PEOPLE = """
CREATE TEMP TABLE report_person ON COMMIT DROP AS
SELECT DISTINCT ON (sent.run_id, person) sent.run_id, coalesce(merged.person, sent.profile_id) AS person,
       0 AS version, sent.variant_id, sent.channel, sent.planned_at AS at, barred.person IS NOT NULL AS barred
FROM campaigns_delivery AS sent
LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
LEFT JOIN report_barred AS barred ON barred.person = coalesce(merged.person, sent.profile_id)
WHERE sent.run_id = ANY(%(runs)s::uuid[]) AND sent.planned_at <= %(now)s
  AND (sent.variant_id IS NOT NULL OR (sent.status = 'held_out' AND sent.reason = ''))
  AND (
      sent.run_id <> ALL(%(cancelled)s::uuid[]) OR sent.called_at IS NOT NULL OR EXISTS (
          SELECT FROM report_turn AS turn WHERE turn.run_id = sent.run_id AND turn.channel = sent.channel
            AND (sent.due_at, sent.id) <= (turn.due_at, turn.id)
      )
  ) {among}
ORDER BY sent.run_id, person, (merged.id IS NULL) DESC, sent.planned_at, sent.id
"""
# Whose turn had come in a run that was cancelled counts there, and not once more where it was planned anew.
ONCE = """
DELETE FROM report_person AS later USING report_person AS earlier
WHERE earlier.run_id = ANY(%(cancelled)s::uuid[]) AND later.person = earlier.person
  AND (earlier.at, earlier.run_id) < (later.at, later.run_id)
"""

GOAL = "event.kind = %(goal)s AND (%(goal_name)s = '' OR event.name = %(goal_name)s)"
TAKEN = (
    "CASE WHEN event.currency NOT IN ('', %(currency)s) THEN 0"
    " WHEN event.kind = 'refund' THEN -abs(event.value)::float8"
    " WHEN event.kind = 'purchase' THEN event.value::float8 ELSE 0 END"
)
# Names a person who did nothing too. The bounds spare the partitions outside of them. Amounts become whole hundredths,
# so sums of them and of their squares are exact, whichever way they are added up.
OUTCOMES = f"""
INSERT INTO campaigns_outcome AS kept (
    run_id, profile_id, version, variant_id, channel, barred, assigned_at, reached_at, reached_before, value,
    value_before, others, age_band, cluster, again_at
)
WITH done AS (
    SELECT one.run_id, one.person,
           min(event.occurred_at) FILTER (
               WHERE event.occurred_at >= one.at AND event.occurred_at <= %(now)s AND {GOAL}
           ) AS reached_at,
           bool_or(event.occurred_at < one.at AND {GOAL}) AS reached_before,
           sum({TAKEN}) FILTER (WHERE event.occurred_at >= one.at AND event.occurred_at <= %(now)s) AS value,
           sum({TAKEN}) FILTER (WHERE event.occurred_at < one.at) AS value_before,
           count(*) FILTER (
               WHERE event.kind = 'purchase' AND event.currency NOT IN ('', %(currency)s)
                 AND event.occurred_at <= %(now)s
           ) AS others,
           min(event.occurred_at) FILTER (WHERE event.occurred_at > %(now)s) AS again_at
    FROM crm_event AS event
    LEFT JOIN report_merged AS merged ON merged.id = event.profile_id
    JOIN report_person AS one ON one.person = coalesce(merged.person, event.profile_id) AND NOT one.barred
    WHERE event.kind = ANY(%(kinds)s) AND event.occurred_at >= %(from)s AND event.occurred_at < %(until)s
      AND event.occurred_at >= one.at - %(history)s AND event.occurred_at < one.at + %(window)s {{among}}
    GROUP BY one.run_id, one.person
)
SELECT one.run_id, one.person, one.version, one.variant_id, one.channel, one.barred, one.at, done.reached_at,
       coalesce(done.reached_before, false), coalesce(round(done.value * 100), 0),
       coalesce(round(done.value_before * 100), 0), coalesce(done.others, 0), profile.age_band,
       coalesce(cluster.code::text, ''), done.again_at
FROM report_person AS one LEFT JOIN done USING (run_id, person)
JOIN crm_profile AS profile ON profile.id = one.person
LEFT JOIN mlengine_clustermember AS member ON member.profile_id = one.person AND member.run_id = %(clusters)s
LEFT JOIN mlengine_cluster AS cluster ON cluster.id = member.cluster_id
"""
FACTS = (
    *("version", "variant_id", "channel", "barred", "assigned_at", "reached_at", "reached_before", "value"),
    *("value_before", "others", "age_band", "cluster", "again_at"),
)
KEPT, EXCLUDED = (", ".join(f"{row}.{name}" for name in FACTS) for row in ("kept", "excluded"))
CORRECT = f"""
ON CONFLICT (profile_id, run_id) DO UPDATE SET ({", ".join(FACTS)}) = ROW ({EXCLUDED})
WHERE ROW ({KEPT}) IS DISTINCT FROM ROW ({EXCLUDED})
"""
GONE = """
DELETE FROM campaigns_outcome AS kept WHERE kept.run_id = ANY(%(runs)s::uuid[]) AND NOT EXISTS (
    SELECT FROM report_person AS one WHERE one.run_id = kept.run_id AND one.person = kept.profile_id
)
"""
# The same of those who were looked at, by their keys.
GONE_AMONG = """
DELETE FROM campaigns_outcome AS kept USING (
    SELECT touched.person, run.id FROM report_touched AS touched CROSS JOIN unnest(%(runs)s::uuid[]) AS run (id)
    WHERE NOT EXISTS (SELECT FROM report_person AS one WHERE one.run_id = run.id AND one.person = touched.person)
) AS gone WHERE kept.profile_id = gone.person AND kept.run_id = gone.id
"""

# Clicks by people, by link and device, and all that machines asked for, by what gave them away. Whoever sends events
# may write anything into them: what is no number of a message is nobody's.
REACTIONS = """
INSERT INTO campaigns_reaction (delivery_id, profile_id, run_id, variant_id, channel, kind, automatic, link, device)
SELECT DISTINCT sent.id, sent.profile_id, sent.run_id, sent.variant_id, sent.channel, told.kind, told.automatic,
       told.link, told.device
FROM (
    SELECT event.kind, coalesce(event.properties ->> 'automatic', '') AS automatic,
           CASE WHEN event.properties ->> 'automatic' IS NULL THEN coalesce(event.properties ->> 'link', '') ELSE ''
           END AS link,
           CASE WHEN event.properties ->> 'automatic' IS NULL THEN coalesce(event.properties ->> 'device', '') ELSE ''
           END AS device,
           CASE WHEN event.properties ->> 'delivery' ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                THEN (event.properties ->> 'delivery')::uuid END AS delivery
    FROM crm_event AS event
    WHERE (event.kind = 'clicked' OR (event.kind = 'opened' AND event.properties ->> 'automatic' IS NOT NULL))
      AND event.occurred_at >= %(begun)s AND event.occurred_at <= %(now)s {which}
) AS told
JOIN campaigns_delivery AS sent ON sent.id = told.delivery AND sent.run_id = ANY(%(runs)s::uuid[])
ON CONFLICT DO NOTHING
"""
OF_SESSIONS = "AND event.session = ANY(%(sessions)s)"  # an occasion of a triggered campaign is not its run
NEWLY = f"AND {NEW_EVENTS}"
FORGET = "DELETE FROM campaigns_reaction WHERE run_id = ANY(%(runs)s::uuid[])"

CURRENCIES = """
SELECT currency, count(*) FROM crm_event WHERE kind = 'purchase' AND currency <> ''
  AND occurred_at >= %(from)s AND occurred_at < %(until)s GROUP BY currency ORDER BY 2 DESC, 1
"""
