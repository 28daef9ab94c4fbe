"""What people allow, refuse and take back, written down once and for good; and the questions everything else asks.

Write: :func:`record`, :func:`record_many`, :func:`record_each`, :func:`withdraw`. Ask: :func:`basis_for`,
:func:`bases_for`, :func:`may_ask`, :func:`state_at`, :func:`history`. The rules are in ``crm.consent_rules``.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from crm.consent_basis import UnknownPurpose, bases_for, basis_for, may_ask
from crm.consent_checks import ConsentRefused, NewConsent, check_together
from crm.consent_past import history, state_at
from crm.consent_rules import Basis, Reason
from crm.consent_states import rebuild
from crm.consent_withdrawal import Heard, withdraw, withdraw_marketing
from crm.consent_writing import Wanted, purposes_of, record_each
from crm.models import ConsentEvent, Source

__all__ = [
    "Basis",
    "ConsentRefused",
    "Heard",
    "NewConsent",
    "Reason",
    "UnknownPurpose",
    "Wanted",
    "bases_for",
    "basis_for",
    "history",
    "may_ask",
    "rebuild",
    "record",
    "record_each",
    "record_many",
    "state_at",
    "withdraw",
    "withdraw_marketing",
]


def record(profile: int, consent: NewConsent, *, source: Source | None, now: datetime) -> ConsentEvent:
    """Write one event, and return it; the one written before, if its idempotency key was used for the same.

    Raises
    ------
    ConsentRefused
        It cannot be recorded, with the field and the reason.
    """
    return record_many([Wanted(profile, consent)], source=source, now=now)[0]


def record_many(
    wanted: Sequence[Wanted], *, source: Source | None, now: datetime, all_at_once: bool = False
) -> list[ConsentEvent]:
    """Write events, all or none.

    ``all_at_once`` says that one act meant them all ("agree to all"): then none of them may be separate consent.

    Raises
    ------
    ConsentRefused
        One cannot be recorded; ``index`` says which.
    """
    if all_at_once:
        check_together([one.consent for one in wanted], purposes_of(wanted))
    with transaction.atomic():
        done = record_each(wanted, source=source, now=now)
        for outcome in done:
            if isinstance(outcome, ConsentRefused):
                raise outcome
    return [event for event in done if isinstance(event, ConsentEvent)]
