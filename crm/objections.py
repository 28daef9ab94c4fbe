"""Which tags people deleted and nothing may give back; asked by those who write traits."""

from collections import defaultdict
from collections.abc import Iterable

from django.db import connection

from crm.copying import int_array
from crm.merging import members_of
from crm.models import TagObjection

DENIED = """
SELECT member.asked, o.name FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS member (asked, id)
JOIN crm_tagobjection o ON o.profile_id = member.id AND o.kind = %(kind)s
"""


def denied(profiles: Iterable[int], kind: str = TagObjection.Kind.TRAIT.value) -> dict[int, set[str]]:
    """Return for each profile the tags to be without, by what any profile of the same person said."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    if not TagObjection.objects.filter(kind=kind).exists():  # the usual case, at the price of an index look-up
        return found
    pairs = [(asked, member) for asked, members in members_of(profiles).items() for member in members]
    asked, members = (int_array(pair[side] for pair in pairs) for side in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(DENIED, {"asked": asked, "members": members, "kind": kind})
        for profile, name in cursor.fetchall():
            found[profile].add(name)
    return found
