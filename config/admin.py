"""The admin site as a whole: its dashboard, and the accounts of those who use it; ``config.menu`` has its menu.

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
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
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
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config import dashboard
from config.program_admin import ApplicationAdmin
from crm.admin.again import AsksAgain, ask_again
from crm.admin.lists import ReadOnlyAdmin, column, moment, person_of


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the index page; what it costs to count is kept for a minute."""
    return context | dashboard.page(request.user, days=_days(request), now=timezone.now(), cache=cache)


def _days(request: HttpRequest) -> int:
    return 30 if request.GET.get("days") == "30" else 90


ROLE_WORDS = {
    "Marketing": (_("Marketing"), _("sees people masked, imports files, keeps the items")),
    "Analyst": (_("Analyst"), _("trains models and asks for figures; sees no person")),
    "Support": (_("Support"), _("finds one person at a time and may reveal them, with a reason")),
    "Compliance": (
        _("Compliance"),
        _("answers requests, keeps notices and proofs, is the second person"),
    ),
    "Admin": (_("Admin"), _("keeps users, sources and programs; sees people masked and decides nothing")),
}

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

    list_display = ("name", "role", "members")
    list_display_links = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.annotate(people=Count("user"))

    def title_of(self, obj: Group) -> str:
        return str(ROLE_WORDS[obj.name][0]) if obj.name in ROLE_WORDS else obj.name

    @column(_("what it is for"))
    def role(self, group: Group) -> str:
        return str(ROLE_WORDS[group.name][1]) if group.name in ROLE_WORDS else "–"

    @column(_("members"), ordering="people")
    def members(self, group: Any) -> int:
        return int(group.people)


@admin.register(Authenticator)
class SecondFactorAdmin(AsksAgain, ReadOnlyAdmin):
    """Who has a second factor. Only a superuser takes a lost one away: with it and a password one is that person."""

    list_display = ("whose", "sort", "set_up_at", "used_at")
    list_filter = (("type", ChoicesDropdownFilter),)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("whose", "sort", "set_up_at", "used_at")
    nothing_yet = _("Nobody has a second factor yet. Each colleague sets one up under their own name, below the menu.")
    ordering = ("user__username",)

    @column(_("user"), ordering="user__username")
    def whose(self, factor: Authenticator) -> str:
        return str(factor.user)

    @column(_("kind"), ordering="type")
    def sort(self, factor: Authenticator) -> str:
        return str(factor.get_type_display())

    @column(_("set up"), ordering="created_at")
    def set_up_at(self, factor: Authenticator) -> str:
        return moment(factor.created_at)

    @column(_("last used"), ordering="last_used_at")
    def used_at(self, factor: Authenticator) -> str:
        return moment(factor.last_used_at) if factor.last_used_at else "–"

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return person_of(request).is_superuser


@admin.register(AccessAttempt)
class LockedOutAdmin(ReadOnlyAdmin):
    """Logins that failed; who is locked out can try again at once when the row is deleted."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "is_locked_out")
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")
    ordering = ("-attempt_time",)
    nothing_yet = _("Nobody failed to log in lately.")

    def title_of(self, obj: AccessAttempt) -> str:
        return f"{obj.username}, {moment(obj.attempt_time)}"

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

    list_display = ("action_time", "user", "content_type", "whom", "deed", "changes")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr",)
    ordering = ("-action_time",)
    fields = (("action_time", "user"), ("content_type", "whom"), ("deed", "changes"))
    nothing_yet = _("What staff add, change and delete by hand is written down here.")

    @column(_("row"), ordering="object_repr")
    def whom(self, entry: LogEntry) -> str:
        return entry.object_repr

    @column(_("deed"), ordering="action_flag")
    def deed(self, entry: LogEntry) -> str:
        return str(entry.get_action_flag_display())

    @column(_("changes"))
    def changes(self, entry: LogEntry) -> str:
        return entry.get_change_message() or "–"
