"""The statements of reports that are other ones for a journey: its people are those who entered, not who got a message.

Each counts from her first entry into a run: with those held out of the same version, since only they came in the same
time and by the same door. The arm of a version has its number with a minus, as variants are the journey's messages.
"""

from crm.watermarks import changed

PEOPLE = """
CREATE TEMP TABLE report_person ON COMMIT DROP AS
SELECT DISTINCT ON (sent.run_id, person) sent.run_id, coalesce(merged.person, sent.profile_id) AS person,
       sent.version_id AS version, CASE WHEN sent.status <> 'held_out' THEN -sent.version_id END AS variant_id,
       '' AS channel, sent.entered_at AS at, barred.person IS NOT NULL AS barred
FROM campaigns_journeyentry AS sent
LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
LEFT JOIN report_barred AS barred ON barred.person = coalesce(merged.person, sent.profile_id)
WHERE sent.run_id = ANY(%(runs)s::uuid[]) AND sent.entered_at <= %(now)s
  AND (sent.status <> 'held_out' OR sent.reason = '') {among}
ORDER BY sent.run_id, person, (merged.id IS NULL) DESC, sent.entered_at, sent.id
"""
# Newly in it. Whoever moves on is there already, and stays as she is (``outcome_statements.JOINED``).
JOINED = f"""
INSERT INTO report_touched
SELECT coalesce(merged.person, sent.profile_id)
FROM campaigns_journeyentry AS sent LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
WHERE sent.run_id = ANY(%(growing)s::uuid[]) AND {changed("sent")} AND NOT EXISTS (
    SELECT FROM campaigns_outcome AS one
    WHERE one.profile_id = coalesce(merged.person, sent.profile_id) AND one.run_id = sent.run_id
      AND one.assigned_at <= sent.entered_at AND merged.id IS NULL
      AND NOT EXISTS (SELECT FROM report_merged AS other WHERE other.person = sent.profile_id)
)
"""
# People who reached the goal after a message was written for them: nothing says that it was because of it.
CONVERTED = """
SELECT sent.variant_id, sent.channel, count(DISTINCT one.profile_id)
FROM campaigns_delivery AS sent
LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
JOIN campaigns_outcome AS one
  ON one.profile_id = coalesce(merged.person, sent.profile_id) AND one.run_id = sent.run_id
WHERE sent.run_id = ANY(%(runs)s::uuid[]) AND sent.called_at IS NOT NULL AND sent.variant_id IS NOT NULL
  AND one.reached_at >= sent.called_at AND NOT one.barred
GROUP BY 1, 2
"""
