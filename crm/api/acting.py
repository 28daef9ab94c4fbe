"""What a client does in the name of somebody on the staff: her role decides, as in the admin, beside its scope."""

from collections.abc import Mapping
from typing import ClassVar

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from crm.api.resources import Resource


class Acting(Resource):
    """A resource some of whose actions need a person: ``permissions`` names what she must be allowed, by action.

    The person is the user of the client's application, who has agreed to it herself. An action that is named in
    ``permissions`` is closed to clients without one, however many scopes they have.
    """

    permissions: ClassVar[Mapping[str, str]] = {}

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        self._staff: User | None = None
        wanted = self.permissions.get(self.action)
        if wanted is not None:
            self._staff = self._allowed(wanted)

    @property
    def staff(self) -> User:
        """In whose name this is done; only of actions that need a person."""
        if self._staff is None:
            raise PermissionDenied
        return self._staff

    def _allowed(self, permission: str) -> User:
        caller = self.caller
        if caller.staff_id is None or self.scopes.get(self.action) not in caller.staff_scopes:
            raise PermissionDenied(_("This needs a client that acts for a member of staff, who has agreed to it."))
        user = User.objects.filter(pk=caller.staff_id, is_active=True, is_staff=True).first()
        if user is None or not user.has_perm(permission):
            raise PermissionDenied(_("The person for whom this client acts may not do this."))
        return user

    def log(self, row: Model, what: str) -> None:
        """Write it into the admin's history, where what people do themselves stands too."""
        said = f"API client {self.caller.client_id}: {what}"[:300]
        LogEntry.objects.log_actions(self.staff.pk, [row], CHANGE, change_message=said, single_object=True)
