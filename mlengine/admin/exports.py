"""Rows that leave: asked for with a purpose and a recipient, refused with a reason, kept on record."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.admin.again import ask_again
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.models import Profile, RowExport
from mlengine.admin import private

NAMES = {
    "gender": _("gender"),
    "age_band": _("age band"),
    "birth_month": _("birth month"),
    "birth_day": _("birth day"),
    "province": _("province"),
    "city": _("city"),
    "language": _("language"),
    # What the demonstration's people tell of their households.
    "income": _("income"),
    "home_ownership": _("home ownership"),
    "marital_status": _("marital status"),
    "household_size": _("household size"),
    "household_composition": _("household composition"),
    "kids": _("children in the household"),
}


class ExportForm(forms.Form):
    """Whose rows, which columns, what for and for whom."""

    purpose = forms.CharField(label=_("purpose"), max_length=300)
    recipient = forms.CharField(label=_("recipient"), max_length=200)
    columns = forms.MultipleChoiceField(label=_("columns"))
    gender = forms.ChoiceField(label=_("gender"), required=False)
    province = forms.CharField(label=_("province"), max_length=64, required=False)
    city = forms.CharField(label=_("city"), max_length=64, required=False)
    generalised = forms.BooleanField(label=_("make rows coarser where needed"), required=False)

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args, **facts)
        from mlengine import exports

        self.fields["columns"].choices = [(name, NAMES.get(name, name.replace("_", " "))) for name in exports.columns()]  # type: ignore[attr-defined]
        self.fields["gender"].choices = [("", _("everybody")), *Profile.Gender.choices]  # type: ignore[attr-defined]


@admin.register(RowExport)
class RowExportAdmin(ReadOnlyAdmin):
    """The record of exports, and the page that makes one."""

    nothing_yet = _("Every export of rows, and every refusal, is kept here: who, for whom, what for, how private.")

    list_display = ("at", "asked_by", "recipient", "purpose", "rows", "k", "l", "grade", "outcome")
    list_filter = ("grade",)
    ordering = ("-at", "-id")

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return request.user.has_perm("crm.add_rowexport") and private.sees_people(request.user)

    @column(_("outcome"), label={"given": "success", "refused": "danger"})
    def outcome(self, export: RowExport) -> tuple[str, Any]:
        return ("refused", _("refused")) if export.refused else ("given", _("given"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form; by POST make the file, or say why not."""
        from mlengine import exports

        if not self.has_add_permission(request):
            raise PermissionDenied
        ask_again(request)
        form = ExportForm(request.POST or None, initial={"generalised": True})
        refused = None
        if form.is_valid():
            try:
                body, record = exports.export(_wanted(form.cleaned_data), by=person_of(request), now=timezone.now())
            except exports.Refused as error:
                refused = error.record
            else:
                return _file(body, record)
        context = self.admin_site.each_context(request) | {
            "title": _("Export rows"),
            "opts": RowExport._meta,
            "form": form,
            "refused": refused,
        }
        return TemplateResponse(request, "zhiyin/exports/new.html", context, status=409 if refused else 200)


def _wanted(asked: dict[str, Any]) -> Any:
    from mlengine import exports

    return exports.Wanted(
        columns=asked["columns"],
        purpose=asked["purpose"],
        recipient=asked["recipient"],
        filters={name: asked[name] for name in ("gender", "province", "city") if asked[name]},
        generalised=asked["generalised"],
    )


def _file(body: bytes, record: RowExport) -> HttpResponse:
    answer = HttpResponse(body, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="rows-{record.pk}-k{record.k}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer
