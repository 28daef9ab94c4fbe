"""Files of a static list: taken sealed, read by a worker, and what became of their lines."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.models import Segment
from campaigns.segmenting import list_files
from crm.admin.bells import ring
from crm.admin.lists import person_of
from crm.models import JobRun

TYPES = (
    ("external_id", _("external id")),
    ("phone", _("phone")),
    ("email", _("e-mail")),
    ("openid", "OpenID"),
    ("unionid", "UnionID"),
    ("external_userid", _("WeCom customer id")),
    ("profile", _("our own number (#)")),
)
SHOWN = 5


def about(segment: Segment) -> dict[str, Any]:
    """Return the last files of a list, and whether one is still being read."""
    jobs = list(list_files.jobs_of(segment).select_related("requested_by")[:SHOWN])
    return {
        "uploads": [{"job": one, "told": one.result if "lines" in one.result else None} for one in jobs],
        "reading": any(one.finished_at is None for one in jobs),
    }


def _list(request: HttpRequest, pk: int, permission: str) -> Segment:
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return get_object_or_404(Segment, pk=pk, kind=Segment.Kind.LIST)


@require_POST
def upload_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a file, sealed, and have a worker add whom it names."""
    segment = _list(request, pk, "campaigns.change_segment")
    file = request.FILES.get("file")
    try:
        job = list_files.order(
            segment, (file.name if file else "") or "", file.chunks() if file else (),
            type_=request.POST.get("type", ""), column=request.POST.get("column", "").strip(),
            by=person_of(request), now=timezone.now(),
        )  # fmt: skip
    except list_files.NoListFile as error:
        messages.error(request, str(error))
    else:
        ring(job)
        messages.success(request, gettext("The file is being read; what became of its lines stands below."))
    return redirect("admin:campaigns_segment_change", pk)


@require_GET
def state_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the table of files, for a page that waits."""
    segment = _list(request, pk, "campaigns.view_segment")
    return TemplateResponse(request, "zhiyin/segment/uploads.html", {"segment": segment, **about(segment)})


@require_GET
def unknown_view(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Give the numbers of the lines that named nobody; what stood in them was never kept."""
    if not request.user.has_perm("campaigns.change_segment"):
        raise PermissionDenied
    job = get_object_or_404(JobRun, pk=pk, kind=list_files.KIND)
    answer = StreamingHttpResponse(list_files.unknown_lines(job), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="unknown-lines-{pk}.csv"'
    return answer
