"""The compliance officer's workspace: is the ledger well, what is due, and the bundle for an auditor."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter

from crm import access_log, approvals, checkpoints, verify
from crm.admin import data_map
from crm.admin.again import ask_again
from crm.admin.bells import ring
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.admin.searching import numbers
from crm.audit import figures, orders
from crm.audit.query import BadQuery, Query, ask
from crm.charts import rounded
from crm.models import Approval, Checkpoint, JobRun, PersonalDataAccess, Purpose

LARGEST_NOTE = 10_000


class OrderForm(forms.Form):
    """What the auditor asked for."""

    begin = forms.CharField(label=_("From"), required=False)
    end = forms.CharField(label=_("To"), required=False)
    purposes = forms.MultipleChoiceField(label=_("Purposes"), required=False)
    people = forms.CharField(label=_("People"), required=False)
    language = forms.ChoiceField(label=_("Language of the report"), choices=settings.LANGUAGES)
    held = forms.FileField(label=_("The auditor's checkpoint"), required=False)
    clear_text = forms.BooleanField(label=_("In clear text"), required=False)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(purpose.code, str(purpose)) for purpose in Purpose.objects.order_by("code")]
        self.fields["purposes"].choices = choices  # type: ignore[attr-defined]

    def clean_people(self) -> list[int]:
        told = self.cleaned_data["people"].strip()
        found = numbers(told) if told else []
        if told and not found:
            raise forms.ValidationError(gettext("Name people by their numbers, like #42, #43."))
        return found

    def clean_held(self) -> str:
        file = self.cleaned_data["held"]
        return file.read(LARGEST_NOTE).decode("utf-8", "replace") if file else ""

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if told.get("clear_text") and not (told.get("reason") or "").strip():
            raise forms.ValidationError(gettext("Say why the auditor needs names: a second person decides by that."))
        if not self.errors:
            try:
                told["query"] = ask(**{name: told[name] for name in ASKED})
            except BadQuery as error:
                raise forms.ValidationError(str(error)) from error
        return told


ASKED = ("begin", "end", "purposes", "people", "language", "held", "clear_text")


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """What we signed; and above it the workspace, which is about what these prove."""

    list_display = ("covers", "root_start", "added", "waited", "created_at")
    list_filter = (("created_at", RangeDateTimeFilter),)
    ordering = ("-size",)
    fields = (("covers", "created_at"), ("added", "waited"), "signed_note")
    readonly_fields = ("signed_note",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("compliance/", view(overview_view), name="crm_compliance"),
            path("compliance/export/", view(order_view), name="crm_audit_order"),
            path("compliance/export/<uuid:pk>/", view(approved_view), name="crm_audit_approved"),
            path("compliance/bundle/<int:pk>.<str:kind>", view(download_view), name="crm_audit_download"),
            path("compliance/verify.py", view(verifier_view), name="crm_audit_verifier"),
            path("compliance/checkpoint.txt", view(checkpoint_view), name="crm_audit_checkpoint"),
            path("compliance/data-map/", view(data_map.page_view), name="crm_data_map"),
            path("compliance/data-map.csv", view(data_map.file_view), name="crm_data_map_file"),
            path("compliance/check/", view(check_view), name="crm_ledger_check"),
            *super().get_urls(),
        ]

    nothing_yet = _("As soon as there is something to prove, it is signed for within seconds.")

    def title_of(self, obj: Checkpoint) -> str:
        return self.covers(obj)

    @column(_("leaves"), ordering="size")
    def covers(self, checkpoint: Checkpoint) -> str:
        return rounded(checkpoint.size, 0)

    @column(_("leaves added"), ordering="leaves")
    def added(self, checkpoint: Checkpoint) -> str:
        return rounded(checkpoint.leaves, 0)

    @column(_("longest wait"), ordering="waited_ms")
    def waited(self, checkpoint: Checkpoint) -> str:
        return gettext("%(seconds)s s") % {"seconds": rounded(checkpoint.waited_ms / 1000, 1)}

    @column(_("root"))
    def root_start(self, checkpoint: Checkpoint) -> str:
        return f"{checkpoint.root.hex()[:16]}…"

    @column(_("signed note"))
    def signed_note(self, checkpoint: Checkpoint) -> SafeString:
        return format_html('<pre class="zy-pre zy-mono">{}</pre>', checkpoint.note)


def overview_view(request: HttpRequest) -> HttpResponse:
    """Show how things stand."""
    _check(request, "crm.view_checkpoint")
    now = timezone.now()
    facts = figures.facts(now, cache) | _trust() | {"now": now, "may_export": _may_export(request)}
    facts["exports"] = [_export(job, now) for job in facts["exports"]]
    return _page(request, "overview", gettext("Compliance"), facts)


def order_view(request: HttpRequest) -> HttpResponse:
    """Take an order; in clear text it first goes to a second person."""
    _check(request, "crm.export_audit_bundle")
    ask_again(request, keep=False)
    form = OrderForm(request.POST or None, request.FILES or None, initial={"language": get_language()})
    if request.method == "POST" and form.is_valid():
        return _ordered(request, form.cleaned_data["query"], form.cleaned_data["reason"])
    now = timezone.now()
    mine = Approval.objects.filter(action=orders.ACTION, requested_by=person_of(request), used_at=None)
    waiting = [(one, one.state(now)) for one in mine.order_by("-requested_at")[:5]]
    newest = Checkpoint.objects.latest_first().first()
    facts = {"form": form, "approvals": waiting, "newest": newest, "zone": settings.TIME_ZONE}
    return _page(request, "order", gettext("Export an audit bundle"), facts)


def _ordered(request: HttpRequest, query: Query, reason: str) -> HttpResponse:
    user, now = person_of(request), timezone.now()
    if query.clear_text and not _approved(query, request):
        approvals.ask(orders.ACTION, orders.subject(query), orders.parameters(query), by=user, reason=reason, now=now)
        messages.info(
            request, gettext("A second person has been asked. When they have agreed, start the export below.")
        )
        return redirect("admin:crm_audit_order")
    return _started(request, query)


def _approved(query: Query, request: HttpRequest) -> bool:
    asked = orders.subject(query), orders.parameters(query)
    return approvals.approved(orders.ACTION, *asked, by=person_of(request), now=timezone.now()) is not None


def approved_view(request: HttpRequest, pk: Any) -> HttpResponse:
    """Start what a second person has agreed to: exactly that."""
    _check(request, "crm.export_audit_bundle")
    if request.method != "POST":
        return redirect("admin:crm_audit_order")
    ask_again(request)
    approval = get_object_or_404(Approval, pk=pk, action=orders.ACTION, requested_by=person_of(request))
    return _started(request, orders.of_parameters(approval.parameters))


def _started(request: HttpRequest, query: Query) -> HttpResponse:
    try:
        job = orders.place(query, user=person_of(request), now=timezone.now())
    except approvals.NotApproved as error:
        messages.error(request, str(error))
        return redirect("admin:crm_audit_order")
    ring(job)
    return redirect("admin:crm_jobrun_change", job.pk)


def download_view(request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
    """Hand out a bundle, or its report beside it, and write down that it was taken."""
    _check(request, "crm.export_audit_bundle")
    ask_again(request)
    job = get_object_or_404(JobRun, pk=pk, kind=orders.KIND, status=JobRun.Status.SUCCEEDED)
    now = timezone.now()
    file = orders.file_of(job).with_suffix(f".{kind}") if kind in ("zip", "pdf", "tsr") else None
    ends = orders.expires_at(job)
    if file is None or not file.exists() or (ends and ends <= now):
        messages.warning(
            request, gettext("This bundle was removed when its time was up. Export it again: it is the same.")
        )
        return redirect("admin:crm_compliance")
    if job.parameters["clear_text"] and job.requested_by != request.user:
        raise PermissionDenied
    what = f"{file.name}: {job.title}"
    access_log.note(PersonalDataAccess.Action.EXPORT, what, user=person_of(request), count=0, now=now)
    return FileResponse(file.open("rb"), as_attachment=True, filename=file.name)


def verifier_view(request: HttpRequest) -> HttpResponseBase:
    """Hand out the verifier apart from any bundle."""
    _check(request, "crm.view_checkpoint")
    return FileResponse(open(verify.__file__, "rb"), as_attachment=True, filename="verify.py")


def checkpoint_view(request: HttpRequest) -> HttpResponse:
    """Hand out the newest checkpoint, for somebody to keep."""
    _check(request, "crm.view_checkpoint")
    newest = Checkpoint.objects.latest_first().first()
    if newest is None:
        return redirect("admin:crm_compliance")
    headers = {"Content-Disposition": f'attachment; filename="checkpoint-{newest.size}.txt"'}
    return HttpResponse(newest.note, content_type="text/plain; charset=utf-8", headers=headers)


def check_view(request: HttpRequest) -> HttpResponse:
    """Have a worker derive the whole ledger again."""
    _check(request, "crm.view_checkpoint")
    if request.method != "POST":
        return redirect("admin:crm_compliance")
    facts = {"kind": "fsck", "title": "Check of the ledger", "requested_by": person_of(request)}
    job = JobRun.objects.create(**facts, created_at=timezone.now())
    ring(job)
    return redirect("admin:crm_jobrun_change", job.pk)


def _trust() -> dict[str, Any]:
    """Return what an auditor needs from us once: key and fingerprint."""
    try:
        key = verify.key_of(checkpoints.signer().verifier_key)
    except checkpoints.KeyMissing as error:
        return {"key_missing": str(error)}
    return {"key": str(key), "fingerprint": key.fingerprint}


def _export(job: JobRun, now: Any) -> dict[str, Any]:
    ends = orders.expires_at(job)
    there = job.status == JobRun.Status.SUCCEEDED and orders.file_of(job).exists() and bool(ends and ends > now)
    return {"job": job, "there": there, "ends": ends}


def _may_export(request: HttpRequest) -> bool:
    return person_of(request).has_perm("crm.export_audit_bundle")


def _check(request: HttpRequest, permission: str) -> None:
    if not person_of(request).has_perm(permission):
        raise PermissionDenied


def _page(request: HttpRequest, name: str, title: str, facts: dict[str, Any]) -> HttpResponse:
    context = admin.site.each_context(request) | {"title": title} | facts
    return TemplateResponse(request, f"zhiyin/compliance/{name}.html", context)
