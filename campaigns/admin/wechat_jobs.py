"""Messages that went to many people in one call, and tasks of staff that wait: reminded of, or taken back."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, re_path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from campaigns.admin.deliveries import REASONS
from campaigns.admin.reason_words import OF_MANY
from campaigns.bulk import staff_tasks
from campaigns.models import BulkJob, Staff, StaffTask
from crm.admin.lists import ReadOnlyAdmin, column

RUNS = "campaigns.run_campaign"
LABELS = {
    "calling": "info", "accepted": "primary", "sent": "success", "failed": "danger", "unknown": "warning",
    "cancelled": "default",
}  # fmt: skip


WHY = {**REASONS, **OF_MANY}


@admin.register(BulkJob)
class BulkJobAdmin(ReadOnlyAdmin):
    """What was given to a platform for many people at once, and what it counted of all of them together."""

    list_display = ("called", "campaign", "way", "state", "people", "counted", "what_to_do")
    list_display_links = None
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("account", RelatedDropdownFilter),
    )
    list_select_related = ("account", "run__campaign")
    ordering = ("-called_at", "id")
    nothing_yet = _(
        "Nothing went to many people in one call yet. Articles and texts of an official account do, and so do tasks"
        " that staff confirm in WeCom: the platform counts them for all together."
    )

    def get_urls(self) -> list[URLPattern]:
        do = self.admin_site.admin_view(self.do_view)
        pattern = r"^(?P<pk>[0-9a-f-]{36})/(?P<verb>remind|cancel)/$"
        return [re_path(pattern, do, name="campaigns_bulkjob_do"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkJob]:
        asked = Staff.objects.filter(account=OuterRef("account"), userid=OuterRef("sender"))
        names = {f"staff_{name}": Subquery(asked.values(name)[:1]) for name in ("name", "told_name")}
        rows: QuerySet[BulkJob] = super().get_queryset(request)
        return rows.annotate(**names)

    @method_decorator(require_POST)
    def do_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Remind the member of staff, or take the task back."""
        if not request.user.has_perm(RUNS):
            raise PermissionDenied
        job = get_object_or_404(BulkJob.objects.select_related("account", "run"), pk=pk)
        try:
            if verb == "remind":
                for task in StaffTask.objects.filter(job=job, status=StaffTask.Status.WAITING).select_related("job"):
                    staff_tasks.remind(task, timezone.now())
            else:
                staff_tasks.cancel(job, timezone.now())
        except staff_tasks.NotPossible as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("WeCom has been told."))
            self.log_change(request, job, verb)
        if request.POST.get("back") == "campaign":
            return redirect("admin:campaigns_campaign_change", job.run.campaign_id)
        return redirect("admin:campaigns_bulkjob_changelist")

    @column(_("handed over"), ordering="called_at")
    def called(self, one: BulkJob) -> Any:
        return one.called_at or "–"

    @column(_("campaign"))
    def campaign(self, one: BulkJob) -> str:
        return str(one.run.campaign)

    @column(_("way"))
    def way(self, one: Any) -> str:
        who = one.staff_name or one.staff_told_name or one.sender
        said = f"{one.get_kind_display()}: {who}" if who else one.get_kind_display()
        text = '<div><span style="white-space: nowrap">{}</span><br><small>{}</small></div>'
        return format_html(text, said, one.account)

    @column(_("status"), label=LABELS)
    def state(self, one: BulkJob) -> tuple[str, Any]:
        if one.kind == BulkJob.Kind.STAFF_TASK and one.status == BulkJob.Status.ACCEPTED:
            return one.status, _("waits for staff")  # accepted by the platform: nobody has it yet
        return one.status, one.get_status_display()

    @column(_("counted by the platform"))
    def counted(self, one: BulkJob) -> str:
        names = {
            "sent": gettext("sent"), "errors": gettext("errors"), "reached": gettext("reached"),
            "waiting": gettext("waiting"), "not_friends": gettext("no friends any more"),
            "capped": gettext("had another one"),
        }  # fmt: skip
        told = [f"{names[name]} {number}" for name, number in one.counts.items() if name in names]
        why = [str(WHY.get(one.reason, one.reason))] if one.reason else []
        return ", ".join([*told, *why]) or "–"

    @column("")
    def what_to_do(self, one: BulkJob) -> Any:
        if one.kind != BulkJob.Kind.STAFF_TASK or one.status != BulkJob.Status.ACCEPTED:
            return ""
        verbs = (("remind", gettext("Remind")), ("cancel", gettext("Take back")))
        one_line = "white-space: nowrap"
        buttons = [
            format_html(
                '<button class="zy-button" style="{}" type="submit" formmethod="post" formaction="{}">{}</button>',
                one_line, reverse("admin:campaigns_bulkjob_do", args=[one.pk, verb]), words,
            )
            for verb, words in verbs
        ]  # fmt: skip
        return format_html('<div class="zy-buttons" style="flex-wrap: nowrap">{}{}</div>', *buttons)
