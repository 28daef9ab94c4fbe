"""A campaign's page: what can be done with it now, what it would reach, how its runs are, and the form in steps."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns.admin.calendar import calendar_view
from campaigns.admin.campaign_form import COLUMNS, STEPS, CampaignForm
from campaigns.admin.policies import stop_facts
from campaigns.bulk import staff_tasks
from campaigns.guarding import alarm_words
from campaigns.models import Alarm, Campaign, Variant
from campaigns.runs import approving, planner, progress, readiness, rehearsing, running
from campaigns.runs.transitions import NotPossible, Verb, possible
from crm.admin.again import ask_again
from crm.admin.lists import ListAdmin, column, person_of

Status = Campaign.Status
LABELS = {
    Status.DRAFT: "info",
    Status.IN_REVIEW: "warning",
    Status.APPROVED: "primary",
    Status.SCHEDULED: "primary",
    Status.RUNNING: "success",
    Status.PAUSED: "warning",
    Status.FINISHED: "default",
    Status.CANCELLED: "danger",
}
TONES = {"info": "accent", "warning": "warn", "primary": "accent", "success": "good", "default": "", "danger": "bad"}
ALARMS_SHOWN = 5
CHANGES, APPROVES, RUNS = "campaigns.change_campaign", approving.APPROVES, approving.RUNS


def _submit(one: Campaign, request: HttpRequest, now: datetime) -> None:
    approving.submit(one, person_of(request), now)


def _approve(one: Campaign, request: HttpRequest, now: datetime) -> None:
    approving.approve(one, person_of(request), now, seen=request.POST.get("seen", ""))


def _refuse(one: Campaign, request: HttpRequest, now: datetime) -> None:
    approving.refuse(one, person_of(request), now, reason=request.POST.get("reason", ""))


def _rework(one: Campaign, _request: HttpRequest, now: datetime) -> None:
    approving.changed(one, now)


def _runs(one: Campaign) -> dict[str, Any]:
    """Return what is shown of a campaign's runs, and of what staff are to confirm for them."""
    return {"runs": progress.of(one), "tasks": staff_tasks.of(one)}


def _with_reason(verb: Callable[..., None]) -> Callable[[Campaign, HttpRequest, datetime], None]:
    return lambda one, request, now: verb(one, person_of(request), request.POST.get("reason", ""), now)


# What each button does, the permission that it needs, and what is said when it is done.
VERBS: Mapping[str, tuple[Callable[[Campaign, HttpRequest, datetime], None], str, Any]] = {
    "submit": (_submit, CHANGES, _("Submitted: a colleague has to approve it.")),
    "approve": (_approve, APPROVES, _("Approved. It can be scheduled now.")),
    "refuse": (_refuse, APPROVES, _("Refused: it is a draft again.")),
    "rework": (_rework, CHANGES, _("It is a draft again and needs an approval.")),
    "schedule": (_with_reason(running.schedule), RUNS, _("Scheduled.")),
    "pause": (_with_reason(running.pause), RUNS, _("Paused: nothing leaves any more.")),
    "resume": (_with_reason(running.resume), RUNS, _("It goes on.")),
    "cancel": (_with_reason(running.cancel), RUNS, _("Cancelled for good.")),
}
CONTROL = rf"^(?P<pk>\d+)/(?P<verb>{'|'.join(VERBS)})/$"


class VariantInline(TabularInline):  # type: ignore[misc]
    """The messages that are compared, each with its weight."""

    model = Variant
    extra = 0
    min_num = 1
    fields = ("name", "template", "weight")
    verbose_name_plural = _("What it says: one message, or several that are compared")


