"""Who allows a purpose on a channel, who refuses it, who never said: as ``crm.consent_rules`` decides, for everybody.

One difference from ``crm.consent.bases_for``, which asks again before anything is sent: the age is the stored class,
since a birth date can only be opened person by person.
"""

from datetime import datetime

from django.conf import settings

from campaigns.rules.nodes import Consented
from campaigns.rules.scope import Parameters, Scope
from crm.addresses import ADDRESSES
from crm.consent_basis import material_versions
from crm.consent_rules import GRANTS, NO_CHOICE, NOT_FOR_MINORS, OWN_ACTS, PROFILING, QUESTIONS, REFUSALS
from crm.consent_standing import RANK
from crm.copying import int_array, text_array
from crm.models import Purpose

Decided = tuple[str | None, bool]
NOBODY: Decided = (None, False)

# What counts on each channel is found first, then which of the two decides (as crm.consent_standing.MERGED): the one
# than which the other is not better. Nothing is sorted for it but what merged people said.
BEATS = "SELECT r.* FROM ({one}) AS r WHERE NOT EXISTS (SELECT FROM ({other}) AS o WHERE o.id = r.id AND {o} > {r})"
BETTER = """({row}.channel = {channel} AND {row}.state = ANY (%(refusals)s::text[]),
    {row}.state <> ALL (%(questions)s::text[]), {row}.counts_from, {row}.state = ANY (%(refusals)s::text[]),
    {row}.event_id, {row}.channel)"""
SAID = """SELECT {person} AS id, c.channel, c.event_id, c.state, c.consent_kind, c.method, c.notice,
    c.counts_from, c.claimed_at, c.received_at, c.valid_until
    FROM crm_consentstate c {join} WHERE c.purpose = {purpose} AND c.channel {channels}{alone}"""
OF_MERGED = "SELECT DISTINCT ON (id, channel) * FROM ({said}) AS said ORDER BY id, channel, {rank}"


def people(rule: Consented, scope: Scope, parameters: Parameters, now: datetime) -> Decided:
    """Return the statement of who is meant, and whether everybody else is meant instead."""
    purpose = Purpose.objects.filter(code=rule.purpose).first()
    if purpose is None:
        return NOBODY[0], rule.is_ == "never_said"
    channel = rule.channel or purpose.channel
    held = _held(purpose, channel, scope, parameters)
    if rule.is_ == "refused":
        return f"SELECT h.id FROM ({held}) AS h WHERE h.state = ANY (%(refusals)s::text[])", False
    if rule.is_ == "never_said":
        return f"SELECT h.id FROM ({held}) AS h WHERE h.state <> ALL (%(questions)s::text[])", True
    if not purpose.is_active or (purpose.channel and channel != purpose.channel):
        return NOBODY
    if purpose.basis != Purpose.Basis.CONSENT:
        return _unless_refused(purpose, channel, held, scope, parameters), True
    return _granted(purpose, channel, held, scope, parameters, now), False


def _held(purpose: Purpose, channel: str, scope: Scope, parameters: Parameters) -> str:
    """Return what each person said that counts; a profile says one thing a channel, so only merged ones are sorted."""
    parameters.values["refusals"] = text_array(sorted(REFUSALS))
    parameters.values["questions"] = text_array(sorted(QUESTIONS))
    told, on = {"purpose": parameters.add(purpose.code)}, parameters.add(channel)
    person, join = scope.person("c.profile_id"), scope.join("c.profile_id")
    if scope.only is None:
        ids = f"{parameters.add(int_array({*scope.pairs, *scope.pairs.values()}))}::bigint[]"
        of_them = f" AND c.profile_id = ANY ({ids})"
        named = f"named AS MATERIALIZED (SELECT u.id FROM unnest({ids}) AS u (id) GROUP BY u.id), "
        own, general = (_of_channel(at, told) for at in (on, "''"))
    else:
        of_them, named = "", ""
        own, general = (f"SELECT * FROM several WHERE channel = {at}" for at in (on, "''"))
    merged = SAID.format(person=person, join=join, channels=f"IN ('', {on})", alone=of_them, **told)
    several = f"WITH {named}several AS MATERIALIZED ({OF_MERGED.format(said=merged, rank=RANK)})"
    if not channel:
        return f"{several} {general}"
    better = {row: BETTER.format(row=row, channel=on) for row in ("o", "r")}
    sides = (BEATS.format(one=one, other=other, **better) for one, other in ((own, general), (general, own)))
    return f"{several} {' UNION ALL '.join(sides)}"


def _of_channel(channel: str, told: dict[str, str]) -> str:
    """Return what counts on one channel: what those say who are one profile, as it lies there, and what the others do.

    Those who are several are ``named`` once; grouped, they are known to stand there once.
    """
    is_alone = " AND NOT EXISTS (SELECT FROM named u WHERE u.id = c.profile_id)"
    alone = SAID.format(person="c.profile_id", join="", channels=f"= {channel}", alone=is_alone, **told)
    return f"{alone} UNION ALL SELECT * FROM several WHERE channel = {channel}"


