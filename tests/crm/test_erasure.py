"""A person who is erased is gone from every store, and what must stay leads nobody to her."""

import pytest
from django.apps import apps

from crm.erasers import rows
from crm.models import Profile
from tests.api import house
from tests.crm.requests import carried_out

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
