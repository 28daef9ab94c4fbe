"""Restricted people in lists: there for those only who work on requests."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from crm.models import Profile

MAY = "crm.handle_privacyrequest"


class WithoutRestricted:
    """Leaves the rows of restricted people out of a list, of each person's rows by its column ``profile``."""

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]  # of the list it is mixed into
        if request.user.has_perm(MAY):
            return rows
        return rows.exclude(profile__in=Profile.objects.filter(restricted_at__isnull=False))
