"""The admin site as a whole: its menu, its dashboard, and the accounts of those who use it.

The topics of each package register themselves in its ``admin`` package; here stands only what needs to know several.
"""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config import dashboard
from config.program_admin import ApplicationAdmin
from crm.admin.again import AsksAgain, ask_again
from crm.admin.lists import ReadOnlyAdmin, column, person_of

MENU: tuple[tuple[Any, tuple[tuple[Any, str, str, str], ...]], ...] = (
    ("", ((_("Dashboard"), "space_dashboard", "index", ""),)),
    (
        _("People"),
        (
            (_("Profiles"), "group", "crm_profile_changelist", "crm.view_profile"),
            (_("Segments found"), "bubble_chart", "mlengine_cluster_changelist", "mlengine.view_cluster"),
            (_("Identifiers"), "fingerprint", "crm_identifier_changelist", "crm.view_identifier"),
            (_("Merges"), "merge", "crm_profilealias_changelist", "crm.view_profilealias"),
            (_("Row exports"), "download", "crm_rowexport_changelist", "crm.view_rowexport"),
            (_("Relations"), "hub", "crm_relation_changelist", "crm.view_relation"),
        ),
    ),
    (
        _("Record"),
        (
            (_("Events"), "receipt_long", "crm_event_changelist", "crm.view_event"),
            (_("Items"), "inventory_2", "crm_item_changelist", "crm.view_item"),
            (_("Sources"), "sensors", "crm_source_changelist", "crm.view_source"),
            (_("Import a file"), "upload_file", "crm_import", "crm.add_event"),
            (_("Rejected events"), "report", "crm_rejectedevent_changelist", "crm.view_rejectedevent"),
        ),
    ),
    (
        _("Compliance"),
        (
            (_("Overview"), "verified_user", "crm_compliance", "crm.view_checkpoint"),
            (_("Approvals"), "approval_delegation", "crm_approval_changelist", "crm.view_approval"),
            (_("Purposes"), "checklist", "crm_purpose_changelist", "crm.view_purpose"),
            (_("Notices"), "menu_book", "crm_notice_changelist", "crm.view_notice"),
            (_("Consent log"), "history_edu", "crm_consentevent_changelist", "crm.view_consentevent"),
            (_("Forms elsewhere"), "web_asset", "crm_consent_embed", "crm.view_purpose"),
            (_("Privacy requests"), "shield_person", "crm_privacyrequest_changelist", "crm.view_privacyrequest"),
            (_("Legal holds"), "gavel", "crm_legalhold_changelist", "crm.view_legalhold"),
            (_("Retention"), "auto_delete", "crm_retentionrun_changelist", "crm.view_retentionrun"),
        ),
    ),
    (
        _("Learning"),
        (
            (_("Models"), "model_training", "mlengine_modelversion_changelist", "mlengine.view_modelversion"),
            (_("Predictions"), "insights", "mlengine_predictionrun_changelist", "mlengine.view_predictionrun"),
            (_("Impact assessments"), "balance", "crm_impactassessment_changelist", "crm.view_impactassessment"),
            (_("Private figures"), "blur_on", "crm_release_changelist", "crm.view_release"),
            (_("Jobs"), "pending_actions", "crm_jobrun_changelist", "crm.view_jobrun"),
        ),
    ),
    (
        _("Access"),
        (
            (_("Users"), "person", "auth_user_changelist", "auth.view_user"),
            (_("Groups"), "groups", "auth_group_changelist", "auth.view_group"),
            (
                _("API applications"),
                "key",
                "oauth2_provider_application_changelist",
                "oauth2_provider.view_application",
            ),
            (_("Second factors"), "phonelink_lock", "mfa_authenticator_changelist", "mfa.view_authenticator"),
            (_("Failed logins"), "lock_person", "axes_accessattempt_changelist", "axes.view_accessattempt"),
            (_("History"), "history", "admin_logentry_changelist", "admin.view_logentry"),
            (
                _("Looks at personal data"),
                "visibility",
                "crm_personaldataaccess_changelist",
                "crm.view_personaldataaccess",
            ),
        ),
    ),
)


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu with only what this person may open."""
    entries = [
        {
            "title": title,
            "items": [
                {"title": text, "icon": icon, "link": reverse(f"admin:{name}")}
                for text, icon, name, permission in items
                if not permission or request.user.has_perm(permission)
            ],
        }
        for title, items in MENU
    ]
    return _with_active([entry for entry in entries if entry["items"]], request.path)


def _with_active(entries: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """Mark the one entry whose address is the longest beginning of the path; the dashboard's begins them all."""
    items = [item for entry in entries for item in entry["items"]]
    here = max((item["link"] for item in items if path.startswith(item["link"])), key=len, default="")
    for item in items:
        item["active"] = item["link"] == here
    return entries


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the index page; what it costs to count is kept for a minute."""
    return context | dashboard.page(request.user, days=_days(request), now=timezone.now(), cache=cache)


def _days(request: HttpRequest) -> int:
    return 30 if request.GET.get("days") == "30" else 90


admin.site.unregister((User, Group))
admin.site.unregister(
    (
        get_application_model(),
        get_access_token_model(),
        get_grant_model(),
        get_id_token_model(),
        get_refresh_token_model(),
    )
)
# Ours is below, without the secrets; addresses of staff stand in their accounts.
admin.site.unregister((EmailAddress, Authenticator))
admin.site.register(get_application_model(), ApplicationAdmin)
admin.site.index_title = _("Dashboard")
# Unfold's own form would let people in past the second factor and the lock-out.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class UserAdmin(AsksAgain, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]
    """Those who work here; what they may do comes from their groups."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if self.has_change_permission(request):
            ask_again(request, keep=False)
        return super().user_change_password(request, id, form_url)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        own = tuple(super().get_readonly_fields(request, obj))
        me = person_of(request)
        if me.is_superuser:
            return own
        # Whoever may change users could otherwise make themselves omnipotent, or let themselves see people.
        itself = ("groups", "is_staff", "is_active") if obj == me else ()
        return (*own, "is_superuser", "user_permissions", *itself)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Only a superuser may change one: a new password for theirs would be as good as being one."""
    return user is None or not user.is_superuser or person_of(request).is_superuser


@admin.register(Group)
class GroupAdmin(AsksAgain, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups and their permissions."""


@admin.register(Authenticator)
class SecondFactorAdmin(AsksAgain, ReadOnlyAdmin):
    """Who has a second factor. Only a superuser takes a lost one away: with it and a password one is that person."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "type", "created_at", "last_used_at")
    ordering = ("user__username",)

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return person_of(request).is_superuser


@admin.register(AccessAttempt)
class LockedOutAdmin(ReadOnlyAdmin):
    """Logins that failed; who is locked out can try again at once when the row is deleted."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "is_locked_out")
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")
    ordering = ("-attempt_time",)

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return person_of(request).has_perm("axes.delete_accessattempt")

    @column(_("locked out"), boolean=True)
    def is_locked_out(self, attempt: AccessAttempt) -> bool:
        return bool(
            attempt.failures_since_start >= settings.AXES_FAILURE_LIMIT
            and attempt.attempt_time > timezone.now() - settings.AXES_COOLOFF_TIME
        )


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """Who changed what in this admin."""

    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag", "get_change_message")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr",)
    ordering = ("-action_time",)
