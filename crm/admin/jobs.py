"""Long work as people see it: how far it is, what went wrong, and the buttons to pause, cancel and resume."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm import access_log
from crm.admin import imports
from crm.admin.bells import ring
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.imports import error_file
from crm.models import JobRun

CONTROL = r"^(?P<pk>\d+)/(?P<verb>pause|cancel|resume)/$"
LABELS = {
    JobRun.Status.QUEUED: "info",
    JobRun.Status.RUNNING: "primary",
    JobRun.Status.PAUSED: "warning",
    JobRun.Status.SUCCEEDED: "success",
    JobRun.Status.FAILED: "danger",
    JobRun.Status.CANCELLED: "warning",
}


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Jobs, live while they run."""

    change_form_template = "zhiyin/job/change_form.html"
    change_list_template = "zhiyin/job/change_list.html"
    list_display = ("shown_title", "status_label", "progress", "rejected", "requested_by", "created_at")
    list_filter = (("status", ChoicesDropdownFilter), "kind")
    list_select_related = ("requested_by",)
    search_fields = ("title",)
    ordering = ("-created_at",)
    fields = ("parameters", "result", "error")

    nothing_yet = _("Imports, training, exports and checks stand here while they run, and for a year after.")

    def title_of(self, obj: JobRun) -> str:
        return render_to_string("zhiyin/job/title.html", {"job": obj}).strip()

    @column(_("title"), ordering="title")
    def shown_title(self, job: JobRun) -> str:
        return self.title_of(job)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("import/", view(imports.upload_view), name="crm_import"),
            path("import/<str:ticket>/", view(imports.mapping_view), name="crm_import_mapping"),
            path("<int:pk>/progress/", view(self.progress_view), name="crm_jobrun_progress"),
            path("<int:pk>/errors/", view(self.errors_view), name="crm_jobrun_errors"),
            re_path(
                r"^(?P<pk>\d+)/(?P<verb>pause|cancel|resume)/$", view(self.control_view), name="crm_jobrun_control"
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id)
        facts = {"job": job, "may_control": may_control(request), "now": timezone.now()} if job else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    @column(_("status"), ordering="status", label=LABELS)
    def status_label(self, job: JobRun) -> tuple[str, str]:
        return job.status, job.get_status_display()

    @column(_("progress"))
    def progress(self, job: JobRun) -> str:
        return render_to_string("zhiyin/job/bar.html", {"job": job})

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with the bar as it stands (``?panel=1``: with figures and buttons); a finished one asks no more."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = get_object_or_404(JobRun, pk=pk)
        name = "panel" if "panel" in request.GET else "bar"
        context = {"job": job, "may_control": may_control(request), "now": timezone.now()}
        answer = TemplateResponse(request, f"zhiyin/job/{name}.html", context)
        if name == "panel" and job.finished_at is not None:
            answer["HX-Refresh"] = "true"  # what came of it stands on the rest of the page
        return answer

    @method_decorator(require_POST)
    def control_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Pause, cancel or resume a job, and go back to where the button was."""
        if not may_control(request):
            raise PermissionDenied
        job = get_object_or_404(JobRun, pk=pk)
        verbs = {"pause": job.pause, "cancel": lambda: job.cancel(timezone.now()), "resume": job.resume}
        if not verbs[verb]():
            text = gettext("The job is %(status)s, so this cannot be done.")
            messages.warning(request, text % {"status": job.get_status_display()})
        elif verb == "resume":
            ring(job)
        return redirect("admin:crm_jobrun_change", pk)

    def errors_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Send the file of rejected rows: line, column, reason, row."""
        if not (self.has_view_permission(request) and request.user.has_perm("crm.view_rejectedevent")):
            raise PermissionDenied  # the rows hold whatever the file held: names and phones too
        job = get_object_or_404(JobRun, pk=pk)
        access_log.note(
            "export", f"rejected rows of job {pk}", user=person_of(request), count=job.rejected, now=timezone.now()
        )
        lines = error_file(job)
        answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="errors-job-{pk}.csv"'
        return answer


def may_control(request: HttpRequest) -> bool:
    return request.user.has_perm("crm.change_jobrun")
