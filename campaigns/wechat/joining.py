"""Two profiles that the platform says are one person: joined, unless a system of the house knows both by numbers."""

from datetime import datetime

from campaigns.runs.planning import source
from crm.merging import MergeRefused, canonical_ids, merge
from crm.models import Identifier

EXTERNAL = Identifier.Type.EXTERNAL_ID.value


def join(one: int, other: int, reason: str, now: datetime) -> bool:
    """Read ``one`` as ``other`` from now on, and say whether they are one person now.

    A profile that a shop or a till knows by a number of its own stays apart: that system would have to say so.
    """
    roots = canonical_ids([one, other])
    if roots[one] == roots[other]:
        return True
    if Identifier.objects.filter(profile=roots[one], type=EXTERNAL).exists():
        return False
    try:
        merge(one, other, source=source(), reason=reason, now=now)
    except MergeRefused:
        return False
    return True
