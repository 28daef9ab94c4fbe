"""Corrections: what the person says of herself replaces what we hold, with a trace of which fields, never of values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm import people, traits
from crm.carrying_out import Step
from crm.checks import Invalid
from crm.models import PrivacyRequest, Profile
from crm.rights import RightsError

# What a person may correct: her own facts. Identifiers belong to the sources that know her by them, and what she did
# happened; a wrong event is explained, not changed.
FIELDS = ("name", "gender", "birthday", "province", "city", "language")
# An empty text takes a fact away: these columns.
EMPTY = {field.name: field.get_default() for field in Profile._meta.concrete_fields}
EMPTIED = {"birthday": ("birth_date", "birth_month", "birth_day", "age_band", "age_class")}


def check(details: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the facts that a correction tells, by the names of a profile's columns.

    Raises
    ------
    RightsError
        A field cannot be corrected, or the value is none.
    """
    if not details or not details.keys() <= set(FIELDS):
        raise RightsError(_("Can be corrected: %(fields)s.") % {"fields": ", ".join(FIELDS)})
    if any(not isinstance(value, str) for value in details.values()):
        raise RightsError(_("A correction is a text."))
    try:
        return traits.facts(dict(details), "", now)
    except Invalid as error:
        raise RightsError(f"{error.field.removeprefix('traits.')}: {error.reason}") from error


def _correct(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    details: Mapping[str, str] = request.details
    facts = check(details, now)
    emptied = [EMPTIED.get(field, (field,)) for field, value in details.items() if not value.strip()]
    if request.profile_id is None:
        raise RightsError(_("Nobody is named whose data could be corrected."))
    with transaction.atomic():
        people.update_many({request.profile_id: facts}, now=now)
        profile = Profile.objects.select_for_update().get(pk=request.profile_id)
        for name in (name for names in emptied for name in names):
            setattr(profile, name, EMPTY[name])
        profile.updated_at = now
        profile.save()
    return {"fields": sorted(details)}


STEPS = (Step(store="correction", do=_correct),)