@admin.register(Campaign)
class CampaignAdmin(ListAdmin):
    """Campaigns with what is possible now: buttons go by the state and by what this reader may do."""

    form = CampaignForm
    fieldsets = STEPS
    inlines = (VariantInline,)
    change_form_template = "zhiyin/campaign/change_form.html"
    change_list_template = "zhiyin/campaign/change_list.html"
    list_display = ("name", "status_label", "kind", "segment", "held_out", "next_run_at", "created_by")
    list_filter = (("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("segment", "created_by")
    search_fields = ("name",)
    ordering = ("-id",)

    nothing_yet = _("A campaign is a message to the people of a segment. Make a segment and a template first.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            re_path(CONTROL, view(self.control_view), name="campaigns_campaign_do"),
            path("calendar/", view(calendar_view), name="campaigns_campaign_calendar"),
            path("<int:pk>/planner/", view(self.planner_view), name="campaigns_campaign_planner"),
            path("<int:pk>/runs/", view(self.runs_view), name="campaigns_campaign_runs"),
            path("<int:pk>/rehearsal/", view(self.rehearsal_view), name="campaigns_campaign_rehearsal"),
            *super().get_urls(),
        ]

    @column(_("status"), ordering="status", label=LABELS)
    def status_label(self, one: Campaign) -> tuple[str, str]:
        return one.status, one.get_status_display()

    @column(_("held out"), ordering="holdout")
    def held_out(self, one: Campaign) -> str:
        return f"{one.holdout:.1%}"

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        if obj is not None and obj.kind == Campaign.Kind.JOURNEY:
            return False  # its own pages change it: what it sends stands in its steps, which are approved apart
        return super().has_change_permission(request, obj) and (obj is None or Verb.CHANGE in possible(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False  # what was sent must be explained later: a campaign is cancelled

    def get_inlines(self, request: HttpRequest, obj: Campaign | None = None) -> tuple[type[TabularInline], ...]:
        return self.inlines if obj is None or self.has_change_permission(request, obj) else ()

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        return STEPS if obj is None or self.has_change_permission(request, obj) else ()

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        if change:
            # The columns of the form only: what a worker or a colleague changed meanwhile stays as it is.
            approving.changed(Campaign.objects.get(pk=obj.pk), timezone.now())
            obj.save(update_fields=COLUMNS)
            return
        obj.created_at, obj.created_by = timezone.now(), person_of(request)
        super().save_model(request, obj, form, change)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one = self.get_object(request, object_id)
        if isinstance(one, Campaign) and one.kind == Campaign.Kind.JOURNEY:
            return redirect("admin:campaigns_journey_canvas", one.pk)
        facts = self.about(one, request) if isinstance(one, Campaign) else {}
        try:
            return super().change_view(request, object_id, form_url, facts | (extra_context or {}))
        except NotPossible as error:  # it was started while its form was open
            messages.error(request, str(error))
            return redirect("admin:campaigns_campaign_change", object_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        waiting = Alarm.objects.open().unseen().filter(paused=True).select_related("campaign").order_by("-raised_at")
        alarmed = {"alarms": [(one, alarm_words.said(one)) for one in waiting[:ALARMS_SHOWN]]}
        return super().changelist_view(request, stop_facts(request) | alarmed | (extra_context or {}))

    def about(self, one: Campaign, request: HttpRequest) -> dict[str, Any]:
        """Return what stands above the form."""
        may = {verb for verb in self.open_verbs(one) if request.user.has_perm(VERBS[verb][1])}
        own = one.submitted_by_id == request.user.pk
        if own:
            may -= {"approve", "refuse"}
        now = timezone.now()
        return {
            "campaign": one,
            "tone": TONES[LABELS[Status(one.status)]],
            "may": may,
            "own": own and one.status == Status.IN_REVIEW,
            "seen": approving.digest(one),
            "problems": readiness.problems(one, now) if one.status in {Status.DRAFT, Status.IN_REVIEW} else [],
            "starts_now": one.starts_at is None or one.starts_at <= now,
            "variants": one.variants.select_related("template__template").order_by("pk"),
            **_runs(one),
            "alarms": [(alarm, alarm_words.said(alarm)) for alarm in one.alarms.open().order_by("raised_at")],
            **stop_facts(request),
        }

    def open_verbs(self, one: Campaign) -> set[str]:
        """Return the buttons that the campaign's state allows."""
        open_ = {verb.value for verb in possible(one)} & set(VERBS)
        reworked = {Status.IN_REVIEW, Status.APPROVED, Status.SCHEDULED, Status.PAUSED}
        return open_ | ({"rework"} if one.status in reworked else set())

    @method_decorator(require_POST)
    def control_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Do what the button says, and go back to the page."""
        do, permission, said = VERBS[verb]
        if not request.user.has_perm(permission):
            raise PermissionDenied
        one = get_object_or_404(Campaign, pk=pk)
        if verb == "approve":
            ask_again(request)
        try:
            with transaction.atomic():
                do(one, request, timezone.now())
                self.log_change(request, one, f"{verb}: {one.status_reason}"[:300])
        except approving.NotReady as error:
            for problem in error.problems:
                messages.error(request, problem)
        except (NotPossible, approving.MayNot) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, said)
        return redirect("admin:campaigns_campaign_change", pk)

    def planner_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        one = self._seen(request, pk)
        context = {"campaign": one, "plan": planner.of(one, timezone.now())}
        return TemplateResponse(request, "zhiyin/campaign/planner.html", context)

    def runs_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        one = self._seen(request, pk)
        return TemplateResponse(request, "zhiyin/campaign/runs.html", {"campaign": one, **_runs(one)})

    def rehearsal_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show a dry run: who would get what when, and who not and why."""
        one = self._seen(request, pk)
        if not one.variants.exists():
            messages.error(request, gettext("There is no message yet: add a variant."))
            return redirect("admin:campaigns_campaign_change", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Dry run: %(name)s") % {"name": one.name},
            "opts": self.opts,
            "campaign": one,
            **planner.shown(rehearsing.rehearse(one, timezone.now()), one),
        }
        return TemplateResponse(request, "zhiyin/campaign/rehearsal.html", context)

    def _seen(self, request: HttpRequest, pk: int) -> Campaign:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Campaign.objects.select_related("purpose", "segment__current"), pk=pk)
