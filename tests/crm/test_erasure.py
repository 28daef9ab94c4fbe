"""A person who is erased is gone from every store, and what must stay leads nobody to her."""

from datetime import timedelta

import pytest
from django.apps import apps

from crm import identity
from crm.consent_basis import basis_for
from crm.erasers import rows
from crm.models import Identifier, Profile, Suppression
from tests import factories
from tests.api import house
from tests.crm import consents
from tests.crm.requests import carried_out
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_erased_person_leaves_no_row_and_the_request_says_what_went() -> None:
    person = house().profile
    request = carried_out("erasure", person)
    assert request.status == "ready"
    assert {step.status for step in request.steps.all()} == {"done"}
    assert not Profile.objects.filter(pk=person.pk).exists()
    for relation in rows.relations():
        assert not relation.related_model._default_manager.filter(**{relation.field.name: person.pk}).exists()
    assert request.steps.get(store="events").receipt == {"deleted": 1}
    assert request.steps.get(store="person").receipt["crm.Identifier"] == 3
    assert (request.profile, request.profiles, request.details) == (None, [], {})


def test_every_relation_to_a_person_has_a_line_in_a_table() -> None:
    ours = {
        (relation.related_model._meta.label, relation.field.name)
        for relation in rows.relations()
        if relation.related_model._meta.app_label == "crm"
    }
    assert ours == {*rows.GOES, *rows.EMPTIED, *rows.APART}
    assert all(apps.get_model(name) for name, _ in rows.GOES)


def test_a_person_who_is_imported_again_is_a_stranger_whom_no_marketing_reaches() -> None:
    person = factories.profile("u-1")
    for type_, value in (("email", "Zhang@qq.com"), ("phone", "13800138000")):
        Identifier.objects.create(type=type_, value=value, profile=person, created_at=NOW)
    consents.purpose()
    consents.notice("offers")
    consents.say(person)
    assert basis_for(person.pk, "offers", "email", NOW).allowed
    carried_out("erasure", person)

    source = factories.source("file", kind="import")
    later = NOW + timedelta(days=30)
    refs = [("email", "zhang@QQ.com"), ("phone", "+86 138 0013 8000")]
    [back] = identity.resolve([refs], source=source, now=later)
    assert back != person.pk
    back_again = Profile.objects.get(pk=back)
    consents.say(back_again, now=later, method="import")
    for channel in ("email", "sms"):
        basis = basis_for(back, "offers", channel, later + timedelta(seconds=1))
        assert (basis.allowed, basis.reason) == (False, "suppressed")
    # What she says herself afterwards counts again: she may come back.
    consents.say(back_again, now=later + timedelta(days=1), method="preference_centre")
    assert basis_for(back, "offers", "email", later + timedelta(days=2)).allowed
    assert Suppression.objects.count() == 3
