"""People: the list that finds one by any identifier, and the page about one person."""

from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm import access_log
from crm.admin import consents, timeline
from crm.admin.again import ask_again
from crm.admin.lists import column, person_of
from crm.admin.restricted import MAY
from crm.admin.searching import LONGEST_ID, MOST_FOUND, PrivateSearch
from crm.encryption import possible_indexes
from crm.merging import members
from crm.models import Event, Identifier, PersonalDataAccess, Profile, ProfileAlias
from crm.privacy import masked, masked_attributes, masked_name

DATES_AND_PLACES = (("birth_month", "birth_day"), ("province", "city", "language"))


def matches(term: str) -> Q:
    """Return the profiles that a search term means: the id (``#42``, ``42``), an identifier or the name; exactly."""
    known = Identifier.objects.known_as(term).values("profile")
    digits = term.removeprefix("#")
    by_id = Q(pk=int(digits)) if digits.isdecimal() and len(digits) <= LONGEST_ID else Q()
    if term.startswith("#"):
        return by_id or Q(pk__in=[])
    return Q(pk__in=known) | Q(name_index__in=possible_indexes("name", term)) | by_id


@admin.register(Profile)
class ProfileAdmin(consents.PersonConsents, PrivateSearch):
    """People. Names and identifiers are masked; one person's are revealed for one page, with a reason, and logged."""

    change_form_template = "zhiyin/profile/change_form.html"
    list_display = ("who", "age_band", "gender", "place", "identifier_list", "personalisation", "created_at")
    list_filter = (("gender", ChoicesDropdownFilter), "personalisation")
    list_filter_submit = True
    search_fields = ("id",)
    search_help_text = _("Number (#42), name, phone, e-mail, openid or external id, exactly")
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
        rows: QuerySet[Profile] = super().get_queryset(request)
        # A restricted person is there for those only who work on her request.
        usable = rows if request.user.has_perm(MAY) else rows.filter(restricted_at=None)
        return usable.prefetch_related("identifiers")

    def meant(self, term: str) -> list[int]:
        return people_known_by(term)

    def get_exclude(self, request: HttpRequest, obj: Profile | None = None) -> list[str]:
        return [] if shows_name(request) else ["name"]

    def get_fieldsets(self, request: HttpRequest, obj: Profile | None = None) -> Any:
        if shows_name(request):
            return self.fieldsets
        facts = (("gender", "age_band"), *DATES_AND_PLACES)
        return ((None, {"fields": facts}), *(self.fieldsets or ())[1:])

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        own = path("<int:pk>/timeline/", self.admin_site.admin_view(self.timeline_view), name="crm_profile_timeline")
        reveal = path("<int:pk>/reveal/", self.admin_site.admin_view(self.reveal_view), name="crm_profile_reveal")
        return [own, reveal, *self.consent_urls(), *super().get_urls()]

    @column(_("person"), ordering="id", header=True)
    def who(self, profile: Profile) -> list[str]:
        name = masked_name(profile.name)
        return [name or f"#{profile.pk}", f"#{profile.pk}" if name else ""]

    @column(_("place"), ordering="city")
    def place(self, profile: Profile) -> str:
        return " · ".join(part for part in (profile.province, profile.city) if part) or "–"

    @column(_("known as"))
    def identifier_list(self, profile: Profile) -> str:
        return ", ".join(value for _label, value in shown_identifiers(profile, unmasked=False)[:2])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        profile = self.get_object(request, object_id)
        if profile is None or not self.has_view_permission(request, profile):
            return super().change_view(request, object_id, form_url, extra_context)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | about(profile, request))

    @method_decorator([require_POST, never_cache])
    def reveal_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show a person unmasked, in this one answer, after the reason was written down."""
        address = reverse("admin:crm_profile_change", args=[pk])
        profile = self.get_object(request, str(pk))
        if profile is None or not self.has_view_permission(request, profile):
            raise PermissionDenied
        if not request.user.has_perm("crm.view_unmasked"):
            raise PermissionDenied
        ask_again(request)
        try:
            access_log.reveal(
                profile, user=person_of(request), reason=request.POST.get("reason", ""), now=timezone.now()
            )
        except access_log.RevealRefused as refused:
            messages.error(request, str(refused))
            return redirect(address)
        page = copy(request)
        page.method = "GET"  # the form that comes with it is shown, not saved
        page.revealed = True  # type: ignore[attr-defined]
        return self.change_view(page, str(pk), form_url=address)

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


def people_known_by(term: str) -> list[int]:
    return list(Profile.objects.filter(matches(term)).order_by("pk").values_list("pk", flat=True)[:MOST_FOUND])


def is_revealed(request: HttpRequest) -> bool:
    """Return whether this answer was logged as one that shows the person unmasked."""
    return getattr(request, "revealed", False)


def shows_name(request: HttpRequest) -> bool:
    """Return whether the form has the name: on the revealed page, and where that page's form is posted."""
    posted = request.method == "POST" and "name" in request.POST and request.user.has_perm("crm.view_unmasked")
    return is_revealed(request) or posted


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
    unmasked = is_revealed(request)
    context: dict[str, Any] = {
        "profile": profile,
        "subtitle": f"#{profile.pk}",
        "shown_name": profile.name if unmasked else masked_name(profile.name),
        "shown_identifiers": shown_identifiers(profile, unmasked=unmasked),
        "shown_attributes": profile.told if unmasked else masked_attributes(profile.told),
        "revealed": unmasked,
        "may_reveal": request.user.has_perm("crm.view_unmasked"),
        "accesses": accesses_to(profile) if request.user.has_perm("crm.view_personaldataaccess") else None,
        "merges": merges_of(profile) if request.user.has_perm("crm.view_profilealias") else None,
        "merged_into": profile.aliases.filter(undone_at__isnull=True).first(),
    }
    context |= consents.panel(profile, request)
    if sees_events(request):
        context |= {"facts": timeline.facts(profile), "page": timeline.page(profile)}
    return context


def merges_of(profile: Profile) -> QuerySet[ProfileAlias]:
    touching = ProfileAlias.objects.filter(Q(canonical=profile) | Q(duplicate=profile))
    return touching.select_related("merged_by", "undone_by", "source").order_by("-merged_at")


def accesses_to(profile: Profile) -> QuerySet[PersonalDataAccess]:
    """Return the latest looks at this person's data."""
    return PersonalDataAccess.objects.of_person(sorted(members(profile.pk))).order_by("-at")[:5]
