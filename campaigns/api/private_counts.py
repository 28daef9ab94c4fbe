"""Counts for clients that may not read people: with noise, from the client's privacy budget."""

from collections.abc import Callable, Mapping
from datetime import datetime, time
from math import ceil

from django.utils import timezone
from rest_framework.exceptions import Throttled

from crm.api.access import Caller
from mlengine import releases
from mlengine.anonymity.noise import Bound, Mechanism
from mlengine.figures import EPSILON
from mlengine.releases import Audience, BudgetSpent, Question


def noisy(
    name: str, counts: Mapping[str, int] | Callable[[], Mapping[str, int]], most: int, caller: Caller, now: datetime
) -> tuple[Mapping[str, int], int]:
    """Return the counts with noise, and how near the truth is in 95 of 100 answers.

    ``most`` is by how much one person moves all of the counts together. The same question within a week is answered
    with the same numbers, for nothing; 429 when the month's budget is spent.
    """
    question = Question(name=name, mechanism=Mechanism.laplace(EPSILON, Bound(most=most)), data_at=now)
    audience = Audience.client(caller.client_id, f"api client {caller.client_id}")
    count = counts if callable(counts) else lambda: counts
    try:
        drawn = releases.ask(question, audience, count=count, now=now)
    except BudgetSpent as spent:
        renewed = timezone.make_aware(datetime.combine(spent.renewed_on, time()), timezone.get_default_timezone())
        raise Throttled(ceil((renewed - now).total_seconds()), detail=str(spent)) from spent
    return drawn.answer, releases.mechanism_of(drawn).margin()
