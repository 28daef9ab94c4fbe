"""Who asks: points of identity, as many as the kind of request needs and never more than we can check.

Nothing new is collected: a person proves control of an account or address that we hold (two points), or names
identifiers that we hold (a point each). What she named is compared and forgotten; only its type stays, as a receipt.
The clock of the request stands still while we wait for this, and for nothing else.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _

from crm import clocks, merging
from crm.consent_writing import lock
from crm.models import Identifier, PrivacyRequest, RequestPause
from crm.normal import normal
from crm.rights import RightsError, Status, note

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CONTROL = 2  # points for the use of an account or address
MOST_FAILURES, REMEMBERED = 5, timedelta(days=30)
# How control is shown: our own signed link, the log-in of an application that vouches for it, or a call back by staff
# to a number or address that we hold.
SHOWN_BY = ("preference_link", "account", "call_back")
# What a person can be asked to name; nobody knows her own openid, and an anonymous id is anybody's.
NAMEABLE = (Identifier.Type.PHONE, Identifier.Type.EMAIL, Identifier.Type.EXTERNAL_ID)
WAITING = (Status.RECEIVED, Status.IDENTITY)


class TooManyAttempts(RightsError):
    """So many wrong answers were given that only staff may confirm the identity."""


def askable(request: PrivacyRequest) -> tuple[str, ...]:
    """Return the types of identifiers that the person may be asked to name: those we hold."""
    held = set(Identifier.objects.filter(profile__in=_profiles(request)).values_list("type", flat=True))
    return tuple(str(type_) for type_ in NAMEABLE if type_ in held)


def needed(request: PrivacyRequest) -> int:
    """Return the points this request needs, at most what control of one thing and naming the others can give."""
    reachable = CONTROL + max(0, len(askable(request)) - 1)
    return min(request.identity_level, reachable)


def ask(request: PrivacyRequest, *, now: datetime, user: "User | None" = None) -> None:
    """Stop the clock: the person has been asked to say who she is."""
    with transaction.atomic():
        if not request.move(Status.RECEIVED, Status.IDENTITY, paused_at=now):
            raise RightsError(_("Nobody need be asked: the request is %(status)s.") % _status(request))
        RequestPause.objects.create(request=request, since=now)
        note(request, "identity_asked", now, user, types=list(askable(request)))


def vouch(request: PrivacyRequest, shown_by: str, *, now: datetime, user: "User | None" = None) -> bool:
    """Note that control of an account or address was shown; return whether the identity is confirmed now."""
    if shown_by not in SHOWN_BY:
        raise RightsError(_("%(method)s is no way to show an identity.") % {"method": shown_by})
    if shown_by == "call_back" and user is None:
        raise RightsError(_("A call back is made by somebody."))
    return _gain(request, [shown_by], CONTROL, now, user)


def tell(request: PrivacyRequest, claims: Mapping[str, str], *, now: datetime) -> bool:
    """Compare what the person named with what we hold; return whether the identity is confirmed now.

    All that is named must be right; which part was wrong is not told, and after five wrong answers none counts.

    Raises
    ------
    TooManyAttempts
        Staff has to confirm the identity.
    """
    with transaction.atomic():
        lock(_profiles(request))  # one guess at a time: those sent together must not all be looked at as the first
        if not may_name(request, now):
            raise TooManyAttempts(_("Too many wrong answers: staff has to confirm the identity."))
        types = sorted(set(claims) & set(map(str, NAMEABLE)))
        held = [(i.type, normal(i.type, i.value)) for i in Identifier.objects.filter(profile__in=_profiles(request))]
        right = bool(types) and all(_holds(held, type_, claims[type_]) for type_ in types)
        if right:
            return _gain(request, types, len(types), now, None)
        PrivacyRequest.objects.filter(pk=request.pk).update(identity_failures=F("identity_failures") + 1)
        request.refresh_from_db()
        note(request, "identity_failed", now)
    return False


def may_name(request: PrivacyRequest, now: datetime) -> bool:
    """Tell whether what the person names still counts."""
    return _failures(request, now) < MOST_FAILURES


def _failures(request: PrivacyRequest, now: datetime) -> int:
    """Return the wrong answers of the last weeks to all requests of the person: asking anew brings no new guesses."""
    mine = Q(pk=request.pk) | (Q(subject=request.subject) if request.subject else Q())
    lately = PrivacyRequest.objects.filter(mine, received_at__gt=now - REMEMBERED)
    return lately.aggregate(wrong=Sum("identity_failures"))["wrong"] or 0


def _gain(request: PrivacyRequest, shown: list[str], points: int, now: datetime, user: "User | None") -> bool:
    with transaction.atomic():
        locked = PrivacyRequest.objects.select_for_update().get(pk=request.pk)
        if locked.status not in WAITING:
            raise RightsError(_("The identity is not asked for: the request is %(status)s.") % _status(locked))
        new = [one for one in shown if one not in locked.identity_shown_by]
        # Two signs of control are one: the same link, opened twice or elsewhere, proves nothing more.
        if new and new[0] in SHOWN_BY and set(SHOWN_BY) & set(locked.identity_shown_by):
            points = 0
        locked.identity_shown_by = [*locked.identity_shown_by, *new]
        locked.identity_points += points if new else 0
        locked.save(update_fields=["identity_shown_by", "identity_points"])
        note(locked, "identity_shown", now, user, by=new)
        if locked.identity_points >= needed(locked):
            _confirm(locked, now)
    request.refresh_from_db()
    return request.status == Status.VERIFIED


def _confirm(request: PrivacyRequest, now: datetime) -> None:
    RequestPause.objects.filter(request=request, until__isnull=True).update(until=now)
    request.move(WAITING, Status.VERIFIED, verified_at=now, paused_at=None)
    PrivacyRequest.objects.filter(pk=request.pk).update(due_on=clocks.clock(request, now).due_on)
    note(request, "identity_confirmed", now)


def _holds(held: list[tuple[str, str]], type_: str, claim: str) -> bool:
    told = normal(type_, str(claim)).encode()
    # Every one is compared, in constant time: how long the answer takes tells nothing.
    return sum(hmac.compare_digest(value.encode(), told) for held_type, value in held if held_type == type_) > 0


def _profiles(request: PrivacyRequest) -> set[int]:
    return merging.members(request.profile_id) if request.profile_id else set()


def _status(request: PrivacyRequest) -> dict[str, object]:
    return {"status": request.get_status_display()}
