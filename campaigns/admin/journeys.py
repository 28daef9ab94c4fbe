"""Journeys in the admin: the list, how one is begun, its settings, and what is done with it as a whole."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminErrorList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns.admin import (
    journey_canvas,
    journey_compare,
    journey_people,
    journey_rehearsal,
    journey_steps,
    journey_versions,
)
from campaigns.admin.campaigns import LABELS
from campaigns.admin.journey_form import SAVED, StartForm, blank, settings_form, shown
from campaigns.admin.journey_parts import CHANGE, head, journey_of
from campaigns.journeys import managing, starting, versions
from campaigns.models import Campaign, Journey, JourneyEntry, JourneyVersion
from campaigns.runs import approving, running
from campaigns.runs.transitions import NotPossible, Verb, possible
from crm.admin.again import ask_again
from crm.admin.lists import ListAdmin, column, person_of
from mlengine.admin.private import sees_people

Status = Campaign.Status
Do = Callable[[Journey, HttpRequest, datetime], None]


def _pending(journey: Journey) -> JourneyVersion | None:
    return journey.versions.filter(status=JourneyVersion.Status.IN_REVIEW).order_by("-number").first()


def _submit(journey: Journey, request: HttpRequest, now: datetime) -> None:
    newest = journey.versions.order_by("-number").first()
    if newest and newest.status == JourneyVersion.Status.DRAFT:
        versions.submit(newest, person_of(request), now)
    else:
        approving.submit(journey.campaign, person_of(request), now)


def _approve(journey: Journey, request: HttpRequest, now: datetime) -> None:
    """Approve the steps that wait; with the first ones the settings, which the same two people saw on the same page."""
    one, by, seen = journey.campaign, person_of(request), request.POST.get("seen_settings", "")
    pending = _pending(journey)
    if pending is not None:
        versions.approve(pending, by, now, seen=request.POST.get("seen", ""))
        if one.status != Status.DRAFT or pending.submitted_by is None:
            return
        approving.submit(one, pending.submitted_by, now)
    approving.approve(one, by, now, seen=seen)


def _refuse(journey: Journey, request: HttpRequest, now: datetime) -> None:
    pending, why = _pending(journey), request.POST.get("reason", "")
    if pending is not None:
        versions.send_back(pending, person_of(request), now, why)
    else:
        approving.refuse(journey.campaign, person_of(request), now, reason=why)


def _of_campaign(verb: Callable[..., None]) -> Do:
    return lambda journey, request, now: verb(
        journey.campaign, person_of(request), request.POST.get("reason", "")[:300], now
    )


def _drain(on: bool) -> Do:
    def do(journey: Journey, request: HttpRequest, now: datetime) -> None:
        managing.drain(journey, on, person_of(request), now)

    return do


# What each button does, the permission that it needs, and what is said when it is done.
VERBS: Mapping[str, tuple[Do, str, Any]] = {
    "submit": (_submit, CHANGE, _("Submitted: a colleague has to approve it.")),
    "approve": (_approve, approving.APPROVES, _("Approved.")),
    "refuse": (_refuse, approving.APPROVES, _("Sent back: it is a draft again.")),
    "schedule": (_of_campaign(running.schedule), approving.RUNS, _("Scheduled.")),
    "pause": (_of_campaign(running.pause), approving.RUNS, _("Paused: nobody enters, and nobody walks on.")),
    "resume": (_of_campaign(running.resume), approving.RUNS, _("It goes on.")),
    "cancel": (_of_campaign(running.cancel), approving.RUNS, _("Cancelled for good.")),
    "drain": (_drain(True), approving.RUNS, _("Nobody enters any more; who is on the way walks on.")),
    "open": (_drain(False), approving.RUNS, _("People enter again.")),
}
CONTROL = rf"^(?P<pk>\d+)/do/(?P<verb>{'|'.join(VERBS)})/$"


def _number(status: str) -> QuerySet[Any]:
    """Return how many people are in a state, of a journey of the list; counted from the indexes of those states."""
    rows = JourneyEntry.objects.filter(version__journey=OuterRef("pk"), status=status).order_by()
    return rows.values("version__journey").annotate(number=Count("pk")).values("number")


@admin.register(Journey)
class JourneyAdmin(ListAdmin):
    """Journeys: what each is for, whether it runs, and how many are on the way."""

    change_list_template = "zhiyin/journey/change_list.html"
    list_display = ("journey", "status_label", "live_version", "walking", "stuck", "goal", "held_out", "purpose")
    list_display_links = None
    list_filter = (("campaign__status", ChoicesDropdownFilter),)
    list_select_related = ("campaign__purpose", "live")
    search_fields = ("campaign__name",)
    ordering = ("-campaign",)
    nothing_yet = _(
        "A journey walks with a person: it waits, asks, and writes at the right moment. Begin with a start."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: list[tuple[str, Callable[..., Any], str]] = [
            ("<int:pk>/canvas/", journey_canvas.canvas_view, "canvas"),
            ("<int:pk>/canvas/check/", journey_canvas.check_view, "check"),
            ("<int:pk>/canvas/save/", journey_canvas.save_view, "save"),
            ("<int:pk>/canvas/counts/", journey_canvas.counts_view, "counts"),
            ("<int:pk>/steps/", journey_steps.steps_view, "steps"),
            ("<int:pk>/people/", journey_people.people_view, "people"),
            ("<int:pk>/people/do/", journey_people.do_view, "people_do"),
            ("<int:pk>/versions/", journey_versions.versions_view, "versions"),
            ("<int:pk>/versions/copy/", journey_versions.copy_view, "copy"),
            ("<int:pk>/compare/", journey_compare.compare_view, "compare"),
            ("<int:pk>/rehearsal/", journey_rehearsal.rehearsal_view, "rehearsal"),
        ]
        paths = [path(route, view(answer), name=f"campaigns_journey_{name}") for route, answer, name in own]
        do = re_path(CONTROL, view(self.control_view), name="campaigns_journey_do")
        return [*paths, do, *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Leave exact numbers of people to those who may see them."""
        return tuple(
            name for name in self.list_display if sees_people(request.user) or name not in {"walking", "stuck"}
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Journey]:
        rows: QuerySet[Journey] = super().get_queryset(request)
        walking, failed = (Coalesce(Subquery(_number(one)), 0) for one in ("walking", "failed"))
        return rows.annotate(of_walking=walking, of_failed=failed)

    @column(_("journey"), ordering="campaign__name")
    def journey(self, one: Journey) -> str:
        address = reverse("admin:campaigns_journey_canvas", args=[one.pk])
        return format_html('<a class="zy-link" href="{}">{}</a>', address, one)

    @column(_("status"), ordering="campaign__status", label=LABELS)
    def status_label(self, one: Journey) -> tuple[str, str]:
        return one.campaign.status, one.campaign.get_status_display()

    @column(_("version"))
    def live_version(self, one: Journey) -> str:
        return f"v{one.live.number}" if one.live else "–"

    @column(_("on the way"), ordering="of_walking")
    def walking(self, one: Any) -> str:
        return f"{one.of_walking:,}"

    @column(_("stuck"), ordering="of_failed")
    def stuck(self, one: Any) -> str:
        if not one.of_failed:
            return "0"
        address = reverse("admin:campaigns_journey_people", args=[one.pk])
        return format_html('<a class="zy-link" href="{}?status=failed">{}</a>', address, f"{one.of_failed:,}")

    @column(_("goal"), ordering="campaign__goal")
    def goal(self, one: Journey) -> str:
        return str(one.campaign.get_goal_display())

    @column(_("held out"), ordering="campaign__holdout")
    def held_out(self, one: Journey) -> str:
        return f"{one.campaign.holdout:.1%}"

    @column(_("purpose"), ordering="campaign__purpose")
    def purpose(self, one: Journey) -> str:
        return str(one.campaign.purpose)

    def has_change_permission(self, request: HttpRequest, obj: Journey | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or Verb.CHANGE in possible(obj.campaign))

    def has_delete_permission(self, request: HttpRequest, obj: Journey | None = None) -> bool:
        return False  # what was sent must be explained later: a journey is cancelled

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Offer journeys to start from; then ask what is needed for the one that was chosen."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        key = request.GET.get("start", "")
        if key == "blank":
            return self._blank(request)
        of = next((one for one in starting.templates() if one.key == key), None)
        if of is None:
            return self._page(request, "zhiyin/journey/starters.html", starters=starting.templates())
        form = StartForm(of, request.POST or None)
        if request.method == "POST" and form.is_valid() and (made := form.begin(person_of(request), timezone.now())):
            self.log_addition(request, made, [{"added": {}}])
            messages.success(request, gettext("Here it is, as a draft: change what you like, then submit it."))
            return redirect("admin:campaigns_journey_canvas", made.pk)
        return self._page(request, "zhiyin/journey/start.html", form=form, start=of)

    def _page(self, request: HttpRequest, template: str, **facts: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": gettext("Begin a journey"), "opts": self.opts}
        return TemplateResponse(request, template, context | facts)

    def _blank(self, request: HttpRequest) -> HttpResponse:
        form = settings_form(self, request)(request.POST or None)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                made = blank(form, person_of(request), timezone.now())
                self.log_addition(request, made, [{"added": {}}])
            return redirect("admin:campaigns_journey_canvas", made.pk)
        return self._form(request, form, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the settings, to be changed by who may while the journey does not run."""
        journey = journey_of(request, int(object_id) if object_id.isdecimal() and len(object_id) < 10 else 0)
        form = settings_form(self, request)(request.POST or None, instance=Campaign.objects.get(pk=journey.pk))
        if request.method == "POST":
            if not super().has_change_permission(request, journey):
                raise PermissionDenied
            if form.is_valid() and self._saved(request, journey, form):
                return redirect("admin:campaigns_journey_change", journey.pk)
        return self._form(request, form, journey)

    def _saved(self, request: HttpRequest, journey: Journey, form: Any) -> bool:
        try:
            with transaction.atomic():
                approving.changed(Campaign.objects.get(pk=journey.pk), timezone.now())
                form.instance.save(update_fields=SAVED)
                Journey.objects.filter(pk=journey.pk).update(**form.own())
                self.log_change(request, journey, [{"changed": {"fields": form.changed_data}}])
        except NotPossible as error:  # it was started while its form was open
            messages.error(request, str(error))
            return False
        messages.success(request, gettext("The settings were saved."))
        return True

    def _form(self, request: HttpRequest, form: Any, journey: Journey | None) -> HttpResponse:
        laid_out = shown(self, form)
        may = self.has_change_permission(request, journey) if journey else True
        facts = {
            "adminform": laid_out,
            "errors": AdminErrorList(form, []),
            "media": self.media + laid_out.media,
            "may_change": may,
            **(head(request, journey, "change") if journey else {}),
        }
        page = "zhiyin/journey/settings.html" if journey else "zhiyin/journey/blank.html"
        return self._page(request, page, **facts, **({"title": str(journey)} if journey else {}))

    @method_decorator(require_POST)
    def control_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Do what the button says, and go back to the page."""
        do, permission, said = VERBS[verb]
        journey = journey_of(request, int(pk) if len(pk) < 10 else 0, permission)
        if verb == "approve":
            ask_again(request)
        try:
            with transaction.atomic():
                do(journey, request, timezone.now())
                self.log_change(request, journey, verb)
        except approving.NotReady as error:
            for problem in error.problems:
                messages.error(request, problem)
        except (NotPossible, approving.MayNot) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, said)
        tab = request.POST.get("tab", "")
        back = tab if tab in {"canvas", "steps", "people", "versions", "rehearsal", "change"} else "canvas"
        return redirect(f"admin:campaigns_journey_{back}", journey.pk)
