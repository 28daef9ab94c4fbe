"""The groups that a new installation has, with what ``crm.role_matrix`` gives each of them.

Permissions are named as Django names them, so a group can be changed in the admin; :func:`create_groups` only adds
what is missing and takes nothing away that a person gave, unless it is asked for exactly the table.
"""

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from crm.role_matrix import ROLES, permissions


def create_groups(*, exactly: bool = False) -> dict[str, int]:
    """Create the groups and give them their permissions; return how many each has. Twice changes nothing."""
    return {role: _grant(role, _named(permissions(role)), exactly=exactly) for role in ROLES}


@transaction.atomic
def _grant(name: str, granted: list[Permission], *, exactly: bool) -> int:
    group, _ = Group.objects.get_or_create(name=name)
    if exactly:
        group.permissions.set(granted)
    else:
        group.permissions.add(*granted)
    return group.permissions.count()


def _named(names: list[str]) -> list[Permission]:
    wanted = Q()
    for permission in names:
        app, _, codename = permission.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = list(Permission.objects.filter(wanted).select_related("content_type"))
    if missing := set(names) - {f"{p.content_type.app_label}.{p.codename}" for p in found}:
        raise LookupError(f"No such permissions: {', '.join(sorted(missing))}. Run migrate first.")
    return found
