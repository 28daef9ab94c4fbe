"""Who calls, and what they may do: scopes for server applications, one purpose for one person's browser."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # Django REST framework loads this module by name while it is loading its views
    from rest_framework.views import APIView


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The holder of a valid token: an application with scopes or, with ``profile_id``, one person's browser."""

    client_id: int
    expires_at: datetime
    scopes: frozenset[str] = field(default_factory=frozenset)
    profile_id: int | None = None
    purpose: str = ""
    epoch: int = 0  # of the client: goes up when all its tokens must end
    # A member of staff in whose name the client acts, and with which of its scopes: what that person agreed to herself.
    staff_id: int | None = None
    staff_scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_person(self) -> bool:
        return self.profile_id is not None


class HasScope(BasePermission):
    """Let a caller in who holds the scope that the view names for its action, or the purpose it opens to persons.

    A view declares ``scopes = {"list": "items:read"}`` and, rarely, ``purposes = {"recommendations": ...}``. An action
    that names no scope is closed to everybody, so forgetting one opens nothing.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        caller = request.auth
        action: str | None = getattr(view, "action", None)
        if action in (
            None,
            "metadata",
        ):  # a method that the address does not have: the answer is 405, with or without a token
            return True
        if not isinstance(caller, Caller):
            return False
        if caller.is_person:
            purpose = _declared(view, "purposes").get(action)
            return purpose is not None and purpose == caller.purpose
        scope = _declared(view, "scopes").get(action)
        if scope is None or scope not in caller.scopes:
            raise PermissionDenied(_("This needs the scope %(scope)s.") % {"scope": scope})
        return True


def _declared(view: Any, name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(view, name, {})
    return found