def _granted(purpose: Purpose, channel: str, held: str, scope: Scope, parameters: Parameters, now: datetime) -> str:
    at = parameters.add(now)
    conditions = [
        f"h.state = ANY ({parameters.add(text_array(sorted(GRANTS)))}::text[])",
        f"(h.valid_until IS NULL OR h.valid_until > {at})",
        f"h.received_at <= {at}",
        *_not_stale(purpose, parameters, now),
    ]
    if purpose.separate:
        conditions.append("h.consent_kind <> 'general'")
    joins = ""
    if suppressed := _suppressed(purpose, channel, scope, parameters):
        own = parameters.add(text_array(sorted(OWN_ACTS)))
        joins += f" LEFT JOIN ({suppressed}) AS x ON x.id = h.id"
        conditions.append(f"(x.id IS NULL OR (h.method = ANY ({own}::text[]) AND h.claimed_at > x.since))")
    if young := _unfit(purpose, scope, parameters):
        conditions.append(f"NOT EXISTS (SELECT FROM ({young}) AS y WHERE y.id = h.id)")
    elif purpose.kind not in NOT_FOR_MINORS:
        children = _of_profiles("q.age_class = 'child'", scope)
        conditions.append(
            f"(h.consent_kind = 'guardian' OR NOT EXISTS (SELECT FROM ({children}) AS y WHERE y.id = h.id))"
        )
    return f"SELECT h.id FROM ({held}) AS h{joins} WHERE {' AND '.join(conditions)}"


def _unless_refused(purpose: Purpose, channel: str, held: str, scope: Scope, parameters: Parameters) -> str:
    """Return whom another basis than consent does not cover."""
    sets = (
        []
        if purpose.basis in NO_CHOICE
        else [f"SELECT h.id FROM ({held}) AS h WHERE h.state = ANY (%(refusals)s::text[])"]
    )
    if suppressed := _suppressed(purpose, channel, scope, parameters):
        sets.append(f"SELECT x.id FROM ({suppressed}) AS x")
    if young := _unfit(purpose, scope, parameters):
        sets.append(young)
    return " UNION ".join(sets) or "SELECT NULL::bigint AS id WHERE false"


def _not_stale(purpose: Purpose, parameters: Parameters, now: datetime) -> list[str]:
    """Return that the notice of the grant has not changed materially since."""
    material = material_versions(purpose.code, now)
    if not material:
        return []
    codes = parameters.add(text_array(material))
    versions = parameters.add(int_array(version for version, _at in material.values()))
    changed = parameters.add(max(at for _version, at in material.values()))
    newer = (
        f"EXISTS (SELECT FROM unnest({codes}::text[], {versions}::int[]) AS n (code, version)"
        " WHERE n.code = regexp_replace(h.notice, '/[^/]*$', '')"
        " AND n.version > regexp_replace(h.notice, '^.*/', '')::int)"
    )
    return [f"CASE WHEN h.notice IS NULL THEN h.claimed_at >= {changed} ELSE NOT {newer} END"]


def _suppressed(purpose: Purpose, channel: str, scope: Scope, parameters: Parameters) -> str:
    """Return who is suppressed since when: for good, or since all addresses for the channel bounced."""
    if purpose.kind != Purpose.Kind.MARKETING:
        return ""
    types, on = parameters.add(text_array(ADDRESSES.get(channel, ()))), parameters.add(channel)
    person, join = scope.person("a.profile_id"), scope.join("a.profile_id")
    stopped = f"""SELECT {person} AS id, max(s.since) AS since, bool_or(s.reason <> 'bounced') AS for_good
        FROM crm_suppression s JOIN crm_identifier a ON a.suppression_key = s.key {join}
        WHERE s.channel IN ('', {on}) GROUP BY 1"""
    working = f"""SELECT {person} FROM crm_identifier a {join} WHERE a.type = ANY ({types}::text[]) AND NOT EXISTS (
        SELECT FROM crm_suppression s WHERE s.key = a.suppression_key AND s.channel IN ('', {on}))"""
    return f"SELECT w.id, w.since FROM ({stopped}) AS w WHERE w.for_good OR w.id NOT IN ({working})"


def _unfit(purpose: Purpose, scope: Scope, parameters: Parameters) -> str:
    """Return who is too young for the purpose, or has switched off what it does; nothing where it is for all."""
    if purpose.kind not in NOT_FOR_MINORS:
        return ""
    classes = ["child", "minor", *(["unknown"] if settings.AGE_UNKNOWN == "minor" else [])]
    condition = f"q.age_class = ANY ({parameters.add(text_array(classes))}::text[])"
    if purpose.kind in PROFILING:
        condition = f"({condition} OR NOT q.personalisation)"
    return _of_profiles(condition, scope)


def _of_profiles(condition: str, scope: Scope) -> str:
    return f"SELECT {scope.person('q.id')} AS id FROM crm_profile q {scope.join('q.id')} WHERE {condition}"
