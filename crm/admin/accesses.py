"""The log of who saw personal data, for compliance officers."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter

from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column, moment
from crm.admin.searching import numbers
from crm.merging import members
from crm.models import PersonalDataAccess

# What is noted in plain English and shown in the reader's language; other words stay as they were noted.
KNOWN = (
    gettext_noop("name, identifiers, traits"),
    gettext_noop("preference link"),
    gettext_noop("audit bundle, pseudonymous"),
    gettext_noop("audit bundle in clear text"),
)
COLOURS = {"reveal": "warning", "export": "danger", "view": "info", "search": "info", "api": "primary"}


@admin.register(PersonalDataAccess)
class PersonalDataAccessAdmin(ReadOnlyAdmin):
    """Every look at unmasked data, every search for a person and every export, kept three years."""

    list_display = ("at", "actor", "action_label", "shown_what", "person", "count", "reason")
    list_filter = (("action", ChoicesDropdownFilter), ("at", RangeDateTimeFilter))
    search_fields = ("profile",)
    search_help_text = _("Number of a profile (#42)")
    ordering = ("-at", "-id")
    fields = (("at", "actor"), ("action", "shown_what"), ("person", "count"), "reason")

    nothing_yet = _("Who reveals a person, looks one up or takes data out of the house is written down here.")

    def title_of(self, obj: PersonalDataAccess) -> str:
        return f"{obj.actor}, {moment(obj.at)}"

    @column(_("what"), ordering="what")
    def shown_what(self, access: PersonalDataAccess) -> str:
        return gettext(access.what) if access.what else "–"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        people = {one for number in numbers(search_term) for one in members(number)}
        return queryset.of_person(sorted(people)), False  # type: ignore[attr-defined]  # its own queryset

    @column(_("action"), label=COLOURS, ordering="action")
    def action_label(self, access: PersonalDataAccess) -> tuple[str, str]:
        return access.action, access.get_action_display()

    @column(_("profile"))
    def person(self, access: PersonalDataAccess) -> str:
        return profile_link(access.profile_id) if access.profile_id else "–"
