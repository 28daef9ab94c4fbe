"""The log of accesses to personal data: what is shown or taken unmasked is written here first."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from crm import approvals
from crm.finder import masked_text
from crm.models import PersonalDataAccess, Profile

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


def was_noted(action: str, what: str, user: User, profile: int, since: datetime) -> bool:
    """Tell whether it was written down since a moment that a user got this of a person."""
    rows = PersonalDataAccess.objects.filter(profile=profile, user=user, action=action, what=what, at__gt=since)
    return rows.exists()


class RevealRefused(Exception):
    """Personal data is not shown, and why, in words for who asked."""


SHORTEST_REASON = 5  # characters; "x" is no reason that anybody could judge later
MINORS = frozenset({"child", "minor"})
SHOWN = "name, identifiers, traits"


def reveal(profile: Profile, *, user: User, reason: str, now: datetime) -> PersonalDataAccess:
    """Write down that a user is about to see a person unmasked, and why; only then may it be shown.

    Raises
    ------
    RevealRefused
        Without the permission, without a reason, or for a minor without a second person's approval
        (Regulations on the Protection of Minors in Cyberspace, article 36).
    """
    if not user.has_perm("crm.view_unmasked"):
        raise RevealRefused(gettext("You may not see personal data unmasked."))
    if len(reason.strip()) < SHORTEST_REASON:
        raise RevealRefused(gettext("Say why you need to see it: the person may ask."))
    if profile.age_class not in MINORS:
        return note(Action.REVEAL, SHOWN, user=user, profile=profile.pk, reason=reason, now=now)
    return _reveal_minor(profile, user=user, reason=reason, now=now)


def _reveal_minor(profile: Profile, *, user: User, reason: str, now: datetime) -> PersonalDataAccess:
    """Use up a second person's approval for one look; where there is none, ask for it."""
    asked: tuple[str, str, dict[str, object]] = ("minor_access", f"profile {profile.pk}", {})
    try:
        with transaction.atomic():
            approvals.use(*asked, by=user, now=now)
            return note(Action.REVEAL, SHOWN, user=user, profile=profile.pk, reason=reason, now=now)
    except approvals.NotApproved:
        approvals.ask(*asked, by=user, reason=reason, now=now)
    raise RevealRefused(gettext("This person is a minor: a second person was asked to approve. Come back then."))
