"""Files into the record, step by step: upload, say what the columns mean, start; the job's page shows the rest.

An uploaded file waits sealed (``crm.imports.uploads``) and is named between the steps by chance, so that nobody can
name a file of the server that is not an upload of theirs, and no address tells what it was called.
"""

from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.files.base import File
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import get_valid_filename
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm import imports
from crm.admin.bells import ring
from crm.admin.lists import person_of
from crm.imports import uploads
from crm.imports.mapping import Mapping, targets
from crm.imports.uploads import Ticket
from crm.models import JobRun, Source
from crm.privacy import masked_attributes

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
WHAT = (("events", _("Events")), ("profiles", _("People")), ("items", _("Items")), ("consents", _("Consents")))
TARGETS = {
    "external_id": _("external id"),
    "unionid": "UnionID",
    "openid": "OpenID",
    "external_userid": _("WeCom customer id"),
    "phone": _("phone"),
    "email": _("e-mail"),
    "anonymous_id": _("anonymous id"),
    "kind": _("kind"),
    "occurred_at": _("occurred"),
    "item": _("item"),
    "message_id": _("message id"),
    "name": _("name"),
    "value": _("value"),
    "currency": _("currency"),
    "quantity": _("quantity"),
    "discount": _("discount"),
    "session": _("session"),
    "channel": _("channel"),
    "gender": _("gender"),
    "birthday": _("birthday"),
    "age_band": _("age band"),
    "province": _("province"),
    "city": _("city"),
    "language": _("language"),
    "code": _("code"),
    "title": _("title"),
    "body": _("body"),
    "categories": _("categories"),
    "brand": _("brand"),
    "price": _("price"),
    "available_from": _("available from"),
    "available_to": _("available to"),
}


class UploadForm(forms.Form):
    """The file, what it holds, and in whose name it comes."""

    file = forms.FileField(label=_("File"))
    what = forms.ChoiceField(label=_("It holds"), choices=WHAT)
    source = forms.ModelChoiceField(label=_("Source"), queryset=Source.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sources = Source.objects.filter(is_active=True).exclude(kind=Source.Kind.BROWSER)
        self.fields["source"].queryset = sources.order_by("name")  # type: ignore[attr-defined]

    def clean_file(self) -> "File[bytes]":
        file: File[bytes] = self.cleaned_data["file"]
        if Path(file.name or "").suffix.lower() not in SUFFIXES:
            raise forms.ValidationError(gettext("Known are CSV, JSON lines and Parquet files."))
        return file


def upload_view(request: HttpRequest) -> HttpResponse:
    """Take the file, and go on to its preview."""
    _check(request)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file: File[bytes] = form.cleaned_data["file"]
        ticket = Ticket(
            name=get_valid_filename(Path(file.name or "file").name)[-100:],
            what=form.cleaned_data["what"],
            source=form.cleaned_data["source"].pk,
            user=person_of(request).pk,
        )
        return redirect("admin:crm_import_mapping", uploads.keep(file.chunks(), ticket))
    return _page(request, "upload", {"form": form, "suffixes": ",".join(SUFFIXES)})


def mapping_view(request: HttpRequest, ticket: str) -> HttpResponse:
    """Show the file's first rows and what its columns seem to mean; started, it becomes a job."""
    from crm.imports.files import UnreadableFile

    _check(request)
    path, upload = _opened(request, ticket)
    mapping = _chosen(request.POST, upload.what) if request.method == "POST" else None
    try:
        preview = imports.preview(path, upload.what, mapping, now=timezone.now())
    except UnreadableFile as error:
        messages.error(request, str(error).replace(path.name, upload.name))
        return redirect("admin:crm_import")
    blocked = preview.mapping.problems(preview.columns)
    if request.method == "POST" and "start" in request.POST and not blocked:
        return redirect("admin:crm_jobrun_change", _start(request, path, upload, preview.mapping).pk)
    return _page(request, "mapping", _facts(upload, preview) | {"blocked": blocked})


def _facts(upload: Ticket, preview: imports.Preview) -> dict[str, Any]:
    mapping = preview.mapping
    return {
        "preview": preview,
        "rows": [
            list(masked_attributes({c: row.get(c) or "" for c in preview.columns}).values()) for row in preview.rows
        ],
        "file_name": upload.name,
        "what": dict(WHAT)[upload.what],
        "fields": [
            (target, TARGETS.get(target, target), mapping.columns.get(target, ""), mapping.constants.get(target, ""))
            for target in targets(upload.what)
        ],
        "mapping": mapping,
        "zones": [("UTC", "UTC"), (settings.TIME_ZONE, settings.TIME_ZONE)],
    }


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("crm.add_event"):
        raise PermissionDenied


def _opened(request: HttpRequest, place: str) -> tuple[Path, Ticket]:
    try:
        path, upload = uploads.find(place, timezone.now())
    except uploads.NoUpload as error:
        raise BadRequest("The upload is not known any more. Upload the file again.") from error
    if upload.user != request.user.pk:
        raise PermissionDenied
    return path, upload


def _chosen(answers: AnyMapping[str, Any], what: str) -> Mapping:
    """Return the mapping that a person chose in the form."""
    columns = {target: answers.get(f"column-{target}", "") for target in targets(what)}
    constants = {target: answers.get(f"constant-{target}", "").strip() for target in targets(what)}
    zones = {"UTC", settings.TIME_ZONE}
    zone = answers.get("time_zone", "UTC")
    return Mapping(
        what=what,
        columns={target: column for target, column in columns.items() if column},
        constants={target: text for target, text in constants.items() if text and not columns[target]},
        time_zone=zone if zone in zones else "UTC",
        keep_rest="keep_rest" in answers,
    )


def _start(request: HttpRequest, path: Path, upload: Ticket, mapping: Mapping) -> JobRun:
    source = get_object_or_404(Source, pk=upload.source)
    job = imports.order(path, mapping, source=source, now=timezone.now(), user=person_of(request), name=upload.name)
    ring(job)
    return job


def _page(request: HttpRequest, name: str, facts: dict[str, Any]) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": gettext("Import a file")} | facts
    return TemplateResponse(request, f"zhiyin/imports/{name}.html", context)
