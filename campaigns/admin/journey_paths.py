"""A person's path through a journey: each step she left, when, and what came of it; and all her journeys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns.admin.journey_people import name_of, why
from campaigns.admin.journey_words import KINDS, outcome_word
from campaigns.journeys import messages as step_messages
from campaigns.models import Delivery, JourneyEntry
from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column
from crm.admin.restricted import WithoutRestricted
from crm.models import Event, Profile
from crm.privacy import masked_name

SHOWN, LATEST = 500, 20
PERMISSION = "campaigns.view_journeyentry"
TONES = {"walking": "accent", "completed": "good", "goal": "good", "left": "", "failed": "bad", "held_out": "warn"}


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A step that somebody left."""

    at: datetime
    step: str
    icon: str
    outcome: str
    message: Delivery | None


def path(entry: JourneyEntry) -> list[Passed]:
    """Return the steps behind somebody, in order, with the message that each sent."""
    events = Event.objects.filter(
        profile=entry.profile_id,
        kind=Event.Kind.JOURNEY_STEP,
        session=str(entry.pk),
        occurred_at__gte=entry.entered_at - timedelta(days=1),
    ).order_by("-occurred_at", "-id")[:SHOWN]
    told = list(reversed(events))
    first = max(0, entry.moves - len(told))  # earlier ones may be past their time of retention
    steps = entry.version.graph.get("steps", {})
    sent = _messages(entry, range(first, first + len(told)))
    return [_passed(one, steps, sent.get(number)) for number, one in enumerate(told, first)]


def _passed(event: Event, steps: Mapping[str, Any], message: Delivery | None) -> Passed:
    key = str(event.properties.get("step", ""))
    step = steps.get(key, {})
    return Passed(
        at=event.occurred_at,
        step=name_of(key, step),
        icon=KINDS.get(step.get("kind", ""), ("", "circle"))[1],
        outcome=outcome_word(str(event.properties.get("outcome", ""))),
        message=message,
    )


def _messages(entry: JourneyEntry, numbers: Iterable[int]) -> dict[int, Delivery]:
    """Return what was sent at each step, by how many were behind her then."""
    by_occasion = {step_messages.occasion(entry.pk, number): number for number in numbers}
    rows = Delivery.objects.filter(occasion__in=by_occasion, profile=entry.profile_id).order_by("planned_at")
    return {by_occasion[row.occasion]: row for row in rows}


def standing(entry: JourneyEntry) -> str:
    """Return what the step is called at which somebody stands."""
    return name_of(entry.step, entry.version.graph.get("steps", {}).get(entry.step, {})) if entry.step else ""


def about(profile: Profile, user: Any) -> list[tuple[JourneyEntry, str, str, str]] | None:
    """Return a person's latest journeys, for her own page, by who may see them: where she is, why, and the tone."""
    if not user.has_perm(PERMISSION):
        return None
    rows = JourneyEntry.objects.filter(profile=profile).select_related("version__journey__campaign")
    found = rows.order_by("-entered_at")[:LATEST]
    return [(one, standing(one), why(one.reason), TONES.get(one.status, "")) for one in found]


@admin.register(JourneyEntry)
class JourneyEntryAdmin(WithoutRestricted, ReadOnlyAdmin):
    """Who walks which journey; each row leads to the whole path."""

    list_display = ("entered", "person", "journey", "status", "at_step", "steps_behind", "due")
    list_filter = (("status", ChoicesDropdownFilter),)
    list_select_related = ("version__journey__campaign", "profile")
    ordering = ("-entered_at",)
    nothing_yet = _("Who enters a journey stands here, with the path walked so far.")

    def title_of(self, obj: JourneyEntry) -> str:
        return f"{obj.version.journey} · #{obj.profile_id}"

    @column(_("entered"), ordering="entered_at")
    def entered(self, one: JourneyEntry) -> datetime:
        return one.entered_at

    @column(_("profile"))
    def person(self, one: JourneyEntry) -> str:
        return profile_link(one.profile_id)

    @column(_("journey"))
    def journey(self, one: JourneyEntry) -> str:
        return f"{one.version.journey} v{one.version.number}"

    @column(_("step"), ordering="step")
    def at_step(self, one: JourneyEntry) -> str:
        return standing(one) or "–"

    @column(_("steps behind"), ordering="moves")
    def steps_behind(self, one: JourneyEntry) -> int:
        return one.moves

    @column(_("goes on"), ordering="due_at")
    def due(self, one: JourneyEntry) -> datetime | None:
        return one.due_at if one.status == JourneyEntry.Status.WALKING else None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the whole path."""
        one = self.get_object(request, object_id)
        if not isinstance(one, JourneyEntry) or not self.has_view_permission(request, one):
            return super().change_view(request, object_id, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": self.title_of(one),
            "opts": self.opts,
            "entry": one,
            "journey": one.version.journey,
            "name": masked_name(one.profile.name),
            "path": path(one),
            "standing": standing(one),
            "why": why(one.reason),
            "tone": TONES.get(one.status, ""),
        }
        return TemplateResponse(request, "zhiyin/journey/path.html", context)
