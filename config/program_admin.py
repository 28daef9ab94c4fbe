"""Programs that use the REST API, in the admin: what they may ask for, and the button that ends all they hold."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from oauth2_provider.models import Application
from unfold.admin import StackedInline

from config import programs_of_mine
from config.models import ApiAccess
from crm.admin.again import AsksAgain
from crm.admin.lists import ListAdmin, column

REVOKE = "config.change_apiaccess"


class ApiAccessInline(StackedInline):  # type: ignore[misc]
    """The scopes that a program may ask for."""

    model = ApiAccess
    extra = 0


class ApplicationAdmin(AsksAgain, ListAdmin):
    """Programs that use the REST API; the secret is stored hashed and shown when it is made."""

    change_form_template = "zhiyin/application/change_form.html"
    list_display = ("name", "client_id", "tokens", "client_type", "authorization_grant_type", "user", "created")
    list_filter = ("client_type", "authorization_grant_type")
    list_select_related = ("user",)
    search_fields = ("name", "client_id")
    raw_id_fields = ("user",)
    inlines = (ApiAccessInline,)
    actions = ("revoke_selected",)
    nothing_yet = _("A program that uses the REST API is added here, with the scopes that it may ask for.")
    # What our API has no use for (it knows the client credentials flow only) stays folded away.
    fieldsets = (
        (None, {"fields": ("name", ("client_id", "client_secret"), ("client_type", "authorization_grant_type"))}),
        (
            _("More"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("user", "redirect_uris", "post_logout_redirect_uris", "allowed_origins", "algorithm"),
                    *(("skip_authorization", "hash_client_secret"), ("registration_source", "cimd_expires_at")),
                ),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/revoke/", view(self.revoke_view), name="oauth2_provider_application_revoke"),
            path("mine/", view(programs_of_mine.mine), name="oauth2_provider_application_mine"),
            re_path(
                r"^mine/(?P<pk>\d+)/(?P<verb>agree|end)/$",
                view(programs_of_mine.decide),
                name="oauth2_provider_application_mine_do",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        living = Count("accesstoken", filter=Q(accesstoken__expires__gt=timezone.now()))
        rows: QuerySet[Application] = super().get_queryset(request).annotate(alive=living)
        return rows

    @column(_("live tokens"))
    def tokens(self, application: Application) -> int:
        return int(application.alive)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        facts = {"may_revoke": self.has_revoke_permission(request)}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(REVOKE))

    # Not asked again who it is: whoever stops a program is in a hurry, and does no harm that a new token does not mend.
    @method_decorator(require_POST)
    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End every token of a program, and go back to its page."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        self._revoke(request, get_object_or_404(Application, pk=pk))
        messages.success(request, gettext("Its tokens have ended. With its secret it can ask for new ones."))
        return redirect("admin:oauth2_provider_application_change", pk)

    @admin.action(description=_("End all tokens"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Application]) -> None:
        for application in queryset:
            self._revoke(request, application)
        count = len(queryset)
        messages.success(
            request,
            ngettext(
                "The tokens of %(count)d program have ended.", "The tokens of %(count)d programs have ended.", count
            )
            % {"count": count},
        )

    def _revoke(self, request: HttpRequest, application: Application) -> None:
        access, _made = ApiAccess.objects.get_or_create(application=application)
        access.revoke(timezone.now())
        self.log_change(request, application, "All tokens were ended.")
