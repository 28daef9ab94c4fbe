"""The data map's page and its file: what we hold, what for, how long, and what an erasure does to it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from crm import records_of_processing as records

PERMISSION = "crm.view_data_map"


def page_view(request: HttpRequest) -> HttpResponse:
    """Show the tables that have what is looked for; they stand open when something is."""
    wanted = _wanted(request)
    found = records.sheets(wanted)
    lines = [line for sheet in found for line in sheet.lines]
    context: dict[str, Any] = {
        "title": gettext("Data map"),
        "sheets": found,
        "wanted": wanted,
        "counts": {
            "tables": len(found),
            "columns": len(lines),
            "personal": sum(line.personal for line in lines),
            "sealed": sum(line.sealed for line in lines),
        },
        "query": request.GET.urlencode(),
    }
    return TemplateResponse(
        request,
        "zhiyin/compliance/data_map.html",
        admin.site.each_context(request) | context | records.choices(),
    )


def file_view(request: HttpRequest) -> StreamingHttpResponse:
    """Send what the page shows as a spreadsheet."""
    answer = StreamingHttpResponse(
        records.lines_of_csv(records.sheets(_wanted(request))), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = 'attachment; filename="data-map.csv"'
    return answer


def _wanted(request: HttpRequest) -> records.Wanted:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    told = {name: request.GET.get(name, "")[:100] for name in ("word", "kind", "erasure")}
    return records.Wanted(**told)
