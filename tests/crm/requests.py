"""Privacy requests for tests, as plain functions."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import sleep
from typing import Any

from django.contrib.auth.models import User

from crm import carrying_out, identity_checks, rights
from crm.models import PrivacyRequest, Profile
from tests.factories import NOW


def officer(name: str = "ma") -> User:
    """Return a member of staff, the same one for the same name."""
    return User.objects.get_or_create(username=name, defaults={"is_staff": True, "is_superuser": True})[0]


def confirmed(kind: str, profile: Profile, **facts: Any) -> PrivacyRequest:
    """Return a request whose person has said who she is."""
    request = rights.open_request(kind, profile_id=profile.pk, method="staff", now=NOW, **facts)
    for how in ("preference_link",):
        identity_checks.vouch(request, how, now=NOW)
    if request.status == "received":
        claims = {one.type: one.value for one in profile.identifiers.all() if one.type in identity_checks.NAMEABLE}
        identity_checks.tell(request, claims, now=NOW)
    assert request.status == "verified"
    return request


def approved(kind: str, profile: Profile, **facts: Any) -> PrivacyRequest:
    """Return a request that was begun and, where that comes first, approved by a second person."""
    request = confirmed(kind, profile, **facts)
    carrying_out.begin(request, now=NOW, user=officer("ma"))
    if request.status == "checking":
        carrying_out.approve(request, now=NOW, user=officer("li"))
    return request


def carry_out(request: PrivacyRequest, clock: Callable[[], datetime]) -> None:
    """Carry a request out; as beat does, again where another session of the server, a test's, was in the way."""
    for _patience in range(60):
        if carrying_out.run(request.pk, clock):
            return
        sleep(2)
    assert carrying_out.run(request.pk, clock)


def carried_out(kind: str, profile: Profile, **facts: Any) -> PrivacyRequest:
    """Return a request whose steps are done."""
    request = approved(kind, profile, **facts)
    carry_out(request, lambda: NOW + timedelta(minutes=1))
    request.refresh_from_db()
    return request
