"""Who may do what: the four groups that a new installation has.

Permissions are named as Django names them, so a group can be changed in the admin; :func:`create_groups` only adds
what is missing and takes nothing away that a person gave.
"""

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

LOOKS_AT_PEOPLE = (
    "crm.view_profile crm.view_relation crm.view_event crm.view_item mlengine.view_cluster mlengine.view_score"
    " mlengine.view_recommendation mlengine.view_clustermember mlengine.view_predictionrun"
)
LOOKS_AT_MODELS = "mlengine.view_modelversion mlengine.view_metric"

# Events have an "add" permission only: a file may bring new ones, nothing and nobody changes or deletes one.
GROUPS: Mapping[str, str] = {
    "Marketing": f"{LOOKS_AT_PEOPLE} crm.add_item crm.change_item crm.view_jobrun",
    "Analyst": f"{LOOKS_AT_PEOPLE} {LOOKS_AT_MODELS} mlengine.add_modelversion mlengine.change_modelversion"
    " mlengine.add_predictionrun crm.view_jobrun crm.change_jobrun crm.add_event crm.add_item crm.change_item"
    " crm.view_source crm.view_rejectedevent crm.change_rejectedevent",
    "Compliance": f"{LOOKS_AT_PEOPLE} {LOOKS_AT_MODELS} crm.view_unmasked crm.change_profile crm.view_identifier"
    " crm.view_profilealias crm.change_profilealias crm.view_source crm.view_rejectedevent crm.view_jobrun"
    " admin.view_logentry crm.view_personaldataaccess crm.view_privacyrequest crm.handle_privacyrequest"
    " crm.check_privacyrequest crm.view_legalhold crm.add_legalhold crm.change_legalhold crm.view_retentionrule"
    " crm.add_retentionrule crm.change_retentionrule crm.delete_retentionrule crm.view_retentionrun"
    " crm.add_retentionrun crm.view_checkpoint crm.export_audit_bundle",
}
ADMINISTERED_APPS = ("crm", "mlengine", "campaigns", "config", "auth", "oauth2_provider", "admin")
UNTOUCHABLE = ("change_event", "delete_event", "delete_profile")


def create_groups() -> dict[str, int]:
    """Create the groups and give them their permissions; return how many each has. Twice changes nothing."""
    for name, permissions in GROUPS.items():
        _grant(name, _named(permissions.split()))
    everything = Permission.objects.filter(content_type__app_label__in=ADMINISTERED_APPS)
    _grant("Admin", everything.exclude(codename__in=UNTOUCHABLE))
    return {group.name: group.permissions.count() for group in Group.objects.filter(name__in=[*GROUPS, "Admin"])}


def _grant(name: str, permissions: Iterable[Permission]) -> None:
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.add(*permissions)


def _named(permissions: list[str]) -> list[Permission]:
    wanted = Q()
    for permission in permissions:
        app, _, codename = permission.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = list(Permission.objects.filter(wanted).select_related("content_type"))
    if missing := set(permissions) - {f"{p.content_type.app_label}.{p.codename}" for p in found}:
        raise LookupError(f"No such permissions: {', '.join(sorted(missing))}. Run migrate first.")
    return found
