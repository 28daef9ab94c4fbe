"""People: the list that finds one by any identifier, and the page about one person."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm.admin import timeline
from crm.admin.lists import ListAdmin, column
from crm.models import Event, Identifier, Profile, ProfileAlias
from crm.privacy import masked, masked_attributes, masked_name

DATES_AND_PLACES = (("birth_month", "birth_day"), ("province", "city", "language"))
LONGEST_ID = 18  # digits of the largest bigint, less one


def matches(term: str) -> Q:
    """Return the profiles that a search term means: the id (``#42`` or ``42``) or an identifier, both exactly.

    The types are named so that the unique index on (type, value) answers.
    """
    known = Identifier.objects.filter(type__in=Identifier.Type.values, value=term).values("profile")
    digits = term.removeprefix("#")
    by_id = Q(pk=int(digits)) if digits.isdecimal() and len(digits) <= LONGEST_ID else Q()
    if term.startswith("#"):
        return by_id or Q(pk__in=[])
    return Q(pk__in=known) | by_id


@admin.register(Profile)
class ProfileAdmin(ListAdmin):
    """People. Names and identifiers are masked unless the group may see them."""

    change_form_template = "zhiyin/profile/change_form.html"
    list_display = ("who", "age_band", "gender", "place", "identifier_list", "personalisation", "created_at")
    list_filter = (("gender", ChoicesDropdownFilter), "personalisation")
    list_filter_submit = True
    search_fields = ("id",)
    search_help_text = _("Number (#42), phone, e-mail, openid or external id, exactly")
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "gender", "age_band"),
                    ("birth_month", "birth_day"),
                    ("province", "city", "language"),
                )
            },
        ),
        (_("Use of data"), {"fields": ("personalisation",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # people come from sources, which know them by an identifier

    def has_delete_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        return False  # erasing a person is more than deleting a row: it has its own request and leaves a proof

    def get_queryset(self, request: HttpRequest) -> QuerySet[Profile]:
        # Each row carries what its reader may see: an admin object is shared by all requests, so it cannot.
        unmasked = Value(request.user.has_perm("crm.view_unmasked"))
        rows: QuerySet[Profile] = super().get_queryset(request).annotate(unmasked=unmasked)
        return rows.prefetch_related("identifiers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(matches(search_term.strip())) if search_term.strip() else queryset), False

    def get_exclude(self, request: HttpRequest, obj: Profile | None = None) -> list[str]:
        return [] if request.user.has_perm("crm.view_unmasked") else ["name"]

    def get_fieldsets(self, request: HttpRequest, obj: Profile | None = None) -> Any:
        if request.user.has_perm("crm.view_unmasked"):
            return self.fieldsets
        facts = (("gender", "age_band"), *DATES_AND_PLACES)
        return ((None, {"fields": facts}), *(self.fieldsets or ())[1:])

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        own = path("<int:pk>/timeline/", self.admin_site.admin_view(self.timeline_view), name="crm_profile_timeline")
        return [own, *super().get_urls()]

    @column(_("person"), ordering="id", header=True)
    def who(self, profile: Any) -> list[str]:
        name = profile.name if profile.unmasked else masked_name(profile.name)
        return [name or f"#{profile.pk}", f"#{profile.pk}" if name else ""]

    @column(_("place"), ordering="city")
    def place(self, profile: Profile) -> str:
        return " · ".join(part for part in (profile.province, profile.city) if part)

    @column(_("known as"))
    def identifier_list(self, profile: Any) -> str:
        return ", ".join(value for _label, value in shown_identifiers(profile, unmasked=profile.unmasked)[:2])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        profile = self.get_object(request, object_id)
        if profile is None or not self.has_view_permission(request, profile):
            return super().change_view(request, object_id, form_url, extra_context)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | about(profile, request))

    def timeline_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with the next page of a person's timeline, for htmx to append."""
        profile = self.get_object(request, str(pk))
        if profile is None or not (self.has_view_permission(request, profile) and sees_events(request)):
            raise PermissionDenied
        try:
            page = timeline.page(profile, request.GET.get("after", ""))
        except ValueError as error:
            raise BadRequest("This is not a place in a timeline.") from error
        return TemplateResponse(request, "zhiyin/profile/timeline.html", {"profile": profile, "page": page})


def sees_events(request: HttpRequest) -> bool:
    return request.user.has_perm(f"crm.view_{Event._meta.model_name}")


def shown_identifiers(profile: Profile, *, unmasked: bool) -> list[tuple[str, str]]:
    """Return (type, value) of each identifier, as the reader may see it."""
    return [
        (one.get_type_display(), one.value if unmasked else masked(one.type, one.value))
        for one in profile.identifiers.all()
    ]


def about(profile: Profile, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows of a person's record; what was learned joins it in the template."""
    unmasked = request.user.has_perm("crm.view_unmasked")
    context: dict[str, Any] = {
        "profile": profile,
        "subtitle": f"#{profile.pk}",
        "shown_name": profile.name if unmasked else masked_name(profile.name),
        "shown_identifiers": shown_identifiers(profile, unmasked=unmasked),
        "shown_attributes": profile.attributes if unmasked else masked_attributes(profile.attributes),
        "merges": merges_of(profile) if request.user.has_perm("crm.view_profilealias") else None,
        "merged_into": profile.aliases.filter(undone_at__isnull=True).first(),
    }
    if sees_events(request):
        context |= {"facts": timeline.facts(profile), "page": timeline.page(profile)}
    return context


def merges_of(profile: Profile) -> QuerySet[ProfileAlias]:
    touching = ProfileAlias.objects.filter(Q(canonical=profile) | Q(duplicate=profile))
    return touching.select_related("merged_by", "undone_by", "source").order_by("-merged_at")
