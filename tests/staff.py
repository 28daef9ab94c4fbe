"""Staff in a browser, for tests."""

import time

from allauth.account.internal.flows import login
from django.contrib.auth.models import Group, User
from django.test import Client

from crm.roles import create_groups


def logged_in(user: User, *, seconds_ago: float = 0.0, second_factor: bool = False) -> Client:
    """Return a browser in which somebody logged in so long ago, as the session of the real login page says it."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    methods = ["password", "mfa"] if second_factor else ["password"]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": method, "at": time.time() - seconds_ago} for method in methods
    ]
    session.save()
    return client


def member(group: str, name: str = "", **facts: bool) -> User:
    """Return a new colleague of a group."""
    create_groups()
    # A password that nobody can give, but one: who has none is never asked for it again.
    user = User.objects.create(username=name or f"one-of-{group}", password="unknown", is_staff=True, **facts)
    user.groups.add(Group.objects.get(name=group))
    return user
