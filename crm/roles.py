"""The groups that a new installation has, with what ``crm.role_matrix`` gives each of them.

Permissions are named as Django names them, so a group can be changed in the admin; :func:`create_groups` only adds
what is missing and takes nothing away that a person gave, unless it is asked for exactly the table.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Count

from crm.role_matrix import ROLES, permissions

Given = Group.permissions.through
PERMISSION = ("pk", "content_type__app_label", "codename")


@transaction.atomic
def create_groups(*, exactly: bool = False) -> dict[str, int]:
    """Create the groups and give them their permissions; return how many each has. Twice changes nothing."""
    known = {f"{app}.{code}": pk for pk, app, code in Permission.objects.order_by().values_list(*PERMISSION)}
    granted = {role: _numbers(permissions(role), known) for role in ROLES}
    Group.objects.bulk_create([Group(name=role) for role in ROLES], ignore_conflicts=True)
    groups = dict(Group.objects.filter(name__in=ROLES).values_list("name", "pk"))
    rows = [Given(group_id=groups[role], permission_id=one) for role in ROLES for one in granted[role]]
    Given.objects.bulk_create(rows, ignore_conflicts=True)
    if exactly:
        for role in ROLES:
            Given.objects.filter(group=groups[role]).exclude(permission__in=granted[role]).delete()
    counts = Group.objects.filter(name__in=ROLES).annotate(Count("permissions"))
    return dict(counts.values_list("name", "permissions__count"))


def _numbers(names: Iterable[str], known: dict[str, int]) -> list[int]:
    if missing := set(names) - known.keys():
        raise LookupError(f"No such permissions: {', '.join(sorted(missing))}. Run migrate first.")
    return [known[name] for name in names]
