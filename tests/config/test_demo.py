"""Who can log in after the demonstration."""

import pytest
from django.contrib.auth.models import User

from config import demo


@pytest.mark.django_db
def test_two_people_can_log_in_so_that_one_can_approve_what_the_other_submits() -> None:
    made = demo.make_staff()
    users = {name: User.objects.get(username=name) for name in made}
    assert {name: (user.is_staff, user.check_password(made[name])) for name, user in users.items()} == {
        "admin": (True, True),
        "colleague": (True, True),
    }
    assert users["colleague"].has_perm("campaigns.approve_campaign")
    assert not users["colleague"].is_superuser


@pytest.mark.django_db
def test_making_them_again_changes_no_password() -> None:
    made = demo.make_staff()
    assert demo.make_staff() == {}
    assert User.objects.get(username="admin").check_password(made["admin"])
