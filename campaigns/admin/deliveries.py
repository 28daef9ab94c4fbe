"""Messages of which nobody knows whether they left: shown, never blindly sent again."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter

from campaigns.delivering.settling import LOST
from campaigns.models import Delivery
from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column

# Why it is not known, by the codes of adapters; a code that is none of ours is shown as it is.
REASONS: Mapping[str, Any] = {
    LOST: _("our worker was lost in the call"),
    "no_answer": _("the provider did not answer"),
    "no_answer_again": _("asked again by the same key, the provider did not say"),
    "adapter_failed": _("our side failed in the call"),
    "garbage": _("the provider's answer could not be read"),
    "server_failed": _("the provider's server failed"),
    "unknown_code": _("the provider answered with a code that nobody knows"),
    "repeated": _("the provider knows the key, and not what became of it"),
}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The list of unknown outcomes; what is known stands in the campaigns' reports, and on a person's page."""

    list_display = ("handed_over", "campaign", "channel", "account", "why", "person", "provider_id")
    list_display_links = None
    list_filter = (
        ("channel", ChoicesDropdownFilter),
        ("account", RelatedDropdownFilter),
        ("called_at", RangeDateTimeFilter),
    )
    list_select_related = ("account", "run__campaign")
    ordering = ("-called_at", "id")
    nothing_yet = _(
        "Of every message that left it is known what became of it. A message of which that is not known stands here: it"
        " is asked for again where the provider knows a repeated key, it becomes known by a report of the provider's,"
        " and it is never sent a second time blindly."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        found: QuerySet[Delivery] = super().get_queryset(request)
        return found.filter(status=Delivery.Status.UNKNOWN)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": _("Unknown outcomes")} | (extra_context or {}))

    @column(_("handed over"), ordering="called_at")
    def handed_over(self, one: Delivery) -> Any:
        return one.called_at

    @column(_("campaign"))
    def campaign(self, one: Delivery) -> str:
        return str(one.run.campaign) if one.run else "–"

    @column(_("why"), ordering="reason")
    def why(self, one: Delivery) -> Any:
        return REASONS.get(one.reason, one.reason)

    @column(_("profile"))
    def person(self, one: Delivery) -> str:
        return profile_link(one.profile_id)
