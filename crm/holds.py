"""Legal holds: what must be kept although its time is over or its person asks for erasure."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from crm import merging
from crm.evidence import note
from crm.models import LegalHold
from crm.retention_classes import ABOUT_PEOPLE

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Scope = LegalHold.Scope


def on_people(profiles: Iterable[int], now: datetime) -> QuerySet[LegalHold]:
    """Return the holds that keep any data of these profiles; one on a class about people keeps everybody's of it.

    A hold on notes of jobs and the like says nothing of a person, and stands against no erasure.
    """
    named = Q(profile__in=list(profiles)) | Q(scope=Scope.EVERYTHING) | Q(data_class__in=ABOUT_PEOPLE)
    return LegalHold.objects.active(now).filter(named).order_by("placed_at")


def people_held(now: datetime) -> set[int]:
    """Return every profile of every person who is held by name."""
    named = LegalHold.objects.active(now).filter(scope=Scope.PERSON, profile__isnull=False)
    found: set[int] = set()
    for profile in named.values_list("profile_id", flat=True).distinct():
        found |= merging.members(profile) if profile else set()
    return found


def classes_held(now: datetime) -> set[str] | None:
    """Return the classes of data that are held for everybody; ``None`` where everything is."""
    active = LegalHold.objects.active(now)
    if active.filter(scope=Scope.EVERYTHING).exists():
        return None
    return set(active.filter(scope=Scope.DATA_CLASS).values_list("data_class", flat=True))


def place(hold: LegalHold, *, now: datetime, user: "User | None") -> LegalHold:
    """Put a hold in place, and note it in the ledger."""
    hold.placed_at, hold.placed_by = now, user
    with transaction.atomic():
        hold.save()
        note("hold", str(hold.pk), {"placed": True, "scope": hold.scope, "class": hold.data_class}, now=now)
    return hold


def release(hold: LegalHold, *, now: datetime, user: "User | None") -> bool:
    """End a hold; False if somebody did before."""
    with transaction.atomic():
        ended = LegalHold.objects.active(now).filter(pk=hold.pk).update(released_at=now, released_by=user) == 1
        if ended:
            note("hold", str(hold.pk), {"placed": False, "scope": hold.scope, "class": hold.data_class}, now=now)
    hold.refresh_from_db()
    return ended


def summary(hold: LegalHold) -> str:
    """Say what a hold keeps."""
    if hold.scope == Scope.PERSON:
        return _("all data of #%(number)s") % {"number": hold.profile_id} if hold.profile_id else _("one person")
    if hold.scope == Scope.DATA_CLASS:
        return hold.data_class
    return _("everything")
