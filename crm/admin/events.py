"""The log, to be read only, and what could not be taken into it."""

from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from crm import activity, partitions
from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column, moment
from crm.admin.profiles import people_known_by
from crm.admin.restricted import WithoutRestricted
from crm.admin.searching import PrivateSearch
from crm.charts import rounded
from crm.models import Event, RejectedEvent
from crm.privacy import masked_attributes, masked_text


class MonthFilter(DropdownFilter):  # type: ignore[misc]
    """One month of the log at a time, the newest first: a month is a partition, so the list stays fast at any size.

    It opens at the newest month that holds an event: partitions are made ahead, and what is first must not be empty.
    """

    title = _("month")
    parameter_name = "month"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        months = sorted(partitions.existing(), reverse=True)
        return [(f"{month:%Y-%m}", date_format(month, "YEAR_MONTH_FORMAT")) for month in months]

    @cached_property
    def newest(self) -> str | None:
        latest = activity.latest()
        return f"{partitions.month_of(latest):%Y-%m}" if latest else None

    def value(self) -> str | None:
        chosen: str | None = super().value()
        return chosen if chosen in dict(self.lookup_choices) else self.newest

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if self.value() is None:
            return queryset
        month = date.fromisoformat(f"{self.value()}-01")
        begin = datetime(month.year, month.month, 1, tzinfo=UTC)
        following = partitions.next_month(month)
        return queryset.filter(
            occurred_at__gte=begin, occurred_at__lt=datetime(following.year, following.month, 1, tzinfo=UTC)
        )


@admin.register(Event)
class EventAdmin(WithoutRestricted, ReadOnlyAdmin, PrivateSearch):
    """Everything that happened. Nobody changes or deletes it here, not even an administrator."""

    list_display = ("occurred_at", "kind_label", "person", "item", "amount", "number", "session", "source")
    list_filter = (MonthFilter, ("kind", ChoicesDropdownFilter), "source")
    list_select_related = ("item", "source")
    search_fields = ("profile",)
    search_help_text = _("A person: number (#42), name, phone, e-mail, openid or external id, exactly")
    ordering = ("-occurred_at", "-id")
    fields = (
        ("occurred_at", "received_at"),
        ("kind", "name"),
        ("person", "item", "source"),
        ("amount", "number", "discount"),
        ("session", "channel"),
        "shown_properties",
    )
    search_for = "profile"

    def meant(self, term: str) -> list[int]:
        return people_known_by(term)

    def title_of(self, obj: Event) -> str:
        return f"{capfirst(obj.get_kind_display())}, {moment(obj.occurred_at)}"

    @column(_("properties"))
    def shown_properties(self, event: Event) -> SafeString:
        return render_to_string("zhiyin/facts.html", {"facts": masked_attributes(event.told)})

    @column(_("quantity"), ordering="quantity")
    def number(self, event: Event) -> str:
        """Return the quantity as people write it: 2, not 2.000."""
        return "" if event.quantity is None else rounded(float(event.quantity), 3).rstrip("0").rstrip(".")

    @column(_("kind"), ordering="kind", label=True)
    def kind_label(self, event: Event) -> str:
        return event.get_kind_display()

    @column(_("profile"))
    def person(self, event: Event) -> str:
        return profile_link(event.profile_id)

    @column(_("value"), ordering="value")
    def amount(self, event: Event) -> str:
        return "" if event.value is None else f"{rounded(float(event.value), 2)} {event.currency}"


@admin.register(RejectedEvent)
class RejectedEventAdmin(ReadOnlyAdmin):
    """What could not be taken, as it came, with the reason; it can be replayed when the cause is gone."""

    nothing_yet = _("What a source sends and we cannot read stands here, with the reason, until it is replayed.")

    change_form_template = "zhiyin/rejected/change_form.html"
    list_display = ("received_at", "source", "field", "shown_reason", "job", "state")
    list_display_links = ("received_at", "shown_reason")
    list_filter = (("replayed_at", admin.EmptyFieldListFilter), "source")
    list_select_related = ("source", "job")
    search_fields = ("reason",)
    ordering = ("-received_at", "-id")
    actions = ("replay",)
    fields = (("received_at", "replayed_at"), ("source", "job_link", "index"), "field", "shown_reason", "shown_payload")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_view)
        return [path("<int:pk>/replay/", view, name="crm_rejectedevent_replay"), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found = Q(reason__icontains=search_term) | Q(field=search_term)
        return (queryset.filter(found) if search_term else queryset), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_rejectedevent")

    @column(_("state"), label={"waiting": "warning", "replayed": "success"}, ordering="replayed_at")
    def state(self, rejected: RejectedEvent) -> tuple[str, Any]:
        return ("replayed", _("replayed")) if rejected.replayed_at else ("waiting", _("waiting"))

    @column(_("reason"), ordering="reason")
    def shown_reason(self, rejected: RejectedEvent) -> str:
        return masked_text(rejected.reason)

    @column(_("payload"))
    def shown_payload(self, rejected: RejectedEvent) -> SafeString:
        return format_html('<pre class="zy-pre">{}</pre>', masked_text(rejected.payload))

    @column(_("job"))
    def job_link(self, rejected: RejectedEvent) -> str | SafeString:
        if rejected.job is None:
            return "–"
        url = reverse("admin:crm_jobrun_change", args=[rejected.job.pk])
        return format_html('<a class="zy-link" href="{}">{}</a>', url, rejected.job)

    @admin.action(description=_("Replay the selected events"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[RejectedEvent]) -> None:
        from crm import ingest

        taken = sum(ingest.replay(rejected, now=timezone.now()) for rejected in queryset)
        refused = queryset.count() - taken
        messages.info(request, ngettext("%d event was taken.", "%d events were taken.", taken) % taken)
        if refused:
            text = ngettext("%d was refused again.", "%d were refused again.", refused)
            messages.warning(request, text % refused)

    @method_decorator(require_POST)
    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_replay_permission(request):
            raise PermissionDenied
        get_object_or_404(RejectedEvent, pk=pk)
        self.replay(request, RejectedEvent.objects.filter(pk=pk))
        return redirect("admin:crm_rejectedevent_change", pk)
