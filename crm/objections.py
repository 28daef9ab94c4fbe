"""Which tags people deleted and nothing may give back; asked by those who write traits."""

from collections import defaultdict
from collections.abc import Iterable

from django.db import connection

from crm.consent_basis import MEMBERS
from crm.copying import int_array
from crm.models import TagObjection

DENIED = f"""{MEMBERS}
SELECT member.asked, o.name FROM member JOIN crm_tagobjection o ON o.profile_id = member.id AND o.kind = %(kind)s
"""  # noqa: S608  # words of ours


def denied(profiles: Iterable[int], kind: str = TagObjection.Kind.TRAIT.value) -> dict[int, set[str]]:
    """Return for each profile the tags to be without, by what any profile of the same person said."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    if not TagObjection.objects.filter(kind=kind).exists():  # the usual case, at the price of an index look-up
        return found
    with connection.cursor() as cursor:
        cursor.execute(DENIED, {"asked": int_array(set(profiles)), "kind": kind})
        for profile, name in cursor.fetchall():
            found[profile].add(name)
    return found
