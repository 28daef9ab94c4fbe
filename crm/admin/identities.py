"""By which names people are known, which profiles were merged, and how people belong together."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column, person_of
from crm.admin.restricted import WithoutRestricted
from crm.admin.searching import PrivateSearch
from crm.merging import undo
from crm.models import Identifier, Profile, ProfileAlias, Relation
from crm.privacy import masked


def profile_link(pk: int) -> SafeString:
    """Return a link to a person's page."""
    return format_html('<a class="zy-link" href="{}">#{}</a>', reverse("admin:crm_profile_change", args=[pk]), pk)


@admin.register(Identifier)
class IdentifierAdmin(WithoutRestricted, ReadOnlyAdmin, PrivateSearch):
    """Names by which sources know people; looked up exactly, shown masked."""

    list_display = ("type", "shown_value", "person", "source", "verified", "created_at")
    list_display_links = ("shown_value",)
    list_filter = (("type", ChoicesDropdownFilter), "verified")
    list_select_related = ("source",)
    search_fields = ("value",)
    search_help_text = _("Phone, e-mail, openid or external id, exactly")
    ordering = ("-id",)
    fields = ("type", "shown_value", "person", "source", "verified", "created_at")

    search_for = "profile"

    def title_of(self, obj: Identifier) -> str:
        return f"{obj.get_type_display()} #{obj.pk}"

    def meant(self, term: str) -> list[int]:
        return list(Identifier.objects.known_as(term).values_list("profile", flat=True).distinct())

    @column(pgettext_lazy("identifier", "value"))
    def shown_value(self, identifier: Identifier) -> str:
        return masked(identifier.type, identifier.value)

    @column(_("profile"), ordering="profile")
    def person(self, identifier: Identifier) -> str:
        return profile_link(identifier.profile_id)


@admin.register(ProfileAlias)
class ProfileAliasAdmin(ReadOnlyAdmin):
    """Merges, each with who did it and why; undoing one loses nothing, since events never move."""

    nothing_yet = _("When a source says that two profiles are one person, the merge stands here and can be undone.")

    list_display = ("__str__", "kept", "reason", "source", "merged_by", "merged_at", "state")
    list_select_related = ("source", "merged_by")
    list_filter = (("undone_at", admin.EmptyFieldListFilter),)
    ordering = ("-merged_at",)
    fields = ("merged", "kept", "reason", "source", "merged_by", "merged_at", "undone_by", "undone_at")

    def get_urls(self) -> list[URLPattern]:
        undo = path("<int:pk>/undo/", self.admin_site.admin_view(self.undo_view), name="crm_profilealias_undo")
        return [undo, *super().get_urls()]

    @column(_("merged profile"))
    def merged(self, alias: ProfileAlias) -> str:
        return profile_link(alias.duplicate_id)

    @column(_("kept profile"), ordering="canonical")
    def kept(self, alias: ProfileAlias) -> str:
        return profile_link(alias.canonical_id)

    @column(_("state"), label={"merged": "success", "undone": "warning"}, ordering="undone_at")
    def state(self, alias: ProfileAlias) -> tuple[str, Any]:
        return ("undone", _("undone")) if alias.undone_at else ("merged", _("merged"))

    @method_decorator(require_POST)
    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Undo a merge and go back to the person."""
        if not request.user.has_perm("crm.change_profilealias"):
            raise PermissionDenied
        alias = get_object_or_404(ProfileAlias, pk=pk)
        undo(alias, now=timezone.now(), user=person_of(request))
        messages.success(request, gettext("The merge of %(pair)s was undone.") % {"pair": alias})
        return redirect("admin:crm_profile_change", alias.canonical_id)


@admin.register(Relation)
class RelationAdmin(ListAdmin):
    """Who belongs to whom."""

    nothing_yet = _("Who belongs together, as a household or a child and its guardian; sources and the API tell it.")

    list_display = ("__str__", "from_person", "kind", "to_person", "weight", "source", "created_at")
    list_select_related = ("source",)
    raw_id_fields = ("from_profile", "to_profile")
    search_fields = ("from_profile",)
    search_help_text = _("Number of a profile (#42)")
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        digits = search_term.strip().removeprefix("#")
        if not digits:
            return queryset, False
        if not digits.isdecimal():
            return queryset.none(), False
        people = Profile.objects.filter(pk=digits)
        return queryset.filter(Q(from_profile__in=people) | Q(to_profile__in=people)), False

    @column(_("from"), ordering="from_profile")
    def from_person(self, relation: Relation) -> str:
        return profile_link(relation.from_profile_id)

    @column(_("to"), ordering="to_profile")
    def to_person(self, relation: Relation) -> str:
        return profile_link(relation.to_profile_id)
