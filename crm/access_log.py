"""The log of accesses to personal data: what is shown or taken unmasked is written here first."""

from datetime import datetime

from django.contrib.auth.models import User

from crm.finder import masked_text
from crm.models import PersonalDataAccess

Action = PersonalDataAccess.Action


def note(
    action: str,
    what: str,
    *,
    now: datetime,
    user: User | None = None,
    actor: str = "",
    profile: int | None = None,
    reason: str = "",
    count: int = 1,
) -> PersonalDataAccess:
    """Write down that a user, or a program named by ``actor``, got personal data of ``count`` people.

    Call it before the data leaves, in the same transaction where there is one. ``what`` names kinds of data ("name,
    identifiers"), never values; personal data that somebody types into the reason is masked.
    """
    if user is None and not actor:
        raise ValueError("An access needs somebody who accesses: a user or an actor.")
    return PersonalDataAccess.objects.create(
        user=user,
        actor=(actor or (user.get_username() if user else ""))[:200],
        action=Action(action),
        what=what[:300],
        profile_id=profile,
        reason=masked_text(reason)[:500],
        count=count,
        at=now,
    )
